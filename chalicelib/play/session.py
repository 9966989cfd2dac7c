"""Play a script: start a run on a virtual host, or replay a recorded one, make the moves, and return the outcome."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from chalicelib.adapters.virtual import START
from chalicelib.hosting.wiring import Services
from chalicelib.model import status
from chalicelib.model.definition import Definition
from chalicelib.model.history import Entry
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.play.moves import MAX_MOVES, Move
from chalicelib.play.moving import Asked, Player, RefusedMove
from chalicelib.play.outside import Log
from chalicelib.play.play_host import Delivery, Pinned, PlayHost
from chalicelib.play.recorded import MAX_REPLAYED, MAX_SECONDS, PlayTooLong, recorded
from chalicelib.play.redecide import Difference
from chalicelib.play.replayed_run import Cut, put_replayed
from chalicelib.play.waiting import Waiting
from chalicelib.service.details.kinds import WaitKind
from chalicelib.service.documents.results import Submission
from chalicelib.service.errors import Invalid
from chalicelib.service.ports.definitions import Kind

RUN: Final = "run"
"""The name of a run that is played and was not recorded."""


class UnknownFlow(Invalid):
    """The text does not say which flow to play."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """What is played: `text` may be empty if the namespace defines the flow. An empty `flow`: the only one of the text,
    or its last one.

    With `run`, the recorded facts of that run are replayed up to entry `upto` (None: all of them), with the run's own
    definition unless `text`, `flow` or `version` is given. The moves go on from there.
    """

    text: str = ""
    flow: str = ""
    input: Json = field(default_factory=dict)
    version: int | None = None
    """Which version of a flow of the namespace; None: the newest."""
    labels: dict[str, Json] = field(default_factory=dict)
    at: Instant | None = None
    """When it begins; None: at a fixed moment."""
    script: tuple[Move, ...] = ()
    run: str = ""
    upto: int | None = None
    secrets: dict[str, str] = field(default_factory=dict)
    """Placeholders of secrets, by name; the others have a fixed one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of a play."""

    run: Run
    """Its values are decrypted only for the play's own placeholders."""
    output: Json
    vars: dict[str, Json]
    history: tuple[Entry, ...]
    now: Instant
    next_at: Instant | None
    next_what: str
    waits: tuple[Waiting, ...]
    asked: tuple[Asked, ...]
    refused: tuple[RefusedMove, ...]
    runs: tuple[Run, ...]
    """The called and started runs, oldest first."""
    definition: Definition
    submission: Submission | None
    script: tuple[Move, ...]
    started_at: Instant
    differs: Difference | None = None
    """Where a replay differs from what was recorded; None: nowhere, or nothing was replayed."""
    log: Log = ()
    """What was answered, failed, published and commanded, in order."""
    deliveries: tuple[Delivery, ...] = ()
    """What arrived outside, in order."""
    pinned: Pinned = field(default_factory=dict)
    """Which versions of definitions of the namespace were played."""


def play(lender: Services, namespace: str, wanted: Play, *, is_spread: bool = False) -> Played:
    """Play. `lender` and `namespace` define the names that the text does not define.

    `is_spread`: each move is a millisecond after what happened before it.
    Raises FslMalformed and FslRefused for the text, UnknownFlow, NotFound, InputRefused, PlayTooLong, CannotReplay.
    """
    if len(wanted.script) > MAX_MOVES:
        raise PlayTooLong(f"a play has at most {MAX_MOVES} moves, and this one has {len(wanted.script)}")
    return _Session(lender, namespace, wanted, is_spread=is_spread).played()


class _Session:
    def __init__(self, lender: Services, namespace: str, wanted: Play, *, is_spread: bool) -> None:
        ends_at = time.monotonic() + MAX_SECONDS
        self._wanted = wanted
        self._cut: Cut | None = None
        self._pinned: dict[tuple[Kind, str], int | None] = {}
        self._submission: Submission | None = None
        if wanted.run:
            self._host = self._replayed(lender, namespace, ends_at)
        else:
            self._host = self._started(lender, namespace)
        self._player = Player(self._host, wanted.run or RUN, ends_at, is_spread=is_spread)
        self._player.settle()
        for number, move in enumerate(wanted.script):
            self._player.make(number, move)
            self._player.settle()

    def _started(self, lender: Services, namespace: str) -> PlayHost:
        wanted = self._wanted
        if wanted.upto is not None:
            raise Invalid("`upto` is an entry of the history of `run`, and no run is given")
        self._pinned = {(Kind.FLOW, wanted.flow): wanted.version}
        host = PlayHost(lender, namespace, START if wanted.at is None else wanted.at, self._pinned)
        self._submit(host)
        host.start(wanted.flow or self._only_flow(), wanted.input, name=RUN, labels=wanted.labels)
        return host

    def _replayed(self, lender: Services, namespace: str, ends_at: float) -> PlayHost:
        wanted = self._wanted
        if wanted.input or wanted.labels or wanted.at is not None:
            raise Invalid("a replayed run has its own `input`, `labels` and `at`: leave them out beside `run`")
        found = recorded(lender, namespace, wanted.run)
        upto = found.run.seq if wanted.upto is None else wanted.upto
        if not 1 <= upto <= min(found.run.seq, MAX_REPLAYED):
            raise Invalid(f"`upto` is {upto}, and run {wanted.run!r} has the entries 1 to {found.run.seq}")
        is_own = not (wanted.text.strip() or wanted.flow or wanted.version is not None)
        flow, ref = wanted.flow or found.ref.flow, found.ref
        pinned = self._pinned = {(Kind.FLOW, flow): ref.version if is_own else wanted.version}
        if is_own:
            pinned.update({(Kind.ACTION, name): version for name, version in ref.actions.items()})
            pinned.update({(Kind.CONFIG, name): version for name, version in ref.configs.items()})
        host = PlayHost(lender, namespace, found.run.created_at, pinned)
        self._submit(host)
        if not is_own and not wanted.flow and self._submission is not None:
            own = {one.name for one in self._submission.results if one.kind == Kind.FLOW}
            flow = flow if flow in own else self._only_flow()
        self._cut = put_replayed(lender, host, found, upto, None if is_own else flow, ends_at)
        return host

    def _submit(self, host: PlayHost) -> None:
        text = self._wanted.text
        self._submission = host.services.submitter.submit(host.namespace, text) if text.strip() else None
        if self._wanted.secrets:
            host.set_secrets(self._wanted.secrets)

    def _only_flow(self) -> str:
        flows = [one.name for one in self._submission.results if one.kind == Kind.FLOW] if self._submission else []
        if not flows:
            raise UnknownFlow("`flow` must name the flow to play, because the text defines none")
        return flows[-1]

    def _deliveries(self) -> tuple[Delivery, ...]:
        """Return what arrived, in the recorded run and in the play. What the run waits for arrives in both."""
        recorded_ones = self._cut.deliveries if self._cut is not None else ()
        known = {(one.uuid, one.attempt, one.kind) for one in recorded_ones}
        fresh = (one for one in self._host.deliveries if (one.uuid, one.attempt, one.kind) not in known)
        return (*recorded_ones, *fresh)

    def played(self) -> Played:
        host, name, wanted = self._host, self._player.name, self._wanted
        head, waits = host.head(name), tuple(self._player.waits())
        next_at = _next_at(head, waits, host.next_at())
        history, variables = host.history(name), head.vars
        if self._cut is not None and self._cut.is_amid and not wanted.script:
            history, variables, waits = history[: self._cut.seq], self._cut.vars, ()
        return Played(
            run=head,
            output=head.output,
            vars=variables,
            history=history,
            now=host.clock.now(),
            next_at=next_at,
            next_what=_what(next_at, waits),
            waits=waits,
            asked=tuple(self._player.asked.values()),
            refused=tuple(self._player.refused),
            runs=tuple(run for run in reversed(host.runs()) if run.name != name),
            definition=host.services.definition_cache.of(head),
            submission=self._submission,
            script=wanted.script,
            started_at=head.created_at,
            differs=self._cut.differs if self._cut is not None else None,
            log=(*self._cut.log, *self._player.log) if self._cut is not None else tuple(self._player.log),
            deliveries=self._deliveries(),
            pinned=self._pinned,
        )


def _next_at(head: Run, waits: Sequence[Waiting], at: Instant | None) -> Instant | None:
    """Return when the next thing happens by itself; None if nothing does.

    `at` is when the host does something. That may be a timer which finds that it is early: waits say more.
    """
    due = [one.retry_at if one.retry_at is not None and not one.is_held else one.deadline for one in waits]
    ends = [one for one in (*due, head.deadline if head.status in status.LIVE else None) if one is not None]
    return at if at is None else min(ends, default=at)


def _what(at: Instant | None, waits: Sequence[Waiting]) -> str:
    """Return what happens then."""
    for one in waits:
        if at is not None and one.retry_at == at:
            return f"step {one.step} is tried again"
        if at is not None and one.deadline == at:
            return f"{'the end' if one.kind is WaitKind.TIMER else 'the deadline'} of step {one.step}"
    return "" if at is None else "a timer"
