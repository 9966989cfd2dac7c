"""How runs of a flow with a limit wait for their turn: they are `pending` until they are admitted.

A run asks for a permit when it is started, and again when it is retried. It returns the permit when it has ended.
"""

from __future__ import annotations

from typing import Final

from chalicelib.engine.bindings import names_for
from chalicelib.engine.effects import RequestPermit
from chalicelib.engine.transition import JOIN_TIMEOUT_MS, Transition
from chalicelib.engine.values import size_limits
from chalicelib.engine.values.evaluation import resolve
from chalicelib.engine.values.texts import key_text
from chalicelib.model.flow import Flow
from chalicelib.model.run import Run, Token
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


def request(transition: Transition) -> None:
    """Let a run that has just been started or retried wait for its turn, if its flow has a limit."""
    if not transition.run.limiter or not transition.arrivals:
        return
    transition.arrivals.clear()
    if transition.run.deadline is None:
        transition.set_run(deadline=transition.at + MAX_PENDING_MS)
    transition.set_run(status=Status.PENDING)
    transition.emit(RequestPermit())


def admit(transition: Transition) -> None:
    """Let the tokens of a pending run arrive at their steps."""
    transition.record("RunAdmitted")
    transition.set_status(Status.RUNNING)
    if transition.definition.flow.timeout is None:
        transition.set_run(deadline=None)
    for token in tuple(transition.tokens.values()):
        if not token.parent:
            transition.arrive(token)


def waits(run: Run) -> bool:
    """Return whether the run has not been admitted since it was started or retried."""
    return bool(run.limiter) and run.ending is None and not run.steps


def described(flow: Flow, run: Run) -> str:
    """Say which limit the run is subject to."""
    if flow.limit is None or flow.limit.key is None:
        return f"the limit of flow {flow.name!r}"
    key = run.limiter.removeprefix(f"flow-key/{len(flow.name)}/{flow.name}/")
    return f"the limit of flow {flow.name!r} for key {key!r}"
