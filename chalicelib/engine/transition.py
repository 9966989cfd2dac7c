"""A run while `decide` works on it: the only mutable object of the engine. It lives for one call of `decide`.

Theory of operation. A transition begins with the head as it was read, and collects what the event changes: tokens,
history entries, effects, and the other fields of the head. `build` makes the decision from it: the next head with its
version counted up and its timer set, and the effects. If an event changes nothing, `build` returns the head that was
given. Uuids and random numbers are derived from the event's nonce, so the same event always gives the same decision.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec
from msgspec.structs import replace

from chalicelib.engine import ended_activations, late_answers, notices, suspensions
from chalicelib.engine.effects import (
    MAX_MESSAGE_DELAY_MS,
    SILENT,
    UNCHANGED,
    Decision,
    DeliverAction,
    Effect,
    Outcome,
    ReleasePermit,
    SetTimer,
    StopChild,
    StoreBlob,
    SyncChild,
    TellParent,
    TellSchedule,
)
from chalicelib.engine.events import DeliveryFact, Fact, StepAcked
from chalicelib.engine.invocation import UNDO
from chalicelib.engine.items import place_of
from chalicelib.engine.lifecycle import NEXT
from chalicelib.engine.scopes import in_scope
from chalicelib.engine.step_result import StepResult
from chalicelib.engine.transition_vars import TransitionVars
from chalicelib.engine.values.evaluation import Draws
from chalicelib.engine.values.secret_values import Cipher
from chalicelib.engine.variables import visible
from chalicelib.model.definition import Definition
from chalicelib.model.flow import Step
from chalicelib.model.history import Entry
from chalicelib.model.ids import ROOT, mint_uuid
from chalicelib.model.json_values import Json
from chalicelib.model.run import Activation, Run, StoppingChild, Token
from chalicelib.model.run_error import StepError
from chalicelib.model.status import MOVING, Status
from chalicelib.model.times import Instant, Milliseconds
from chalicelib.model.waits import ChildWait, EventWait, Wait

MAX_ERROR_CHARACTERS: Final = 2_000
"""Longer texts of errors are cut off in the head."""

JOIN_TIMEOUT_MS: Final[Milliseconds] = 366 * 86_400_000
"""The timeout of a step that waits for other tokens or for another run. Their own deadlines usually end the wait."""

MAX_KEPT_BYTES: Final = 4 * 1024
"""Bytes of JSON of what an entry keeps of an error's data, and of a response."""

_WITH_DATA: Final = frozenset({"StepAcked", "EventArrived", "FlowStarted", "StepRejected"})
"""The history entries that hold the data of a step."""

_WITH_ERROR: Final = ("DeliveryFailed", "ChildEnded", "StartFailed", "PublishFailed")
"""The history entries of steps that failed outside of the run, and whose error may have a status or data."""

_PENDING: Final = Status.PENDING

BlobReader: TypeAlias = Callable[[str], Json]
"""Reads a blob of a run by its key. A blob never changes."""


class Transition(TransitionVars):
    """The next head, as far as it is decided, with its new history entries and its effects."""

    def __init__(
        self,
        definition: Definition,
        run: Run,
        fact: Fact,
        read_blob: BlobReader,
        cipher: Cipher,
        written: Run | None = None,
    ) -> None:
        self.at = fact.at
        """The moment of the event."""
        self.definition = definition
        self.began_with = definition
        """The definition by which the head that was read is to be understood: the run may move to another version."""
        self.cipher = cipher
        self.run = run
        self.fact = fact
        self.tokens = {token.id: token for token in run.tokens}
        self.entries: list[Entry] = []
        self.effects: list[Effect] = []
        self.arrivals: deque[str] = deque()
        """Ids of tokens that have arrived at a step and have not entered it yet."""
        self.passed = 0
        """How many steps were entered so far."""
        self.last_return: tuple[str, str] | None = None
        """`last_state` and `stored_event` of the head, if a step has returned."""
        self.draws = Draws(fact.at, fact.nonce)
        """What expressions draw random values from."""
        self._before = run
        self._written = written or run
        self._read_blob = read_blob
        self._new_blobs: dict[str, Json] = {}
        self._minted = 0
        self._sent = fact.sent if isinstance(fact, DeliveryFact) else None
        """The delivery by which the event became known, until an entry about its activation records it."""

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def before(self) -> Run:
        """The head as it was before the event."""
        return self._before

    def step_of(self, token: Token) -> Step:
        """Return the step at which the token is."""
        compiled = self.definition.steps.get(token.step)
        if compiled is None:
            raise LookupError(f"flow {self.definition.flow.name!r} has no step {token.step!r}")
        return compiled.step

    def children_of(self, token: Token) -> tuple[Token, ...]:
        """Return the tokens that the token waits for."""
        if len(self.tokens) == 1:
            return ()
        return tuple(child for child in self.tokens.values() if child.parent == token.id)

    def read(self, key: str) -> Json:
        """Return the blob of the run with this key, new ones included."""
        return self._new_blobs[key] if key in self._new_blobs else self._read_blob(key)

    def is_new(self, token: Token) -> bool:
        """Return whether the token has changed since the head was read."""
        return all(token is not known for known in self._written.tokens)

    def was_active(self, token: Token) -> bool:
        """Return whether the token's activation existed before the event: the token has waited at its step."""
        return token.activation is not None and self._before.token_of(token.activation.uuid) is not None

    @property
    def default_timeout(self) -> Milliseconds:
        """How long a step waits if nothing else is stated."""
        timeout = self.definition.defaults.timeout
        if timeout is None or isinstance(timeout, dict):
            raise ValueError("every wait needs a timeout: the definition's default options have none")
        return timeout

    @property
    def current_step(self) -> str:
        """The step of the run's first token; empty if there is no token."""
        return next((token.step for token in self.tokens.values()), "")

    def random(self) -> float:
        """Return a number from 0 to 1, derived from the event's nonce."""
        drawn = hashlib.sha256(f"{self.fact.nonce}/chance/{len(self.entries)}".encode()).digest()[:8]
        return int.from_bytes(drawn) / 2**64

    # ── tokens ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def put(self, token: Token) -> Token:
        """Add the token, or replace the one with its id, which keeps the variables of its scopes."""
        known = self.tokens.get(token.id)
        if known is not None and (known.vars is not token.vars or known.fork_vars is not token.fork_vars):
            token = replace(token, vars=known.vars, fork_vars=known.fork_vars)
        self.tokens[token.id] = token
        return token

    def arrive(self, token: Token) -> None:
        """Put the token, and let it enter its step later in this transition."""
        self.put(token)
        self.arrivals.append(token.id)

    def remove(self, token: Token, *, is_due: bool = False) -> None:
        """Remove the token and all tokens that it waits for, and stop the runs that they wait for.

        `is_due`: what these runs did, if they succeed before they can be stopped, is undone while this run goes on.
        """
        self.abandon(token, is_due=is_due)
        for child in self.children_of(token):
            self.remove(child, is_due=is_due)
        self.tokens.pop(token.id, None)

    def interrupt(self, token: Token) -> None:
        """Set the token aside with all below it, and stop the runs that they wait for."""
        self.abandon(self.tokens.get(token.id, token))
        for child in self.children_of(token):
            self.interrupt(child)
        self.set_aside(token)

    def set_aside(self, token: Token) -> None:
        """Remove the token and all tokens that it waits for, so that `retry` can resume them where they were."""
        for child in self.children_of(token):
            self.set_aside(child)
        token = self.tokens.pop(token.id, token)
        self.set_run(interrupted=(*self.run.interrupted, without_wait(token)))

    def resume(self, token_id: str) -> bool:
        """Let the interrupted token with this id arrive at its step again; return whether there is one."""
        found = next((token for token in self.run.interrupted if token.id == token_id), None)
        if found is None:
            return False
        self.set_run(interrupted=tuple(token for token in self.run.interrupted if token is not found))
        self.arrive(replace(found, repeats={}, passes=0))
        return True

    def forget_interrupted(self, scope: str) -> None:
        """Forget the interrupted tokens of the scope (a token's id): what it waited for is over."""
        if not self.run.interrupted:
            return
        kept = tuple(token for token in self.run.interrupted if not in_scope(token.id, scope))
        if len(kept) < len(self.run.interrupted):
            self.set_run(interrupted=kept)

    def abandon(self, token: Token, *, is_due: bool = False) -> None:
        """Stop the run that the token waits for, if it waits for one that was started; send its step's `on_leave`."""
        activation = token.activation
        if activation is None or activation.wait is None:
            return
        if isinstance(activation.wait, EventWait):
            notices.leave(self, token, activation, activation.wait)
        if not isinstance(activation.wait, ChildWait) or activation.held:
            return
        place = place_of(token, self.tokens)
        stopping = StoppingChild(
            child=activation.wait.child,
            uuid=activation.uuid,
            step=token.step,
            token=token.id,
            deadline=self.at + JOIN_TIMEOUT_MS,
            is_due=is_due,
            vars=dict(visible({}, token, self.tokens)) if self.definition.has_scopes else {},
            index=place.index if place else None,
            items=place.items if place else "",
        )
        if all(known.uuid != stopping.uuid for known in self.run.stopping):
            self.set_run(stopping=(*self.run.stopping, stopping))
            self.stop(stopping)

    def stop(self, stopping: StoppingChild) -> None:
        """Tell the child run to stop; a paused run does so when it is continued."""
        if self.run.status is not Status.PAUSED:
            self.emit(StopChild(stopping.child))

    def sync_children(self) -> None:
        """Let child runs be paused or continued as this run is."""
        waits = [token.activation for token in self.tokens.values() if token.activation]
        children = [known.wait.child for known in waits if isinstance(known.wait, ChildWait) and not known.held]
        for child in (*children, *(stopping.child for stopping in self.run.stopping)):
            self.emit(SyncChild(child))

    def next_activation(self, step: str) -> Activation:
        """Return the next activation as far as it is known: its uuid and its beginning. It is of that step."""
        uuid = mint_uuid(self.run.id, step, self.fact.nonce, self._minted)
        return Activation(uuid=uuid, since=self.at, deadline=self.at)

    def mint(self, step: str) -> str:
        """Return the uuid of a new activation of the step."""
        self._minted += 1
        return mint_uuid(self.run.id, step, self.fact.nonce, self._minted - 1)

    def activate(
        self,
        token: Token,
        timeout: Milliseconds | None,
        *,
        heartbeat: Milliseconds | None = None,
        awaits_delivery: bool = False,
        wait: Wait | None = None,
    ) -> Token:
        """Put the token with a new activation of its step that ends after `timeout`; None means the default timeout.

        `awaits_delivery`: its heartbeat counts from when it has been delivered.
        """
        if timeout is None:
            timeout = self.default_timeout
        self._minted += 1
        activation = Activation(
            uuid=mint_uuid(self.run.id, token.step, self.fact.nonce, self._minted - 1),
            since=self.at,
            deadline=self.at + timeout,
            heartbeat=heartbeat,
            awaits_delivery=awaits_delivery,
            held=self.run.status is Status.PAUSED,
            wait=wait,
        )
        return self.put(replace(token, activation=activation))

    def set_wait(self, token: Token, wait: Wait) -> Token:
        """Change what the token's activation remembers of its wait."""
        if token.activation is None:
            raise LookupError(f"token {token.id} has no activation")
        return self.put(replace(token, activation=replace(token.activation, wait=wait)))

    # ── the rest of the head ─────────────────────────────────────────────────────────────────────────────────────────

    def emit(self, effect: Effect) -> None:
        """Add an effect to the decision."""
        self.effects.append(effect)

    def store_blob(self, key: str, value: Json) -> None:
        """Store the value as a blob of the run."""
        self._new_blobs[key] = value
        self.emit(StoreBlob(key, value))

    def deliver(self, token: Token) -> None:
        """Send the token's action, unless it is held because the run is paused."""
        if token.activation and not token.activation.held:
            if token.activation.held_by:  # from now on it has a message of its own
                self.put(replace(token, activation=replace(token.activation, held_by="")))
            self.emit(DeliverAction(token.activation.uuid))

    def set_status(self, status: Status) -> None:
        """Change the status. Raises LookupError if `lifecycle.NEXT` does not allow the change."""
        if status is not self.run.status:
            if status not in NEXT[self.run.status]:
                raise LookupError(f"a run cannot become {status} when it is {self.run.status}")
            self.set_run(status=status)

    def set_run(self, **fields: Json) -> None:
        """Set other fields of the head."""
        self.run = replace(self.run, **fields)

    def record(self, event: str, token: Token | None = None, **fields: Json) -> None:
        """Add a history entry about the token, or about the run as a whole."""
        step = token.step if token else ""
        uuid = fields.setdefault("uuid", token.activation.uuid if token and token.activation else "")
        sent = None
        if self._sent is not None and uuid == getattr(self.fact, "uuid", None):
            sent, self._sent = self._sent, None
        entry = Entry(
            seq=self._before.seq + len(self.entries) + 1,
            at=self.at,
            event=event,
            by=self.fact.by,
            token=token.id if token else ROOT,
            sent=sent,
            nonce=self.fact.nonce if self.definition.has_draws and not self.entries else "",
            **{"step": step, "origin": step, **fields},
        )
        self.entries.append(entry)

    def record_return(
        self,
        token: Token,
        returned: StepResult,
        target: str,
        *,
        rule: int | None = None,
        route: int = 0,
        replaced: StepError | None = None,
    ) -> None:
        """Add the history entry of a step that returned; `target` is where its state leads.

        `rule`: the rule of its `repeat`, counted from 1, by which it is done again. `route`: which of its routes with
        this state and target it takes. `replaced`: the step's own error, if its route gives the one of `returned`.
        """
        self.record(
            returned.event,
            token,
            state=returned.state,
            target=target,
            data=returned.data if returned.event in _WITH_DATA else None,
            error=returned.error.cause if returned.error else "",
            error_name=returned.error.name if returned.error else "",
            vars=self.encrypt_secrets(returned.variables, token),
            rule=rule,
            route=route,
            returned=self._kept_error(returned, replaced),
            response=_bounded(returned.response) if self.definition.reads_response else None,
        )
        self.last_return = (token.step, f"_{returned.state}")

    def _kept_error(self, returned: StepResult, replaced: StepError | None) -> StepError | None:
        """Return the step's own error, if the entry does not say all of it and a replay would need it."""
        error = replaced or returned.error
        if error is None or (replaced is None and returned.event not in _WITH_ERROR):
            return None
        has_more = self.definition.reads_error and (error.status is not None or error.data is not None)
        if returned.event in _WITH_DATA or not has_more:
            return StepError(error.name, error.cause) if replaced is not None else None
        return StepError(error.name, error.cause, status=error.status, data=_bounded(error.data))

    def end(self, status: Status, *, error: str = "", output: Json = None) -> None:
        """End the run. A failed or canceled one keeps its tokens, for late answers and for `retry`.

        Of a run that succeeded, only undos that failed stay in the head.
        """
        for token in tuple(self.tokens.values()):
            self.abandon(token)
        if self.run.status is Status.PAUSED:
            for stopping in self.run.stopping:
                self.emit(StopChild(stopping.child))
        if status is Status.SUCCEEDED:
            self.tokens = {}
        self.arrivals.clear()
        self.set_status(status)
        notices.release(self)
        self.set_run(ended_at=self.at, output=output, ending=None, last_err=error[:MAX_ERROR_CHARACTERS])
        self.set_run(stopping=(), suspended_at=None)
        if status is Status.SUCCEEDED:
            self.set_run(undos=tuple(undo for undo in self.run.undos if undo.failed), undo_pages=())
        if self.run.parent:
            self.emit(TellParent())
        if self.run.queued_behind:
            self.emit(TellSchedule())
        if self.run.limiter:
            self.emit(ReleasePermit(self.run.id, self.run.limiter))

    # ── building ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def build(self, outcome: Outcome) -> Decision:
        """Return the decision. If the event changed nothing, its head is the one that was given."""
        if outcome in UNCHANGED:
            return Decision(self._before, outcome)
        if self.run.suspended_at is not None:
            suspensions.settle(self)
        timer_at = self._set_timer()
        ended_activations.settle(self, self._before, self._written)
        before = self._before
        if len(before.tokens) > 1 or ((before.tokens or before.unanswered) and not isinstance(self.fact, StepAcked)):
            late_answers.expect(self)
        changed = self.run.status is not before.status or not before.version
        extra = before.extra_messages - 1
        for effect in self.effects:
            if isinstance(effect, SetTimer):
                extra += effect.at - self.at <= MAX_MESSAGE_DELAY_MS
            else:
                extra += effect.__class__ not in SILENT
        last_state, stored_event = self.last_return or (self.run.last_state, self.run.stored_event)
        after = replace(
            self.run,
            version=before.version + 1,
            updated_at=self.at,
            written=self.fact.nonce[:8],
            status_at=self.at if changed else self.run.status_at,
            timer_at=timer_at,
            tokens=tuple(self.tokens.values()),
            last_state=last_state,
            stored_event=stored_event,
            steps=self.run.steps + self.passed,
            stored_tail=self.run.stored_tail.plus(self.entries),
            extra_messages=extra,
        )
        return Decision(after, outcome, tuple(self.effects))

    def _deadlines(self) -> list[Instant]:
        """Return when the waits of the tokens end, and the run itself."""
        run = self.run
        is_awaited = run.ending is None and run.status is not _PENDING  # else its tokens do nothing
        tokens = self.tokens.values()
        deadlines = [token.activation.due for token in tokens if token.activation and (is_awaited or token.id == UNDO)]
        if run.deadline is not None:
            deadlines.append(run.deadline)
        return deadlines

    def _set_timer(self) -> Instant | None:
        """Set the run's one timer to the earliest deadline, unless it fires before that anyway. Return when it fires.

        The timer of an ended run is when it is deleted, if its flow says how long its runs are kept.
        """
        run, keep = self.run, self.definition.kept_ms
        if run.ended_at is not None and keep is not None:
            self.emit(SetTimer(run.ended_at + keep))
            return run.ended_at + keep
        if run.status not in MOVING:
            return None
        deadlines = self._deadlines() if run.suspended_at is None else suspensions.deadlines(self)
        if run.stopping:
            deadlines += [stopping.deadline for stopping in run.stopping]
        start_at = run.start_at
        if run.status is _PENDING and start_at is not None and start_at > self.at:
            deadlines.append(start_at)
        earliest = min(deadlines, default=None)
        if earliest is None or (run.timer_at is not None and self.at < run.timer_at <= earliest):
            return run.timer_at
        self.emit(SetTimer(earliest))
        return earliest


def _bounded(value: Json) -> Json:
    """Return the value, or None if it is too large to be kept beside what an entry is about."""
    if value is None or len(msgspec.json.encode(value)) > MAX_KEPT_BYTES:
        return None
    return value


def without_wait(token: Token) -> Token:
    """Return the token without its activation, unless it waits for other tokens: then it knows which have ended."""
    is_join = token.activation is not None and token.activation.is_join
    return token if is_join else replace(token, activation=None)
