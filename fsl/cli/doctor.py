"""`fsl doctor`: what does not get on, and how to help it."""

from __future__ import annotations

from typing import Final

import click
from rich.text import Text

from fsl.cli.common import put, remote, say, styled, table
from fsl.client import Client, Resource

HARMLESS: Final = frozenset({"failed"})
"""Findings that are a person's business: they do not make the command fail."""


@click.command()
@click.option("--repair", is_flag=True, help="Send again what can be: overdue deliveries, timers, dead letters.")
@click.option(
    "--silent", metavar="DURATION", help="Activations that heard nothing for so long are overdue too: 30m, 2h."
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=1_000, show_default=True, help="Live runs looked at.")
@remote
@click.pass_context
def doctor(ctx: click.Context, *, repair: bool, silent: str | None, limit: int, client: Client, as_json: bool) -> None:
    """Look for runs that do not get on: overdue, failed; for dead letters, and tasks that nobody waits for.

    Exits with 1 if something was found that --repair would cure. What it does is told in the server's log, and what
    comes of it stands in the runs' histories. With --silent, an action may get the same request (the same uuid) twice.

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
        headings = ("what", "run", "step", "since", "detail", "")
        table(headings, [_row(one) for one in found])
    else:
        say(f"all is well with {report['looked_at']} live runs", "green")
    if not report["complete"]:
        say(f"only the newest {report['looked_at']} live runs were looked at: --limit", "dim", err=True)


def _row(one: Resource) -> tuple[str | Text, ...]:
    since = str(one["since"] or "").replace("T", " ").partition(".")[0]
    done = "cured" if one["cured"] else ""
    return styled(one["ailment"]), one["run"], one["step"], since, one["detail"], done


COMMANDS: Final = (doctor,)
