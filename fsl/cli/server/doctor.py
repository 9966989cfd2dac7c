"""`fsl doctor`: find runs that make no progress, and repair them."""

from __future__ import annotations

from typing import Final

import click

from fsl.cli.common import Cell, put, say, short_time, styled, table
from fsl.cli.remote import remote
from fsl.client import Client, Resource

HARMLESS: Final = frozenset({"failed", "slot"})
"""Findings that only a person can decide about; they do not make the command fail."""


@click.command()
@click.option("--repair", is_flag=True, help="Resend overdue deliveries, timers and dead letters.")
@click.option(
    "--silent", metavar="DURATION", help="Also treat activations without a callback for this long as overdue: 30m, 2h."
)
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=1_000,
    show_default=True,
    help="The number of live runs to examine.",
)
@remote
@click.pass_context
def doctor(ctx: click.Context, *, repair: bool, silent: str | None, limit: int, client: Client, as_json: bool) -> None:
    """Find runs that make no progress, and repair them.

    The command reports overdue and failed runs, dead letters, and tasks without a waiting step. The exit code is 1 if
    --repair can fix a finding. Repairs are written to the server's log, and their results to the histories of the
    runs. With --silent, an action may receive the same request (with the same uuid) twice.

    \b
    fsl doctor
    fsl doctor --silent 2h
    fsl doctor --repair
    """
    report = client.doctor(repair=repair, silent=silent, limit=str(limit))
    found: list[Resource] = report["findings"]
    open_ = [one for one in found if one["ailment"] not in HARMLESS and not one["cured"]]
    if as_json:
        put(report)
    else:
        _show(report, found)
    ctx.exit(1 if open_ else 0)


def _show(report: Resource, found: list[Resource]) -> None:
    if found:
        headings = ("problem", "run", "step", "since", "detail", "")
        table(headings, [_row(one) for one in found])
    else:
        say(f"no problems in {report['looked_at']} live runs", "green")
    if url := report.get("callback_url"):  # older servers do not say it
        say(f"actions answer at {url}", "dim", err=True)
    if not report["complete"]:
        message = f"only the newest {report['looked_at']} live runs were examined; use --limit to examine more"
        say(message, "dim", err=True)


def _row(one: Resource) -> tuple[Cell, ...]:
    repaired = "repaired" if one["cured"] else ""
    return styled(one["ailment"]), one["run"], one["step"], short_time(one["since"]), one["detail"], repaired
