"""Options that select many runs for a command, instead of one by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from fsl.cli.common import Json
from fsl.cli.filters import labels_of, moment_of

_F = TypeVar("_F", bound=Callable[..., Any])

_FILTERS: Final = {
    "flow": click.option("--flow", "select_flow", metavar="NAME", help="Many runs: those of this flow."),
    "status": click.option("--status", "select_status", metavar="WORD", help="Many runs: those with these statuses."),
    "label": click.option(
        "--label", "select_label", metavar="KEY=VALUE", multiple=True, callback=labels_of,
        help="Many runs: those with this label; if it is repeated, with all of them.",
    ),
    "since": click.option(
        "--since", "select_since", metavar="WHEN", callback=moment_of,
        help="Many runs: those that started since then: 30m, 24h, 7d, or an RFC 3339 time.",
    ),
    "until": click.option(
        "--until", "select_until", metavar="WHEN", callback=moment_of, help="Many runs: those that started until then."
    ),
    "error": click.option("--error", "select_error", metavar="NAME", help="Many runs: those with this error."),
    "version": click.option(
        "--of-version", "select_version", type=click.IntRange(1), metavar="N",
        help="Many runs: those of this version of their flow.",
    ),
    "parent": click.option("--parent", "select_parent", metavar="RUN", help="Many runs: those that this run called."),
    "name_prefix": click.option(
        "--name-prefix", "select_name_prefix", metavar="TEXT", help="Many runs: those with names that begin so."
    ),
    "waiting_for": click.option(
        "--waiting-for", "select_waiting_for", metavar="EVENT", help="Many runs: those that wait for this event."
    ),
    "undo": click.option(
        "--undo-failed", "select_undo", flag_value="failed", default=None, help="Many runs: those with failed undos."
    ),
}  # fmt: skip
"""An option for each filter of the API."""

_HOW: Final = (
    click.option("--yes", "-y", is_flag=True, help="Many runs: do not ask for confirmation."),
    click.option("--dry-run", is_flag=True, help="Say what would be refused, and change nothing."),
    click.option("--rate", type=click.FloatRange(0, 1_000, min_open=True), help="Many runs: how many a second."),
)

MANY: Final = "The options that begin with `Many runs` select runs by filters instead of a name."


def many_runs(command: _F) -> _F:
    """Add the filters, `--yes`, `--dry-run` and `--rate`. The command receives all but `name` for `selection_of`."""
    for option in reversed((*_FILTERS.values(), *_HOW)):
        command = option(command)
    return command


def selection_of(given: Mapping[str, Any], statuses: str) -> dict[str, Json]:
    """Return `select` of a batch, by the filters that are given; empty if none is.

    `statuses` are those in which the command can be carried out: others are not selected unless they are named.
    """
    found = {name: given.get(f"select_{name}") for name in _FILTERS}
    select = {name: value for name, value in found.items() if value is not None}
    return {"status": statuses, **select} if select else {}


def one_or_many(name: str | None, select: Mapping[str, Json]) -> None:
    """Raise click.UsageError unless either a run is named or runs are selected."""
    if name is None and not select:
        raise click.UsageError("name a run, or select runs with filters such as --flow and --status")
    if name is not None and select:
        raise click.UsageError(f"{name!r} is one run, and the filters select many: give one or the other")
