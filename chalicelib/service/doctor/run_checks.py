"""Find problems of one run."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from chalicelib.engine.invocation import awaits_approval, invocation_of
from chalicelib.engine.returning.repeats import is_repeating
from chalicelib.model import status
from chalicelib.model.flow import CallStep, EmitStep, EventStep, StartStep
from chalicelib.model.run import Run, Token
from chalicelib.model.times import Instant
from chalicelib.model.waits import ChildWait
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.deliveries.delivery_check import is_over
from chalicelib.service.doctor.findings import Finding, FindingKind
from chalicelib.service.messages import Deliver, ExecuteStep, Listen, Message, StartChild, TellParent, Wake
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.timers.run_timers import OVERDUE_AFTER_MS


class RunChecks:
    """Checks runs for steps that wait though they should have continued."""

    def __init__(self, runs: RunStore, definition_cache: DefinitionCache, clock: Clock) -> None:
        self._runs = runs
        self._definition_cache = definition_cache
        self._clock = clock

    def problems(self, run: Run, silent: int | None) -> Iterator[Finding]:
        """Yield the problems of a run. Paused and ended runs have none."""
        now = self._clock.now()
        if run.status not in status.MOVING:
            return
        if run.timer_at is not None and run.timer_at < now - OVERDUE_AFTER_MS:
            yield Finding(
                kind=FindingKind.OVERDUE_TIMER,
                run=run.name,
                step=run.tokens[0].step if run.tokens else "",
                since=run.timer_at,
                detail="its deadline has passed, but its timer did not fire",
                message=Wake(namespace=run.namespace, run=run.name, sent_at=now, version=run.version),
            )
            return
        for token in (*run.tokens, *(notice for notice in run.notices if not is_over(run, notice))):
            finding = self._problem_of_token(run, token, now, silent)
            if finding is not None:
                yield finding

    def _problem_of_token(self, run: Run, token: Token, now: Instant, silent: int | None) -> Finding | None:
        wait = token.activation
        if wait is None or wait.suspended_at is not None:
            return None  # what a paused action holds is reported once, with the pause
        found = Finding(kind=FindingKind.SILENT_STEP, run=run.name, step=token.step, uuid=wait.uuid, since=wait.since)
        if wait.retry_at is not None and not wait.circuit_open and wait.retry_at < now - OVERDUE_AFTER_MS:
            detail = f"attempt {wait.attempt + 1} of its delivery is overdue"
            message = self._message(run, token)
            kind = FindingKind.OVERDUE_DELIVERY
            return replace(found, kind=kind, since=wait.retry_at, detail=detail, message=message)
        child = self._ended_child(run, token, now)
        if child is not None:
            detail = f"it waits for run {child.name!r}, which is {child.status}"
            report = TellParent(namespace=run.namespace, run=child.name, sent_at=now, version=child.version)
            return replace(found, kind=FindingKind.ENDED_CHILD, since=child.ended_at, detail=detail, message=report)
        ignored = ""
        if wait.ignored_reply:
            ignored = f"the HTTP response of its action is not a valid answer: {wait.ignored_reply}"
        last_news = max(wait.since, wait.reported_at or 0, wait.retry_at or 0)
        message = self._message(run, token) if silent is not None and last_news <= now - silent else None
        if message:
            detail = "there is no news of it" + (f"; {ignored}" if ignored else "")
            return replace(found, since=last_news, detail=detail, message=message)
        return replace(found, kind=FindingKind.IGNORED_REPLY, detail=ignored) if ignored else None

    def _ended_child(self, run: Run, token: Token, now: Instant) -> Run | None:
        """Return the run that the token waits for if it ended a while ago."""
        wait = token.activation.wait if token.activation else None
        if not isinstance(wait, ChildWait):
            return None
        child = self._runs.load(run.namespace, wait.child)
        ended = child is not None and child.status in status.ENDED and (child.ended_at or 0) < now - OVERDUE_AFTER_MS
        return child if ended else None

    def _message(self, run: Run, token: Token) -> Message | None:
        """Return the message that was sent when the token began to wait; None if there was none."""
        definition, now = self._definition_cache.of(run), self._clock.now()
        uuid = token.activation.uuid if token.activation else ""
        invocation = invocation_of(definition, run, token)
        if invocation is not None:
            if invocation.is_human or awaits_approval(token):
                return None
            return Deliver(namespace=run.namespace, run=run.name, sent_at=now, version=run.version, uuid=uuid)
        if is_repeating(token):
            return None
        match definition.step(token.step):
            case EventStep():
                return Listen(namespace=run.namespace, run=run.name, sent_at=now, version=run.version, uuid=uuid)
            case CallStep():
                return StartChild(namespace=run.namespace, run=run.name, sent_at=now, version=run.version, uuid=uuid)
            case EmitStep() | StartStep():
                return ExecuteStep(namespace=run.namespace, run=run.name, sent_at=now, version=run.version, uuid=uuid)
            case _:
                return None
