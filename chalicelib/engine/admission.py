"""How runs wait before they begin: they are `pending` until they are admitted.

A run of a flow with a limit waits for its turn: it asks for a permit when it is started, and again when it is retried,
and returns it when it has ended. A run that is started with a delay waits for that moment, and one of a paused flow
until the flow is continued. The time-out of such a run counts from when it is admitted.
"""

from __future__ import annotations

from typing import Final

from chalicelib.engine.bindings import names_for
from chalicelib.engine.effects import RequestPermit
from chalicelib.engine.endings import stop
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.transition import JOIN_TIMEOUT_MS, Transition
from chalicelib.engine.values import size_limits
from chalicelib.engine.values.evaluation import resolve
from chalicelib.engine.values.options import duration_of
from chalicelib.engine.values.texts import key_text
from chalicelib.model.flow import Flow
from chalicelib.model.run import Run, Token
from chalicelib.model.run_error import StepError
from chalicelib.model.status import Status
from chalicelib.model.times import Milliseconds

MAX_PENDING_MS: Final[Milliseconds] = JOIN_TIMEOUT_MS
"""How long a run without a timeout of its own waits for its turn."""


def limiter_of(transition: Transition, token: Token) -> str:
    """Return the name of the limiter of the run; empty if its flow has no limit. Raises ExpressionFailed."""
    flow = transition.definition.flow
    if flow.limit is None:
        return ""
    if flow.limit.key is None:
        return f"flow/{flow.name}"
    names = names_for(transition.definition, transition.run, token, transition.at, draws=transition.draws)
    key = size_limits.fit_key(key_text(resolve(flow.limit.key, names)))
    return f"flow-key/{len(flow.name)}/{flow.name}/{key}"


def request(transition: Transition, *, held: bool = False) -> None:
    """Let a run that has just been started or retried wait, if it may not begin yet. `held`: its flow is paused."""
    start_at = transition.run.start_at or transition.at
    gated = held or start_at > transition.at
    if gated is not transition.run.gated:
        transition.set_run(gated=gated)
    if not (transition.run.limiter or gated) or not transition.arrivals:
        return
    transition.arrivals.clear()
    if gated or transition.run.deadline is None:
        transition.set_run(deadline=max(start_at, transition.at) + MAX_PENDING_MS)
    transition.set_run(status=Status.PENDING)
    if start_at <= transition.at:
        transition.emit(RequestPermit())


def admit(transition: Transition) -> None:
    """Let the tokens of a pending run arrive at their steps."""
    transition.record("RunAdmitted")
    transition.set_status(Status.RUNNING)
    if transition.definition.flow.timeout is None:
        transition.set_run(deadline=None)
    elif transition.run.gated and not _begins_now(transition):
        return
    transition.set_run(gated=False)
    for token in tuple(transition.tokens.values()):
        if not token.parent:
            transition.arrive(token)


def _begins_now(transition: Transition) -> bool:
    """Let the time-out of the run count from now on. If it cannot be made, the run fails, and False is returned."""
    root = next((token for token in transition.tokens.values() if not token.parent), None)
    return root is None or set_deadline(transition, root)


def set_deadline(transition: Transition, token: Token) -> bool:
    """Set the deadline of the run, from now on, if its flow has a timeout.

    If the timeout cannot be made, the run fails, and False is returned.
    """
    definition, deadline = transition.definition, None
    if definition.flow.timeout is None and transition.run.deadline is None:
        return True
    try:
        if definition.flow.timeout is not None:
            names = names_for(definition, transition.run, token, transition.at, draws=transition.draws)
            deadline = transition.at + duration_of("timeout", definition.flow.timeout, names)
    except ExpressionFailed as failure:
        stop(transition, StepError(failure.name, f"the run's timeout could not be made: {failure}"))
        return False
    transition.set_run(deadline=deadline)
    return True


def waits(run: Run) -> bool:
    """Return whether the run has not been admitted since it was started or retried."""
    return (bool(run.limiter) or run.gated) and run.ending is None and not run.steps


def described(flow: Flow, run: Run) -> str:
    """Say which limit the run is subject to."""
    if flow.limit is None or flow.limit.key is None:
        return f"the limit of flow {flow.name!r}"
    key = run.limiter.removeprefix(f"flow-key/{len(flow.name)}/{flow.name}/")
    return f"the limit of flow {flow.name!r} for key {key!r}"
