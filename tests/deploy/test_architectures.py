"""A stage on arm64: its functions and its packages.

Nothing here runs machine code of arm64: that the wheels work is left to those who make them.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Final

import pytest

from deploy.build import NoIndex
from deploy.package import package
from deploy.stages import BadStage, Document, configuration, stage

MACHINES: Final = {"x86_64": 0x3E, "arm64": 0xB7}
"""`e_machine` in the header of an ELF file (its two bytes after the first 18)."""


def configured(architecture: str) -> Document:
    found = configuration()
    found["stages"]["dev"]["lambda_architecture"] = architecture
    return found


@pytest.fixture(scope="module")
def on_arm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("on_arm") / "dev"
    try:
        package("dev", out, configured=configured("arm64"))
    except NoIndex as error:
        pytest.skip(f"NOTHING OF A DEPLOYMENT ON ARM64 IS TESTED: the package index cannot be reached: {error}")
    return out


def test_a_stage_has_one_of_lambdas_architectures() -> None:
    assert stage("dev", configuration()).architecture == "x86_64"
    assert stage("dev", configured("arm64")).architecture == "arm64"
    with pytest.raises(BadStage, match="lambda_architecture=aarch64: must be x86_64 or arm64"):
        stage("dev", configured("aarch64"))


def test_all_functions_of_both_forms_are_of_the_architecture(on_arm: Path) -> None:
    template = json.loads((on_arm / "cloudformation" / "sam.json").read_text())
    functions = [one for one in template["Resources"].values() if one["Type"] == "AWS::Serverless::Function"]
    assert len(functions) == len(stage("dev", configuration()).functions)
    assert [one["Properties"]["Architectures"] for one in functions] == [["arm64"]] * len(functions)
    made = json.loads((on_arm / "terraform" / "chalice.tf.json").read_text())["resource"]["aws_lambda_function"]
    assert [one["architectures"] for one in made.values()] == [["arm64"]] * len(functions)


@pytest.mark.parametrize("architecture", MACHINES)
def test_machine_code_is_for_it(packaged: Path, on_arm: Path, architecture: str) -> None:
    folder = {"x86_64": packaged, "arm64": on_arm}[architecture]
    with zipfile.ZipFile(folder / "cloudformation" / "deployment.zip") as opened:
        found = {name: opened.read(name)[:20] for name in opened.namelist() if ".so" in Path(name).suffixes}
    assert {name.partition("/")[0] for name in found} >= {"msgspec", "nacl", "re2"}
    for name, head in found.items():
        assert head[:4] == b"\x7fELF", name
        assert int.from_bytes(head[18:20], "little") == MACHINES[architecture], name


def test_nothing_else_of_a_stack_changes_with_it(template: Document, on_arm: Path) -> None:
    """So CloudFormation updates the functions in place, each with one request that has code and architecture."""
    other = json.loads((on_arm / "cloudformation" / "sam.json").read_text())
    for resource in other["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["Architectures"] = ["x86_64"]
    assert other == template
