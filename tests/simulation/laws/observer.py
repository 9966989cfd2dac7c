"""The invariants of docs/architecture.md, 4, checked at every write and every message that is dropped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from chalicelib.adapters.memory import MemoryStore
from chalicelib.engine.effects import Outcome
from chalicelib.model import status
from chalicelib.model.definition import Definition
from chalicelib.model.history import Entry, Page
from chalicelib.model.run import Run, encode
from chalicelib.model.status import Status
from chalicelib.model.times import Instant
from chalicelib.service.errors import BlobMissing
from chalicelib.service.messages import Message, StartChild, StopChild, TellParent
from chalicelib.service.ports.deliveries import DeliveryRecord
from chalicelib.service.ports.events import Signal
from chalicelib.service.ports.schedules import ScheduleState
from chalicelib.service.ports.tasks import Task
from chalicelib.service.ports.waiters import Waiter
from chalicelib.service.runs.answer import Answer
from tests.simulation.catalog import SECRET, TRUSTED
from tests.simulation.laws.history import History
from tests.simulation.laws.holds import HoldLaws
from tests.simulation.laws.labels import recorded, relabeled
from tests.simulation.laws.limits import Limits
from tests.simulation.laws.money import Ledger
from tests.simulation.laws.moves import Moves
from tests.simulation.laws.notices import Notices, is_only_about, out_of_turn
from tests.simulation.laws.outgoing import Outgoing
from tests.simulation.laws.requests import Requests
from tests.simulation.laws.returns import Returns
from tests.simulation.laws.scopes import Passes
from tests.simulation.laws.slots import Slots
from tests.simulation.laws.tokens import crooked
from tests.simulation.laws.undo_pages import with_all_undos
from tests.simulation.laws.waking import Waking
from tests.simulation.loop import Loop
from tests.simulation.messages import Messages

AFTERWARDS = frozenset({"NoticeDelivered", "NoticeFailed", "DeliveryFailed", "LabelsSet"})
"""What may be added to the history of a run that has ended: what became of its notices, and labels."""


MENDED = frozenset({"VersionChanged", "InputChanged", "VarsSet"})
"""What `retry` changes before the run is retried."""

MOST_SKEW_MS: Final = 4_000
"""How much the clocks of two containers may differ."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A law that was broken, and how."""

    law: str
    what: str

    def __str__(self) -> str:
        return f"[{self.law}] {self.what}"


class Laws:
    """Looks on. Nothing that it does can be seen by what it looks at."""

    def __init__(
        self,
        messages: Messages,
        definition_of: Callable[[Run], Definition],
        store: MemoryStore,
        loop: Loop,
    ) -> None:
        self.broken: Broken | None = None
        self.heads: dict[tuple[str, str], Run] = {}
        self.histories: dict[str, History] = {}
        self.ledgers: dict[str, Ledger] = {}
        self.returns: dict[str, Returns] = {}
        self.owners: dict[str, tuple[str, str]] = {}
        """Namespace and run of every activation that ever was committed."""
        self.acked: set[str] = set()
        self.deletions = 0
        self.outgoing = Outgoing()
        self.slots = Slots(self.heads, store)
        self.limits = Limits(self.heads, store, loop)
        self.requests = Requests()
        self.moves = Moves()
        self.notices: dict[str, Notices] = {}
        self.passes: dict[str, Passes] = {}
        self.holds = HoldLaws(store, messages, loop)
        self.waking = Waking(messages, self.heads, store, self.holds)
        self._messages = messages
        self._store = store
        self._definition_of = definition_of
        self._loop = loop

    def _now(self) -> Instant:
        return self._loop.now

    def breaks(self, law: str, what: str) -> None:
        """The law was broken: the first time counts."""
        if self.broken is None:
            self.broken = Broken(law, what)

    def explains(self, failure: BaseException | None) -> bool:
        """Whether the failure is allowed: a blob is read while its run is being deleted."""
        return isinstance(failure, BlobMissing) and self.deletions > 0

    # ── calls of the ports ──────────────────────────────────────────────────────────────────────────────────────────

    def committed(self, run: Run, *, new: bool) -> None:
        before = self.heads.get((run.namespace, run.name))
        if new and before is not None:
            self.breaks("version", f"run {run.name!r} was created again")
        self._committed(None if new else before, run)

    def created(self, run: Run, *, by_person: bool) -> None:
        """A run was created."""
        for wrong in self.outgoing.created(run):
            self.breaks("start", wrong)
        self.committed(run, new=True)
        for wrong in self.slots.run_created(run, by_person=by_person):
            self.breaks("slots", wrong)

    def schedule_saved(self, namespace: str, state: ScheduleState, seen: int | None) -> None:
        for wrong in self.slots.saved(namespace, state, seen, self._now()):
            self.breaks("slots", wrong)

    def schedule_forgotten(self, namespace: str, state: ScheduleState) -> None:
        self.slots.forgotten(namespace, state.name)

    def deleted(self, run: Run) -> None:
        self.deletions += 1
        self.slots.deleted[run.namespace, run.name] = self._now()
        head = self.heads.pop((run.namespace, run.name), None)
        if head and head.status not in status.ENDED:
            self.breaks("delete", f"run {run.name!r} was deleted while {head.status}")

    def page_put(self, run: Run, page: Page) -> None:
        for wrong in self.histories.setdefault(run.id, History()).page(page):
            self.breaks("history", wrong)

    def task_put(self, namespace: str, task: Task) -> None:
        self.waking.tasks.add((namespace, task.uuid))

    def task_removed(self, namespace: str, task: Task) -> None:
        self.waking.tasks.discard((namespace, task.uuid))
        self._look_at(namespace, task.run)

    def has_tasks(self, namespace: str) -> bool:
        """Whether a run waits for a person there."""
        return any(
            owner == namespace and token.activation and (namespace, token.activation.uuid) in self.waking.tasks
            for (owner, _), run in self.heads.items()
            if run.status in status.LIVE
            for token in run.tokens
        )

    def message_gone(self, message: Message) -> None:
        self._look_at(message.namespace, message.run)
        if isinstance(message, (StartChild, StopChild)):
            self._look_at_children(message.namespace, message.run)
        if isinstance(message, TellParent):
            child = self.heads.get((message.namespace, message.run))
            if child and child.parent:
                self._look_at(message.namespace, child.parent.run)

    def posted(self, namespace: str, run: str, uuid: str) -> None:
        if self.owners.get(uuid) != (namespace, run):
            self.breaks("delivery", f"{uuid} of run {run!r} in {namespace!r} was delivered, and never committed there")
            return
        head = self.heads.get((namespace, run))
        if head is not None:
            if wrong := out_of_turn(head, uuid):
                self.breaks("notices", wrong)
            for wrong in self.holds.posted(head, uuid, self._definition_of(head)):
                self.breaks("holds", wrong)
            for wrong in self.limits.posted(head, uuid, self._definition_of(head), self._now()):
                self.breaks("limits", wrong)

    def called(self, namespace: str, address: str) -> None:
        """An action was called at that address."""
        for wrong in self.moves.sent(namespace, address, self._now()):
            self.breaks("moves", wrong)

    def sent(self, action: str, uuid: str, body: bytes) -> None:
        """An action was sent that body, the same each time; the run's secret is only where the action may see it."""
        for wrong in self.requests.sent(uuid, body):
            self.breaks("args", wrong)
        if (f'"token":"{SECRET}"'.encode() in body) is not (action in TRUSTED) or b"sealed" in body:
            self.breaks("secret", f"action {action!r} was sent {body!r}")

    def asked(self, uuid: str, location: str) -> None:
        """An action without callback was sent a request (no location), or was asked at one for its answer."""
        for wrong in self.requests.asked(uuid, location, self._now()):
            self.breaks("args", wrong)

    def recorded(self, run: Run, record: DeliveryRecord) -> None:
        """A delivery was recorded."""
        for wrong in recorded(self.owners.get(record.uuid), run, record):
            self.breaks("records", wrong)

    def queued(self, namespace: str, queue: str, waiter: Waiter) -> None:
        for wrong in self.limits.queued(namespace, queue, waiter, self._now()):
            self.breaks("limits", wrong)

    def unqueued(self, namespace: str, queue: str, waiters: Sequence[Waiter]) -> None:
        self.limits.removed(namespace, queue, waiters)

    def value_written(self, namespace: str, name: str, value: bytes, _: int) -> None:
        self.holds.written(namespace, name)
        for wrong in self.limits.granted(namespace, name, value, self._now()):
            self.breaks("limits", wrong)

    def stored(self, namespace: str, signal: Signal) -> None:
        """A run published an event."""
        for wrong in self.outgoing.stored(namespace, signal):
            self.breaks("emit", wrong)

    def answered(self, namespace: str, answer: Answer, outcome: Outcome, *, approval: bool) -> None:
        """An answer was acknowledged."""
        run, uuid = answer.run, answer.uuid
        head = self.heads.get((namespace, run))
        if outcome is not Outcome.ADVANCED or head is None or self.owners.get(uuid) != (namespace, run):
            return
        if approval:
            return
        if uuid in self.acked:
            self.breaks("once", f"a second answer for activation {uuid} was `advanced`")
        self.acked.add(uuid)
        error = answer.error.name if answer.error else ""
        for wrong in self.returns.setdefault(head.id, Returns()).kept(uuid, answer.state or "", answer.data, error):
            self.breaks("answers", wrong)
        if uuid in self.histories[head.id].uuids and uuid not in self.histories[head.id].closed:
            self.breaks("acknowledged", f"the answer for {uuid} was acknowledged, and is not in the history")

    def kept(self, namespace: str, signal: Signal, at: Instant = 0) -> None:
        """A publisher was answered that the signal is stored; `at`: when, if its own time is when that began."""
        self.waking.signals.append((namespace, signal, at or signal.at))
        for owner, name in tuple(self.heads):
            if owner == namespace:
                self._look_at(namespace, name)

    # ── one write ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _committed(self, before: Run | None, after: Run) -> None:
        self.heads[after.namespace, after.name] = after
        history = self.histories.setdefault(after.id, History())
        fresh = history.seq
        for wrong in history.commit(before, after):
            self.breaks("history", wrong)
        added = history.entries[fresh:]
        if before is not None:
            self._follows(before, after, added)
        for token in (*after.tokens, *after.notices):
            if token.activation:
                self.owners[token.activation.uuid] = (after.namespace, after.name)
        definition = self._definition_of(after)
        self._keeps_its_books(before, after, added, definition)
        for wrong in self.holds.commit(before, after, added, definition):
            self.breaks("holds", wrong)
        if SECRET.encode() in encode(after):
            self.breaks("sealed", f"the head of run {after.name!r} contains its secret")
        self._fits_its_history(after, added, definition)
        self._acts_on_others(before, after, added, definition)
        self._wakes(after, definition)
        if after.parent and after.status in status.ENDED:
            self._look_at(after.namespace, after.parent.run)
        self._look_at_children(after.namespace, after.name)

    def _fits_its_history(self, after: Run, added: list[Entry], definition: Definition) -> None:
        history = self.histories[after.id]
        for wrong in history.contradicts(after, definition):
            self.breaks("replay", wrong)
        for wrong in crooked(after, definition):
            self.breaks("limits", wrong)
        for wrong in history.lost_results(after, definition, added):
            self.breaks("results", wrong)
        for wrong in self.passes.setdefault(after.id, Passes()).commit(after, added, definition):
            self.breaks("scopes", wrong)

    def _keeps_its_books(self, before: Run | None, after: Run, added: list[Entry], definition: Definition) -> None:
        if after.vars.get("went") and after.vars.get("gone") is not None:
            self.breaks("values", f"run {after.name!r} saved nothing, and kept {after.vars['gone']!r}")
        for wrong in relabeled(before, after, added):
            self.breaks("labels", wrong)
        for wrong in self.returns.setdefault(after.id, Returns()).commit(after, added, definition):
            self.breaks("returns", wrong)
        ledger = self.ledgers.setdefault(after.id, Ledger())
        try:
            whole = with_all_undos(self._store, after)
        except LookupError as lost:
            self.breaks("undo", str(lost))
            return
        for wrong in ledger.commit(whole, added, definition, self._live_children(after)):
            self.breaks("undo", f"run {after.name!r}: {wrong}")

    def _acts_on_others(self, before: Run | None, after: Run, added: list[Entry], definition: Definition) -> None:
        """What it published, started, and noted."""
        for wrong in self.limits.commit(before, after, added, definition):
            self.breaks("limits", wrong)
        self.requests.commit(after, self._now())
        for wrong in self.outgoing.commit(after, added):
            self.breaks("emit", wrong)
        for signal in self.outgoing.published(after, added):
            self.kept(after.namespace, signal, self._now() + MOST_SKEW_MS)
        for wrong in self.notices.setdefault(after.id, Notices()).commit(before, after, added, self.requests.bodies):
            self.breaks("notices", wrong)

    def _live_children(self, run: Run) -> list[Run]:
        """The runs that it started and that have not ended."""
        uuids = self.histories[run.id].uuids
        return [
            child
            for (namespace, _), child in self.heads.items()
            if child.parent
            and (namespace, child.parent.run) == (run.namespace, run.name)
            and child.parent.uuid in uuids
            and child.status in status.LIVE
        ]

    def _follows(self, before: Run, after: Run, added: list[Entry]) -> None:
        """Whether one head may follow the other."""
        name, events = after.name, [entry.event for entry in added]
        if after.version <= before.version:
            self.breaks("version", f"version {after.version} follows version {before.version}")
        changes = [event for event in events if event not in MENDED]
        is_retried = changes[:1] in (["RunRetried"], ["UndosRetried"])
        if is_retried:
            self.slots.retried.add((after.namespace, name))
        is_noticed = is_only_about(before, after) and AFTERWARDS.issuperset(events)
        if before.status in status.ENDED and not is_retried and not is_noticed:
            self.breaks("ended", f"run {name!r} was {before.status} and was written again: {after.status}")
        goes_on = before.status is Status.PAUSED and after.status not in (Status.PAUSED, *status.ENDED)
        if goes_on and not {"RunContinued", "RunStopped"}.intersection(events):
            self.breaks("paused", f"run {name!r} was paused and is {after.status}, and it was not continued")

    # ── who will wake it ─────────────────────────────────────────────────────────────────────────────────────────────

    def _look_at(self, namespace: str, name: str) -> None:
        run = self.heads.get((namespace, name))
        if run is not None:
            self._wakes(run, self._definition_of(run))

    def _wakes(self, run: Run, definition: Definition) -> None:
        for wrong in self.waking.missing_notices(run, definition):
            self.breaks("wake", f"run {run.name!r}: {wrong}")
        if run.status in status.ENDED:
            return
        for wrong in self.waking.missing(run, definition):
            self.breaks("wake", f"run {run.name!r}: {wrong}")
        self._orphaned(run)

    def _look_at_children(self, namespace: str, name: str) -> None:
        for child in self.heads.values():
            if child.parent and (child.namespace, child.parent.run) == (namespace, name):
                self._orphaned(child)

    def _orphaned(self, child: Run) -> None:
        """A run that no other waits for any longer is stopped, unless a person retried it."""
        parent = self.heads.get((child.namespace, child.parent.run)) if child.parent else None
        if parent is None or child.parent is None or child.status in status.ENDED:
            return
        waits = parent.token_of(child.parent.uuid) and parent.status in status.LIVE
        retried = any(entry.event == "RunRetried" for entry in self.histories[child.id].entries)
        known = child.parent.uuid in self.histories[parent.id].uuids
        if known and not waits and not retried and child.ending is None:
            held = parent.status is Status.PAUSED and any(one.child == child.name for one in parent.stopping)
            stops = held or self._messages.waits(StopChild, parent.namespace, parent.name, child=child.name)
            starts = self._messages.waits(StartChild, parent.namespace, parent.name, uuid=child.parent.uuid)
            if not stops and not starts:
                self.breaks("orphan", f"run {child.name!r} is {child.status}, and no run waits for it or stops it")
