"""Who will wake a run: invariant 1 of docs/architecture.md, 4, for each of its tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from chalicelib.adapters.memory import MemoryStore
from chalicelib.engine import admission
from chalicelib.engine.invocation import UNDO, awaits_approval, invocation_of, limiter_name
from chalicelib.engine.notices import is_due
from chalicelib.engine.received_events import took
from chalicelib.engine.suspensions import holds_back
from chalicelib.model import status
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.definition import Definition
from chalicelib.model.flow import CallStep, EmitStep, EventStep, StartStep
from chalicelib.model.holds import HeldKind
from chalicelib.model.run import Activation, Run, Token
from chalicelib.model.status import Status
from chalicelib.model.times import Instant
from chalicelib.model.waits import ChildWait, EventWait, RepeatWait
from chalicelib.service.limits.breakers import breaker_name
from chalicelib.service.limits.permits import decode
from chalicelib.service.messages import Begin, ExecuteStep, Listen, StartChild, StopChild, TellParent
from chalicelib.service.ports.events import Signal
from tests.simulation.catalog import ACTIONS
from tests.simulation.laws.holds import HoldLaws
from tests.simulation.messages import Messages

ACTION_NAMES: Final = tuple(action.name for action in ACTIONS)


class Waking:
    """What is known of timers, messages, tasks and signals, in addition to the heads."""

    def __init__(
        self, messages: Messages, heads: Mapping[tuple[str, str], Run], store: MemoryStore, holds: HoldLaws
    ) -> None:
        self._store = store
        self._holds = holds
        self.taken: set[str] = set()
        """Activations that their action has accepted: it will call back, or not."""
        self.signals: list[tuple[str, Signal, Instant]] = []
        """Signals of which a publisher was answered that they are stored. Waits that end before the moment need not
        be notified of them."""
        self.tasks: set[tuple[str, str]] = set()
        """Namespace and activation of every task in an inbox."""
        self._messages = messages
        self._heads = heads

    def missing(self, run: Run, definition: Definition) -> Iterator[str]:
        """What of the live run nothing will wake."""
        is_awaited = run.ending is None and not admission.waits(run)
        awaited = [token for token in run.tokens if is_awaited or token.id == UNDO]
        waits = [token.activation for token in awaited if token.activation]
        dues = [activation.due for activation in waits if not holds_back(run, activation)]
        dues += [stopping.deadline for stopping in run.stopping]
        dues += [run.deadline] if run.deadline is not None and run.suspended_at is None else []
        if run.suspended_at is None and any(activation.suspended_at is not None for activation in waits):
            yield "it is not suspended, and one of its tokens is"
        late = run.timer_at is None or run.timer_at > min(dues, default=run.timer_at)
        if run.status in status.MOVING and late:
            yield f"its alarm is at {run.timer_at}, and it waits until {min(dues, default=None)}"
        if not run.tokens:
            yield "it has no token"
        yield from self._of_undos(run)
        begins = self._messages.waits(Begin, run.namespace, run.name)
        is_held = self._holds.is_parked(run.namespace, HeldKind.FLOW, run.definition.flow, run.id)
        is_delayed = run.start_at is not None and run.timer_at is not None and run.timer_at <= run.start_at
        if run.status is Status.PENDING and not begins and not is_held and not is_delayed:
            yield from self._of_waiter(run.namespace, (run.limiter,), run.id)
        for token in awaited:
            if token.activation is not None:
                yield from self._of_token(run, definition, token, token.activation)
            elif run.ending is None:
                yield f"token {token.id} waits for nothing"

    def missing_notices(self, run: Run, definition: Definition) -> Iterator[str]:
        """What of the notices nothing will deliver, also when the run has ended."""
        for notice in run.notices:
            activation = notice.activation
            if activation is None or not is_due(run, notice) or (activation.held and run.status is Status.PAUSED):
                continue
            sent = self._messages.delivers(run, activation)
            held = any(
                self._holds.is_parked(run.namespace, HeldKind.ACTION, name, activation.uuid) for name in ACTION_NAMES
            )
            invocation = invocation_of(definition, run, notice)
            if not sent and not held and invocation and invocation.may_be_held_back:
                yield from self._of_waiter(run.namespace, _queues_of(invocation, activation), activation.uuid)
            elif not sent and not held:
                yield f"nothing will deliver the notice {activation.uuid} of step {notice.step!r}"

    def _of_undos(self, run: Run) -> Iterator[str]:
        is_due = any(undo.is_due for undo in run.undos) or any(pages.is_due for pages in run.undo_pages)
        undoing = any(token.id == UNDO and token.activation for token in run.tokens)
        if run.ending is not None and not undoing and not run.stopping:
            yield "it is ending, and neither undoes anything nor waits for a child"
        if run.ending is None and not undoing and not run.stopping and is_due:
            yield "work is due to be undone, and nothing undoes it"
        for stopping in run.stopping:
            child = self._heads.get((run.namespace, stopping.child))
            if child is None or child.status in status.ENDED:
                told = self._messages.waits(TellParent, run.namespace, stopping.child)
                started = self._messages.waits(StartChild, run.namespace, run.name, uuid=stopping.uuid)
                stops = self._messages.waits(StopChild, run.namespace, run.name, child=stopping.child)
                if not told and not started and not stops and run.status is not Status.PAUSED:
                    yield f"nothing will report the end of the child run {stopping.child!r}"

    def _of_token(self, run: Run, definition: Definition, token: Token, activation: Activation) -> Iterator[str]:
        invocation, step, uuid = invocation_of(definition, run, token), definition.step(token.step), activation.uuid
        if invocation is not None and (invocation.is_human or awaits_approval(token)):
            if (run.namespace, uuid) not in self.tasks:
                yield f"no person will see the task of step {token.step!r} ({uuid})"
        elif invocation is not None:
            yield from self._of_delivery(run, token, activation, invocation)
        elif isinstance(activation.wait, RepeatWait):
            return  # the timer wakes it
        elif isinstance(step, CallStep) or token.id == UNDO:
            yield from self._of_call(run, token, activation)
        elif isinstance(step, (EmitStep, StartStep)):
            yield from self._of_execution(run, token, activation)
        elif isinstance(step, EventStep) and run.status is not Status.PAUSED:
            hinted = self._messages.waits(Listen, run.namespace, run.name, uuid=uuid)
            if not hinted and any(
                self._is_for(signal, at, run, activation, step) for signal, at in self._signals_of(run)
            ):
                yield f"step {token.step!r} waits for an event that came, and it will not be notified"

    def _of_delivery(self, run: Run, token: Token, activation: Activation, invocation: Invocation) -> Iterator[str]:
        sent = self._messages.delivers(run, activation)
        if sent or activation.held:
            return
        if activation.suspended_at is None:
            if activation.uuid not in self.taken:
                yield from self._of_waiter(run.namespace, _queues_of(invocation, activation), activation.uuid)
        elif run.status is not Status.PAUSED:
            is_parked = self._holds.is_parked(run.namespace, HeldKind.ACTION, invocation.action.name, run.id)
            if not is_parked and not self._holds.will_look(run):
                yield f"nothing will let step {token.step!r} go on, of which the action was paused ({activation.uuid})"

    def _of_execution(self, run: Run, token: Token, activation: Activation) -> Iterator[str]:
        asked = self._messages.waits(ExecuteStep, run.namespace, run.name, uuid=activation.uuid)
        if not asked and not activation.held:
            yield f"nothing will do what step {token.step!r} is there for ({activation.uuid})"

    def _of_waiter(self, namespace: str, queues: tuple[str, ...], uuid: str) -> Iterator[str]:
        """Something must serve the queue in which the activation waits for its permit or its slot."""
        first = self._store.waiters.first
        limiter = next((name for name in queues if any(one.uuid == uuid for one in first(namespace, name, 10_000))), "")
        if not limiter:
            yield f"nothing will deliver {uuid}: no message does, and it waits in no queue"
        elif not self._messages.serves(namespace, limiter):
            holders = decode(self._store.versioned_values.read(namespace, limiter)[0]).holders
            if not any(self._is_live(namespace, run, holder) for holder, run in holders.items()):
                yield f"nothing will serve the queue of {limiter!r}, in which {uuid} waits"

    def _is_live(self, namespace: str, name: str, uuid: str) -> bool:
        run = self._heads.get((namespace, name))
        return run is not None and run.status in status.LIVE and (run.id == uuid or run.token_of(uuid) is not None)

    def _of_call(self, run: Run, token: Token, activation: Activation) -> Iterator[str]:
        if not isinstance(activation.wait, ChildWait):
            yield f"step {token.step!r} has forgotten its child"
            return
        name = activation.wait.child
        child = self._heads.get((run.namespace, name))
        if self._messages.waits(TellParent, run.namespace, name):
            return
        started = self._messages.waits(StartChild, run.namespace, run.name, uuid=activation.uuid)
        if child is None and not started and not activation.held:
            yield f"nothing will start the child of step {token.step!r}"
        ours = child is not None and child.parent is not None and child.parent.uuid == activation.uuid
        if child and ours and child.status in status.ENDED:
            yield f"step {token.step!r} will not be notified that its child has ended"

    def _signals_of(self, run: Run) -> Iterator[tuple[Signal, Instant]]:
        return ((signal, at) for namespace, signal, at in self.signals if namespace == run.namespace)

    def _is_for(self, signal: Signal, at: Instant, run: Run, activation: Activation, step: EventStep) -> bool:
        """Whether the wait must hear of the signal, and has not."""
        wait = activation.wait
        if not isinstance(wait, EventWait):
            return False
        addressed = signal.run == run.id or (not signal.run and signal.key == wait.key)
        in_time = activation.since <= signal.until and at < activation.deadline
        new = not took(run, signal.name, signal.key, signal.place)
        return signal.name in step.events.values() and addressed and in_time and new


def _queues_of(invocation: Invocation, activation: Activation) -> tuple[str, ...]:
    """Return the queues in which the activation may wait: that of its action's breaker, and that of its limit."""
    breaker = (breaker_name(invocation.action.name),) if invocation.action.breaker else ()
    return (*breaker, limiter_name(invocation, activation))
