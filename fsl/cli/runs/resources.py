"""`fsl list`, `get` and `del`: the definitions, runs, steps and events of a server."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from chalicelib.model.times import duration
from fsl.cli.common import put, say, short_time, styled, table, write, write_document
from fsl.cli.remote import remote
from fsl.client import Client, Resource

if TYPE_CHECKING:
    from rich.text import Text

DEFINITIONS: Final = ("action", "flow", "eventtype", "config", "schedule", "hook")
KINDS: Final = (*DEFINITIONS, "flowrun", "step", "event")
KIND: Final = click.Choice(KINDS)
MAX_PAGE_ENTRIES: Final = 1_000
"""The largest page that the API returns."""


def _since(_ctx: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    """Return an RFC 3339 time for a duration before now; any other text is passed on."""
    milliseconds = None if text is None else duration(text)
    if milliseconds is None:
        return text
    try:
        moment = datetime.now(UTC) - timedelta(milliseconds=milliseconds)
    except OverflowError as exc:
        raise click.BadParameter(f"{text} is too long ago") from exc
    return moment.isoformat(timespec="milliseconds")


@click.command(name="list")
@click.argument("kind", type=KIND, default="flowrun")
@click.option(
    "--status", metavar="WORD", help="Only runs with one of these statuses, separated by commas: running, paused, ..."
)
@click.option("--flow", metavar="NAME", help="Only runs of this flow.")
@click.option("--label", metavar="KEY=VALUE", help="Only runs with this label.")
@click.option(
    "--since",
    metavar="WHEN",
    callback=_since,
    help="Only runs that started since then: 30m, 24h, 7d, or an RFC 3339 time.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, MAX_PAGE_ENTRIES),
    default=50,
    show_default=True,
    help="The maximum number of entries.",
)
@click.option("--all", "everything", is_flag=True, help="List all entries.")
@remote
def list_(
    *,
    kind: str,
    limit: int,
    everything: bool,
    client: Client,
    as_json: bool,
    label: str | None,
    **filters: str | None,
) -> None:
    """List runs, definitions, waiting steps or events.

    Runs are listed newest first.

    \b
    fsl list
    fsl list flow
    fsl list flowrun --status failed --since 24h
    fsl list --label team=payments --all --json
    """
    query = {**filters, "label": label.replace("=", ":", 1) if label else None, "limit": str(limit)}
    if everything:
        found, more = list(client.every(kind, **{**query, "limit": str(MAX_PAGE_ENTRIES)})), False
    else:
        page = client.page(kind, **query)
        found, more = page.items, page.cursor is not None
    if as_json:
        put(found)
        return
    headings, rows = _HEADINGS[kind], [_row(kind, one) for one in found]
    table(headings, rows)
    if more:
        say(f"there are more than {len(found)} entries; use --limit or --all", "dim", err=True)


_HEADINGS: Final[dict[str, tuple[str, ...]]] = {
    "action": ("name", "version", "method", "addresses", "returns"),
    "flow": ("name", "version", "steps", "input"),
    "eventtype": ("name", "version", "args"),
    "config": ("name", "version", "value"),
    "schedule": ("name", "flow", "times", "next"),
    "hook": ("name", "version", "on", "addresses"),
    "flowrun": ("name", "flow", "status", "state", "begun"),
    "step": ("name", "run", "action", "uuid"),
    "event": ("name", "key", "at", "expires"),
}


def _row(kind: str, found: Resource) -> tuple[str | Text, ...]:
    meta, spec = found["metadata"], found["spec"]
    name, version = str(meta["name"]), str(meta["version"])
    match kind:
        case "action":
            return name, version, spec["method"], ", ".join(spec["endpoints"]), " | ".join(spec["return_states"])
        case "flow":
            return name, version, str(len(spec["steps"])), ", ".join(one["name"] for one in spec["input"])
        case "eventtype":
            args = spec["args"]
            return name, version, "any" if args is None else ", ".join(f"{one['type']} {one['name']}" for one in args)
        case "config":
            return name, version, json.dumps(spec["value"], ensure_ascii=False)
        case "schedule":
            return schedule_row(found)
        case "hook":
            return name, version, ", ".join(spec["on"]), ", ".join(spec["addresses"])
        case "flowrun":
            return name, spec["flow"], styled(spec["status"]), spec["current_state"], short_time(spec["created_at"])
        case "step":
            return name, spec["flow_id"], spec["action_run"]["action_name"], meta["uuid"]
        case _:
            return name, spec["key"], short_time(spec["at"]), short_time(spec["expires_at"])


def schedule_row(found: Resource) -> tuple[str, str, str, str | Text]:
    """Return the name, the flow, the times and the next slot of a schedule."""
    spec = found["spec"]
    zone = "" if spec["zone"] == "UTC" else f" {spec['zone']}"
    times = f"{spec['cron']}{zone}" if spec["cron"] else f"every {spec['every']}" if spec["every"] else spec["at"]
    return (
        str(found["metadata"]["name"]),
        spec["flow"],
        times,
        styled("paused") if spec["paused"] else spec["next"] or "",
    )


@click.command(no_args_is_help=True)
@click.argument("kind", type=KIND)
@click.argument("name")
@remote
def get(*, kind: str, name: str, client: Client, as_json: bool) -> None:
    """Show one definition, run, step or event.

    The name of a step has the form RUN.STEP.

    \b
    fsl get flowrun my_flow_run
    fsl get action ci
    fsl get step my_flow_run.A --json
    """
    if kind == "event":
        found = next((one for one in client.every(kind) if one["metadata"]["name"] == name), None)
        if found is None:
            raise click.ClickException(f"there is no event {name!r}")
    else:
        found = client.get(kind, name)
    if as_json:
        put(found)
    elif kind in DEFINITIONS:
        meta = found["metadata"]
        write(f"# version {meta['version']}, {meta['uuid']}, {short_time(found['spec']['created_at'])}")
        write_document(found["spec"]["text"], end="\n")
    elif kind == "flowrun":
        show_run(found)
    else:
        table(("field", "value"), _fields({**found["metadata"], **found["spec"]}))


def show_run(found: Resource) -> None:
    """Print a run: its status, data and steps."""
    spec = found["spec"]
    names = (
        "status",
        "current_state",
        "flow",
        "last_err",
        "input",
        "global_variable",
        "output",
        "created_at",
        "ended_at",
    )
    fields = {"name": found["metadata"]["name"], **{name: spec[name] for name in names}}
    fields["labels"] = found["metadata"]["labels"]
    table(("field", "value"), _fields(fields))
    write()
    rows = [
        (
            step["metadata"]["name"],
            step["spec"]["action_run"]["action_name"],
            step["spec"]["response"]["state"] or ("" if step["spec"]["action_run"]["done"] else _waiting(step, spec)),
            str(step["spec"]["retry_count"]),
        )
        for step in spec["steps"]
    ]
    table(("step", "action", "answered", "failed tries"), rows)


def _waiting(step: Resource, spec: Resource) -> str:
    current = any(token["step"] == step["metadata"]["name"] and token["uuid"] for token in spec["tokens"])
    return "(waiting)" if current and spec["ended_at"] is None else ""


def _fields(values: dict[str, Any]) -> list[tuple[str, str | Text]]:
    """Return a row for each value that is not empty."""
    rows: list[tuple[str, str | Text]] = []
    for name, value in values.items():
        if value in (None, "", [], {}):
            continue
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        rows.append((name, styled(shown) if name == "status" else shown))
    return rows


@click.command(name="del", no_args_is_help=True)
@click.argument("kind", type=click.Choice((*DEFINITIONS, "flowrun")))
@click.argument("name")
@click.option("--yes", "-y", is_flag=True, help="Delete without confirmation.")
@remote
def delete(*, kind: str, name: str, yes: bool, client: Client, as_json: bool) -> None:
    """Delete a definition, or a run that has ended.

    A definition that another one uses, and a run that has not ended, cannot be deleted.

    \b
    fsl del flowrun my_flow_run
    fsl del action ci --yes
    """
    found = client.get(kind, name)
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("the input is not a terminal, so there is no confirmation: use --yes")
        click.confirm(f"delete {kind} {name}?", abort=True, err=True)
    uuid = str(found["metadata"]["uuid"])
    client.delete(kind, name, uuid)
    if as_json:
        put({"deleted": {"kind": kind, "name": name, "uuid": uuid}})
    else:
        say(f"{kind} {name} was deleted")
