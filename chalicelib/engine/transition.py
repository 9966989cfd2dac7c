"""A run while it is being decided: the one mutable thing in the engine, alive within one call of `decide`."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from msgspec.structs import replace

from chalicelib.engine.effects import (
    Decision,
    DeliverAction,
    Effect,
    Outcome,
    SetTimer,
    StopChild,
    StoreBlob,
    TellParent,
)
from chalicelib.engine.evaluation import Names, resolve_known
from chalicelib.engine.events import Fact
from chalicelib.engine.secret_values import Cipher, encrypted
from chalicelib.model.definition import Definition
from chalicelib.model.flow import Step
from chalicelib.model.history import Entry
from chalicelib.model.ids import ROOT, mint_uuid
from chalicelib.model.json_values import Json
from chalicelib.model.run import Activation, Run, Token
from chalicelib.model.status import MOVING, Status
from chalicelib.model.templates import Template
from chalicelib.model.times import Instant, Milliseconds

REMEMBERED_ERROR: Final = 2_000
"""How much of an error a head keeps, in characters."""

FOREVER: Final[Milliseconds] = 100 * 366 * 86_400_000
"""The deadline of a step that waits for other tokens, or another run: their deadlines end the wait."""

BlobReader: TypeAlias = Callable[[str], Json]
"""Reads what a run keeps beside its head, by key. What lies there never changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What a step returned: its state, with the data or the error that came with it."""

    state: str
    data: Json = None
    error: str = ""
    event: str = "StepPassed"
    """What the history calls it."""
    variables: Mapping[str, Json] = field(default_factory=dict)
    """Variables that came with it."""
    signal: Json = None
    """The event that the step waited for (`$event`)."""


class Transition:
    """The next head, as far as it is decided, with the history entries and effects that go with it."""

    def __init__(
        self,
        definition: Definition,
        run: Run,
        fact: Fact,
        read_blob: BlobReader,
        cipher: Cipher,
        written: Run | None = None,
    ) -> None:
        self.definition = definition
        self.cipher = cipher
        self.run = run
        self.fact = fact
        self.tokens = {token.id: token for token in run.tokens}
        self.entries: list[Entry] = []
        self.effects: list[Effect] = []
        self.arrivals: deque[str] = deque()
        """Tokens that have come to a step and have not entered it yet."""
        self.passed = 0
        """How many steps were entered so far."""
        self._before = run
        self._written = written or run
        self._read_blob = read_blob
        self._new_blobs: dict[str, Json] = {}
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

    def children_of(self, token: Token) -> tuple[Token, ...]:
        """The tokens for which the token waits."""
        return tuple(child for child in self.tokens.values() if child.parent == token.id)

    def read(self, key: str) -> Json:
        """What the run keeps under the key, beside its head."""
        return self._new_blobs[key] if key in self._new_blobs else self._read_blob(key)

    def is_new(self, token: Token) -> bool:
        """Whether the token's wait has changed since the head was read."""
        return all(token is not known for known in self._written.tokens)

    @property
    def stands_at(self) -> str:
        """The name of the step at which the run's first token stands; empty if it stands nowhere."""
        return next((token.step for token in self.tokens.values()), "")

    def random(self) -> float:
        """A number from 0 to 1, drawn from the event's nonce."""
        drawn = hashlib.sha256(f"{self.fact.nonce}/chance/{len(self.entries)}".encode()).digest()[:8]
        return int.from_bytes(drawn) / 2**64

    def judging(self, names: Names) -> Names:
        """The names in a place that only judges, or whose outcome is secret itself: secrets are open there."""
        return names.decrypt(self.cipher) if self.definition.has_secrets else names

    def resolve_vars(self, templates: Mapping[str, Template], names: Names) -> dict[str, Json]:
        """The values of variables; for those that are secret, secrets are open. Raises ExpressionFailed."""
        secret = {name: template for name, template in templates.items() if name in self.definition.flow.secret_vars}
        if not secret:
            return resolve_known(templates, names)
        plain = {name: template for name, template in templates.items() if name not in secret}
        return self.encrypt_secrets({**resolve_known(plain, names), **resolve_known(secret, self.judging(names))})

    # ── tokens ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def put(self, token: Token) -> Token:
        self.tokens[token.id] = token
        return token

    def arrive(self, token: Token) -> None:
        """The token has come to its step, and will enter it."""
        self.put(token)
        self.arrivals.append(token.id)

    def remove(self, token: Token) -> None:
        """The token, and all for which it waits, do nothing more."""
        self.abandon(token)
        for child in self.children_of(token):
            self.remove(child)
        self.tokens.pop(token.id, None)

    def abandon(self, token: Token) -> None:
        """Nobody waits any more for what the token waited for outside."""
        memo = token.activation.memo if token.activation else None
        if isinstance(memo, Mapping) and "child" in memo:
            self.emit(StopChild(memo["child"]))

    def activate(
        self, token: Token, timeout: Milliseconds | None, *, heartbeat: Milliseconds | None = None, memo: Json = None
    ) -> Token:
        """The token waits in a new activation of its step, for at most `timeout` (None: the house's default)."""
        if timeout is None:
            timeout = self.definition.defaults.timeout
        if timeout is None:
            raise ValueError("no wait is without an end: the definition's defaults name no timeout")
        uuid = mint_uuid(self.run.id, token.step, self.fact.nonce, self._minted)
        self._minted += 1
        activation = Activation(
            uuid=uuid,
            since=self.at,
            deadline=self.at + timeout,
            heartbeat=heartbeat,
            held=self.run.status is Status.PAUSED,
            memo=memo,
        )
        return self.put(replace(token, activation=activation))

    def remember(self, token: Token, memo: Json) -> Token:
        """The token's wait remembers this."""
        if token.activation is None:
            raise LookupError(f"token {token.id} waits for nothing")
        return self.put(replace(token, activation=replace(token.activation, memo=memo)))

    # ── the rest of the head ─────────────────────────────────────────────────────────────────────────────────────────

    def emit(self, effect: Effect) -> None:
        self.effects.append(effect)

    def store_blob(self, key: str, value: Json) -> None:
        """The value lies beside the head under that key, from now on."""
        self._new_blobs[key] = value
        self.emit(StoreBlob(key, value))

    def deliver(self, token: Token) -> None:
        """The token's action is sent, or, while the run is paused, held until it continues."""
        if token.activation and not token.activation.held:
            self.emit(DeliverAction(token.activation.uuid))

    def set_vars(self, changed: Mapping[str, Json]) -> None:
        if changed:
            self.run = replace(self.run, vars={**self.run.vars, **self.encrypt_secrets(changed)})

    def encrypt_secrets(self, variables: Mapping[str, Json]) -> dict[str, Json]:
        """The variables as a head and a history keep them: those that are secret, sealed."""
        secret = self.definition.flow.secret_vars
        return {name: encrypted(value, self.cipher) if name in secret else value for name, value in variables.items()}

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

    def record_return(self, token: Token, returned: StepResult, target: str) -> None:
        """One more line of history: the token's step returned, and that leads to `target`."""
        self.record(
            returned.event,
            token,
            state=returned.state,
            target=target,
            data=returned.data if returned.event in ("StepAcked", "EventArrived") else None,
            error=returned.error,
            vars=self.encrypt_secrets(returned.variables),
        )
        self.set_run(last_state=token.step, last_event=f"{self.run.name}_{token.step}_{returned.state}")

    def end(self, status: Status, *, error: str = "", output: Json = None) -> None:
        """The run has ended. A stopped one keeps its tokens: they tell late answers why, and `retry` where to go on."""
        for token in self.tokens.values():
            self.abandon(token)
        if status is Status.SUCCEEDED:
            self.tokens = {}
        self.arrivals.clear()
        self.set_run(status=status, ended_at=self.at, output=output, ending=None, last_err=error[:REMEMBERED_ERROR])
        if self.run.parent:
            self.emit(TellParent())

    # ── closing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def build(self, outcome: Outcome) -> Decision:
        """The decision. Where nothing changed it holds the very head that was given."""
        if outcome in (Outcome.IGNORED, Outcome.DUPLICATE):
            return Decision(self._before, outcome)
        self._arm()
        turned = self.run.status is not self._before.status or not self._before.version
        after = replace(
            self.run,
            version=self._before.version + 1,
            updated_at=self.at,
            written=self.fact.nonce[:8],
            status_at=self.at if turned else self.run.status_at,
            tokens=tuple(self.tokens.values()),
            tail=(*self.run.tail, *self.entries),
        )
        return Decision(after, outcome, tuple(self.effects))

    def _arm(self) -> None:
        """One timer per run: it rings at or before the earliest deadline. A later deadline arms nothing."""
        if self.run.status not in MOVING:
            self.set_run(timer_at=None)
            return
        dues = [token.activation.due for token in self.tokens.values() if token.activation]
        if self.run.deadline is not None:
            dues.append(self.run.deadline)
        armed = self.run.timer_at
        if dues and (armed is None or armed <= self.at or min(dues) < armed):
            self.set_run(timer_at=min(dues))
            self.emit(SetTimer(min(dues)))
