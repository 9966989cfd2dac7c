"""A host for plays: deliveries wait for a move, and names that the text does not define come from a namespace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec
from msgspec.structs import replace

from chalicelib.adapters.virtual import START
from chalicelib.engine.invocation import UNDO, invocation_of
from chalicelib.hosting.responder import Answer, Reply, Request
from chalicelib.hosting.responder import Kind as RequestKind
from chalicelib.hosting.scripted import ScriptedHost
from chalicelib.hosting.virtual import IN_MEMORY
from chalicelib.hosting.wiring import Services
from chalicelib.model.definition import Definition as Compiled
from chalicelib.model.flow import walk
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.model.templates import reference_of
from chalicelib.model.times import Instant
from chalicelib.service.messages import Deliver, Message, encode
from chalicelib.service.ports.definitions import Definition, DefinitionStore, Kind
from chalicelib.service.ports.queues import MAX_DELAY_MS, QueueName
from chalicelib.service.ports.runs import NewRun

PLACEHOLDER: Final = "a secret of the play"
"""The value of every secret of a play: a play never reads the secrets of a namespace."""


Pinned: TypeAlias = Mapping[tuple[Kind, str], int | None]
"""Which version of a definition of the namespace is borrowed, if it is not the newest."""


class BorrowedDefinitions:
    """Implements `DefinitionStore`: the play's definitions, and those of a namespace that it does not define itself."""

    def __init__(self, own: DefinitionStore, lender: DefinitionStore, namespace: str, pinned: Pinned) -> None:
        self._pinned = pinned
        self._own = own
        self._lender = lender
        self._namespace = namespace

    def latest(
        self, namespace: str, kind: Kind, names: Iterable[str], *, deleted: bool = False
    ) -> dict[str, Definition]:
        """Return those of the play. The others are borrowed, and are the play's first version from then on."""
        wanted = list(names)
        found = self._own.latest(namespace, kind, wanted, deleted=deleted)
        lent = self._lent(kind, [name for name in wanted if name not in found])
        self._own.submit(namespace, [replace(one, version=1) for one in lent.values()], [])
        return found | self._own.latest(namespace, kind, lent)

    def _lent(self, kind: Kind, names: Sequence[str]) -> dict[str, Definition]:
        found = self._lender.latest(self._namespace, kind, names)
        for name in names:
            version = self._pinned.get((kind, name))
            pinned = self._lender.version(self._namespace, kind, name, version) if version is not None else None
            if pinned is not None:
                found[name] = pinned
        return found

    def version(self, namespace: str, kind: Kind, name: str, version: int) -> Definition | None:
        found = self._own.version(namespace, kind, name, version)
        return found if found is not None else self._lender.version(self._namespace, kind, name, version)

    def versions(
        self, namespace: str, kind: Kind, name: str, limit: int, before: int | None = None
    ) -> Sequence[Definition]:
        return self._own.versions(namespace, kind, name, limit, before)

    def list(self, namespace: str, kind: Kind, limit: int, after: str = "") -> Sequence[Definition]:
        found = {one.name: one for one in self._lender.list(self._namespace, kind, limit, after)}
        found |= {one.name: one for one in self._own.list(namespace, kind, limit, after)}
        return [found[name] for name in sorted(found)][:limit]

    def submit(self, namespace: str, definitions: Sequence[Definition], runs: Sequence[NewRun]) -> None:
        self._own.submit(namespace, definitions, runs)

    def delete(self, namespace: str, definition: Definition) -> None:
        self._own.delete(namespace, definition)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What arrived outside: the `attempt`-th delivery of an activation to its action, or a task for a person."""

    at: Instant
    uuid: str
    attempt: int = 1
    flow: str
    step: str
    name: str
    kind: RequestKind = RequestKind.ACTION
    undoes: bool = False
    direct: bool = False
    """Whether what the request returns is the answer."""
    state: str = ""
    """What was answered at once, because no move answers a notice."""
    is_notice: bool = False


class PlayHost(ScriptedHost):
    """A scripted host whose deliveries wait until a move says what becomes of them."""

    def __init__(self, lender: Services, namespace: str, start: Instant = START, pinned: Pinned | None = None) -> None:
        super().__init__(self._reply, settings=IN_MEMORY, start=start)
        borrow(self, lender, namespace, pinned or {})
        self.held: dict[str, Deliver] = {}
        """Deliveries that wait for a move, by the uuids of their activations, in the order in which they were due."""
        self.deliveries: list[Delivery] = []
        """What arrived outside, in order."""
        self._decided: Reply | None = None

    def _reply(self, request: Request) -> Reply | None:
        """Return what the move says; notices, which no move answers, are accepted."""
        if request.kind in (RequestKind.TASK, RequestKind.APPROVAL):
            self._note(request)
        if self._decided is not None or request.kind is not RequestKind.ACTION:
            return self._decided
        self._note(request, is_notice=True)
        return (Answer(state=request.states[0]),) if request.states else None

    def handle(self, message: Message) -> int | None:
        if isinstance(message, Deliver) and self._waits_for_a_move(message):
            self._arrived(message)
            self.held[message.uuid] = message
            return None
        return super().handle(message)

    def _arrived(self, message: Deliver) -> None:
        """Note the delivery, unless it is one that comes again."""
        run = self.head(message.run)
        token = run.sent_of(message.uuid)
        attempt = token.activation.attempt + 1 if token and token.activation else 1
        known = {(one.uuid, one.attempt) for one in self.deliveries if one.kind is RequestKind.ACTION}
        if token is None or (message.uuid, attempt) in known:
            return
        invocation = invocation_of(self.services.definition_cache.of(run), run, token)
        name, flow = invocation.action.name if invocation else "", run.definition.flow or run.name
        self.deliveries.append(
            Delivery(
                at=self.clock.now(),
                uuid=message.uuid,
                attempt=attempt,
                flow=flow,
                step=token.step,
                name=name,
                undoes=token.id == UNDO,
                direct=bool(invocation and invocation.action.direct),
            )
        )

    def _note(self, request: Request, *, is_notice: bool = False) -> None:
        self.deliveries.append(
            Delivery(
                at=request.at,
                uuid=request.uuid,
                attempt=request.attempt,
                flow=request.flow,
                step=request.step,
                name=request.name,
                kind=request.kind,
                state=request.states[0] if is_notice and request.states else "",
                is_notice=is_notice,
            )
        )

    def _waits_for_a_move(self, message: Deliver) -> bool:
        """Return whether the message would be delivered now: a run waits for it, and no move has answered it."""
        if message.uuid in self._jobs:
            return False
        run = self.services.runs.load(self.namespace, message.run)
        token = run.token_of(message.uuid) if run and message.is_written(run) else None
        if run is None or token is None or token.activation is None:
            return False
        return (token.activation.retry_at or 0) <= self.clock.now() and run.status is not Status.PAUSED

    def deliver_held(self, uuid: str, reply: Reply) -> None:
        """Deliver what waits for a move, with this reply."""
        message = self.held.pop(uuid)
        self._set_placeholders(self.head(message.run))
        self._decided = reply
        try:
            again = super().handle(message)
        finally:
            self._decided = None
        if again is not None:
            self.queue.send(QueueName.DELIVERIES, [encode(message)], min(again, MAX_DELAY_MS))

    def drop_stale(self) -> None:
        """Forget deliveries that no run waits for any more."""
        for uuid, message in list(self.held.items()):
            if not self._waits_for_a_move(message):
                del self.held[uuid]
                self.queue.send(QueueName.DELIVERIES, [encode(message)], 0)

    def next_at(self) -> Instant | None:
        """Return when the next thing happens by itself; None if nothing does."""
        store = self.services.adapters.store
        due = self.queue.next_due()
        found = [due[0]] if due else []
        found += [planned[0] for planned in self._planned[:1]]
        found += [timer.at for timer in store.runs.due(1 << 53, 1)]
        return min(found, default=None)

    def _set_placeholders(self, run: Run) -> None:
        """Set the secrets that the run may read. No real one is known here."""
        names = secrets_of(self.services.definition_cache.of(run))
        known = {secret.name for secret in self.services.secrets.of(self.namespace)}
        self.set_secrets(dict.fromkeys(sorted(names - known), PLACEHOLDER))


def borrow(host: ScriptedHost, lender: Services, namespace: str, pinned: Pinned) -> None:
    """Let the host take the definitions that it does not have itself from a namespace."""
    own, lent = host.store.definitions, lender.adapters.store.definitions
    host.store.definitions = BorrowedDefinitions(own, lent, namespace, pinned)
    host.rebuild()


def secrets_of(definition: Compiled) -> set[str]:
    """Return the names of the secrets that a run of the definition may read."""
    values: list[Any] = [definition.flow, *definition.actions.values()]
    names = {name for value in values for name in _secrets_in(msgspec.to_builtins(value))}
    options = [getattr(step, "options", None) for step in walk(definition.flow.steps)]
    options += [action.options for action in definition.actions.values()]
    return names | {name for one in options if one for name in one.secret_headers.values()}


def _secrets_in(value: Any) -> Iterator[str]:
    """Yield the names of the secrets to which a value refers."""
    name = reference_of(value) if isinstance(value, dict) else None
    if name is not None:
        yield name
    elif isinstance(value, dict):
        for member in value.values():
            yield from _secrets_in(member)
    elif isinstance(value, (list, tuple)):
        for member in value:
            yield from _secrets_in(member)
