"""`fsl check`: is a document right? No server is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, TextIO

import click

from chalicelib import language
from chalicelib.authoring.explain import Row, explain
from chalicelib.language import Checked, Diagnostic
from chalicelib.model.actions import Action
from chalicelib.model.flow import Flow, FlowRun
from fsl.cli.common import json_option, put, say, show, table
from fsl.sources import Source, read_all


@click.command(no_args_is_help=True)
@click.argument("files", nargs=-1, required=True, type=click.File("r", encoding="utf-8"))
@click.option("--explain", "explained", is_flag=True, help="Say which deadlines and retries hold, and who said so.")
@json_option
@click.pass_context
def check(ctx: click.Context, *, files: Sequence[TextIO], explained: bool, as_json: bool) -> None:
    """Say whether FSL is right, without a server.

    Actions and flows that one of the FILES defines are known in all of them. `-` is standard input.
    Exits with 1 if there is an error; warnings are told, and are no errors.

    \b
    fsl check release.fsl
    fsl check actions.fsl flows/*.fsl
    fsl check - < release.fsl
    fsl check --explain release.fsl
    """
    sources = [_source(file) for file in files]
    read = read_all(sources)
    found = {source.name: _diagnostics(source, checked) for source, checked in read}
    rows = _explained([checked for _, checked in read]) if explained else {}
    errors = sum(one.severity == "error" for all_of_one in found.values() for one in all_of_one)
    if as_json:
        told = [{"file": name, **dataclasses.asdict(one)} for name, all_of_one in found.items() for one in all_of_one]
        more = {"explained": {name: [dataclasses.asdict(row) for row in one] for name, one in rows.items()}}
        put({"ok": errors == 0, "diagnostics": told, **(more if explained else {})})
    else:
        for source in sources:
            show(found[source.name], source.text, source.name)
        for name, one in rows.items():
            say(f"{name}:")
            show_rows(one)
        warnings = sum(map(len, found.values())) - errors
        say(_summary(len(sources), errors, warnings), "red" if errors else "green", err=errors > 0)
    ctx.exit(1 if errors else 0)


def show_rows(rows: Sequence[Row]) -> None:
    """Which deadline, heartbeat and retry hold for each step, as a table; what is signed or secret, if anything is."""
    columns = ["step", "action", "timeout", "heartbeat", "retry", "on TIMEOUT", "on ERROR"]
    columns += [name for name in ("callback", "secret") if any(getattr(row, name) for row in rows)]
    table(columns, [_cells(row, columns) for row in rows])


def _cells(row: Row, columns: Sequence[str]) -> list[str]:
    cells = [getattr(row, name.lower().replace(" ", "_")) for name in columns]
    return [str(cell) if cell is not None else f"({row.kind})" if n == 1 else "-" for n, cell in enumerate(cells)]


def _explained(documents: Iterable[Checked]) -> dict[str, list[Row]]:
    """The rows of every flow, and of every run that brings its own steps, by name."""
    values = [statement.value for checked in documents for statement in checked.statements]
    actions = {value.name: value for value in values if isinstance(value, Action)}
    flows = [value for value in values if isinstance(value, Flow)]
    flows += [value.steps for value in values if isinstance(value, FlowRun) and value.steps]
    return {flow.name: list(explain(flow, actions)) for flow in flows}


def _source(file: TextIO) -> Source:
    try:
        text = file.read()
    except UnicodeDecodeError as exc:
        raise click.ClickException(f"{file.name} is not UTF-8: {exc.reason} at byte {exc.start}") from exc
    name = file.name if file.name not in ("-", "<stdin>") else "stdin"
    return Source(str(Path(name)), text, *language.parse(text))


def _diagnostics(source: Source, checked: Checked) -> list[Diagnostic]:
    found = {*source.syntax, *checked.diagnostics}
    return sorted(found, key=lambda one: (one.line, one.column, one.code))


def _summary(files: int, errors: int, warnings: int) -> str:
    counted = [_count(number, word) for number, word in ((errors, "error"), (warnings, "warning")) if number]
    return f"{_count(files, 'file')}: " + (", ".join(counted) or "all right")


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")


COMMANDS: Final = (check,)
