"""A run while it is being decided: the one mutable thing in the engine, alive within one call of `decide`."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from chalicelib.definition import Definition, Json, Options, Step
from chalicelib.engine.effects import Decision, DeliverAction, Effect, Outcome, SetTimer
from chalicelib.engine.events import Fact
from chalicelib.engine.lifecycle import MOVING, Status
from chalicelib.engine.run import ROOT, Activation, Entry, Instant, Run, Token, mint_uuid

REMEMBERED_ERROR: Final = 2_000
"""How much of an error a head keeps, in characters."""


class Draft:
    """The next head, as far as it is decided, with the history entries and effects that go with it."""

    def __init__(self, definition: Definition, run: Run, fact: Fact) -> None:
        self.definition = definition
        self.run = run
        self.fact = fact
        self.tokens = {token.id: token for token in run.tokens}
        self.entries: list[Entry] = []
        self.effects: list[Effect] = []
        self._before = run
        self._minted = 0

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def at(self) -> Instant:
        return self.fact.at

    def step_of(self, token: Token) -> Step:
        """The step at which the token stands."""
        step = self.definition.step(token.step)
        if step is None:
            raise LookupError(f"flow {self.definition.flow.name!r} has no step {token.step!r}")
        return step

    @property
    def stands_at(self) -> str:
        """The name of the step at which the run's first token stands; empty if it stands nowhere."""
        return next((token.step for token in self.tokens.values()), "")

    def chance(self) -> random.Random:
        """Random numbers that depend on the event alone."""
        return random.Random(f"{self.fact.nonce}/{len(self.entries)}")  # noqa: S311 - spreads retries, hides nothing

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def put(self, token: Token) -> Token:
        self.tokens[token.id] = token
        return token

    def activate(self, token: Token, options: Options, memo: Json = None) -> Token:
        """The token waits in a new activation of its step. Its deadline is what the options say."""
        timeout = options.timeout if options.timeout is not None else self.definition.defaults.timeout
        if timeout is None:
            raise ValueError("no wait is without an end: the definition's defaults name no timeout")
        uuid = mint_uuid(self.run.id, token.step, self.fact.nonce, self._minted)
        self._minted += 1
        activation = Activation(
            uuid=uuid,
            since=self.at,
            deadline=self.at + timeout,
            heartbeat=options.heartbeat,
            held=self.run.status is Status.PAUSED,
            memo=memo,
        )
        return self.put(replace(token, activation=activation))

    def order(self, effect: Effect) -> None:
        self.effects.append(effect)

    def deliver(self, token: Token) -> None:
        """The token's action is sent, or, while the run is paused, held until it continues."""
        if token.activation and not token.activation.held:
            self.order(DeliverAction(token.activation.uuid))

    def set_vars(self, changed: Mapping[str, Json]) -> None:
        if changed:
            self.run = replace(self.run, vars={**self.run.vars, **changed})

    def set_run(self, **fields: Json) -> None:
        self.run = replace(self.run, **fields)

    def record(self, event: str, token: Token | None = None, **fields: Json) -> None:
        """One more line of history, of what happened to the token (or to the run as a whole)."""
        step = token.step if token else ""
        uuid = token.activation.uuid if token and token.activation else ""
        entry = Entry(
            seq=self._before.seq + len(self.entries) + 1,
            at=self.at,
            event=event,
            by=self.fact.by,
            token=token.id if token else ROOT,
            **{"step": step, "origin": step, "uuid": uuid, **fields},
        )
        self.entries.append(entry)

    def end(self, status: Status, *, error: str = "", output: Json = None) -> None:
        """The run has ended. A stopped one keeps its tokens: they tell late answers why, and `retry` where to go on."""
        if status is Status.SUCCEEDED:
            self.tokens = {}
        self.set_run(status=status, ended_at=self.at, output=output, last_err=error[:REMEMBERED_ERROR])

    # ── closing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def seal(self, outcome: Outcome) -> Decision:
        """The decision. Where nothing changed it holds the very head that was given."""
        if outcome in (Outcome.IGNORED, Outcome.DUPLICATE):
            return Decision(self._before, outcome)
        self._arm()
        after = replace(
            self.run,
            version=self._before.version + 1,
            updated_at=self.at,
            tokens=tuple(self.tokens.values()),
            tail=(*self.run.tail, *self.entries),
        )
        return Decision(after, outcome, tuple(self.effects))

    def _arm(self) -> None:
        """One timer per run: it rings at or before the earliest deadline. A later deadline arms nothing."""
        if self.run.status not in MOVING:
            self.set_run(alarm_at=None)
            return
        dues = [token.activation.due for token in self.tokens.values() if token.activation]
        if self.run.deadline is not None:
            dues.append(self.run.deadline)
        armed = self.run.alarm_at
        if dues and (armed is None or armed <= self.at or min(dues) < armed):
            self.set_run(alarm_at=min(dues))
            self.order(SetTimer(min(dues)))
