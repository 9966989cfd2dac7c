"""Decide a recorded run again, fact by fact, and find where the decisions differ.

Theory of operation. The engine is a pure function of a head and a fact. Each entry of a history names the fact that
made it (`facts`), so replaying them from the start gives every head that the run ever had; the entries that the
decisions make are compared with the recorded ones. Uuids of activations are those that were recorded: answers find
them. What a history does not keep (that a delay of `repeat` was over) is inferred where the next fact needs it.

Against another definition, the same facts meet other decisions: the first entry that differs is where the runs part.
Deadlines of that definition fire when they are due, unless the recorded run had the same one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from chalicelib.engine import effects, events
from chalicelib.engine.effects import Decision, Effect, StoreBlob
from chalicelib.engine.errors import Refused
from chalicelib.engine.machine import decide
from chalicelib.engine.returning.repeats import is_repeating
from chalicelib.engine.steps.call import child_name
from chalicelib.model.definition import Definition
from chalicelib.model.history import Entry
from chalicelib.model.json_values import Json
from chalicelib.model.run import Activation, DefinitionRef, Run, Token
from chalicelib.model.status import ENDED, MOVING
from chalicelib.model.times import Instant
from chalicelib.model.waits import ChildWait, EachWait, NoticeWait, StartWait
from chalicelib.play.facts import TIMED, Setting, due_by, fact_of, nonce_of
from chalicelib.play.outside import Answered, Commanded, Failed, Log, Published
from chalicelib.play.play_host import Delivery
from chalicelib.play.recorded import MAX_SECONDS, CannotReplay, MaskCipher, PlayTooLong, Recorded
from chalicelib.play.recorded_log import deliveries_of, reactions_of
from chalicelib.play.secret_reads import secret_read

_EVERY: Final = 64
"""After how many facts the clock is looked at."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the decisions part: the entry that was recorded, and the one that is made now. None: there is none."""

    seq: int
    recorded: Entry | None
    now: Entry | None


@dataclass(slots=True)
class Replayed:
    """A run that was decided again."""

    run: Run
    before: Run | None = None
    """The head before the last decision; None if that was the first."""
    differs: Difference | None = None
    blobs: dict[str, Json] = field(default_factory=dict)
    effects: tuple[Effect, ...] = ()
    """The effects that the last head still needs."""
    log: Log = ()
    """What the facts were outside."""
    deliveries: tuple[Delivery, ...] = ()
    """What arrived outside."""


ChildOf = Callable[[str], Run | None]


class Replay:
    """Decides the recorded facts again with one definition."""

    def __init__(
        self, found: Recorded, definition: Definition, ref: DefinitionRef, given: Json, child: ChildOf, *, is_own: bool
    ) -> None:
        self._found = found
        self._definition = definition
        self._ref = ref
        self._input = given
        self._child = child
        self._is_own = is_own
        self._cipher = MaskCipher()
        self._used: set[str] = set()
        """The recorded uuids that activations have."""
        self._effects: list[Effect] = []
        self._blobs: dict[str, Json] = {}
        self._log: list[Answered | Failed | Published | Commanded] = []
        self._deliveries: list[Delivery] = []
        self.entries: list[Entry] = []
        """The entries that were made so far. Of them, the head keeps only the last one."""
        self.run: Run | None = None
        self.before: Run | None = None
        self.differs: Difference | None = None

    @property
    def head(self) -> Run:
        if self.run is None:
            raise LookupError("the replay has not begun")
        return self.run

    @property
    def seq(self) -> int:
        return self.run.seq if self.run is not None else 0

    def step(self) -> bool:
        """Decide the next fact. Return False if there is none, or the decision differs from the recorded one."""
        entries = self._found.entries[self.seq :]
        if not entries or self.differs is not None:
            return False
        if self.run is None:
            return self._apply(self._started(entries[0]), entries)
        self._wake_for(entries[0])
        setting = Setting(self.head, self._definition, entries, self._is_own, self._child)
        is_timed = entries[0].event in TIMED or (entries[0].event == "ChildStopped" and entries[0].by == "timer")
        fact = None if is_timed else fact_of(setting)
        return self._apply(fact or self._fired(entries[0]), entries)

    def fire(self, at: Instant) -> bool:
        """Let the deadlines fire that have passed by then. Return False if that is a decision which was not made."""
        entries = self._found.entries[self.seq :]
        before, fact = self.head, events.TimerFired(at=at, nonce=nonce_of(entries[0]), by="timer")
        self._take(before, decide(self._definition, before, fact, self._read, cipher=self._cipher))
        fresh = self.entries[before.seq :]
        if fresh:
            self.differs = Difference(before.seq + 1, entries[0], fresh[0])
        return not fresh

    def due(self, before: Instant) -> dict[tuple[str, str], Instant]:
        """Return which waits have ended before that moment, and when: by token and step."""
        run = self.head
        if run.status not in MOVING or run.ending is not None or run.suspended_at is not None:
            return {}
        found = {(one.id, one.step): one.activation.due for one in run.tokens if one.activation}
        if run.deadline is not None:
            found["", ""] = run.deadline
        return {place: at for place, at in found.items() if at < before}

    def result(self) -> Replayed:
        run = self.head
        whole = replace(run, tail=tuple(self.entries))
        return Replayed(
            run=whole,
            before=self.before,
            differs=self.differs,
            blobs=self._blobs,
            effects=tuple(_needed(run, self._effects)),
            log=tuple(self._log),
            deliveries=tuple(self._deliveries),
        )

    # ── facts ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _started(self, entry: Entry) -> events.Event:
        run, entries = self._found.run, self._found.entries
        admitted = next((one for one in entries[1:2] if one.event == "RunAdmitted"), None)
        is_limited = self._found.definition.flow.limit is not None
        set_later = {name for one in entries if one.event == "LabelsSet" for name in (one.data or {}).get("set", {})}
        return events.RunStarted(
            at=entry.at,
            nonce=nonce_of(entry),
            by=entry.by,
            namespace=run.namespace,
            name=run.name,
            id=run.id,
            ref=self._ref,
            input=self._input,
            labels={name: value for name, value in run.labels.items() if name not in set_later},
            parent=run.parent,
            generation=run.generation,
            scheduled=run.scheduled,
            start_at=run.start_at,
            held=admitted is not None and not is_limited and run.start_at is None,
        )

    def _fired(self, entry: Entry) -> events.Event:
        """The run's timer fired. What the recorded run suspended or drew may have changed when a wait ended."""
        if self._is_own:
            tokens = tuple(due_by(one, entry) if _is_of(one, entry) else one for one in self.head.tokens)
            deadline = self.head.deadline
            if entry.event == "RunTimedOut" and deadline is not None:
                deadline = min(deadline, entry.at)
            timer = min(self.head.timer_at or entry.at, entry.at)
            self.run = replace(self.head, tokens=tokens, deadline=deadline, timer_at=timer)
        return events.TimerFired(at=entry.at, nonce=nonce_of(entry), by="timer")

    def _wake_for(self, entry: Entry) -> None:
        """Let the delay of a `repeat` end, and deferred items begin, if the entry is about what follows that."""
        for _ in range(len(self.head.tokens) + 1):
            token = self._sleeping(entry)
            if token is None or token.activation is None:
                break
            at = min(token.activation.due, entry.at)
            if self._is_own:
                activation = replace(token.activation, deadline=at)
                tokens = tuple(replace(one, activation=activation) if one is token else one for one in self.head.tokens)
                self.run = replace(self.head, tokens=tokens, timer_at=min(self.head.timer_at or at, at))
            if not self._pass_unseen(at, entry):
                break
        ended = [one.activation.due for one in self.head.tokens if one.activation and one.activation.is_join]
        for at in sorted(due for due in ended if due <= entry.at):
            self._pass_unseen(at, entry)

    def _pass_unseen(self, at: Instant, entry: Entry) -> bool:
        """Let the timer fire if that adds no entry: a delay is over, or a join waits for its undos. Return whether."""
        fact = events.TimerFired(at=at, nonce=nonce_of(entry), by="timer")
        decision = decide(self._definition, self.head, fact, self._read, cipher=self._cipher)
        if decision.run is self.head or decision.run.seq > self.head.seq:
            return False
        self._take(self.head, decision)
        return True

    def _sleeping(self, entry: Entry) -> Token | None:
        """Return the token that must wake before the entry can be made."""
        if entry.event in ("RunPaused", "RunContinued", "RunStopped", "VarsSet", "LabelsSet", "TokenMoved"):
            return None
        known = {one.id: one for one in self.head.tokens}
        token = known.get(entry.token)
        if token is not None and is_repeating(token) and token.step == entry.step:
            return token
        above = entry.token
        while token is None and "." in above:
            above = above.rpartition(".")[0]
            token = known.get(above)
            wait = token.activation.wait if token and token.activation else None
            if token is not None and (
                is_repeating(token) or (isinstance(wait, EachWait) and wait.remaining is not None)
            ):
                return token
        return None

    # ── decisions ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _apply(self, fact: events.Event, entries: Sequence[Entry]) -> bool:
        before = self.run
        self._cipher.was_read = False
        try:
            decision = decide(self._definition, before, fact, self._read, cipher=self._cipher)
        except Refused:
            self.differs = Difference(entries[0].seq, entries[0], None)
            return False
        fresh = decision.run.tail[len(before.tail) if before is not None else 0 :]
        difference = self._difference(fresh, entries)
        self._refuse_secrets(before, decision.run, fresh, difference)
        self.differs = difference
        self._log += reactions_of(self._definition, before, fact)
        self._take(before, decision)
        return difference is None

    def _difference(self, fresh: Sequence[Entry], entries: Sequence[Entry]) -> Difference | None:
        if not fresh:
            return Difference(entries[0].seq, entries[0], None)
        for number, now in enumerate(fresh):
            known = entries[number] if number < len(entries) else None
            if known is None or not is_same(known, now, is_own=self._is_own):
                return Difference(now.seq, known, now)
        return None

    def _refuse_secrets(self, before: Run | None, after: Run, fresh: Iterable[Entry], found: Difference | None) -> None:
        """Raise CannotReplay if the decision depends on a secret, of which a replay knows no value."""
        if not self._definition.has_secrets:
            return
        for entry in fresh:
            read = secret_read(self._definition, before, after, entry)
            if read is not None:
                raise CannotReplay(
                    f"entry {entry.seq} cannot be decided again: step {entry.step!r} decides by {read[0]!r}, "
                    f"which reads the secret {read[1]}"
                )
        if found is not None and self._cipher.was_read:
            raise CannotReplay(f"entry {found.seq} cannot be decided again: the decision reads a secret")

    def _take(self, before: Run | None, decision: Decision) -> None:
        """Go on with the decision. Its activations get the uuids that were recorded."""
        if decision.run is before:
            return
        renamed: dict[str, str] = {}
        known = (
            {one.activation.uuid for one in (*before.tokens, *before.notices) if one.activation} if before else set()
        )
        entries = self._found.entries[decision.run.seq :]
        run = decision.run
        tokens = tuple(self._named(one, known, entries, renamed) for one in run.tokens)
        notices = tuple(self._named(one, known, entries, renamed) for one in run.notices)
        notices = tuple(_about(one, renamed) for one in notices)
        if renamed:
            run = replace(run, tokens=tokens, notices=notices)
        self.entries += run.tail[len(before.tail) if before is not None else 0 :]
        run = replace(run, tail=run.tail[-1:])
        self._effects += (_of_renamed(one, renamed) for one in decision.effects if not isinstance(one, StoreBlob))
        self._blobs |= {one.key: one.value for one in decision.effects if isinstance(one, StoreBlob)}
        self._deliveries += deliveries_of(self._definition, before, run)
        self.before, self.run = before, run

    def _named(self, token: Token, known: set[str], entries: Sequence[Entry], renamed: dict[str, str]) -> Token:
        activation = token.activation
        if activation is None or activation.uuid in known or is_repeating(token):
            return token
        is_notice = isinstance(activation.wait, NoticeWait)
        uuid = next((one.uuid for one in entries if self._is_about(one, token, is_notice=is_notice)), "")
        uuid = uuid or self._live_uuid(token)
        self._used.add(uuid)
        if not uuid or uuid == activation.uuid:
            return token
        renamed[activation.uuid] = uuid
        return replace(token, activation=_renamed(self._found.run, token.step, activation, uuid))

    def _is_about(self, entry: Entry, token: Token, *, is_notice: bool) -> bool:
        if not entry.uuid or entry.uuid in self._used or (entry.token, entry.step) != (token.id, token.step):
            return False
        if entry.event not in ("NoticeDelivered", "NoticeFailed"):
            return not is_notice or entry.event == "DeliveryFailed"
        wait = token.activation.wait if token.activation else None
        sent = self._definition.steps[token.step].notices.get(wait.kind) if isinstance(wait, NoticeWait) else None
        return sent is not None and (entry.data or {}).get("action") == sent.action.name

    def _live_uuid(self, token: Token) -> str:
        """Return the uuid of the activation in which the recorded run waits there."""
        run = self._found.run
        if run.status in ENDED:
            return ""
        at = ((one.id, one.step, one.activation) for one in run.tokens)
        found = next((waits.uuid for place, step, waits in at if waits and (place, step) == (token.id, token.step)), "")
        return "" if found in self._used else found

    def _read(self, key: str) -> Json:
        if key not in self._blobs:
            raise LookupError(f"the replay has no blob {key!r}")
        return self._blobs[key]


def replay(
    found: Recorded,
    definition: Definition,
    ref: DefinitionRef,
    given: Json,
    child: ChildOf,
    *,
    upto: int,
    is_own: bool,
    ends_at: float | None = None,
) -> Replayed:
    """Decide the run again up to the decision that made entry `upto`.

    `given` is its input, `child` returns a run that it called. `ends_at` is when the replay takes too long, by
    `time.monotonic()`. Raises CannotReplay, PlayTooLong.
    """
    ends_at = time.monotonic() + MAX_SECONDS if ends_at is None else ends_at
    made = Replay(found, definition, ref, given, child, is_own=is_own)
    twin = None if is_own else Replay(found, found.definition, found.ref, found.run.input, child, is_own=True)
    for number in range(upto):
        if made.seq >= upto or (twin is not None and not _fire_due(made, twin, found)) or not made.step():
            break
        if twin is not None:
            twin.step()
        if number % _EVERY == 0 and time.monotonic() > ends_at:
            raise PlayTooLong(f"replaying run {found.run.name!r} takes more than {MAX_SECONDS:g} s")
    return made.result()


def _fire_due(made: Replay, twin: Replay, found: Recorded) -> bool:
    """Let deadlines fire that the recorded run did not have. Return False if that makes the runs part."""
    if made.run is None or made.seq >= len(found.entries):
        return True
    at = found.entries[made.seq].at
    for _ in range(len(made.head.tokens) + 1):
        known = twin.due(at) if twin.run is not None else {}
        fresh = {place: due for place, due in made.due(at).items() if place not in known}
        if not fresh:
            return True
        if not made.fire(min(fresh.values())):
            return False
    return True


def is_same(recorded: Entry, now: Entry, *, is_own: bool) -> bool:
    """Return whether two entries are the same decision. Other definitions may number rules and routes otherwise."""
    if _decision(recorded) != _decision(now):
        return False
    return not is_own or (recorded.rule, recorded.route, recorded.origin) == (now.rule, now.route, now.origin)


def _decision(entry: Entry) -> tuple[str, ...]:
    return entry.event, entry.step, entry.target, entry.state, entry.token, entry.error_name


def _is_of(token: Token, entry: Entry) -> bool:
    return token.id == entry.token and token.step == entry.step


def _renamed(run: Run, step: str, activation: Activation, uuid: str) -> Activation:
    """Return the activation with another uuid. The names of runs that it starts are made from that."""
    wait = activation.wait
    if isinstance(wait, ChildWait):
        wait = replace(wait, child=child_name(run, step, uuid))
    elif isinstance(wait, StartWait) and wait.run.endswith(activation.uuid):
        wait = replace(wait, run=wait.run.removesuffix(activation.uuid) + uuid)
    return replace(activation, uuid=uuid, wait=wait)


def _about(notice: Token, renamed: dict[str, str]) -> Token:
    """Return the notice with the new uuid of the activation that fails with it."""
    wait = notice.activation.wait if notice.activation else None
    if notice.activation is None or not isinstance(wait, NoticeWait) or wait.of not in renamed:
        return notice
    return replace(notice, activation=replace(notice.activation, wait=replace(wait, of=renamed[wait.of])))


def _of_renamed(effect: Effect, renamed: dict[str, str]) -> Effect:
    uuid = renamed.get(getattr(effect, "uuid", ""))
    return effect if uuid is None else replace(effect, uuid=uuid)


def _needed(run: Run, emitted: Iterable[Effect]) -> Iterable[Effect]:
    """Return the effects without which the run would not go on, each once."""
    current = {one.activation.uuid for one in (*run.tokens, *run.notices) if one.activation}
    children = {stopping.child for stopping in run.stopping}
    kept: dict[Effect, None] = {}
    for effect in emitted:
        match effect:
            case effects.DeliverAction(uuid) | effects.OpenTask(uuid):
                is_needed = uuid in current
            case effects.StartChild(uuid) | effects.ExecuteStep(uuid):
                is_needed = uuid in current
            case effects.Listen(uuid):
                is_needed = uuid in current
            case effects.StopChild(name) | effects.SyncChild(name):
                is_needed = name in children
            case effects.TellParent():
                is_needed = run.status in ENDED
            case _:
                is_needed = False
        if is_needed:
            kept[effect] = None
    if run.timer_at is not None:
        kept[effects.SetTimer(run.timer_at)] = None
    return tuple(kept)
