"""Run the case of a play as `fsl test` does, to see that it gives the run of the play."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from chalicelib.hosting.responder import Answer, Failure, HttpReply, Kind, Reply, Request
from chalicelib.hosting.scripted import ScriptedHost
from chalicelib.model import times
from chalicelib.model.flow import ERROR, TIMEOUT
from chalicelib.model.json_values import Json
from chalicelib.model.run_error import ErrorName, StepError
from chalicelib.model.times import Instant, Milliseconds
from chalicelib.play.case import Case
from chalicelib.service.deliveries.direct_answers import RETRIED_STATUSES

MAX_EVENTS: Final = 100_000


class CaseScript:
    """Implements `responder.Responder` by the replies of a case."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._used: Counter[tuple[str, str]] = Counter()
        self.unanswered: list[Request] = []
        """The requests for which the case has no reply."""

    def __call__(self, request: Request) -> Reply | None:
        if request.kind in (Kind.FLOW, Kind.HOOK):
            return None
        where, name = self._place(request)
        replies = self._case.replies[where].get(name, [])
        if not replies:
            self.unanswered.append(request)
            return None
        number = self._used[where, name]
        self._used[where, name] += 1
        return _as_reply(replies[min(number, len(replies) - 1)], request)

    def _place(self, request: Request) -> tuple[str, str]:
        step = f"{request.flow}.{request.step}"
        if request.kind is Kind.APPROVAL:
            return "approvals", step
        is_step = not request.undoes and step in self._case.replies["steps"]
        return ("steps", step) if is_step else ("actions", request.name)


def run_case(
    host: ScriptedHost, case: Case, flow: str, given: Json, labels: Mapping[str, Json], name: str, until: Instant
) -> bool:
    """Start the run of the case on the host, and let everything happen until then. Return False if that is too much."""
    for order in case.orders:
        host.later(_span(order["at"]), name, _commanded(host, name, order))
    for event in case.events:
        host.later(_span(event["at"]), name, _published(host, name, event))
    host.start(flow, given, name=name, labels=labels)
    return host.run_until(until, max_events=MAX_EVENTS)


def _span(text: str) -> Milliseconds:
    return sum(times.duration(part) or 0 for part in text.split())


def _published(host: ScriptedHost, name: str, event: Mapping[str, Json]) -> Callable[[], object]:
    if event.get("to_run") or event.get("run"):
        return lambda: host.signal(event.get("run") or name, event["name"], data=event.get("data"))
    publish = host.services.signaler.publish
    return lambda: publish(host.namespace, event["name"], key=event.get("key", ""), data=event.get("data"))


def _commanded(host: ScriptedHost, name: str, order: Mapping[str, Json]) -> Callable[[], object]:
    operator, of = host.services.operator, (host.namespace, name)
    match order["order"]:
        case "pause":
            return lambda: operator.pause(*of, by="operator")
        case "continue":
            return lambda: operator.resume(*of, by="operator")
        case "stop":
            return lambda: operator.stop(*of, reason=order.get("reason", ""), by="operator")
        case "retry":
            return lambda: operator.retry(*of, step=order.get("step"), by="operator")
        case _:
            return lambda: operator.set_vars(*of, order.get("vars", {}), remove=order.get("remove", []), by="operator")


def _as_reply(reply: Json, request: Request) -> Reply:
    if reply.get("fail") == "timeout":
        return ()
    if request.direct and isinstance(reply.get("fail"), int):
        wait = _span(reply.get("retry_after", "0s")) // 1000
        headers = {"retry-after": str(wait)} if wait else {}
        return HttpReply(status=reply["fail"], headers=headers, body=reply["error"] or None)
    if "fail" in reply:
        status = reply["fail"] if isinstance(reply["fail"], int) else None
        final = status is not None and status < 500 and status not in RETRIED_STATUSES
        name = ErrorName.REFUSED if final else ErrorName.UNDELIVERABLE
        wait = _span(reply.get("retry_after", "0s"))
        return Failure(error=reply["error"], final=final, retry_after=wait, status=status, name=name)
    answers, at = list[Answer](), 0
    state = reply.get("state")
    for report in () if request.direct else reply.get("progress", ()):
        at += _span(report["after"])
        found = {"data": report.get("data"), "vars": report.get("vars", {})}
        answers.append(Answer(state=state or "", after=at, done=False, **found))
    if state is not None and (state != TIMEOUT or TIMEOUT in request.states):
        answers.append(_final(reply, state, request))
    return tuple(answers)


def _final(reply: Json, state: str, request: Request) -> Answer:
    given, error = reply.get("error"), None
    if given is not None:
        error = StepError(given["name"], given["cause"])
    elif state == ERROR and ERROR not in request.states:
        error = StepError("Error", "")
    after = _span(reply.get("after", "0s"))
    return Answer(state=state, data=reply.get("data"), vars=reply.get("vars", {}), error=error, after=after)
