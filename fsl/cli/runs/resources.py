"""`fsl get` and `del`: one definition, run, step or event of a server."""

from __future__ import annotations

import json
import sys
from typing import Any, Final

import click

from fsl.cli.common import Cell, put, say, short_time, styled, table, write, write_document
from fsl.cli.remote import remote
from fsl.cli.runs.listing import DEFINITIONS, KIND
from fsl.client import Client, Resource


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
    """Print a run: its status, data, steps, and what it waits for."""
    spec = found["spec"]
    fields = {"name": found["metadata"]["name"], **{name: spec.get(name) for name in _SHOWN_FIELDS}}
    fields |= {name: short_time(fields[name]) for name in ("created_at", "ended_at")}
    fields |= {"parent": _parent(spec), "labels": found["metadata"]["labels"]}
    table(("field", "value"), _fields(fields))
    if "steps" in spec:
        write()
        table(("step", "action", "answered", "failed tries"), [_step(step, spec) for step in spec["steps"]])
    waits = [(token, token["waits_for"]) for token in spec.get("tokens", ()) if isinstance(token, dict)]
    rows = [_wait(token, wait) for token, wait in waits if wait]
    if rows and spec["ended_at"] is None:
        write()
        table(("token at", "waits for", "until"), rows)
    for one in spec.get("each", ()):
        counts = ", ".join(f"{one[name]:,} {name}" for name in ("done", "failed", "running", "left"))
        say(f"{one['step']}: {one['total']:,} items: {counts}")
    if spec.get("children"):
        write()
        table(("called run", "by", "state"), [(one["run"], one["step"], one["state"]) for one in spec["children"]])


_SHOWN_FIELDS: Final = (
    "status",
    "current_state",
    "flow",
    "flow_version",
    "last_err",
    "input",
    "global_variable",
    "output",
    "created_at",
    "ended_at",
)


def _parent(spec: Resource) -> str:
    parent = spec.get("parent")
    return f"{parent['run']} at {parent['step']}" if parent else ""


def _step(step: Resource, spec: Resource) -> tuple[str, ...]:
    answered = step["spec"]["response"]["state"]
    return (
        step["metadata"]["name"],
        step["spec"]["action_run"]["action_name"],
        answered or ("" if step["spec"]["action_run"]["done"] else _waiting(step, spec)),
        str(step["spec"]["retry_count"]),
    )


def _wait(token: Resource, wait: Resource) -> tuple[str, str, str]:
    """Return where a token is, what it waits for, and until when."""
    what = ", ".join(wait["events"]) or wait["child"] or wait["action"]
    key = f" with key {wait['key']}" if wait["key"] else ""
    left = f"{wait['left']:,} left" if wait["left"] else ""
    words = " ".join(word for word in (str(wait["kind"]), f"{what}{key}", left) if word)
    again = f", next try {short_time(wait['retry_at'])}" if wait["retry_at"] else ""
    return str(token["step"]), words + again, short_time(wait["until"])


def _waiting(step: Resource, spec: Resource) -> str:
    current = any(token["step"] == step["metadata"]["name"] and token["uuid"] for token in spec["tokens"])
    return "(waiting)" if current and spec["ended_at"] is None else ""


def _fields(values: dict[str, Any]) -> list[tuple[str, Cell]]:
    """Return a row for each value that is not empty."""
    rows: list[tuple[str, Cell]] = []
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
