"""`fsl schedule`: the schedules of a server."""

from __future__ import annotations

import click

from fsl import api_calls
from fsl.api_calls import Call
from fsl.cli.common import Cell, Json, put, say, short_time, styled, table, write, write_document
from fsl.cli.remote import remote
from fsl.cli.runs.listing import MAX_PAGE_ENTRIES
from fsl.cli.runs.rows import schedule_row
from fsl.client import Client, Resource


@click.group(no_args_is_help=True)
def schedule() -> None:
    """List, inspect and command schedules.

    \b
    fsl schedule list --json
    fsl schedule show nightly
    fsl schedule pause nightly
    fsl schedule continue nightly
    fsl schedule run nightly
    fsl schedule backfill nightly 2026-11-01T00:00:00Z 2026-11-03T00:00:00Z
    """


@schedule.command(name="list")
@remote
def list_(*, client: Client, as_json: bool) -> None:
    """List all schedules with their next slots.

    \b
    fsl schedule list --json | jq -r '.[] | select(.spec.paused) | .metadata.name'
    """
    found = list(client.every("schedule", limit=str(MAX_PAGE_ENTRIES)))
    if as_json:
        put(found)
    else:
        table(("name", "flow", "times", "next"), [schedule_row(one) for one in found])


@schedule.command(no_args_is_help=True)
@click.argument("name")
@click.option("--next", "count", type=click.IntRange(1, 100), default=10, show_default=True, help="How many slots.")
@remote
def show(*, name: str, count: int, client: Client, as_json: bool) -> None:
    """Show a schedule: its next slots, and what became of the last ones.

    \b
    fsl schedule show nightly --next 30
    """
    found = client.get("schedule", name)
    slots: list[str] = client.call(api_calls.GET_SCHEDULE_NAME_NEXT, name, query={"n": str(count)}).json()
    if as_json:
        put({**found, "next": slots})
        return
    spec = found["spec"]
    write_document(spec["text"], end="\n")
    write()
    names = ("started", "skipped", "missed", "failed", "last_run", "queue")
    rows = [("paused", "yes" if spec["paused"] else "no"), *((one, _text(spec[one])) for one in names if spec[one])]
    table(("field", "value"), rows)
    write()
    table(("last slots", "outcome", "status or reason"), [_last(one) for one in spec["slots"]])
    write()
    table(("next slots",), [(slot,) for slot in slots])


@schedule.command(no_args_is_help=True)
@click.argument("name")
@remote
def pause(*, name: str, client: Client, as_json: bool) -> None:
    """Pause a schedule: it starts no runs until it is continued.

    \b
    fsl schedule pause nightly
    """
    _command(client, api_calls.POST_SCHEDULE_NAME_PAUSE, name, as_json=as_json)


@schedule.command(name="continue", no_args_is_help=True)
@click.argument("name")
@remote
def continue_(*, name: str, client: Client, as_json: bool) -> None:
    """Continue a paused schedule with its next slot.

    Slots that passed during the pause are skipped.

    \b
    fsl schedule continue nightly
    """
    _command(client, api_calls.POST_SCHEDULE_NAME_CONTINUE, name, as_json=as_json)


@schedule.command(no_args_is_help=True)
@click.argument("name")
@remote
def run(*, name: str, client: Client, as_json: bool) -> None:
    """Start a run of a schedule now, also while it is paused.

    \b
    fsl watch "$(fsl schedule run nightly --json | jq -r .run)"
    """
    found: Json = client.call(api_calls.POST_SCHEDULE_NAME_RUN, name, json={}).json()
    if as_json:
        put(found)
    else:
        say(f"run {found['run']} was started" if found["created"] else f"run {found['run']} exists already")


@schedule.command(no_args_is_help=True)
@click.argument("name")
@click.argument("since", metavar="FROM")
@click.argument("until", metavar="TO")
@remote
def backfill(*, name: str, since: str, until: str, client: Client, as_json: bool) -> None:
    """Start the runs of past slots that do not exist, from one RFC 3339 time to another.

    Both times are inclusive. The runs start at once. A range of more than 100 slots is refused.

    \b
    fsl schedule backfill nightly 2026-11-01T00:00:00Z 2026-11-03T00:00:00Z
    """
    body = {"from": since, "to": until}
    found: Json = client.call(api_calls.POST_SCHEDULE_NAME_BACKFILL, name, json=body).json()
    if as_json:
        put(found)
    else:
        rows = [(one["slot"], outcome, one["run"]) for outcome in ("started", "existed") for one in found[outcome]]
        rows += [(one["slot"], "failed", one["reason"]) for one in found["failed"]]
        table(("slot", "outcome", "run or reason"), sorted(rows))
    if found["failed"]:
        click.get_current_context().exit(1)


def _command(client: Client, call: Call, name: str, *, as_json: bool) -> None:
    found: Resource = client.call(call, name, json={}).json()
    if as_json:
        put(found)
    else:
        table(("name", "flow", "times", "next"), [schedule_row(found)])


def _last(record: Json) -> tuple[Cell, ...]:
    """Return the row of a slot: its time, what became of it, and why."""
    more = f" and {record['count'] - 1} more" if record["count"] > 1 else ""
    status = record["status"]
    return short_time(record["slot"]) + more, record["outcome"], styled(status) if status else record["reason"]


def _text(value: Json) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
