"""`fsl list`, `get`, `del`: what the server keeps."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click
from rich.text import Text

from fsl.cli.common import put, remote, say, styled, table
from fsl.client import Client, Resource

KINDS: Final = ("action", "flow", "flowrun", "step", "event")
KIND: Final = click.Choice(KINDS)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _since(_ctx: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    """A duration until now, or a time, as an RFC 3339 time."""
    if text is None:
        return None
    ago = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if ago is None:
        return text
    return (datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})).isoformat(timespec="milliseconds")


@click.command(name="list")
@click.argument("kind", type=KIND, default="flowrun")
@click.option("--status", metavar="WORD", help="Only runs in this status: running, paused, failed, ... (by commas).")
@click.option("--flow", metavar="NAME", help="Only runs of this flow.")
@click.option("--label", metavar="KEY=VALUE", help="Only runs that bear this label.")
@click.option(
    "--since", metavar="WHEN", callback=_since, help="Only runs since then: 30m, 24h, 7d, or an RFC 3339 time."
)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
@click.option("--all", "everything", is_flag=True, help="All of them, however many.")
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
    """List runs (newest first), actions, flows, steps that wait, or events.

    \b
    fsl list
    fsl list flow
    fsl list flowrun --status failed --since 24h
    fsl list --label team=payments --all --json
    """
    asked = {**filters, "label": label.replace("=", ":", 1) if label else None, "limit": str(limit)}
    if everything:
        found, more = list(client.every(kind, **{**asked, "limit": "1000"})), False
    else:
        page = client.page(kind, **asked)
        found, more = page.items, page.cursor is not None
    if as_json:
        put(found)
        return
    headings, rows = _HEADINGS[kind], [_row(kind, one) for one in found]
    table(headings, rows)
    if more:
        say(f"there are more than these {len(found)}: --limit, or --all", "dim", err=True)


_HEADINGS: Final[dict[str, tuple[str, ...]]] = {
    "action": ("name", "version", "method", "addresses", "returns"),
    "flow": ("name", "version", "steps", "input"),
    "flowrun": ("name", "flow", "status", "state", "begun"),
    "step": ("name", "run", "action", "uuid"),
    "event": ("name", "key", "at", "expires"),
}


def _row(kind: str, found: Resource) -> tuple[str | Text, ...]:
    meta, spec = found["metadata"], found["spec"]
    name, version = str(meta["name"]), str(meta["version"])
    match kind:
        case "action":
            return name, version, spec["serve_type"], ", ".join(spec["endpoints"]), " | ".join(spec["return_states"])
        case "flow":
            return name, version, str(len(spec["steps"])), ", ".join(one["name"] for one in spec["input"])
        case "flowrun":
            return name, spec["flow"], styled(spec["status"]), spec["current_state"], _moment(spec["created_at"])
        case "step":
            return name, spec["flow_id"], spec["action_run"]["action_name"], meta["uuid"]
        case _:
            return name, spec["key"], _moment(spec["at"]), _moment(spec["expires_at"])


def _moment(text: str | None) -> str:
    return (text or "").replace("T", " ").partition(".")[0]


@click.command(no_args_is_help=True)
@click.argument("kind", type=KIND)
@click.argument("name")
@remote
def get(*, kind: str, name: str, client: Client, as_json: bool) -> None:
    """Show one action, flow, run, step (RUN.STEP) or event.

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
    elif kind in ("action", "flow"):
        meta = found["metadata"]
        click.echo(f"# version {meta['version']}, {meta['uuid']}, {_moment(found['spec']['created_at'])}")
        click.echo(found["spec"]["text"])
    elif kind == "flowrun":
        show_run(found)
    else:
        table(("field", "value"), _fields({**found["metadata"], **found["spec"]}))


def show_run(found: Resource) -> None:
    """A run as a person wants to see it: where it stands, what it holds, its steps."""
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
    click.echo()
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
    stands = any(token["step"] == step["metadata"]["name"] and token["uuid"] for token in spec["tokens"])
    return "(waiting)" if stands and spec["ended_at"] is None else ""


def _fields(values: dict[str, Any]) -> list[tuple[str, str | Text]]:
    """Rows of what is not empty."""
    rows: list[tuple[str, str | Text]] = []
    for name, value in values.items():
        if value in (None, "", [], {}):
            continue
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        rows.append((name, styled(shown) if name == "status" else shown))
    return rows


@click.command(name="del", no_args_is_help=True)
@click.argument("kind", type=click.Choice(("action", "flow", "flowrun")))
@click.argument("name")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@remote
def delete(*, kind: str, name: str, yes: bool, client: Client, as_json: bool) -> None:
    """Delete an action, a flow, or a run that has ended.

    What something refers to, and a run that has not ended, stay.

    \b
    fsl del flowrun my_flow_run
    fsl del action ci --yes
    """
    found = client.get(kind, name)
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("nobody can be asked here: say --yes")
        click.confirm(f"delete {kind} {name}?", abort=True, err=True)
    uuid = str(found["metadata"]["uuid"])
    client.delete(kind, name, uuid)
    if as_json:
        put({"deleted": {"kind": kind, "name": name, "uuid": uuid}})
    else:
        say(f"{kind} {name} is deleted")


COMMANDS: Final = (list_, get, delete)
