"""`python -m deploy.package STAGE`: write both forms of a stage, ready for deployment.

    out/STAGE/cloudformation/   sam.json, deployment.zip
    out/STAGE/terraform/        chalice.tf.json, echoer.tf.json, echoer_override.tf.json, deployment.zip

Chalice runs in a copy of the code that already contains the packages, the policies and the template to merge. No
request is sent to AWS.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from chalicelib.model.errors import EchoerError
from deploy import build, check, cloudformation, policies, stages, terraform
from deploy.stages import ROOT, Document, Stage

ZIP: Final = "deployment.zip"


class Refused(EchoerError):
    """The template violates the policy check."""


def package(name: str, out: Path, say: Callable[[str], None] = print, configured: Document | None = None) -> Stage:
    """Write the stage's two forms to `out`. `configured` replaces `.chalice/config.json`.

    Raises EchoerError.
    """
    configured = configured or stages.configuration()
    stage = stages.stage(name, configured)
    with tempfile.TemporaryDirectory(prefix="echoer-") as made:
        work = Path(made).resolve()
        _stage(work, stage, stages.for_chalice(configured, stage), say)
        _cloudformation(work, stage)
        _terraform(work, stage)
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(work / "out", out)
    _report(out / "cloudformation" / ZIP, say)
    return stage


def _stage(work: Path, stage: Stage, configured: Document, say: Callable[[str], None]) -> None:
    build.stage_code(work)
    write(work / ".chalice" / "config.json", configured)
    build.vendor(work / "vendor", stage.architecture, stage.requirements)
    if not all([build.compile_code(work / "vendor"), build.compile_code(work / "chalicelib")]):
        say(f"{stages.RUNTIME} is not installed: the zip has no bytecode, so cold starts take about a second longer")


def _cloudformation(work: Path, stage: Stage) -> None:
    for function in stage.functions:
        write(work / policies.FOLDER / f"{function}.json", cloudformation.policy(stage, function))
    write(work / "merge.json", cloudformation.template(stage))
    _chalice(work, stage, "cloudformation", "--merge-template", "merge.json")
    found = check.findings(json.loads((work / "out" / "cloudformation" / "sam.json").read_text()))
    if found:
        raise Refused("the policy check refuses the template:\n" + "\n".join(found))


def _terraform(work: Path, stage: Stage) -> None:
    for function in stage.functions:
        write(work / policies.FOLDER / f"{function}.json", terraform.policy(stage, function))
    _chalice(work, stage, "terraform")
    folder = work / "out" / "terraform"
    made = json.loads((folder / "chalice.tf.json").read_text())
    write(folder / "echoer.tf.json", terraform.additions(stage))
    write(folder / "echoer_override.tf.json", terraform.override(stage, made))


def _chalice(work: Path, stage: Stage, form: str, *more: str) -> None:
    out = f"out/{form}"
    chalice = [sys.executable, "-c", "import sys; from chalice.cli import main; sys.exit(main())", "package"]
    command = [*chalice, "--stage", stage.name, "--pkg-format", form, *more, out]
    # Chalice needs a region for the names of endpoints; the forms name none.
    build.run(command, work, AWS_DEFAULT_REGION="us-east-1", PYTHONDONTWRITEBYTECODE="1", PYTHONPATH="")
    build.repack(work / out / ZIP)


def _report(made: Path, say: Callable[[str], None]) -> None:
    whole = made.stat().st_size
    say(f"{ZIP}: {whole / 1e6:.2f} MB")
    for name, packed, unpacked in build.weigh(made)[:12]:
        say(f"  {packed / 1e6:6.2f} MB  {unpacked / 1e6:6.2f} MB unpacked  {name}")


def write(path: Path, document: Document) -> None:
    """Write the document to the file as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n")


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m deploy.package", description="Package a stage for AWS.")
    parser.add_argument("stage", help="a stage of .chalice/config.json")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "out", help="the output folder (default: out/, followed by the stage's name)"
    )
    asked = parser.parse_args()
    try:
        package(asked.stage, asked.out / asked.stage)
    except EchoerError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(f"in {asked.out / asked.stage}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
