"""The filters of runs: options that select runs by their status, flow, labels, times and errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import click

from chalicelib.model.times import duration
from fsl.client import QueryValue

_F = TypeVar("_F", bound=Callable[..., Any])


def moment_of(_ctx: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    """Return an RFC 3339 time for a duration before now; any other text is passed on."""
    return _from_now(text, -1)


def later(_ctx: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    """Return an RFC 3339 time for a duration from now; any other text is passed on."""
    return _from_now(text, 1)


def _from_now(text: str | None, sign: int) -> str | None:
    milliseconds = None if text is None else duration(text)
    if milliseconds is None:
        return text
    try:
        moment = datetime.now(UTC) + sign * timedelta(milliseconds=milliseconds)
    except OverflowError as exc:
        raise click.BadParameter(f"{text} is too long") from exc
    return moment.isoformat(timespec="milliseconds")


def labels_of(_ctx: click.Context, _option: click.Parameter, given: Sequence[str]) -> list[str] | None:
    """Return labels as the API takes them, `key:value`; None if there are none."""
    for text in given:
        if "=" not in text.strip("="):
            raise click.BadParameter(f"{text!r} must have the form KEY=VALUE")
    return [text.replace("=", ":", 1) for text in given] or None


_OPTIONS: Final = (
    click.option(
        "--status", metavar="WORD", help="Only runs with one of these statuses, separated by commas: failed, running."
    ),
    click.option("--flow", metavar="NAME", help="Only runs of this flow."),
    click.option(
        "--label",
        metavar="KEY=VALUE",
        multiple=True,
        callback=labels_of,
        help="Only runs with this label; if it is repeated, with all of them.",
    ),
    click.option(
        "--since",
        metavar="WHEN",
        callback=moment_of,
        help="Only runs that started since then: 30m, 24h, 7d, or an RFC 3339 time.",
    ),
    click.option("--until", metavar="WHEN", callback=moment_of, help="Only runs that started before then."),
    click.option("--version", metavar="N", help="Only runs of this version of their flow."),
    click.option("--error", metavar="NAME", help="Only runs that ended with this error, such as Undeliverable."),
    click.option("--parent", metavar="RUN", help="Only runs that this run called."),
    click.option("--name-prefix", metavar="TEXT", help="Only runs whose names begin like this."),
    click.option("--undo", type=click.Choice(("failed",)), help="Only runs with undos that failed."),
    click.option("--waiting-for", metavar="EVENT", help="Only runs that wait for this event."),
)


def run_filters(command: _F) -> _F:
    """Add the options that select runs. The command receives them as keyword arguments, for `query_of`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def query_of(filters: Mapping[str, QueryValue]) -> dict[str, QueryValue]:
    """Return the query parameters of the filters that are given."""
    return {name: value for name, value in filters.items() if value is not None}
