"""`fsl compare`: executions of AWS Step Functions, played through the imported flow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from chalicelib.adapters.operations import ALL_OPERATIONS
from chalicelib.asl.check import check
from chalicelib.asl.convert import convert
from chalicelib.asl.problems import Level, Problem, has_errors
from chalicelib.authoring.analyze import analyze_all, diagnostics_of, source_file
from chalicelib.model.flow import Flow, FlowRun
from chalicelib.model.statements import DefinitionValue
from fsl.cli.common import counted, json_option, put, say
from fsl.cli.documents.diagnostics import show
from fsl.cli.documents.files import find_flow, read_definitions, read_text
from fsl.cli.values import pair_of
from fsl.comparing.player import Verdict, compared
from fsl.comparing.recordings import NoRecording, Recording, recordings_in
from fsl.importing.files import read_machine


@click.command(no_args_is_help=True)
@click.argument("machine", metavar="MACHINE|FILE.fsl", type=click.Path(exists=True, dir_okay=False))
@click.argument("executions", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--var", "given", multiple=True, metavar="NAME=VALUE", help="A value for ${NAME} in the machine.")
@click.option("--flow", metavar="NAME", help="The flow, if the FSL file defines several.")
@click.option("--ignore", multiple=True, metavar="POINTER", help="A place in outputs and requests that may differ.")
@json_option
@click.pass_context
def compare(
    ctx: click.Context, *, machine: str, executions: Sequence[Path], given: Sequence[str], flow: str | None,
    ignore: Sequence[str], as_json: bool,
) -> None:  # fmt: skip
    """Compare executions of AWS Step Functions with runs.

    MACHINE is a definition (JSON or YAML), or FSL that was made of one. The executions are the output of `aws
    stepfunctions get-execution-history --include-execution-data`, or of describe-execution for machines without tasks.
    Each is played through the imported flow on a virtual clock, on its input and with what its tasks answered. The
    first difference of each is printed: in a request, in the path, or in the end. Nothing is called. The exit code is 1
    if anything differs.

    \b
    fsl compare order.asl.json executions/*.json
    fsl compare order.fsl executions/o-1.json --ignore /startedAt
    """
    values, found = _definitions(machine, flow, dict(pair_of(one, "--var") for one in given))
    recordings, unreadable = _recordings(executions)
    verdicts = [compared(values, found, one, ignore) for one in recordings]
    if as_json:
        put(
            [
                *({"execution": one.recording, "status": one.status, "differs": one.differs} for one in verdicts),
                *({"execution": name, "status": "", "differs": why} for name, why in unreadable),
            ]
        )
    else:
        _print(verdicts, unreadable)
    ctx.exit(1 if unreadable or any(one.differs for one in verdicts) else 0)


def _definitions(name: str, flow: str | None, given: dict[str, str]) -> tuple[list[DefinitionValue], Flow]:
    """Return the flow in a file, imported if it is a machine, and what it needs. Exits with 1 if there are errors."""
    if name.endswith(".fsl"):
        values = read_definitions([name])
        return [one for one in values if not isinstance(one, FlowRun)], find_flow(values, flow)
    reading = read_machine(name, read_text(name), given)
    problems = list(reading.problems)
    if reading.machine is not None:
        problems += check(reading.machine)
    if reading.machine is None or has_errors(problems):
        _refuse(name, problems)
    converted = convert(reading.machine or {}, Path(name).name.partition(".")[0], given)
    if has_errors(converted.problems):
        _refuse(name, converted.problems)
    source = source_file("the imported flow", converted.text)
    [(_, checked)] = analyze_all([source], ALL_OPERATIONS("default"))
    errors = [one for one in diagnostics_of(source, checked) if one.severity == "error"]
    show(errors, converted.text, source.name)
    if errors:
        raise click.exceptions.Exit(1)
    statements = [one.value for one in checked.statements]
    return [one for one in statements if not isinstance(one, FlowRun)], find_flow(statements, converted.name)


def _refuse(name: str, problems: Sequence[Problem]) -> None:
    for problem in problems:
        if problem.level is Level.ERROR:
            say(f"{name}:{problem.pointer}: error: {problem.message}", "red", err=True)
    raise click.exceptions.Exit(1)


def _recordings(files: Sequence[Path]) -> tuple[list[Recording], list[tuple[str, str]]]:
    """Return the executions in the files, and the files that hold none, with the reason."""
    found: list[Recording] = []
    unreadable: list[tuple[str, str]] = []
    for file in files:
        try:
            found += recordings_in(file.stem, file.read_bytes())
        except (NoRecording, OSError) as problem:
            unreadable.append((str(file), str(problem)))
    return found, unreadable


def _print(verdicts: Sequence[Verdict], unreadable: Sequence[tuple[str, str]]) -> None:
    for one in verdicts:
        if one.differs:
            say(f"{one.recording}: {one.differs}", "red")
        else:
            say(f"{one.recording}: the same ({one.status.lower()})", "green")
    for name, why in unreadable:
        say(f"{name}: {why}", "red")
    same = sum(not one.differs for one in verdicts)
    say(f"{same} of {counted(len(verdicts) + len(unreadable), 'execution')} the same", "dim")
