"""The HTTP calls of the API, for the client. Generated from the routes; do not edit.

After a change of a route, run `python -m scripts.api_calls`.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote

_PATH_PARAMETER: Final = re.compile(r"{\w+}")


class Call(NamedTuple):
    """One HTTP call: its method, its path, and the names of its query parameters."""

    method: str
    path: str
    query: tuple[str, ...] = ()

    def path_of(self, *names: str) -> str:
        """Return the path with these names instead of its parameters. Raises ValueError if their number is wrong."""
        parts = _PATH_PARAMETER.split(self.path)
        if len(names) != len(parts) - 1:
            raise ValueError(f"{self.method} {self.path} takes {len(parts) - 1} names, not {len(names)}")
        return parts[0] + "".join(quote(name, safe="") + part for name, part in zip(names, parts[1:], strict=True))


GET: Final = Call("GET", "/")
GET_CONSOLE_FILE: Final = Call("GET", "/console/{file}")
GET_HEALTHZ: Final = Call("GET", "/healthz")
GET_ME: Final = Call("GET", "/me")
GET_OPENAPI_JSON: Final = Call("GET", "/openapi.json")
GET_DOCS: Final = Call("GET", "/docs")
POST_COMMAND: Final = Call("POST", "/command")
GET_DOCTOR: Final = Call("GET", "/doctor", ("silent", "limit"))
POST_DOCTOR_REPAIR: Final = Call("POST", "/doctor/repair", ("silent", "limit"))
POST_FSL: Final = Call("POST", "/fsl", ("dry_run", "expect"))
POST_ACTION: Final = Call("POST", "/action")
GET_ACTION: Final = Call("GET", "/action", ("metadata.name", "limit", "cursor"))
GET_ACTION_NAME: Final = Call("GET", "/action/{name}", ("version",))
DELETE_ACTION_NAME: Final = Call("DELETE", "/action/{name}")
DELETE_ACTION_NAME_UUID: Final = Call("DELETE", "/action/{name}/{uuid}")
POST_FLOW: Final = Call("POST", "/flow")
GET_FLOW: Final = Call("GET", "/flow", ("metadata.name", "limit", "cursor"))
GET_FLOW_NAME: Final = Call("GET", "/flow/{name}", ("version",))
DELETE_FLOW_NAME: Final = Call("DELETE", "/flow/{name}")
DELETE_FLOW_NAME_UUID: Final = Call("DELETE", "/flow/{name}/{uuid}")
POST_EVENTTYPE: Final = Call("POST", "/eventtype")
GET_EVENTTYPE: Final = Call("GET", "/eventtype", ("metadata.name", "limit", "cursor"))
GET_EVENTTYPE_NAME: Final = Call("GET", "/eventtype/{name}", ("version",))
DELETE_EVENTTYPE_NAME: Final = Call("DELETE", "/eventtype/{name}")
DELETE_EVENTTYPE_NAME_UUID: Final = Call("DELETE", "/eventtype/{name}/{uuid}")
POST_CONFIG: Final = Call("POST", "/config")
GET_CONFIG: Final = Call("GET", "/config", ("metadata.name", "limit", "cursor"))
GET_CONFIG_NAME: Final = Call("GET", "/config/{name}", ("version",))
DELETE_CONFIG_NAME: Final = Call("DELETE", "/config/{name}")
DELETE_CONFIG_NAME_UUID: Final = Call("DELETE", "/config/{name}/{uuid}")
POST_HOOK: Final = Call("POST", "/hook")
GET_HOOK: Final = Call("GET", "/hook", ("metadata.name", "limit", "cursor"))
GET_HOOK_NAME: Final = Call("GET", "/hook/{name}", ("version",))
DELETE_HOOK_NAME: Final = Call("DELETE", "/hook/{name}")
DELETE_HOOK_NAME_UUID: Final = Call("DELETE", "/hook/{name}/{uuid}")
GET_HOOK_NAME_DELIVERIES: Final = Call("GET", "/hook/{name}/deliveries")
POST_FLOWRUN: Final = Call("POST", "/flowrun")
GET_FLOW_NAME_VERSIONS: Final = Call("GET", "/flow/{name}/versions", ("limit", "cursor"))
GET_ACTION_NAME_VERSIONS: Final = Call("GET", "/action/{name}/versions", ("limit", "cursor"))
GET_FLOW_NAME_USED_BY: Final = Call("GET", "/flow/{name}/used_by")
GET_ACTION_NAME_USED_BY: Final = Call("GET", "/action/{name}/used_by")
GET_FLOW_NAME_DIFF: Final = Call("GET", "/flow/{name}/diff", ("from", "to"))
GET_FLOW_NAME_SCHEMA: Final = Call("GET", "/flow/{name}/schema", ("version",))
GET_FLOW_NAME_ASL: Final = Call("GET", "/flow/{name}/asl", ("version",))
POST_ACTION_NAME_PAUSE: Final = Call("POST", "/action/{name}/pause")
POST_ACTION_NAME_CONTINUE: Final = Call("POST", "/action/{name}/continue")
POST_FLOW_NAME_PAUSE: Final = Call("POST", "/flow/{name}/pause")
POST_FLOW_NAME_CONTINUE: Final = Call("POST", "/flow/{name}/continue")
GET_FLOW_NAME_GRAPH: Final = Call("GET", "/flow/{name}/graph", ("format", "layout", "version", "visits", "live"))
GET_FLOWRUN_NAME_GRAPH: Final = Call("GET", "/flowrun/{name}/graph", ("format", "layout"))
POST_ANALYZE: Final = Call("POST", "/analyze")
POST_EDIT: Final = Call("POST", "/edit")
POST_IMPORT: Final = Call("POST", "/import")
POST_PLAY: Final = Call("POST", "/play", ("format",))
GET_FLOWRUN: Final = Call(
    "GET",
    "/flowrun",
    (
        "metadata.name",
        "status",
        "flow",
        "version",
        "label",
        "since",
        "until",
        "error",
        "parent",
        "name_prefix",
        "undo",
        "waiting_for",
        "due_before",
        "limit",
        "cursor",
        "view",
    ),
)
GET_FLOWRUN_COUNT: Final = Call(
    "GET",
    "/flowrun/count",
    (
        "status",
        "flow",
        "version",
        "label",
        "since",
        "until",
        "error",
        "parent",
        "name_prefix",
        "undo",
        "waiting_for",
        "due_before",
        "group",
    ),
)
POST_FLOW_NAME_RUNS: Final = Call("POST", "/flow/{name}/runs", ("wait",))
GET_FLOWRUN_NAME: Final = Call("GET", "/flowrun/{name}", ("wait", "view", "values"))
POST_FLOWRUN_NAME_PAUSE: Final = Call("POST", "/flowrun/{name}/pause")
POST_FLOWRUN_NAME_CONTINUE: Final = Call("POST", "/flowrun/{name}/continue")
POST_FLOWRUN_NAME_STOP: Final = Call("POST", "/flowrun/{name}/stop")
POST_FLOWRUN_NAME_RETRY: Final = Call("POST", "/flowrun/{name}/retry")
POST_FLOWRUN_NAME_MIGRATE: Final = Call("POST", "/flowrun/{name}/migrate")
POST_FLOWRUN_NAME_GOTO: Final = Call("POST", "/flowrun/{name}/goto")
POST_FLOWRUN_NAME_VARS: Final = Call("POST", "/flowrun/{name}/vars")
POST_FLOWRUN_NAME_LABELS: Final = Call("POST", "/flowrun/{name}/labels")
DELETE_FLOWRUN_NAME: Final = Call("DELETE", "/flowrun/{name}")
DELETE_FLOWRUN_NAME_UUID: Final = Call("DELETE", "/flowrun/{name}/{uuid}")
GET_FLOWRUN_NAME_HISTORY: Final = Call(
    "GET",
    "/flowrun/{name}/history",
    ("after", "cursor", "limit", "order", "before", "step", "token", "event", "failed", "find", "values"),
)
GET_FLOWRUN_NAME_WATCH: Final = Call("GET", "/flowrun/{name}/watch", ("after", "cursor", "wait", "limit", "values"))
GET_FLOWRUN_NAME_VALUE: Final = Call(
    "GET", "/flowrun/{name}/value", ("of", "seq", "path", "depth", "from", "count", "raw")
)
GET_FLOWRUN_NAME_VALUE_KEY: Final = Call("GET", "/flowrun/{name}/value/{key}", ("path", "from", "count"))
POST_BATCH: Final = Call("POST", "/batch")
GET_BATCH: Final = Call("GET", "/batch", ("limit", "cursor"))
GET_BATCH_BATCH_ID: Final = Call("GET", "/batch/{batch_id}", ("outcome", "limit", "cursor"))
POST_BATCH_BATCH_ID_STOP: Final = Call("POST", "/batch/{batch_id}/stop")
POST_BATCH_BATCH_ID_CONTINUE: Final = Call("POST", "/batch/{batch_id}/continue")
GET_FLOWRUN_NAME_ACTIVATION_UUID: Final = Call("GET", "/flowrun/{name}/activation/{uuid}", ("seq",))
GET_FLOWRUN_NAME_ITEMS: Final = Call(
    "GET", "/flowrun/{name}/items", ("step", "token", "status", "spans", "limit", "cursor")
)
GET_FLOWRUN_NAME_COST: Final = Call("GET", "/flowrun/{name}/cost")
POST_STEP: Final = Call("POST", "/step", ("namespace",))
POST_STEP_NAME: Final = Call("POST", "/step/{name}")
GET_TASK: Final = Call(
    "GET", "/task", ("flowId", "stepName", "action", "flow", "label", "kind", "due_before", "order", "limit", "cursor")
)
GET_STEP: Final = Call(
    "GET",
    "/step",
    (
        "metadata.name",
        "status",
        "flow",
        "version",
        "label",
        "since",
        "until",
        "error",
        "parent",
        "name_prefix",
        "undo",
        "waiting_for",
        "due_before",
        "limit",
        "cursor",
    ),
)
GET_STEP_NAME: Final = Call("GET", "/step/{name}")
GET_TASK_LINK: Final = Call("GET", "/task/{link}")
POST_TASK_LINK_ANSWER: Final = Call("POST", "/task/{link}/answer")
POST_FLOWRUN_NAME_SIGNAL: Final = Call("POST", "/flowrun/{name}/signal")
POST_EVENT: Final = Call("POST", "/event", ("dry_run",))
GET_EVENT: Final = Call("GET", "/event", ("metadata.name", "limit", "cursor"))
POST_SCHEDULE: Final = Call("POST", "/schedule")
GET_SCHEDULE: Final = Call("GET", "/schedule", ("metadata.name", "limit", "cursor"))
GET_SCHEDULE_NAME: Final = Call("GET", "/schedule/{name}")
GET_SCHEDULE_NAME_NEXT: Final = Call("GET", "/schedule/{name}/next", ("n", "since"))
POST_SCHEDULE_NAME_PAUSE: Final = Call("POST", "/schedule/{name}/pause")
POST_SCHEDULE_NAME_CONTINUE: Final = Call("POST", "/schedule/{name}/continue")
POST_SCHEDULE_NAME_RUN: Final = Call("POST", "/schedule/{name}/run")
POST_SCHEDULE_NAME_BACKFILL: Final = Call("POST", "/schedule/{name}/backfill")
DELETE_SCHEDULE_NAME: Final = Call("DELETE", "/schedule/{name}")
DELETE_SCHEDULE_NAME_UUID: Final = Call("DELETE", "/schedule/{name}/{uuid}")
GET_TIMER: Final = Call("GET", "/timer", ("until", "limit", "cursor"))
GET_WATCH: Final = Call("GET", "/watch", ("resource", "version", "lastEventId", "view"))
PUT_SECRET_NAME: Final = Call("PUT", "/secret/{name}")
GET_SECRET: Final = Call("GET", "/secret")
DELETE_SECRET_NAME: Final = Call("DELETE", "/secret/{name}")
POST_TOKEN: Final = Call("POST", "/token")
GET_TOKEN: Final = Call("GET", "/token")
DELETE_TOKEN_TOKEN_ID: Final = Call("DELETE", "/token/{token_id}")
