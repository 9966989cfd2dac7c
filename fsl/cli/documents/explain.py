"""`fsl explain`: the settings that apply to each step."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import click

from chalicelib.authoring.explain import Row, explain
from chalicelib.model.actions import Action
from fsl.cli.common import json_option, put, table
from fsl.cli.documents.files import find_flow, read_definitions


@click.command("explain", no_args_is_help=True)
@click.argument("files", nargs=-1, required=True)
@click.option("--flow", "name", help="The flow (or flow_run with steps) to explain, if the files have several.")
@json_option
def explain_(*, files: Sequence[str], name: str | None, as_json: bool) -> None:
    """Show the timeout, heartbeat and retry of each step.

    Each setting is followed by its origin: the step, its action, or the defaults. The table also shows where TIMEOUT
    and ERROR lead.

    \b
    fsl explain release.fsl
    fsl explain actions.fsl flows.fsl --flow order
    """
    definitions = read_definitions(files)
    actions = {one.name: one for one in definitions if isinstance(one, Action)}
    rows = explain(find_flow(definitions, name), actions)
    if as_json:
        put([dataclasses.asdict(row) for row in rows])
    else:
        show_rows(rows)


def show_rows(rows: Sequence[Row]) -> None:
    """Print the settings of steps as a table. The last columns are left out if no step has a value for them."""
    columns = ["step", "action", "timeout", "heartbeat", "retry", "on TIMEOUT", "on ERROR"]
    columns += [name for name in ("repeat", "undo", "callback", "secret") if any(getattr(row, name) for row in rows)]
    table(columns, [_cells(row, columns) for row in rows])


def _cells(row: Row, columns: Sequence[str]) -> list[str]:
    cells = [getattr(row, name.lower().replace(" ", "_")) for name in columns]
    return [str(cell) if cell is not None else f"({row.kind})" if n == 1 else "-" for n, cell in enumerate(cells)]
