"""Decide a recorded run again, fact by fact, and find where the decisions differ.

Theory of operation. The engine is a pure function of a head and a fact. Each entry of a history names the fact that
made it (`facts`), so replaying them from the start gives every head that the run ever had; the entries that the
decisions make are compared with the recorded ones. Uuids of activations are those that were recorded: answers find
them. What a history does not keep (that a delay of `repeat` was over) is inferred where the next fact needs it.

Against another definition, the same facts meet other decisions: the first entry that differs is where the runs part.
Deadlines of that definition fire when they are due, unless the recorded run had the same one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from chalicelib.engine import events
from chalicelib.engine.effects import Decision, Effect, StoreBlob
from chalicelib.engine.errors import Refused
from chalicelib.engine.machine import decide
from chalicelib.engine.returning.repeats import is_repeating
from chalicelib.model.definition import Definition
from chalicelib.model.history import Entries, Entry
from chalicelib.model.json_values import Json
from chalicelib.model.run import DefinitionRef, Run, Token
from chalicelib.model.status import MOVING
from chalicelib.model.times import Instant
from chalicelib.play.facts import TIMED, Setting, fact_of, nonce_of
from chalicelib.play.needed_effects import needed
from chalicelib.play.outside import Answered, Commanded, Failed, Log, Published
from chalicelib.play.play_host import Delivery
from chalicelib.play.recorded import CannotReplay, MaskCipher, Recorded
from chalicelib.play.recorded_log import deliveries_of, reactions_of
from chalicelib.play.recorded_names import RecordedNames, about, of_renamed
from chalicelib.play.replay_timers import Shield, shielded, sleeping, times_out, woken
from chalicelib.play.secret_reads import secret_read


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


_KEPT: Final = ("LateAnswer", "NoticeDelivered")
"""Entries that say what came to the run and decide nothing."""

ChildOf = Callable[[str], Run | None]


class Replay:
    """Decides the recorded facts again with one definition."""

    def __init__(
        self,
        found: Recorded,
        definition: Definition,
        ref: DefinitionRef,
        given: Json,
        child: ChildOf,
        *,
        is_own: bool,
        was_held: bool = False,
    ) -> None:
        self._was_held = was_held
        """Whether its flow was paused when it was started, which a history does not say of a run that had to wait for
        its turn, too."""
        self._found = found
        self._definition = definition
        self._ref = ref
        self._input = given
        self._child = child
        self._is_own = is_own
        self._cipher = MaskCipher()
        self._shield: Shield | None = None
        self._names = RecordedNames(found, definition)
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
        setting = Setting(
            self.head, self._definition, entries, self._is_own, self._child, self._found.run.gated, self._version
        )
        is_timed = entries[0].event in TIMED or (entries[0].event == "ChildStopped" and entries[0].by == "timer")
        fact = (None if is_timed else fact_of(setting)) or self._fired(entries)
        is_same_so_far = self._apply(fact, entries)
        target = getattr(fact, "target", None)
        if isinstance(target, events.Target) and is_same_so_far:
            self._definition = target.definition
            self._names.follow(target.definition)
        if self._shield is not None:
            self.run, self._shield = self._shield.taken_from(self.head), None
        return is_same_so_far

    def _version(self, version: int) -> events.Target | None:
        return self._found.version(version) if self._is_own else None

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
        whole = replace(run, stored_tail=Entries.of(self.entries))
        return Replayed(
            run=whole,
            before=self.before,
            differs=self.differs,
            blobs=self._blobs,
            effects=tuple(needed(run, self._effects)),
            log=tuple(self._log),
            deliveries=tuple(self._deliveries),
        )

    # ── facts ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _started(self, entry: Entry) -> events.Event:
        run, entries = self._found.run, self._found.entries
        begun = next((one for one in entries if one.event in ("RunAdmitted", "RunRetried")), None)
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
            held=run.start_at is None and self._is_held(begun),
        )

    def _is_held(self, begun: Entry | None) -> bool:
        """Return whether the flow was paused when the run was started. `begun` says that it was its turn or retried."""
        if begun is None:
            return self._found.run.gated
        return begun.event == "RunAdmitted" and (self._was_held or begun.by == "start")

    def _fired(self, entries: Sequence[Entry]) -> events.Event:
        """The run's timer fired. In the recorded run other waits may have been suspended: only these have ended."""
        entry = entries[0]
        if self._is_own:
            same = itertools.takewhile(lambda one: one.at == entry.at, entries)
            ended = [one for one in same if one.event in TIMED] or woken(self.head, entry)
            self._shield = shielded(self.head, entry.at, ended)
            self.run = self._shield.run
        return events.TimerFired(at=entry.at, nonce=nonce_of(entry), by="timer")

    def _wake_for(self, entry: Entry) -> None:
        """Let the delay of a `repeat` end, and deferred items begin, if the entry is about what follows that."""
        for _ in range(len(self.head.tokens) + 1):
            token = sleeping(self.head, entry)
            if token is None or token.activation is None:
                break
            if not self._pass_unseen(min(token.activation.due, entry.at), token, entry):
                break
        rest = self._found.entries[self.seq :]
        for token in [one for one in self.head.tokens if is_repeating(one)]:
            if token.activation is not None and self._has_begun(token, token.activation.due, rest):
                self._pass_unseen(min(token.activation.due, entry.at), token, entry)
        for token in [one for one in self.head.tokens if one.activation and one.activation.is_join]:
            is_due = token.activation is not None and token.activation.due <= entry.at
            if token.activation is not None and is_due and times_out(self.head, token, rest):
                self._pass_unseen(token.activation.due, token, entry)

    def _has_begun(self, token: Token, due: Instant, rest: Sequence[Entry]) -> bool:
        """Return whether the step of the token was done again before the next entry: those after it show that."""
        if rest[0].event == "RunPaused":
            return self._names.is_known_in_pause(token, rest)
        return due <= rest[0].at and self._names.is_known_late(token, rest)

    def _pass_unseen(self, at: Instant, token: Token, entry: Entry) -> bool:
        """Let the wait of the token end if that adds no entry: a delay is over, or a join waits for its undos.

        Return whether it did.
        """
        fact = events.TimerFired(at=at, nonce=nonce_of(entry), by="timer")
        ended = [Entry(seq=entry.seq, at=at, event="TimerRang", token=token.id, step=token.step)]
        shield = shielded(self.head, at, ended) if self._is_own else None
        before = shield.run if shield else self.head
        decision = decide(self._definition, before, fact, self._read, cipher=self._cipher)
        if decision.run is before or decision.run.seq > before.seq:
            return False
        self._take(before, decision)
        if shield:
            self.run = shield.taken_from(self.head)
        return True

    # ── decisions ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _apply(self, fact: events.Event, entries: Sequence[Entry]) -> bool:
        before = self.run
        self._cipher.was_read = False
        try:
            decision = decide(self._definition, before, fact, self._read, cipher=self._cipher)
        except Refused:
            self.differs = Difference(entries[0].seq, entries[0], None)
            return False
        if before is not None and decision.run is before and self._is_own and entries[0].event in _KEPT:
            self._adopt(entries[0])
            return True
        fresh = decision.run.stored_tail.since(before.seq if before is not None else 0)
        difference = self._difference(fresh, entries)
        self._refuse_secrets(before, decision.run, fresh, difference)
        self.differs = difference
        self._log += reactions_of(self._definition, before, fact)
        self._take(before, decision)
        return difference is None

    def _adopt(self, entry: Entry) -> None:
        """Go on with the entry as it was recorded: it decides nothing, it is only kept."""
        self.entries.append(entry)
        self.before, self.run = (
            self.head,
            replace(self.head, stored_tail=Entries.of((entry,)), version=self.head.version + 1),
        )

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
        tokens = tuple(self._names.name(one, known, entries, renamed) for one in run.tokens)
        notices = tuple(self._names.name(one, known, entries, renamed) for one in run.notices)
        notices = tuple(about(one, renamed) for one in notices)
        if renamed:
            run = replace(run, tokens=tokens, notices=notices)
        self.entries += run.stored_tail.since(before.seq if before is not None else 0)
        run = replace(run, stored_tail=Entries.of(run.tail[-1:]))
        self._effects += (of_renamed(one, renamed) for one in decision.effects if not isinstance(one, StoreBlob))
        self._blobs |= {one.key: one.value for one in decision.effects if isinstance(one, StoreBlob)}
        self._deliveries += deliveries_of(self._definition, before, run)
        self.before, self.run = before, run

    def _read(self, key: str) -> Json:
        if key not in self._blobs:
            raise LookupError(f"the replay has no blob {key!r}")
        return self._blobs[key]


def is_same(recorded: Entry, now: Entry, *, is_own: bool) -> bool:
    """Return whether two entries are the same decision. Other definitions may number rules and routes otherwise."""
    if _decision(recorded) != _decision(now):
        return False
    return not is_own or (recorded.rule, recorded.route, recorded.origin) == (now.rule, now.route, now.origin)


def _decision(entry: Entry) -> tuple[str, ...]:
    return entry.event, entry.step, entry.target, entry.state, entry.token, entry.error_name
