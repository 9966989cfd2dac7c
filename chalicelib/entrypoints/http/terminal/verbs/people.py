"""Commands for what people do: answers, approvals, events, schedules."""

from __future__ import annotations

from typing import Final

from chalicelib.engine.invocation import APPROVED, REJECTED
from chalicelib.entrypoints.http.bodies import BackfillBody
from chalicelib.entrypoints.http.request import Request
from chalicelib.entrypoints.http.step_lookup import find_step
from chalicelib.entrypoints.http.terminal.arguments import ask, data_of, step_of
from chalicelib.entrypoints.http.terminal.output import Output, OutputKind, raw
from chalicelib.entrypoints.http.views import answers, events
from chalicelib.model.json_values import Json

NEXT_SLOTS: Final = 10
"""How many slots `next` shows."""


def answer(request: Request, step: str, state: str, *data: str, uuid: str = "", error: str = "") -> Output:
    """answer RUN.STEP STATE [DATA] [--uuid UUID] [--error NAME]

    Answer a step that waits, as its action or a person. DATA is JSON or text; with --error it is the cause.
    """
    why: dict[str, Json] = {"error": {"name": error, "cause": " ".join(data)}} if error else {"data": data_of(data)}
    return _answered(request, step, {"ackState": state, **why}, uuid)


def approve(request: Request, step: str, *reason: str, uuid: str = "") -> Output:
    """approve RUN.STEP [REASON]

    Approve the dispatch of an action.
    """
    data = {"reason": " ".join(reason)} if reason else None
    return _answered(request, step, {"ackState": APPROVED, "data": data}, uuid)


def reject(request: Request, step: str, *reason: str, uuid: str = "") -> Output:
    """reject RUN.STEP [REASON]

    Reject the dispatch of an action: the step returns ERROR.
    """
    text = " ".join(reason)
    why: dict[str, Json] = {"error": {"name": "ApprovalRejected", "cause": text}} if text else {}
    return _answered(request, step, {"ackState": REJECTED, "data": {"reason": text} if text else None, **why}, uuid)


def _answered(request: Request, word: str, fields: dict[str, Json], uuid: str) -> Output:
    run, step = step_of(word)
    found = uuid or find_step(request.services.reader, request.namespace, word)["metadata"]["uuid"]
    body = {"flowId": run, "stepName": step, "uuid": found, **fields}
    return Output(OutputKind.OK, ask(request, answers.answer, body=body)["outcome"])


def event(request: Request, name: str, *data: str, key: str = "", ttl: str = "", id: str = "") -> Output:  # noqa: A002
    """event NAME [DATA] [--key KEY] [--ttl DURATION] [--id ID]

    Publish an event, and print which runs it has reached. DATA is JSON or text.
    """
    body: dict[str, Json] = {"name": name, "data": data_of(data)}
    body |= {field: value for field, value in (("key", key), ("ttl", ttl), ("id", id)) if value}
    return Output(OutputKind.OK, "\n".join(ask(request, events.publish, body=body)["woken"]["runs"]))


def backfill(request: Request, schedule: str, since: str, until: str) -> Output:
    """backfill NAME FROM TO

    Start the runs of past slots of a schedule that do not exist, from one RFC 3339 time to another.
    """
    body = BackfillBody(since=since, until=until)
    done = request.services.schedules.backfill(request.namespace, schedule, *body.range(), by=request.caller)
    lines = [f"{one.run} started" for one in done.started] + [f"{one.run} existed" for one in done.existed]
    lines += [f"{slot} failed: {reason}" for slot, reason in done.failed.items()]
    return Output(OutputKind.ERR if done.failed else OutputKind.OK, "\n".join(lines))


def next_(request: Request, schedule: str) -> Output:
    """next NAME

    Show the next slots of a schedule.
    """
    return raw("\n".join(request.services.schedules.next_slots(request.namespace, schedule, NEXT_SLOTS)))
