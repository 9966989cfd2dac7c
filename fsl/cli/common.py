"""Output that all commands share: JSON, styled lines, tables, times. `rich` is loaded for tables on terminals only."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar

import click

from chalicelib.model.visible_text import visible
from fsl.cli import tables

if TYPE_CHECKING:
    from rich.console import Console

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

_AS_JSON: Final = "fsl.json"
_UTC: Final = "fsl.utc"


class Styled(NamedTuple):
    """A text and its style on a terminal: a colour or `dim`."""

    text: str
    style: str


Cell: TypeAlias = str | Styled
"""A cell of a table."""


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


def put_output(value: Json) -> None:
    """Print a value that a run returned: a text as it is, everything else as JSON."""
    if isinstance(value, str):
        write(value)
    else:
        put(value)


def put_line(value: Json) -> None:
    """Print a value as one line of JSON on standard output."""
    write(json.dumps(value, ensure_ascii=False))


def say(text: str, style: str = "", *, err: bool = False, lines: bool = False) -> None:
    """Print a line, styled if the output is a terminal. Without `lines`, newlines in it are escaped too."""
    shown = visible(text, lines=lines)
    click.echo(click.style(shown, **_attributes(style)) if style and _has_colours() else shown, err=err)


def _attributes(style: str) -> dict[str, Any]:
    return {"dim": True} if style == "dim" else {"fg": style}


def _has_colours() -> bool:
    """Whether the terminal may show colours. Output that is no terminal has none in any case."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def counted(number: int, noun: str) -> str:
    """Return `1 run` or `2 runs`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def styled(word: str) -> Cell:
    """Return a status or change in its colour."""
    return Styled(word, COLOURS[word]) if word in COLOURS else word


def table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Print rows under column headings: folded into the width of a terminal, unfolded into anything else."""
    shown = [[_visible_cell(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        click.echo(_on_terminal(columns, shown))
    else:
        click.echo(tables.plain(columns, [[cell[0] for cell in row] for row in shown]))


def console(*, err: bool = False) -> Console:
    """Return rich's console of standard output or standard error, for what moves on a terminal."""
    from rich.console import Console

    return Console(file=sys.stderr if err else sys.stdout, highlight=False, no_color=not _has_colours())


def _on_terminal(columns: Sequence[str], rows: Sequence[Sequence[tuple[str, str]]]) -> str:
    """Return a table that fits into the terminal: long cells are folded."""
    out = console()
    with out.capture() as captured:
        out.print(tables.folded(columns, rows))
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _visible_cell(cell: Cell) -> tuple[str, str]:
    """Return the text of a cell, escaped, and its style."""
    return (visible(cell.text), cell.style) if isinstance(cell, Styled) else (visible(cell), "")


# ── times ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def utc_option(command: _F) -> _F:
    """Add the option `--utc/--local`. The functions for times read it; the command does not receive it."""

    def remember(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click's signature
        ctx.meta[_UTC] = wanted

    text = "Print times in UTC, or in the time zone of this machine (the default)."
    return click.option("--utc/--local", expose_value=False, callback=remember, help=text)(command)


def short_time(text: str | None) -> str:
    """Return an RFC 3339 time as `2027-01-31 08:00:00 CET`; an empty string for None."""
    return _local(text, "%Y-%m-%d %H:%M:%S") if text else ""


def exact_time(text: str | None) -> str:
    """Return an RFC 3339 time as `2027-01-31 08:00:00.123 CET`; an empty string for None."""
    return _local(text, "%Y-%m-%d %H:%M:%S.{ms}") if text else ""


def time_of_day(text: str) -> str:
    """Return an RFC 3339 time as `08:00:00.123 CET`, with its date if it is not today."""
    moment = _moment(text)
    today = moment is not None and moment.date() == datetime.now(moment.tzinfo).date()
    return _local(text, "%H:%M:%S.{ms}" if today else "%Y-%m-%d %H:%M:%S.{ms}")


def _local(text: str, form: str) -> str:
    moment = _moment(text)
    if moment is None:
        return text
    written = moment.strftime(form.replace("{ms}", f"{moment.microsecond // 1000:03}"))
    return f"{written} {_zone(moment)}"


def _zone(moment: datetime) -> str:
    """Return the name of the zone; its offset where the zone has no name in letters."""
    name = moment.tzname() or ""
    return name if name.isalpha() else f"UTC{moment:%z}"


def _moment(text: str) -> datetime | None:
    """Return the time in the wanted zone; None if the text is no time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC if click.get_current_context().meta.get(_UTC) else None)
