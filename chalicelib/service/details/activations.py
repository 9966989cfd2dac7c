"""One activation: what was sent, each delivery of it, what was reported, and the answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.invocation import UNDO, invocation_of
from chalicelib.engine.past_args import PastActivation, past_args
from chalicelib.engine.request_args import args_of
from chalicelib.engine.values.secret_values import MASK
from chalicelib.model.actions import shown_args
from chalicelib.model.addresses import without_password
from chalicelib.model.compiled_step import Invocation, names_in
from chalicelib.model.definition import Definition
from chalicelib.model.history import NO_ENTRIES, Entry, Sent
from chalicelib.model.ids import was_minted
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, Token
from chalicelib.model.status import LIVE
from chalicelib.model.times import Instant, Milliseconds
from chalicelib.model.waits import ChildWait, EmitWait, EventWait, NoticeWait, StartWait
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.details.kinds import ArgsOrigin
from chalicelib.service.details.waits import TokenWait, wait_of
from chalicelib.service.errors import NotFound
from chalicelib.service.observability.traceparent import traceparent
from chalicelib.service.ports.deliveries import DeliveryRecord, DeliveryStore
from chalicelib.service.runs.blobs import blob_reader
from chalicelib.service.runs.entries import MAX_READ_ENTRIES, Window, around, newest
from chalicelib.service.runs.history import identity_of
from chalicelib.service.runs.large_values import Large, Shown, references_only, small_values
from chalicelib.service.runs.offloading import OffloadingRunStore
from chalicelib.service.runs.value_places import in_entry, in_run, key_in

MAX_DELIVERIES: Final = 200
"""How many deliveries of an activation are shown."""

_DELIVERIES: Final = frozenset({"DeliveryFailed", "AnswerPending", "IgnoredReply", "NoticeDelivered", "StepAcked"})
_CONFIDENTIAL: Final = ("authorization", "cookie", "key", "password", "secret", "signature", "token")
"""What the names of headers contain of which values are masked, wherever they come from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownDelivery:
    """One delivery. `at` is when it began if it is recorded, or else when its result was."""

    at: Instant
    address: str
    status: int | None
    duration: Milliseconds | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownActivation:
    """An activation of a step by a token."""

    uuid: str
    run: str
    step: str
    token: str
    action: str
    is_current: bool
    state: str
    """The state that the step returned; empty while it waits."""
    since: Instant | None
    wait: TokenWait | None
    args: dict[str, Json]
    args_origin: ArgsOrigin
    unknown: tuple[str, ...]
    """The names of args that are not known any more."""
    headers: dict[str, str]
    deliveries: tuple[ShownDelivery, ...]
    is_logged: bool
    """Whether these are from the log of deliveries, and so are all."""
    reports: tuple[Entry, ...]
    answer: Entry | None
    late: tuple[Entry, ...]
    """Answers that came after the activation had ended."""
    first_read: int
    """The first history entry that was read: what is older is missing."""
    large: Mapping[str, Large]
    """The values of entries that are references."""


class Activations:
    """Finds activations."""

    def __init__(self, runs: OffloadingRunStore, deliveries: DeliveryStore, definition_cache: DefinitionCache) -> None:
        self._runs = runs
        self._deliveries = deliveries
        self._definition_cache = definition_cache

    def find(self, namespace: str, name: str, uuid: str, seq: int | None = None) -> ShownActivation:
        """Return the activation of the run with this uuid. Raises NotFound.

        The newest MAX_READ_ENTRIES history entries are read, or those around entry `seq`.
        """
        run, uuid = self._runs.head(namespace, name), uuid.lower()
        if run is None:
            raise NotFound("flow_run", name)
        definition = self._definition_cache.of(run)
        window = newest(self._runs, run) if seq is None else around(self._runs, run, seq)
        shown = self._with_small_values(run, (entry for entry in window.entries if entry.uuid == uuid))
        entries = shown.entries
        records = self._deliveries.of(run, uuid, MAX_DELIVERIES)
        token = run.sent_of(uuid)
        step = token.step if token else entries[0].step if entries else _minted_step(definition, run, uuid)
        if token is None and not entries and not records:
            read = (
                "" if window.is_from_start else f" among its {MAX_READ_ENTRIES} history entries from {window.first} on"
            )
            raise NotFound("activation", f"{uuid}{read}")
        found = _Found(run, definition, uuid, step, token, entries, shown.large, window, records)
        return self._shown(found)

    def _with_small_values(self, run: Run, entries: Iterable[Entry]) -> Shown:
        """Return the entries with their small values; large ones are references."""
        found = tuple(entries)
        return small_values(self._runs, identity_of(run), found) or references_only(self._runs, identity_of(run), found)

    def _with_all_values(self, run: Run, entry: Entry) -> Entry:
        read = blob_reader(self._runs, run)
        return in_entry(entry, lambda value: value if (key := key_in(value)) is None else read(key))

    def _shown(self, found: _Found) -> ShownActivation:
        invocation = found.invocation
        args, origin, unknown = self._args(found, invocation)
        answer = found.answer
        is_current = found.token is not None and found.run.status in LIVE and answer is None
        return ShownActivation(
            uuid=found.uuid,
            run=found.run.name,
            step=found.step,
            token=found.token_id,
            action=invocation.action.name if invocation else "",
            is_current=is_current,
            state=answer.state if answer else "",
            since=found.since,
            wait=wait_of(found.definition, found.run, found.token) if is_current and found.token else None,
            args=args,
            args_origin=origin,
            unknown=tuple(unknown),
            headers=_headers(found.run, found.uuid, invocation),
            deliveries=tuple(_deliveries(found, invocation)),
            is_logged=bool(found.records),
            reports=tuple(entry for entry in found.entries if entry.event == "StepReported"),
            answer=answer,
            late=tuple(entry for entry in found.entries if entry.event == "LateAnswer"),
            first_read=found.window.first,
            large=found.large,
        )

    def _whole(self, found: _Found) -> _Found:
        """Return the same with all values of the run but those of its history."""
        read, tail = blob_reader(self._runs, found.run), found.run.stored_tail
        run = in_run(
            msgspec.structs.replace(found.run, stored_tail=NO_ENTRIES),
            lambda value: value if (key := key_in(value)) is None else read(key),
        )
        return replace(found, run=msgspec.structs.replace(run, stored_tail=tail), token=run.sent_of(found.uuid))

    def _args(self, found: _Found, invocation: Invocation | None) -> tuple[dict[str, Json], ArgsOrigin, Sequence[str]]:
        """Return the args with secrets masked, where they are from, and the names of those that are not known."""
        recorded = next((record.args for record in found.records if record.args is not None), None)
        if recorded is not None:
            return recorded, ArgsOrigin.LOG, ()
        found = self._whole(found)
        read = blob_reader(self._runs, found.run)
        if invocation is None:
            return _other_args(found.token), ArgsOrigin.HEAD if found.token else ArgsOrigin.HISTORY, ()
        if found.token is not None:
            if invocation.is_bare:
                return (
                    dict((found.token.activation.args if found.token.activation else None) or {}),
                    ArgsOrigin.HEAD,
                    (),
                )
            try:
                args = args_of(found.definition, found.run, found.token, invocation, read, None)
            except ExpressionFailed:
                return {}, ArgsOrigin.HEAD, [parameter.name for parameter in invocation.action.parameters]
            return shown_args(args), ArgsOrigin.HEAD, ()
        if found.token_id == UNDO:
            return {}, ArgsOrigin.HISTORY, [parameter.name for parameter in invocation.action.parameters]
        past = found.past
        if past.entered is not None and "result" in names_in(dict(invocation.args)):
            past = replace(past, entered=self._with_all_values(found.run, past.entered))
        known, unknown = past_args(found.definition, found.run, past, invocation, read)
        return shown_args(known), ArgsOrigin.HISTORY, unknown


@dataclass(frozen=True, slots=True)
class _Found:
    """What is stored of an activation."""

    run: Run
    definition: Definition
    uuid: str
    step: str
    token: Token | None
    """The token or the notice that has it; None if it has ended."""
    entries: tuple[Entry, ...]
    large: Mapping[str, Large]
    window: Window
    records: Sequence[DeliveryRecord]

    @property
    def token_id(self) -> str:
        return self.token.id if self.token else self.entries[0].token if self.entries else ""

    @property
    def answer(self) -> Entry | None:
        """The entry by which its step returned."""
        ends = (entry for entry in self.entries if entry.event not in ("LateAnswer", "StepReported"))
        return next((entry for entry in ends if entry.state and entry.event != "StepApproved"), None)

    @property
    def since(self) -> Instant | None:
        """When its step was entered; None if that is not known."""
        if self.token and self.token.activation:
            return self.token.activation.since
        return self.past.entered.at if self.past.entered else None

    @property
    def past(self) -> PastActivation:
        """What is known of it once it has ended."""
        first = self.entries[0].seq if self.entries else self.window.entries[-1].seq + 1 if self.window.entries else 0
        before = [one for one in self.window.entries if one.seq < first and one.token == self.token_id and one.target]
        entered = before[-1] if before and before[-1].target == self.step else None
        is_whole = bool(self.window.entries) and self.window.entries[-1].seq == self.run.seq
        later = None
        if entered is not None and is_whole:
            later = tuple(one for one in self.window.entries if one.seq > entered.seq)
        return PastActivation(self.uuid, self.step, self.token_id, entered, later)

    @property
    def invocation(self) -> Invocation | None:
        """What it sends; None if it sends no action."""
        if self.token is not None:
            return invocation_of(self.definition, self.run, self.token)
        compiled = self.definition.steps.get(self.step)
        if compiled is None:
            return None
        if self.token_id != UNDO:
            return compiled.invocation
        undo = compiled.undo
        return None if undo is None or undo.is_flow else self.definition.undo_invocations.get(undo.action)


def _minted_step(definition: Definition, run: Run, uuid: str) -> str:
    """Return the step of the run that such an activation is of; empty if it is of none."""
    return next((step for step in definition.steps if was_minted(run.id, step, uuid)), "")


def _other_args(token: Token | None) -> dict[str, Json]:
    """Return what a step that sends no action has computed for its wait."""
    wait = token.activation.wait if token and token.activation else None
    match wait:
        case ChildWait(input=given) | StartWait(input=given):
            return dict(given) if isinstance(given, dict) else {"value": given}
        case EmitWait(event=event, key=key, data=data):
            return {"event": event, "key": key, "data": data}
        case EventWait(key=key):
            return {"key": key}
        case _:
            return {}


def _headers(run: Run, uuid: str, invocation: Invocation | None) -> dict[str, str]:
    """Return the headers of its requests, with confidential ones masked; those that differ each time are masked too."""
    if invocation is None or invocation.is_human or not invocation.action.is_http:
        return {}
    given = {**invocation.options.headers, **dict.fromkeys(invocation.options.secret_headers, MASK)}
    own = {"Idempotency-Key": uuid, "traceparent": traceparent(run, uuid)}
    if not invocation.action.is_called:
        own |= {"webhook-id": uuid, "webhook-timestamp": MASK, "webhook-signature": MASK}
    hidden = {name: MASK for name in given if any(part in name.lower() for part in _CONFIDENTIAL)}
    return {**given, **hidden, **own}


def _deliveries(found: _Found, invocation: Invocation | None) -> Sequence[ShownDelivery]:
    """Return its deliveries: as recorded, or else those that the history has."""
    usual = _usual_address(found, invocation)
    if found.records:
        return [_delivery(record.at, record.sent, record.error, usual) for record in found.records]
    entries = [entry for entry in found.entries if entry.event in _DELIVERIES]
    return [
        _delivery(entry.at, entry.sent, entry.error if entry.event == "DeliveryFailed" else "", usual)
        for entry in entries[:MAX_DELIVERIES]
        if entry.sent is not None or entry.event == "DeliveryFailed"
    ]


def _delivery(at: Instant, sent: Sent | None, error: str, usual: str) -> ShownDelivery:
    return ShownDelivery(
        at=at,
        address=(sent.address or usual) if sent else "",
        status=sent.status if sent else None,
        duration=sent.duration if sent else None,
        error=error,
    )


def _usual_address(found: _Found, invocation: Invocation | None) -> str:
    """Return the first address of the action as the run began with it; empty if the run changed its version since."""
    if invocation is None or any(entry.event == "RunMigrated" for entry in found.window.entries):
        return ""
    if found.token and found.token.activation and isinstance(found.token.activation.wait, NoticeWait):
        return ""
    own = found.definition.actions.get(invocation.action.name)
    return without_password(own.addresses[0]) if own and own.addresses else ""
