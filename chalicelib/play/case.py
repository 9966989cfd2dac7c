"""A play as a test case of `fsl test`: what was asked gets the same replies, and what happened happens again.

A reply is given to each delivery in the order in which they arrive, and takes as long as it took in the play. Events
and commands have their time since the start.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.hosting.responder import Kind
from chalicelib.model.flow import ERROR
from chalicelib.model.json_values import Json
from chalicelib.model.times import Instant, format_elapsed
from chalicelib.play.outside import Answered, Commanded, Failed, Log, Published
from chalicelib.play.play_host import Delivery
from chalicelib.service.errors import ServiceError


class NoTest(ServiceError):
    """The play cannot be written as a test: its message says why."""

    code = "no-test"


@dataclass(frozen=True, slots=True)
class Case:
    """A case without its expectations. The members are as the test file has them."""

    replies: dict[str, dict[str, list[Json]]]
    """`steps`, `actions` and `approvals`: replies by name."""
    events: list[dict[str, Json]]
    orders: list[dict[str, Json]]


def case_of(started_at: Instant, deliveries: Iterable[Delivery], log: Log, run: str) -> Case:
    """Return the case of a play of that run. Raises NoTest."""
    replies: dict[str, dict[str, list[Json]]] = {"steps": {}, "actions": {}, "approvals": {}}
    by_uuid: dict[str, list[Answered | Failed]] = defaultdict(list)
    for one in log:
        if isinstance(one, (Answered, Failed)):
            by_uuid[one.uuid].append(one)
    for delivery in deliveries:
        where, name = _place(delivery)
        replies[where].setdefault(name, []).append(_reply(delivery, by_uuid[delivery.uuid]))
    left = [one for rest in by_uuid.values() for one in rest]
    if left:
        what = "an answer" if isinstance(left[0], Answered) else "a failure"
        raise NoTest(f"{what} after {format_elapsed(left[0].at - started_at)} belongs to no delivery of the play")
    events = [_event(one, started_at, run) for one in log if isinstance(one, Published)]
    return Case(replies, events, [_order(one, started_at) for one in log if isinstance(one, Commanded)])


def _place(delivery: Delivery) -> tuple[str, str]:
    if delivery.kind is Kind.APPROVAL:
        return "approvals", f"{delivery.flow}.{delivery.step}"
    if delivery.undoes or delivery.is_notice:
        return "actions", delivery.name
    return "steps", f"{delivery.flow}.{delivery.step}"


def _reply(delivery: Delivery, reactions: list[Answered | Failed]) -> Json:
    """Return the reply to the delivery, and take the reactions that belong to it from the list."""
    if delivery.is_notice:
        return {"state": delivery.state} if delivery.state else {"fail": "timeout"}
    progress, at = list[Json](), delivery.at
    while reactions:
        reaction = reactions.pop(0)
        if isinstance(reaction, Failed):
            return _failure(reaction)
        if reaction.is_done:
            return _answer(reaction, delivery, progress)
        report = {"after": format_elapsed(max(0, reaction.at - at)), "data": reaction.data, "vars": reaction.vars}
        progress.append({name: value for name, value in report.items() if value not in (None, {})})
        at = max(at, reaction.at)
    if delivery.direct:
        raise NoTest(
            f"step {delivery.step!r} waits for what {delivery.name!r} returns (`callback = none`), and a test has no "
            "call that is under way: answer it, or let it fail"
        )
    return {"progress": progress} if progress else {"fail": "timeout"}


def _answer(given: Answered, delivery: Delivery, progress: list[Json]) -> Json:
    found: dict[str, Json] = {"state": given.state}
    if given.data is not None:
        found["data"] = given.data
    if given.vars:
        found["vars"] = dict(given.vars)
    if given.at > delivery.at:
        found["after"] = format_elapsed(given.at - delivery.at)
    if given.error is not None and (given.state != ERROR or (given.error.name, given.error.cause) != ("Error", "")):
        found["error"] = {"name": given.error.name, "cause": given.error.cause}
    if progress:
        found["progress"] = progress
    return found


def _failure(failed: Failed) -> Json:
    found: dict[str, Json] = {"fail": "refused" if failed.status is None else failed.status, "error": failed.error}
    if failed.retry_after and not failed.is_final:
        found["retry_after"] = format_elapsed(failed.retry_after)
    return found


def _event(event: Published, started_at: Instant, run: str) -> dict[str, Json]:
    found: dict[str, Json] = {"at": format_elapsed(event.at - started_at), "name": event.name}
    if event.run:
        found |= {"to_run": True} if event.run == run else {"run": event.run}
    elif event.key:
        found["key"] = event.key
    return found if event.data is None else {**found, "data": event.data}


def _order(command: Commanded, started_at: Instant) -> dict[str, Json]:
    move = command.move
    found: dict[str, Json] = {"at": format_elapsed(command.at - started_at), "order": move.do}
    if move.step is not None:
        found["step"] = move.step
    if move.reason:
        found["reason"] = move.reason
    if move.set:
        found["vars"] = dict(move.set)
    if move.remove:
        found["remove"] = list(move.remove)
    return found
