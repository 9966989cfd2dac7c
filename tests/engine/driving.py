"""Runs of small definitions, moved by one event after another."""

from __future__ import annotations

from itertools import count

import msgspec.structs

from chalicelib.engine.effects import Decision, StoreBlob
from chalicelib.engine.events import Event, RunRetried, StepAcked, TimerFired
from chalicelib.engine.machine import decide
from chalicelib.model.actions import Action, Options, Retry
from chalicelib.model.definition import Definition
from chalicelib.model.flow import Flow, Route, Step
from chalicelib.model.ids import ROOT
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, Token
from chalicelib.model.templates import expression
from tests.engine.flows import DAY, begun, nonce

ACTIONS = {
    "work": Action(name="work", returns=("OK", "BAD", "ODD"), addresses=("http://work.test/",)),
    "back": Action(name="back", returns=("OK",), addresses=("http://back.test/",)),
}


def defined(*steps: Step, max_steps: int = 1_000_000, **flow: object) -> Definition:
    """A definition of a flow with these steps."""
    made = Flow(name="f", steps=steps, **flow)  # type: ignore[arg-type]
    defaults = Options(timeout=7 * DAY, retry=Retry(max=3, delay=1_000, rate=2.0, cap=300_000))
    return Definition(flow=made, actions=ACTIONS, defaults=defaults, max_steps=max_steps)


def to(target: str, state: str | None = None, when: str | None = None, **entries: Json) -> Route:
    """A route."""
    return Route(target=target, state=state, when=when, entries=entries)


def value(source: str) -> Json:
    """An expression."""
    return expression(source)


class Driven:
    """A run, and what the events made of it. Every event has a nonce and, unless it says otherwise, a moment."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.decision: Decision = begun(definition)
        self._numbers = count(1)
        self._blobs: dict[str, Json] = {}
        self._keep()

    @property
    def run(self) -> Run:
        return self.decision.run

    @property
    def history(self) -> list[tuple[str, str, str, str]]:
        """Event, state, target and name of the error of every entry after the first."""
        return [(entry.event, entry.state, entry.target, entry.error_name) for entry in self.run.tail[1:]]

    def token(self, of: str = ROOT) -> Token:
        return next(token for token in self.run.tokens if token.id == of)

    def uuid(self, of: str = ROOT) -> str:
        activation = self.token(of).activation
        assert activation is not None
        return activation.uuid

    def apply(self, event: Event) -> Decision:
        self.decision = decide(self.definition, self.run, event, self._blobs.__getitem__)
        self._keep()
        return self.decision

    def answer(self, state: str, of: str = ROOT, at: int = 2_000, **more: object) -> Decision:
        uuid, step = self.uuid(of), self.token(of).step
        answer = StepAcked(at=at, nonce=self.nonce(), step=step, uuid=uuid, state=state)
        return self.apply(msgspec.structs.replace(answer, **more))

    def ring(self) -> Decision:
        """Let the run's timer fire when it is due."""
        assert self.run.timer_at is not None
        return self.apply(TimerFired(at=self.run.timer_at, nonce=self.nonce()))

    def retry(self, step: str | None = None) -> Decision:
        return self.apply(RunRetried(at=9_000, nonce=self.nonce(), step=step))

    def nonce(self) -> str:
        return nonce(next(self._numbers))

    def _keep(self) -> None:
        self._blobs |= {effect.key: effect.value for effect in self.decision.effects if isinstance(effect, StoreBlob)}
