"""`fsl explain`: the settings that apply to each step."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

import click

from chalicelib.authoring.explain import Row, explain
from chalicelib.model.actions import Action
from fsl.cli.common import json_option, put, write
from fsl.cli.documents.files import find_flow, read_definitions

WIDTH: Final = 80
"""Columns of the longest line."""


@click.command("explain", no_args_is_help=True)
@click.argument("files", nargs=-1, required=True)
@click.option("--flow", "name", help="The flow (or flow_run with steps) to explain, if the files have several.")
@json_option
def explain_(*, files: Sequence[str], name: str | None, as_json: bool) -> None:
    """Show the timeout, heartbeat and retry of each step.

    Each setting is followed by its origin: the step, its action, or the defaults. The lines also show where TIMEOUT
    and ERROR lead, and what a condition does that fails.

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
    """Print the settings of each step in a block of lines, in at most WIDTH columns."""
    for n, row in enumerate(rows):
        if n:
            write()
        action = f", action {row.action}" if row.action else ""
        write(f"{row.step}  {row.kind}{action}")
        settings = {name: text for name, text in _settings(row) if text}
        widest = max(map(len, settings), default=0)
        for name, text in settings.items():
            hanging = " " * (widest + 4)
            lines = textwrap.wrap(text, WIDTH, initial_indent=f"  {name:<{widest}}  ", subsequent_indent=hanging)
            write("\n".join(lines))


def _settings(row: Row) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each setting; the text is empty if the step does not have it."""
    for field in dataclasses.fields(row):
        if field.name not in ("step", "kind", "action"):
            name = field.name.replace("on_timeout", "on TIMEOUT").replace("on_error", "on ERROR").replace("_", " ")
            yield name, str(getattr(row, field.name) or "")
