"""`fsl check`: check FSL files."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import click

from chalicelib.adapters.operations import ALL_OPERATIONS
from chalicelib.authoring.analyze import SourceFile, analyze_all, diagnostics_of
from chalicelib.authoring.explain import Row, explain
from chalicelib.language import Checked
from chalicelib.model.actions import Action
from chalicelib.model.flow import Flow, FlowRun
from fsl.cli.common import json_option, put, say
from fsl.cli.documents.diagnostics import show
from fsl.cli.documents.explain import show_rows
from fsl.cli.documents.files import read_sources


@click.command(no_args_is_help=True)
@click.argument("files", nargs=-1, required=True)
@click.option("--explain", "explained", is_flag=True, help="Also show the timeout, heartbeat and retry of each step.")
@json_option
@click.pass_context
def check(ctx: click.Context, *, files: Sequence[str], explained: bool, as_json: bool) -> None:
    """Check FSL files for errors.

    The files are checked together: each may use the actions and flows of the others. `-` is standard input. The exit
    code is 1 if there is an error, and 2 if a file is missing; warnings do not change it.

    \b
    fsl check release.fsl
    fsl check actions.fsl flows/*.fsl
    fsl check - < release.fsl
    fsl check --explain release.fsl
    """
    sources, failed = _readable(files)
    results = analyze_all(sources, ALL_OPERATIONS("default"))
    found = {source.name: diagnostics_of(source, checked) for source, checked in results}
    rows = _explained([checked for _, checked in results]) if explained else {}
    problems = [one for diagnostics in found.values() for one in diagnostics]
    errors = sum(one.severity == "error" and not one.hidden for one in problems)
    ok = not errors and not failed
    if as_json:
        listed = [{"file": name, **dataclasses.asdict(one)} for name, several in found.items() for one in several]
        more = {"explained": {name: [dataclasses.asdict(row) for row in one] for name, one in rows.items()}}
        put({"ok": ok, "diagnostics": listed, **(more if explained else {})})
    else:
        for source in sources:
            show(found[source.name], source.text, source.name)
        for name, one in rows.items():
            say(f"{name}:")
            show_rows(one)
        warnings = sum(one.severity == "warning" and not one.hidden for one in problems)
        hidden = sum(one.hidden for one in problems)
        say(_summary(len(sources), errors, warnings, hidden), "green" if ok else "red", err=not ok)
    ctx.exit(max(failed, 1 if errors else 0))


def _readable(files: Sequence[str]) -> tuple[list[SourceFile], int]:
    """Return the files that can be read, and the highest exit code of those that cannot, which are reported."""
    sources: list[SourceFile] = []
    failed = 0
    for name in files:
        try:
            sources += read_sources([name])
        except click.ClickException as exc:
            say(f"error: {exc.format_message()}", "red", err=True)
            failed = max(failed, exc.exit_code)
    return sources, failed


def _explained(documents: Iterable[Checked]) -> dict[str, list[Row]]:
    """Return the rows of every flow, and of every run with its own steps, by name."""
    values = [statement.value for checked in documents for statement in checked.statements]
    actions = {value.name: value for value in values if isinstance(value, Action)}
    flows = [value for value in values if isinstance(value, Flow)]
    flows += [value.steps for value in values if isinstance(value, FlowRun) and value.steps]
    return {flow.name: list(explain(flow, actions)) for flow in flows}


def _summary(files: int, errors: int, warnings: int, hidden: int) -> str:
    counts = ((errors, "error"), (warnings, "warning"), (hidden, "hidden problem"))
    counted = [_count(number, word) for number, word in counts if number]
    return f"{_count(files, 'file')}: " + (", ".join(counted) or "no problems")


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")
