"""Resources as text tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from chalicelib.entrypoints.http.request import encoded
from chalicelib.entrypoints.http.terminal.text_table import table
from chalicelib.model.json_values import Json

MAX_ERROR_CHARACTERS: Final = 120
"""Characters of an error in a list."""


def resources(kind: str, found: Sequence[Json]) -> str:
    """Return a table with one row per resource."""
    header = ["name", "type", "uuid", "version"]
    rows = [[one["metadata"]["name"], kind, one["metadata"]["uuid"], str(one["metadata"]["version"])] for one in found]
    if kind == "flowrun":
        header.append("state")
        rows = [[*row, one["spec"]["current_state"]] for row, one in zip(rows, found, strict=True)]
        if any(one["spec"]["last_err"] for one in found):
            header.append("error")
            rows = [[*row, _short(one["spec"]["last_err"])] for row, one in zip(rows, found, strict=True)]
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


def tasks(found: Sequence[Json]) -> str:
    columns = ["task", "action", "states", "since", "deadline", "args", "uuid"]
    rows = [
        [
            f"{one['flowId']}.{one['stepName']}",
            one["action"],
            "\n".join(one["ackStates"]),
            one["since"],
            one["deadline"],
            _json(one["args"]),
            one["uuid"],
        ]
        for one in found
    ]
    return table(columns, rows)


def fields(columns: Sequence[str], found: Sequence[Json]) -> str:
    """Return a table of these fields of each value."""
    return table(columns, [[_json(one[column]) for column in columns] for one in found])


def pairs(values: Mapping[str, Json]) -> str:
    """Return a table of names and values."""
    return table(["name", "value"], [[name, _json(value)] for name, value in values.items()])


def _short(text: str) -> str:
    """Return the beginning of an error, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_ERROR_CHARACTERS else f"{line[: MAX_ERROR_CHARACTERS - 3]}..."


def _json(value: Json) -> str:
    return "" if value is None else value if isinstance(value, str) else encoded(value)
