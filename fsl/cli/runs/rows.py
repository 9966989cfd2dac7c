"""The rows of tables: a resource of each kind in one line, and runs under the runs that called them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from fsl.cli.common import Cell, Styled, short_time, styled
from fsl.client import Resource

MAX_ERROR_CHARACTERS: Final = 200
"""Characters of an error in a list; `fsl get` shows all of it."""

HEADINGS: Final[dict[str, tuple[str, ...]]] = {
    "action": ("name", "version", "method", "addresses", "returns", "status"),
    "flow": ("name", "version", "steps", "input", "status"),
    "eventtype": ("name", "version", "args"),
    "config": ("name", "version", "value"),
    "schedule": ("name", "flow", "times", "next"),
    "hook": ("name", "version", "on", "addresses"),
    "flowrun": ("name", "flow", "status", "state", "begun"),
    "step": ("name", "run", "action", "answered", "uuid"),
    "event": ("name", "key", "at", "expires"),
}


def row(kind: str, found: Resource) -> tuple[Cell, ...]:
    """Return the cells of a resource, as `HEADINGS` names them."""
    meta, spec = found["metadata"], found["spec"]
    name, version = str(meta["name"]), str(meta["version"])
    match kind:
        case "action":
            addresses, returns = ", ".join(spec["endpoints"]), " | ".join(spec["return_states"])
            return name, version, spec["method"], addresses, returns, _held(found)
        case "flow":
            given = ", ".join(one["name"] or one["type"] for one in spec["input"])
            return name, version, str(len(spec["steps"])), given, _held(found)
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
            return name, spec["flow_id"], spec["action_run"]["action_name"], spec["response"]["state"], meta["uuid"]
        case _:
            return name, spec["key"], short_time(spec["at"]), short_time(spec["expires_at"])


def _held(found: Resource) -> Cell:
    """Return whether an action or flow is paused, and whether the breaker of an action is open."""
    status = found.get("status") or {}
    if status.get("paused"):
        return Styled(f"paused by {status['paused_by']} at {short_time(status['paused_at'])}", "yellow")
    breaker = status.get("breaker")
    if breaker and breaker["open_until"]:
        return Styled(f"breaker open until {short_time(breaker['open_until'])}", "yellow")
    return ""


def schedule_row(found: Resource) -> tuple[str, str, str, Cell]:
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


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class RunRow(NamedTuple):
    """A run of a list: how deep it is below the listed run that called it, and how many runs are folded into it."""

    run: Resource
    depth: int
    folded: int


def run_table(found: Sequence[Resource], *, unfold: bool) -> tuple[tuple[str, ...], list[tuple[Cell, ...]]]:
    """Return the headings and rows of runs. The column of errors is left out if there is no error."""
    rows = list(_arranged(found, unfold=unfold))
    with_errors = any(why(one.run) for one in rows)
    headings = (*HEADINGS["flowrun"], *(["error"] if with_errors else []))
    return headings, [_run_cells(one, with_errors=with_errors) for one in rows]


def why(run: Resource) -> str:
    """Return why a run failed or was stopped, in one short line; empty if it has no error."""
    text = " ".join(str(run["spec"].get("last_err") or "").split())
    return text if len(text) <= MAX_ERROR_CHARACTERS else f"{text[: MAX_ERROR_CHARACTERS - 1]}\N{HORIZONTAL ELLIPSIS}"


def _run_cells(one: RunRow, *, with_errors: bool) -> tuple[Cell, ...]:
    name, *rest = row("flowrun", one.run)
    folded = f" (+{one.folded})" if one.folded else ""
    error = [Styled(why(one.run), "red")] if with_errors else []
    return f"{'  ' * one.depth}{name}{folded}", *rest, *error


def _arranged(found: Sequence[Resource], *, unfold: bool) -> Iterator[RunRow]:
    """Yield the runs in their order, and called runs below their callers; folded, only callers.

    A run whose caller is not in the list is a row like any other.
    """
    listed = {str(one["metadata"]["name"]) for one in found}
    called: dict[str, list[Resource]] = {}
    for one in found:
        called.setdefault(_caller(one, listed), []).append(one)
    pending = [RunRow(one, 0, 0) for one in reversed(called.pop("", []))]
    while pending:
        listed_run = pending.pop()
        below = called.get(str(listed_run.run["metadata"]["name"]), [])
        if unfold:
            yield listed_run
            pending += [RunRow(child, listed_run.depth + 1, 0) for child in reversed(below)]
        else:
            yield listed_run._replace(folded=_count(below, called))


def _count(below: Sequence[Resource], called: dict[str, list[Resource]]) -> int:
    """Count runs and all that they called."""
    return sum(1 + _count(called.get(str(one["metadata"]["name"]), []), called) for one in below)


def _caller(run: Resource, listed: set[str]) -> str:
    """Return the listed run that called the run; empty if there is none."""
    parent = run["spec"].get("parent")
    name = str(parent["run"]) if isinstance(parent, dict) else ""
    return name if name in listed and name != run["metadata"]["name"] else ""
