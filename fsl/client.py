"""The client of the HTTP API. Every failure raises a `ClientError`."""

from __future__ import annotations

import json as json_text
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from chalicelib.model import step_token
from chalicelib.model.errors import EchoerError
from fsl import api_calls
from fsl.api_calls import Call
from fsl.connection import RESPONSE_TIMEOUT_S, Connection, NoResponse, Response

Json: TypeAlias = Any
Resource: TypeAlias = dict[str, Any]
QueryValue: TypeAlias = str | Sequence[str] | None
"""A query parameter: a text, several of the same name, or none."""

URL: Final = "http://127.0.0.1:8080"
BAD_REQUEST: Final = 400
FORBIDDEN: Final = 403
NOT_FOUND: Final = 404

WATCH_TIMEOUT_S: Final = 20
"""How long one request waits for a new history entry."""

MAX_WAIT_S: Final = 25
"""The longest time that one request waits for the end of a run."""

END_TARGETS: Final = frozenset({"done", "stopped"})
END_STATUSES: Final = frozenset({"succeeded", "failed", "canceled"})

_LISTS: Final = {
    "action": api_calls.GET_ACTION,
    "flow": api_calls.GET_FLOW,
    "eventtype": api_calls.GET_EVENTTYPE,
    "config": api_calls.GET_CONFIG,
    "hook": api_calls.GET_HOOK,
    "schedule": api_calls.GET_SCHEDULE,
    "flowrun": api_calls.GET_FLOWRUN,
    "step": api_calls.GET_STEP,
    "event": api_calls.GET_EVENT,
    "task": api_calls.GET_TASK,
    "timer": api_calls.GET_TIMER,
}
_RESOURCES: Final = {
    "action": api_calls.GET_ACTION_NAME,
    "flow": api_calls.GET_FLOW_NAME,
    "eventtype": api_calls.GET_EVENTTYPE_NAME,
    "config": api_calls.GET_CONFIG_NAME,
    "hook": api_calls.GET_HOOK_NAME,
    "schedule": api_calls.GET_SCHEDULE_NAME,
    "flowrun": api_calls.GET_FLOWRUN_NAME,
    "step": api_calls.GET_STEP_NAME,
}
_DELETIONS: Final = {
    "action": api_calls.DELETE_ACTION_NAME_UUID,
    "flow": api_calls.DELETE_FLOW_NAME_UUID,
    "eventtype": api_calls.DELETE_EVENTTYPE_NAME_UUID,
    "config": api_calls.DELETE_CONFIG_NAME_UUID,
    "hook": api_calls.DELETE_HOOK_NAME_UUID,
    "schedule": api_calls.DELETE_SCHEDULE_NAME_UUID,
    "flowrun": api_calls.DELETE_FLOWRUN_NAME_UUID,
}
_COMMANDS: Final = {
    "pause": api_calls.POST_FLOWRUN_NAME_PAUSE,
    "continue": api_calls.POST_FLOWRUN_NAME_CONTINUE,
    "stop": api_calls.POST_FLOWRUN_NAME_STOP,
    "retry": api_calls.POST_FLOWRUN_NAME_RETRY,
    "migrate": api_calls.POST_FLOWRUN_NAME_MIGRATE,
    "goto": api_calls.POST_FLOWRUN_NAME_GOTO,
}


class ClientError(EchoerError):
    """A request to the server failed."""

    code = "client"

    def as_json(self) -> Resource:
        """Return the error in the shape of the API's errors."""
        return {"message": str(self), "error": {"code": self.code, "detail": str(self)}}


class Unreachable(ClientError):
    """No server responded."""

    code = "unreachable"

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"cannot reach a server at {url} ({reason}); start one with `fsl local`, or name another one: --server URL"
        )


class Refused(ClientError):
    """The server responded with an error. `error_code` is the API's; `diagnostics` are those of an FSL text."""

    def __init__(self, status: int, answer: Resource) -> None:
        super().__init__(str(answer.get("message") or f"the server responded with status {status}"))
        self.status = status
        self.answer = answer
        error = answer.get("error")
        detail: Resource = error if isinstance(error, dict) else {}
        self.error_code = str(detail.get("code", ""))
        self.diagnostics: list[Resource] = list(detail.get("diagnostics") or ())

    def as_json(self) -> Resource:
        return self.answer


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list, and the cursor of the next page; None if this page is the last one."""

    items: list[Resource]
    cursor: str | None


class Client:
    """A client of the server at `url`. Use one per thread.

    `namespace`: one other than that of the token, which only an unbound token may name.
    """

    def __init__(self, url: str = URL, token: str | None = None, namespace: str | None = None) -> None:
        self.url = url.rstrip("/")
        headers = {"User-Agent": "fsl"}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"X-Echoer-Namespace": namespace} if namespace else {}
        self._connection = Connection(self.url, headers)

    def close(self) -> None:
        self._connection.close()

    # ── definitions, commands ────────────────────────────────────────────────────────────────────────────────────────

    def submit(self, text: str, *, dry_run: bool = False) -> Resource:
        """Submit an FSL text. Raises Refused if it is invalid; then nothing was changed, as in a dry run."""
        query = {"dry_run": "true" if dry_run else None}
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        return self._object(self.call(api_calls.POST_FSL, query=query, data=text.encode(), headers=headers))

    def command(self, text: str) -> Resource:
        """Execute a command of the server's terminal."""
        return self._object(self.call(api_calls.POST_COMMAND, json={"command": text}))

    # ── resources ────────────────────────────────────────────────────────────────────────────────────────────────────

    def page(self, kind: str, **filters: QueryValue) -> Page:
        """Return a page of the resources of a kind that match the filters."""
        response = self.call(_LISTS[kind], query=filters)
        return Page(list(response.json()), response.headers.get("x-next-cursor") or None)

    def every(self, kind: str, **filters: QueryValue) -> Iterator[Resource]:
        """Yield all resources of a kind that match the filters."""
        cursor = None
        while True:
            page = self.page(kind, **{**filters, **({"cursor": cursor} if cursor else {})})
            yield from page.items
            cursor = page.cursor
            if cursor is None:
                return

    def up_to(self, kind: str, limit: int, **filters: QueryValue) -> tuple[list[Resource], bool]:
        """Return at most `limit` resources of a kind, and whether there are more. A page may be shorter than asked."""
        page = self.page(kind, **{**filters, "limit": str(limit)})
        found = list(page.items)
        while page.cursor is not None and len(found) < limit:
            page = self.page(kind, **{**filters, "limit": str(limit - len(found)), "cursor": page.cursor})
            found += page.items
        return found[:limit], page.cursor is not None or len(found) > limit

    def get(self, kind: str, name: str) -> Resource:
        return self._object(self.call(_RESOURCES[kind], name))

    def delete(self, kind: str, name: str, uuid: str) -> None:
        self.call(_DELETIONS[kind], name, uuid)

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self, flow: str, order: Mapping[str, Json]) -> Resource:
        """Start a run of the flow. `order` may have `input`, `name`, `labels` and `key`."""
        return self._object(self.call(api_calls.POST_FLOW_NAME_RUNS, flow, json=dict(order)))

    def order(self, run: str, command: str, body: Mapping[str, Json] | None = None) -> Resource:
        """Send the command `pause`, `continue`, `stop`, `retry`, `migrate` or `goto` to a run."""
        return self._object(self.call(_COMMANDS[command], run, json=dict(body or {})))

    def answer(self, target: str, answer: Mapping[str, Json], uuid: str | None = None) -> Resource:
        """Answer a step by its token (`$step.token`), or as `RUN.STEP`. `answer` has `ackState` or `done`: false.

        `uuid`: the activation of `RUN.STEP`; by default the one that the server finds.
        """
        if step_token.decode(target) is not None:
            return self._object(self.call(api_calls.POST_STEP_NAME, target, json=dict(answer)))
        run, name = step_of(target)
        names = {"flowId": run, "stepName": name, "uuid": uuid} if uuid is not None else self._waiting(target)
        return self._object(self.call(api_calls.POST_STEP, json={**names, **answer}))

    def _waiting(self, target: str) -> Resource:
        """Return the names of the activation that waits at `RUN.STEP`: a task, which clerks may read, or any step."""
        run, name = step_of(target)
        try:
            tasks = self.page("task", flowId=run, stepName=name, limit="1").items if run and name else []
        except Refused as refused:
            if refused.status != FORBIDDEN:
                raise
            tasks = []
        if tasks:
            return {field: tasks[0][field] for field in ("flowId", "stepName", "uuid")}
        step = self.get("step", target)
        return {
            "flowId": step["spec"]["flow_id"],
            "stepName": step["metadata"]["name"],
            "uuid": step["metadata"]["uuid"],
        }

    def doctor(self, *, repair: bool = False, **query: str | None) -> Resource:
        """Return the runs that make no progress; with `repair`, send their messages again."""
        call = api_calls.POST_DOCTOR_REPAIR if repair else api_calls.GET_DOCTOR
        return self._object(self.call(call, query=query))

    def history(self, run: str, after: int = 0, limit: int = 1000) -> list[Resource]:
        """Return at most `limit` history entries with a `seq` greater than `after`, oldest first."""
        query = {"after": str(after), "limit": str(limit)}
        return list(self.call(api_calls.GET_FLOWRUN_NAME_HISTORY, run, query=query).json())

    def whole_history(self, run: str) -> Iterator[Resource]:
        """Yield all history entries, oldest first."""
        after = 0
        while entries := self.history(run, after):
            yield from entries
            after = entries[-1]["seq"]

    def watch(self, run: str, after: int = 0, seconds: float = math.inf) -> Iterator[Resource]:
        """Yield each history entry after `after` as it happens, until the run ends or the time is over."""
        until = time.monotonic() + seconds
        may_have_ended = False
        while (left := until - time.monotonic()) > 0:
            wait = max(1, min(WATCH_TIMEOUT_S, math.ceil(left))) if math.isfinite(left) else WATCH_TIMEOUT_S
            query = {"after": str(after), "wait": str(wait)}
            response = self.call(api_calls.GET_FLOWRUN_NAME_WATCH, run, query=query)
            entries = list(response.json())
            yield from entries
            if entries:
                after = entries[-1]["seq"]
                may_have_ended |= any(entry.get("to") in END_TARGETS for entry in entries)
            else:
                _pause(response, left)
            if may_have_ended or not entries:
                spec = self.call(api_calls.GET_FLOWRUN_NAME, run, query={"view": "summary"}).json()["spec"]
                if spec["status"] in END_STATUSES and spec["seq"] <= after:
                    return

    def ended(self, run: str, seconds: float = math.inf) -> Resource:
        """Return the run when it has ended; as it is, when the time is over."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            wait = str(max(1, math.ceil(min(MAX_WAIT_S, left))))
            query = {"wait": wait, "view": "summary"}
            response = self.call(api_calls.GET_FLOWRUN_NAME, run, query=query)
            if response.json()["spec"]["ended_at"] is not None:
                break
            _pause(response, left)
        return self.get("flowrun", run)

    def output(self, run: Resource) -> Json:
        """Return the output of a run as `get` returned it; a large one, of which that has only a part, is read."""
        output = run["spec"].get("output")
        if "cut" not in run["spec"] and '"$ref"' not in json_text.dumps(output):
            return output
        query = {"of": "output", "raw": "true"}
        return self.call(api_calls.GET_FLOWRUN_NAME_VALUE, run["metadata"]["name"], query=query).json()

    def diagram(self, name: str, form: str) -> str:
        """Return the state diagram of the flow with this name or, if there is none, of the run."""
        query = {"format": form}
        try:
            return self.call(api_calls.GET_FLOW_NAME_GRAPH, name, query=query).text
        except Refused as refused:
            if refused.status != NOT_FOUND:
                raise
        return self.call(api_calls.GET_FLOWRUN_NAME_GRAPH, name, query=query).text

    # ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def call(
        self,
        call: Call,
        *names: str,
        query: Mapping[str, QueryValue] | None = None,
        json: Json = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        response_timeout_s: float = RESPONSE_TIMEOUT_S,
    ) -> Response:
        """Send a request. `names` are the parameters in the path; query parameters that are None are left out.

        The body is `json`, encoded, or `data`. Raises Unreachable, Refused; ClientError if the call has no such
        parameter.
        """
        params = {name: value for name, value in (query or {}).items() if value is not None}
        for name in params:
            if name not in call.query:
                known = ", ".join(call.query) or "none"
                raise ClientError(f"{call.method} {call.path} has no parameter {name!r}; its parameters: {known}")
        body = data if json is None else json_text.dumps(json).encode()
        sent = {"Content-Type": "application/json"} if json is not None else {}
        try:
            response = self._connection.request(
                call.method,
                call.path_of(*names),
                query=params,
                headers={**sent, **(headers or {})},
                body=body,
                response_timeout_s=response_timeout_s,
            )
        except NoResponse as exc:
            raise Unreachable(self.url, str(exc)) from exc
        if response.status >= BAD_REQUEST:
            raise Refused(response.status, _object_in(response))
        return response

    def _object(self, response: Response) -> Resource:
        found = _object_in(response)
        if not found:
            raise Refused(response.status, {"message": f"the server at {self.url} is not an Echoer server"})
        return found


def step_of(target: str) -> tuple[str, str]:
    """Return the run and the step of `RUN.STEP`; the step has no dot, the run may have some."""
    run, _, step = target.rpartition(".")
    return run, step


def _pause(response: Response, seconds: float) -> None:
    """Pause as long as a response asks for, at most `seconds`: one to a request that the server did not let wait."""
    asked = response.headers.get("Retry-After", "")
    if asked.isdecimal():
        time.sleep(min(int(asked), seconds))


def _object_in(response: Response) -> Resource:
    try:
        found = response.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
