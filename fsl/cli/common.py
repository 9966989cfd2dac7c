"""What all commands share: which server, which form of output, how things look."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chalicelib.language import Diagnostic, render
from fsl.client import URL, Client, ClientError, Json, Resource

_F = TypeVar("_F", bound=Callable[..., Any])

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
_AS_JSON: Final = "fsl.json"
_DIAGNOSTIC: Final = ("severity", "code", "slug", "message", "line", "column", "end_line", "end_column", "hint")


def json_option(command: _F) -> _F:
    """The command takes `--json`, as `as_json`."""

    def noted(ctx: click.Context, _option: click.Parameter, wanted: bool) -> bool:  # noqa: FBT001 - click calls it so
        ctx.meta[_AS_JSON] = wanted
        return wanted

    text = "Machine-readable: only JSON on standard output."
    return click.option("--json", "as_json", is_flag=True, callback=noted, help=text)(command)


def remote(command: _F) -> _F:
    """The command takes `--server` (as `client`) and `--json`."""

    def connected(_ctx: click.Context, _option: click.Parameter, url: str) -> Client:
        if not url.startswith(("http://", "https://")):
            raise click.BadParameter(f"{url!r} is no URL such as {URL}")
        return Client(url, os.environ.get("ECHOER_TOKEN"))

    server = click.option(
        "--server",
        "client",
        metavar="URL",
        envvar="ECHOER_URL",
        default=URL,
        show_default=True,
        callback=connected,
        help="The server; ECHOER_URL says it too, and ECHOER_TOKEN is sent as a bearer token.",
    )
    return json_option(server(command))


def put(value: Json) -> None:
    """The value as JSON on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def say(text: str, style: str = "", *, err: bool = False) -> None:
    """A line for a person, in a style if a terminal reads it."""
    console(err=err).print(Text(text, style), soft_wrap=True)


def styled(word: str) -> Text:
    """A word in the colour that it has everywhere."""
    return Text(word, COLOURS.get(word, ""))


def console(*, err: bool = False) -> Console:
    """Standard output or error; colours only on a terminal, and not where NO_COLOR is set."""
    stream = sys.stderr if err else sys.stdout
    width = None if stream.isatty() else 1_000
    return Console(file=stream, highlight=False, width=width, no_color=bool(os.environ.get("NO_COLOR")) or None)


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    """Rows under headings, without frames."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    out = console()
    with out.capture() as caught:
        out.print(made)
    click.echo("\n".join(line.rstrip() for line in caught.get().splitlines()))


def show(diagnostics: Iterable[Diagnostic], text: str, name: str) -> None:
    """The diagnostics as a person reads them, on standard error."""
    for found in diagnostics:
        head, *rest = render(found, text, name).split("\n")
        say(head, "red" if found.severity == "error" else "yellow", err=True)
        for line in rest:
            say(line, err=True)


def diagnostic(found: Resource) -> Diagnostic:
    """The diagnostic that came as JSON."""
    return Diagnostic(**{name: found.get(name) or _BLANK.get(name) for name in _DIAGNOSTIC})  # type: ignore[arg-type]


_BLANK: Final[dict[str, Any]] = {"slug": "", "line": 1, "column": 1, "end_line": 1, "end_column": 1}


def failed(exc: ClientError) -> None:
    """The error is told on standard error, and as JSON on standard output where that was asked for."""
    if click.get_current_context().meta.get(_AS_JSON):
        put(exc.as_json())
    say(f"error: {exc}", "red", err=True)
