"""Output that all commands share: JSON, styled lines and tables. `rich` is loaded when a line is first printed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import click

from chalicelib.model.visible_text import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_F = TypeVar("_F", bound=Callable[..., Any])

Json: TypeAlias = Any

COLOURS: Final = {
    "succeeded": "green",
    "failed": "red",
    "canceled": "red",
    "paused": "yellow",
    "running": "cyan",
    "created": "green",
    "updated": "yellow",
    "unchanged": "dim",
}
"""The colours of statuses and changes."""

PIPED_WIDTH_COLUMNS: Final = 1_000
"""The width of tables in output that is not a terminal, so that no line is wrapped."""

_AS_JSON: Final = "fsl.json"


def json_option(command: _F) -> _F:
    """Add the option `--json`, passed to the command as `as_json`."""

    def remember(ctx: click.Context, _option: click.Parameter, wanted: bool) -> bool:  # noqa: FBT001 - click's signature
        ctx.meta[_AS_JSON] = wanted
        return wanted

    text = "Print machine-readable JSON and nothing else on standard output."
    return click.option("--json", "as_json", is_flag=True, callback=remember, help=text)(command)


def wants_json() -> bool:
    """Whether the current command was called with `--json`."""
    return bool(click.get_current_context().meta.get(_AS_JSON))


def write(text: str = "", *, end: str = "\n") -> None:
    """Print lines on standard output. Characters that change what a terminal shows are escaped."""
    click.echo(visible(text, lines=True) + end, nl=False)


def write_document(text: str, *, end: str = "") -> None:
    """Print a document: unchanged into a file or a pipe, escaped like everything else on a terminal."""
    click.echo((visible(text, lines=True) if sys.stdout.isatty() else text) + end, nl=False)


def put(value: Json) -> None:
    """Print a value as JSON on standard output."""
    write(json.dumps(value, indent=2, ensure_ascii=False))


def put_line(value: Json) -> None:
    """Print a value as one line of JSON on standard output."""
    write(json.dumps(value, ensure_ascii=False))


def say(text: str, style: str = "", *, err: bool = False, lines: bool = False) -> None:
    """Print a line, styled if the output is a terminal. Without `lines`, newlines in it are escaped too."""
    from rich.text import Text

    console(err=err).print(Text(visible(text, lines=lines), style), soft_wrap=True)


def styled(word: str) -> Text:
    """Return a status or change in its colour."""
    from rich.text import Text

    return Text(visible(word), COLOURS.get(word, ""))


def console(*, err: bool = False) -> Console:
    """Return the console of standard output or standard error, without colours if NO_COLOR is set."""
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    width = None if stream.isatty() else PIPED_WIDTH_COLUMNS
    return Console(file=stream, highlight=False, width=width, no_color=bool(os.environ.get("NO_COLOR")) or None)


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    """Print rows under column headings."""
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*(cell if isinstance(cell, Text) else Text(visible(cell)) for cell in row))
    out = console()
    with out.capture() as captured:
        out.print(grid)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))  # cells were escaped


def short_time(text: str | None) -> str:
    """Return an RFC 3339 time as `2027-01-31 08:00:00`; an empty string for None."""
    return (text or "").replace("T", " ").partition(".")[0]
