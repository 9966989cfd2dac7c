"""What a history says as facts: the event of the engine that made an entry.

Most entries name their fact. Some follow from the one before them, such as the end of a fork after that of its last
branch: these have none of their own.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec.structs import replace

from chalicelib.engine import events
from chalicelib.engine.invocation import APPROVED, REJECTED, UNDO, invocation_of
from chalicelib.engine.notices import uuid_of
from chalicelib.engine.steps.call import child_name
from chalicelib.model.definition import Definition
from chalicelib.model.flow import DEFAULT_STATE, ERROR, STOPPED, EventStep
from chalicelib.model.history import Entry
from chalicelib.model.ids import ROOT
from chalicelib.model.run import Activation, Run, Token
from chalicelib.model.run_error import ErrorName, StepError
from chalicelib.model.status import ENDED
from chalicelib.model.waits import EventWait
from chalicelib.play.recorded import CannotReplay, masked_values

TIMED: Final = frozenset({"StepTimedOut", "TimerRang", "RunTimedOut"})
"""Entries that the run's timer made."""

_ANSWERS: Final = frozenset({"StepAcked", "StepRejected", "StepApproved", "StepReported", "LateAnswer"})
_DONE: Final = frozenset({"EventPublished", "FlowStarted"})
_NOT_DONE: Final = frozenset({"PublishFailed", "StartFailed"})
_WHILE_PENDING: Final = frozenset({"RunPaused", "RunContinued", "VarsSet", "LabelsSet"})
"""What may happen to a run that waits to begin."""

_FAR_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a fact is made: the head that it meets, the definition by which that head is to be understood, and the
    recorded entries from that of the fact on."""

    run: Run
    definition: Definition
    entries: Sequence[Entry]
    is_own: bool
    """Whether the definition is the one with which the run was recorded."""
    child: Callable[[str], Run | None]
    """Returns a run that was called, by its name."""
    is_gated: bool
    """Whether the recorded run waits to begin, because its flow is paused or its time has not come."""
    version: Callable[[int], events.Target | None]
    """Returns a version of the flow to which the run moved; None if the run is replayed with another definition."""


def nonce_of(entry: Entry) -> str:
    """Return the nonce that was recorded, or one that belongs to the entry alone."""
    return entry.nonce or hashlib.sha256(f"replay/{entry.seq}".encode()).hexdigest()[:32]


def fact_of(setting: Setting) -> events.Event | None:
    """Return the fact that made the first entry; None if that follows from an earlier fact, or from a timer.

    Raises CannotReplay if the entry does not say enough.
    """
    entry = setting.entries[0]
    if entry.event in _ANSWERS:
        return _answer(setting, entry)
    if entry.event in _BY_EVENT:
        return _BY_EVENT[entry.event](setting, entry)
    if entry.event == "VersionChanged":
        return _migrated(setting, entry)
    if entry.event == "InputChanged":
        raise CannotReplay(f"entry {entry.seq} of the history cannot be replayed: its input changed")
    return None


def activation_of(run: Run, entry: Entry) -> Token | None:
    """Return the token or the notice of which the entry speaks."""
    found = run.sent_of(entry.uuid) if entry.uuid else None
    if found is not None or entry.event in ("LateAnswer", "ChildStopped"):
        return found
    return next(
        (one for one in run.tokens if one.id == entry.token and one.step == entry.step and one.activation), None
    )


def _uuid(setting: Setting, entry: Entry) -> str:
    """Return the uuid of the activation in the replay, or that of the entry."""
    found = activation_of(setting.run, entry)
    return found.activation.uuid if found is not None and found.activation is not None else entry.uuid


def _error(entry: Entry) -> StepError | None:
    """Return the error of the answer. That which a route gives, or that no route takes the state, is none of it."""
    if entry.returned is not None:
        return entry.returned
    if not entry.error_name or (entry.state != ERROR and entry.target == STOPPED):
        return None
    return StepError(entry.error_name, entry.error)


def _answer(setting: Setting, entry: Entry) -> events.Event:
    token = activation_of(setting.run, entry)
    invocation = invocation_of(setting.definition, setting.run, token) if token is not None else None
    is_approval = entry.event in ("StepApproved", "StepRejected")
    is_direct = invocation is not None and invocation.action.direct and not is_approval
    response = entry.response if is_direct else None
    was_http = entry.sent is not None and entry.sent.status is not None
    if was_http and is_direct and setting.definition.reads_response and response is None:
        raise CannotReplay(f"the flow reads `$response`, and the history did not keep it at entry {entry.seq}")
    states = {"StepApproved": APPROVED, "StepRejected": REJECTED}
    error = _error(entry)
    if entry.event == "StepRejected":
        error = entry.returned or StepError(entry.error_name, entry.error)
    return events.StepAcked(
        at=entry.at,
        nonce=nonce_of(entry),
        by=entry.by,
        step=entry.step,
        uuid=_uuid(setting, entry),
        state=states.get(entry.event, entry.state),
        done=entry.event != "StepReported",
        data=entry.data,
        variables=dict(entry.vars),
        error=error,
        signed=True,
        direct=is_direct,
        response=response,
    )


def _failed(setting: Setting, entry: Entry) -> events.Event:
    """In another version, only what a service refused is final: other failures may be repeated more or less often."""
    status = entry.sent.status if entry.sent else None
    is_final = bool(entry.state) or entry.event == "NoticeFailed"
    if not setting.is_own:
        is_final = is_final and (entry.returned or StepError(entry.error_name)).name != ErrorName.UNDELIVERABLE
    return events.DeliveryFailed(
        at=entry.at,
        nonce=nonce_of(entry),
        by=entry.by,
        uuid=_uuid(setting, entry),
        error=entry.returned.cause if entry.returned else entry.error,
        final=is_final,
        name=entry.returned.name if entry.returned else entry.error_name,
        status=entry.returned.status if entry.returned else status,
        data=entry.returned.data if entry.returned else None,
        response=entry.response,
    )


def _event(setting: Setting, entry: Entry) -> events.Event:
    token = activation_of(setting.run, entry)
    step = setting.definition.step(entry.step)
    name = step.events.get(entry.state, "") if isinstance(step, EventStep) else ""
    wait = token.activation.wait if token and token.activation else None
    return events.EventArrived(
        at=entry.at,
        nonce=nonce_of(entry),
        by=entry.by,
        uuid=_uuid(setting, entry),
        name=name,
        key=wait.key if isinstance(wait, EventWait) else "",
        data=entry.data,
        place=f"{entry.at:015d}/{entry.seq:09d}",
    )


def _child_ended(setting: Setting, entry: Entry) -> events.Event:
    """The history does not keep the output of a called run: that is read from the run itself."""
    uuid, output = _uuid(setting, entry), entry.data
    if entry.event == "ChildEnded" and entry.state == DEFAULT_STATE:
        name = child_name(setting.run, entry.step, entry.uuid)
        child = setting.child(name)
        if child is None:
            raise CannotReplay(f"entry {entry.seq} needs the output of run {name!r}, which is not stored any more")
        output = masked_values(child.output)
    error = entry.returned
    if error is None and entry.error:
        error = StepError(entry.error_name or ErrorName.CHILD_FAILED, entry.error)
    return events.ChildEnded(
        at=entry.at, nonce=nonce_of(entry), by=entry.by, uuid=uuid, state=entry.state, output=output, error=error
    )


def _executed(setting: Setting, entry: Entry) -> events.Event:
    error = entry.returned or StepError(entry.error_name, entry.error) if entry.event in _NOT_DONE else None
    return events.StepExecuted(
        at=entry.at, nonce=nonce_of(entry), by=entry.by, uuid=_uuid(setting, entry), data=entry.data, error=error
    )


def _migrated(setting: Setting, entry: Entry) -> events.Event:
    """Return the move to another version: by itself, or of a run that has ended by the retry that follows."""
    target = setting.version(entry.data["to"])
    if target is None:
        raise CannotReplay(f"entry {entry.seq} of the history cannot be replayed: it was moved to another version")
    if setting.run.status in ENDED:
        following = next((one for one in setting.entries[1:] if one.event == "RunRetried"), entry)
        mended = next((one for one in setting.entries[1:2] if one.event == "VarsSet"), None)
        retried = _retried(setting, following, mended)
        return msgspec.structs.replace(retried, nonce=nonce_of(entry), target=target)
    return events.RunMigrated(
        at=entry.at,
        nonce=nonce_of(entry),
        by=entry.by,
        target=target,
        steps=entry.data.get("steps", {}),
        reason=entry.data.get("reason", ""),
    )


def _vars(setting: Setting, entry: Entry) -> events.Event:
    """Of a run that has ended, variables are set by the retry that follows."""
    if setting.run.status in ENDED:
        return _retried(setting, setting.entries[1], entry)
    return events.VarsSet(
        at=entry.at, nonce=nonce_of(entry), by=entry.by, vars=dict(entry.vars), remove=tuple(entry.removed)
    )


def _labels(_: Setting, entry: Entry) -> events.Event:
    data = entry.data or {}
    return events.LabelsSet(
        at=entry.at,
        nonce=nonce_of(entry),
        by=entry.by,
        labels=dict(data.get("set", {})),
        remove=tuple(data.get("remove", ())),
    )


def _retried(setting: Setting, entry: Entry, variables: Entry | None = None) -> events.Event:
    """Return the retry. One that names no step resumes every token where it stopped, and the history lists them all."""
    if entry.event != "RunRetried":
        raise CannotReplay(
            f"entry {entry.seq} of the history cannot be replayed: the run was mended when it was retried"
        )
    step, token = _place_of_retry(setting, entry)
    if variables is not None and variables.token != ROOT:
        token = variables.token
    first = variables or entry
    return events.RunRetried(
        at=entry.at,
        nonce=nonce_of(first),
        by=entry.by,
        step=step,
        token=token,
        vars=dict(variables.vars) if variables else {},
        reason=(entry.data or {}).get("reason", "") if isinstance(entry.data, dict) else "",
        held=_waited_after(setting, entry),
    )


def _waited_after(setting: Setting, retried: Entry) -> bool:
    """Return whether the run waited after the retry because its flow was paused."""
    later = (one for one in setting.entries if one.seq > retried.seq and one.at != retried.at)
    until = itertools.takewhile(lambda one: one.event != "RunRetried", later)
    decided = next((one for one in until if one.event not in _WHILE_PENDING), None)
    if decided is None:
        return setting.is_gated
    return decided.event == "RunAdmitted" and decided.by == "start"


def _place_of_retry(setting: Setting, entry: Entry) -> tuple[str | None, str | None]:
    """Return the step and the token that the retry named; None if every token resumed where it had stopped."""
    run = setting.run
    since = itertools.dropwhile(lambda one: one is not entry, setting.entries)
    group = itertools.takewhile(lambda one: one.event == "RunRetried" and one.at == entry.at, since)
    resumed = {one.token: one.target for one in group}
    stopped = {one.id: one.step for one in (*run.tokens, *run.interrupted) if one.id != UNDO}
    if not stopped or (resumed == stopped and not run.undone):
        return None, None
    moved = ((step, token) for token, step in resumed.items() if stopped.get(token) != step)
    return next(moved, (entry.target, entry.token))


def _moved(_: Setting, entry: Entry) -> events.Event:
    reason = entry.data.get("reason", "") if isinstance(entry.data, dict) else ""
    return events.TokenMoved(
        at=entry.at, nonce=nonce_of(entry), by=entry.by, step=entry.target, token=entry.token, reason=reason
    )


def _of_activation(setting: Setting, entry: Entry) -> events.Event:
    uuid, at, nonce, by = _uuid(setting, entry), entry.at, nonce_of(entry), entry.by
    if entry.event == "IgnoredReply":
        return events.ReplyIgnored(at=at, nonce=nonce, by=by, uuid=uuid, reason=entry.error)
    if entry.event == "AnswerPending":
        return events.AnswerPending(at=at, nonce=nonce, by=by, uuid=uuid, location=f"replay/{entry.seq}", wait=_FAR_MS)
    notice = setting.run.notice_of(uuid) or _notice_at(setting.run, entry)
    return events.NoticeTaken(at=at, nonce=nonce, by=by, uuid=uuid_of(notice) if notice else uuid)


def _notice_at(run: Run, entry: Entry) -> Token | None:
    return next((one for one in run.notices if one.step == entry.step and one.id == entry.token), None)


def _of_run(_: Setting, entry: Entry) -> events.Event:
    at, nonce, by = entry.at, nonce_of(entry), entry.by
    match entry.event:
        case "RunAdmitted":
            return events.RunAdmitted(at=at, nonce=nonce, by=by)
        case "RunRefused":
            return events.RunRefused(at=at, nonce=nonce, by=by, reason=entry.error)
        case "RunPaused":
            return events.RunPaused(at=at, nonce=nonce, by=by)
        case "RunContinued":
            return events.RunContinued(at=at, nonce=nonce, by=by)
        case "RunStopped":
            return events.RunStopped(at=at, nonce=nonce, by=by, reason=entry.error)
        case _:
            return events.UndosRetried(at=at, nonce=nonce, by=by)


_BY_EVENT: Final[dict[str, Callable[[Setting, Entry], events.Event]]] = {
    "DeliveryFailed": _failed,
    "NoticeFailed": _failed,
    "EventArrived": _event,
    "ChildEnded": _child_ended,
    "ChildStopped": _child_ended,
    **dict.fromkeys((*_DONE, *_NOT_DONE), _executed),
    "VarsSet": _vars,
    "LabelsSet": _labels,
    "RunRetried": _retried,
    "TokenMoved": _moved,
    **dict.fromkeys(("IgnoredReply", "AnswerPending", "NoticeDelivered"), _of_activation),
    **dict.fromkeys(("RunAdmitted", "RunRefused", "RunPaused", "RunContinued", "RunStopped", "UndosRetried"), _of_run),
}


def due_by(token: Token, entry: Entry) -> Token:
    """Return the token with a wait that ends at the entry: its recorded end was earlier than the replay expects."""
    activation = token.activation
    if activation is None:
        return token
    returned = entry.returned or StepError(entry.error_name)
    is_open = returned.name == ErrorName.CIRCUIT_OPEN
    if activation.awaits_delivery and returned.name == ErrorName.HEARTBEAT_TIMEOUT:
        begun = entry.at - (activation.heartbeat or 0)
        activation = replace(activation, awaits_delivery=False, reported_at=begun)
    return replace(token, activation=_due(replace(activation, circuit_open=is_open), entry))


def _due(activation: Activation, entry: Entry) -> Activation:
    return (
        activation if activation.due <= entry.at else replace(activation, deadline=min(activation.deadline, entry.at))
    )
