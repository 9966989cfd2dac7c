"""`fsl sent` and `items`: what a run sent and got back, and the items of its eaches."""

from __future__ import annotations

import json
from typing import Final

import click

from chalicelib.model.times import format_elapsed
from fsl import api_calls
from fsl.cli.common import Cell, Json, Styled, exact_time, put, say, short_time, styled, table, write
from fsl.cli.remote import remote
from fsl.client import Client, Resource, step_of

_ITEM_STATUSES: Final = ("waiting", "running", "done", "failed")


@click.command(no_args_is_help=True)
@click.argument("target", metavar="RUN[.STEP]")
@click.option("--uuid", metavar="UUID", help="One activation; `fsl history RUN --json` shows the uuids.")
@remote
def sent(*, target: str, uuid: str | None, client: Client, as_json: bool) -> None:
    """Show what an activation was sent, and what came back.

    Without --uuid, the activations of the run are listed, or the newest activation of the step is shown: its args and
    headers, each delivery with the status of the response, reports, and the answer. Secrets are masked.

    \b
    fsl sent my_flow_run
    fsl sent my_flow_run.Charge
    fsl sent my_flow_run --uuid 5667ff87-8d0e-8a55-9a39-0c4b5d2a7e11
    """
    run = target
    if uuid is None:
        run, entries = _activations(client, target)
        if run == target:
            _list(entries, as_json=as_json)
            return
        uuid = str(entries[-1]["uuid"])
    found: Resource = client.call(api_calls.GET_FLOWRUN_NAME_ACTIVATION_UUID, run, uuid).json()
    if as_json:
        put(found)
    else:
        _show(found)


def _activations(client: Client, target: str) -> tuple[str, list[Resource]]:
    """Return the run, and the newest history entry of each of its activations; of those of the step, if it is named.

    Raises click.ClickException if there is none.
    """
    run, step = step_of(target)
    waiting = client.get("step", target) if run and _is_step(client, run, step) else None
    name = target if waiting is None else run
    newest: dict[str, Resource] = {}
    for entry in client.whole_history(name):
        if entry["uuid"] and (waiting is None or entry["step"] == step):
            newest[entry["uuid"]] = entry
    if waiting is not None and waiting["metadata"]["uuid"]:
        uuid = str(waiting["metadata"]["uuid"])
        newest.setdefault(uuid, {"uuid": uuid, "step": step, "at": "", "state": "", "event": "", "token": ""})
    if not newest:
        raise click.ClickException(f"{target} has sent nothing yet")
    return name, list(newest.values())


def _is_step(client: Client, run: str, step: str) -> bool:
    """Return whether the run exists and its flow has the step. Names of runs may have dots, too."""
    found = client.page("flowrun", **{"metadata.name": run, "view": "full"}).items
    return any(one["metadata"]["name"] == step for one in (found[0]["spec"].get("steps", []) if found else []))


def _list(entries: list[Resource], *, as_json: bool) -> None:
    if as_json:
        put([{name: one[name] for name in ("uuid", "step", "token", "at", "event", "state")} for one in entries])
        return
    rows = [(one["step"], one["state"] or one["event"], exact_time(one["at"]), one["uuid"]) for one in entries]
    table(("step", "state", "last entry", "uuid"), rows)


def _show(found: Resource) -> None:
    """Print an activation."""
    rows: list[tuple[str, Cell]] = [
        ("run", found["run"]),
        ("step", found["step"]),
        ("action", found["action"]),
        ("uuid", found["uuid"]),
        ("since", short_time(found["since"])),
        ("state", found["state"] or ("(waiting)" if found["current"] else "(abandoned)")),
        *((f"arg {name}", _text(value)) for name, value in found["args"].items()),
        *((f"arg {name}", Styled("not known any more", "dim")) for name in found["unknown_args"]),
        *((f"header {name}", str(value)) for name, value in found["headers"].items()),
    ]
    table(("sent", "value"), [row for row in rows if row[1]])
    write()
    table(("delivery", "to", "status", "took", "error"), [_delivery(one) for one in found["deliveries"]])
    if not found["logged"]:
        say("deliveries that were accepted are not logged (ECHOER_DELIVERY_LOG)", "dim", err=True)
    answers = [("report", one) for one in found["reports"]]
    answers += [("answer", found["answer"])] if found["answer"] else []
    answers += [("late", one) for one in found["late"]]
    if answers:
        write()
        table(("came back", "at", "state", "by", "data or error"), [_came_back(*one) for one in answers])


def _delivery(one: Resource) -> tuple[Cell, ...]:
    took = format_elapsed(one["duration_ms"]) if one["duration_ms"] is not None else ""
    return exact_time(one["at"]), one["address"], str(one["status"] or ""), took, Styled(one["error"], "red")


def _came_back(kind: str, one: Resource) -> tuple[str, ...]:
    error = one.get("error")
    why = f"{error['name']}: {error['cause']}" if error else "" if one["data"] is None else _text(one["data"])
    return kind, exact_time(one["at"]), one["state"], one["by"], why


# ── items ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@click.command(no_args_is_help=True)
@click.argument("run")
@click.argument("step", required=False)
@click.option("--status", type=click.Choice(_ITEM_STATUSES), help="Only items with this status.")
@click.option("--token", metavar="TOKEN", help="Which each, where several tokens are at the step.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=50, show_default=True, help="The most items to list.")
@remote
def items(
    *, run: str, step: str | None, status: str | None, token: str | None, limit: int, client: Client, as_json: bool
) -> None:
    """List the items of an each of a run.

    The first line counts them. STEP is needed if the run has several eaches.

    \b
    fsl items my_flow_run
    fsl items my_flow_run Resize --status failed
    """
    query = {"step": step, "status": status, "token": token, "limit": str(limit)}
    response = client.call(api_calls.GET_FLOWRUN_NAME_ITEMS, run, query=query)
    found: Resource = response.json()
    if as_json:
        put(found)
        return
    counts = ", ".join(f"{found[name]:,} {name}" for name in ("done", "failed", "running", "left"))
    say(f"{found['step']}: {found['total']:,} items: {counts}")
    columns = ("item", "token", "status", "step", "since", "output or error")
    table(columns, [_item(one) for one in found["items"]])
    if response.headers.get("x-next-cursor"):
        say(f"there are more than {len(found['items'])} items; use --limit or --status", "dim", err=True)


def _item(one: Resource) -> tuple[Cell, ...]:
    shown = one["error"] or ("" if one["output"] is None else _text(one["output"]))
    return str(one["index"]), one["token"], styled(one["status"]), one["step"], short_time(one["since"]), shown


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
