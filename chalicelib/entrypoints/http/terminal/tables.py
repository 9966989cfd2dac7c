"""Resources as text tables."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.entrypoints.http.request import encoded
from chalicelib.entrypoints.http.terminal.text_table import table
from chalicelib.model.json_values import Json


def resources(kind: str, found: Sequence[Json]) -> str:
    """Return a table with one row per resource."""
    header = ["name", "type", "uuid", "version"]
    rows = [[one["metadata"]["name"], kind, one["metadata"]["uuid"], str(one["metadata"]["version"])] for one in found]
    if kind == "flowrun":
        header.append("state")
        rows = [[*row, one["spec"]["current_state"]] for row, one in zip(rows, found, strict=True)]
    if kind == "step":
        header.append("run")
        rows = [[*row, one["spec"]["flow_id"]] for row, one in zip(rows, found, strict=True)]
    return table(header, rows)


def action(found: Json) -> str:
    meta, spec = found["metadata"], found["spec"]
    params = [f"{kind} {name}" for name, kind in spec["args"].items()]
    cells = [meta["name"], "\n".join(spec["endpoints"]), "\n".join(params), "\n".join(spec["return_states"])]
    return table(["name", "endpoints", "params", "return_states"], [cells])


def flow(found: Json) -> str:
    meta, spec = found["metadata"], found["spec"]
    rows = [
        [step["name"], step["action_name"], "\n".join(f"{state} -> {to}" for state, to in step["returns"].items())]
        for step in spec["steps"]
    ]
    return f"{meta['name']} version {meta['version']}\n" + table(["step", "action", "returns"], rows)


def flowrun(found: Json) -> str:
    meta, spec = found["metadata"], found["spec"]
    header = ["name", "uuid", "status", "current_state", "history_states", "global_variable", "last_err"]
    states = "\n".join(spec["history_states"])
    cells = [meta["name"], meta["uuid"], spec["status"], spec["current_state"], states, _json(spec["global_variable"])]
    return table(header, [[*cells, spec["last_err"]]])


def step(found: Json) -> str:
    meta, spec = found["metadata"], found["spec"]
    header = ["name", "flow_run_id", "uuid", "response_state", "global_variables", "data"]
    cells = [meta["name"], spec["flow_id"], meta["uuid"], spec["response"]["state"], _json(spec["global_variables"])]
    return table(header, [[*cells, spec["data"]]])


def history(entries: Sequence[Json]) -> str:
    columns = ["seq", "at", "event", "step", "from", "to", "state", "by", "error"]
    return table(columns, [[str(entry[column]) for column in columns] for entry in entries])


def _json(value: Json) -> str:
    return "" if value is None else value if isinstance(value, str) else encoded(value)
