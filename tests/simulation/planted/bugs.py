"""Bugs put in on purpose. Each is one small wrong thing in the service or the engine; the laws must find it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from msgspec.structs import replace

from chalicelib.adapters.memory.runs import MemoryRuns
from chalicelib.engine import effects, request_args, token_moves
from chalicelib.engine import transition as transitions
from chalicelib.engine.events import RunContinued, RunRetried
from chalicelib.engine.handlers import answers, commands
from chalicelib.engine.invocation import UNDO
from chalicelib.engine.paging import turn_page
from chalicelib.engine.scopes import child_id
from chalicelib.engine.steps import each, fork
from chalicelib.engine.transition import Transition
from chalicelib.engine.undo import compensation
from chalicelib.model.flow import ForkStep
from chalicelib.model.history import Entries, Page
from chalicelib.model.ids import mint_uuid
from chalicelib.service import messages
from chalicelib.service.deliveries import deliver as delivery
from chalicelib.service.deliveries import webhook_client
from chalicelib.service.deliveries.deliver import Deliverer
from chalicelib.service.deliveries.delivery_check import DeliveryChecker, WhilePaused
from chalicelib.service.errors import Conflict
from chalicelib.service.inbox import Inbox
from chalicelib.service.limits.limiter import Limiter
from chalicelib.service.limits.permits import Permits
from chalicelib.service.runs import advance
from chalicelib.service.runs.advance import RunAdvancer
from chalicelib.service.runs.commands import Operator
from chalicelib.service.runs.effect_executor import EffectExecutor
from chalicelib.service.runs.offloading import OffloadingRunStore
from chalicelib.service.security.webhooks import SignatureVerifier
from chalicelib.service.timers.run_timers import RunTimers, Swept
from tests.simulation.catalog import STATES
from tests.simulation.planted.errors import ERROR_BUGS
from tests.simulation.planted.holds import HOLD_BUGS
from tests.simulation.planted.inline import INLINE_BUGS
from tests.simulation.planted.limits import LIMIT_BUGS
from tests.simulation.planted.records import RECORD_BUGS
from tests.simulation.planted.repairs import REPAIR_BUGS
from tests.simulation.planted.schedules import SCHEDULE_BUGS
from tests.simulation.planted.steps import STEP_BUGS
from tests.simulation.planted.undo_pages import UNDO_PAGE_BUGS
from tests.simulation.planted.values import VALUE_BUGS
from tests.simulation.schedule import Result, play


@dataclass(frozen=True, slots=True)
class Bug:
    """`wrong` makes of what is right what is to stand in its place."""

    name: str
    owner: Any
    """What has the attribute; a tuple of modules if several have imported it: the bug is in all of them."""
    attribute: str
    wrong: Callable[[Any], Any]


@contextmanager
def planted(bug: Bug) -> Iterator[None]:
    """While this holds, the bug is there."""
    owners = bug.owner if isinstance(bug.owner, tuple) else (bug.owner,)
    right = getattr(owners[0], bug.attribute)
    if any(getattr(owner, bug.attribute) is not right for owner in owners):
        raise LookupError(f"{owners} have different {bug.attribute!r}")
    wrong = bug.wrong(right)
    for owner in owners:
        setattr(owner, bug.attribute, wrong)
    try:
        yield
    finally:
        for owner in owners:
            setattr(owner, bug.attribute, right)


def hunt(bug: Bug, first: int, budget: int) -> Result | None:
    """The first schedule in which the bug breaks a law; None if it breaks none within the budget."""
    with planted(bug):
        for seed in range(first, first + budget):
            result = play(seed)
            if result.broken:
                return result
    return None


def _commit_first(_: Any) -> Any:
    def commit(self: Any, before: Any, decision: Any) -> Any:
        if decision.run is before:
            return before
        after, page = turn_page(before, decision.run)
        if page is not None:
            self._runs.put_page(before, page)
        self._runs.save(after, before.version)
        self._effect_executor.execute(decision.effects, after)
        return after

    return commit


def _conflict_is_success(right: Any) -> Any:
    def commit(self: Any, before: Any, decision: Any) -> Any:
        try:
            return right(self, before, decision)
        except Conflict:
            return decision.run

    return commit


def _lost_write(right: Any) -> Any:
    def save(self: Any, run: Any, seen: int, body: bytes = b"") -> None:
        if seen % 3:
            right(self, run, seen, body)

    return save


def _unconditional_save(_: Any) -> Any:
    return lambda self, run, seen, body=b"": self._put(run, body)


def _without(kind: type) -> Callable[[Any], Any]:
    """Orders of that kind are not carried out."""

    def wrong(right: Any) -> Any:
        return lambda self, order: None if isinstance(order, kind) else right(self, order)

    return wrong


def _same_uuid(_: Any) -> Any:
    return lambda run_id, step, nonce, number: mint_uuid(run_id, step, "", 0)


def _old_answer_counts(right: Any) -> Any:
    def acked(transition: Any, event: Any) -> Any:
        standing = next(
            (token for token in transition.run.tokens if token.step == event.step and token.activation), None
        )
        if transition.run.token_of(event.uuid) is None and standing:
            event = type(event)(
                **{name: getattr(event, name) for name in event.__struct_fields__} | {"uuid": standing.activation.uuid}
            )
        return right(transition, event)

    return acked


def _version_does_not_matter(right: Any) -> Any:
    return lambda self, run, message: right(self, run, replace(message, version=0, id="")) if run else None


def _held_is_lost(right: Any) -> Any:
    def look(self: Any, run: Any, message: Any) -> Any:
        found = right(self, run, message)
        return None if isinstance(found, WhilePaused) else found

    return look


def _limit_does_not_matter(_: Any) -> Any:
    return lambda self, waiter, now: now


def _released_by_anyone(_: Any) -> Any:
    return lambda self, message: self.serve(message.namespace, message.limiter, {message.uuid: message.attempt})


def _queued_after_the_look(_: Any) -> Any:
    """A newcomer that finds the limit reached is put in the queue, and does not look again."""

    def served(self: Any, namespace: str, name: str, permits: Any, version: int, slot: Any, attempt: int) -> bool:
        return True

    return served


def _page_of_what_is_not_committed(_: Any) -> Any:
    def turn(before: Any, after: Any) -> Any:
        if before is None or len(before.tail) < 3 or len(after.tail) == len(before.tail):
            return after, None
        return replace(after, stored_tail=Entries.of(after.tail[-1:])), Page(stored=after.stored_tail)

    return turn


def _no_rearming(right: Any) -> Any:
    def arm(self: Any) -> None:
        if self.run.timer_at is None:
            right(self)

    return arm


def _no_deadline_after_continue(right: Any) -> Any:
    return lambda self: None if isinstance(self.fact, RunContinued) else right(self)


def _cancelled_lives_on(right: Any) -> Any:
    def remove(self: Any, token: Any, **_: Any) -> None:
        self.tokens.pop(token.id, None)

    return remove


def _joined_twice(right: Any) -> Any:
    def child_ended(transition: Any, token: Any, step: Any, child: Any, *how: Any) -> Any:
        returned = right(transition, token, step, child, *how)
        wait = transition.tokens[token.id].activation.wait
        transition.set_wait(transition.tokens[token.id], replace(wait, failed=(*wait.failed, child.scope)))
        return returned

    return child_ended


def _result_lost(right: Any) -> Any:
    return lambda transition, wait: [None, *right(transition, wait)[1:]]


def _max_does_not_matter(right: Any) -> Any:
    return lambda transition, token, step: right(transition, token, replace(step, max=0))


def _undo_skipped(right: Any) -> Any:
    def start(transition: Any, pending: Any) -> None:
        transition.set_run(undos=tuple(undo for undo in transition.run.undos if undo is not pending))

    return start


def _any_state_is_undone(_: Any) -> Any:
    def has_work(transition: Any, token: Any, state: str) -> bool:
        return transition.definition.steps[token.step].undo is not None and state in STATES

    return has_work


def _not_before_stopped(right: Any) -> Any:
    def register(transition: Any, token: Any, after: Any, returned: Any, old_vars: Any) -> Any:
        routes = transition.definition.steps[token.step].routes_of(returned.state)
        return "" if routes and routes[0].target == "stopped" else right(transition, token, after, returned, old_vars)

    return register


def _incomplete_is_forgotten(right: Any) -> Any:
    def register(transition: Any, *args: Any, **more: Any) -> Any:
        undos = transition.run.undos
        problem = right(transition, *args, **more)
        if problem:
            transition.set_run(undos=undos)
        return problem

    return register


def _incomplete_is_sent(right: Any) -> Any:
    return lambda transition, pending: right(transition, replace(pending, incomplete=""))


def _failure_is_forgotten(right: Any) -> Any:
    return lambda transition, pending, _: right(transition, pending, "")


def _oldest_first(right: Any) -> Any:
    return lambda transition, _: right(transition, next(undo for undo in transition.run.undos if undo.is_due))


def _every_branch_lost(_: Any) -> Any:
    return lambda token, step: [child_id(token.id, branch.name) for branch in step.branches]


def _keep_ignored(right: Any) -> Any:
    def end_wait(transition: Any, token: Any, returned: Any) -> None:
        step = transition.step_of(token)
        if isinstance(step, ForkStep) and returned.state == "DONE":
            for scope in fork.lost_branches(transition.tokens[token.id], step):
                compensation.abandon_scope(transition, scope)
        right(transition, token, returned)

    return end_wait


def _undo_sent_again(right: Any) -> Any:
    def fail(transition: Any, *args: Any) -> None:
        transition.tokens.pop(UNDO, None)
        right(transition, *args)

    return fail


def _retry_keeps_the_uuid(right: Any) -> Any:
    def activate(self: Any, token: Any, *args: Any, **kwargs: Any) -> Any:
        made = right(self, token, *args, **kwargs)
        old = next((known for known in self.run.tokens if known.id == token.id and known.activation), None)
        if isinstance(self.fact, RunRetried) and old:
            return self.put(replace(made, activation=replace(made.activation, uuid=old.activation.uuid)))
        return made

    return activate


def _deletes_the_living(_: Any) -> Any:
    def delete_run(self: Any, namespace: str, name: str, run_id: str | None = None) -> Any:
        run = self._runs.load(namespace, name)
        if run:
            self._runs.delete(run)
        return run

    return delete_run


def _wrong_namespace(right: Any) -> Any:
    return lambda message: right(replace(message, namespace="alpha"))


def _nothing(result: Any) -> Callable[[Any], Any]:
    return lambda right: lambda *args, **kwargs: result


def _write_without(kind: type) -> Callable[[Any], Any]:
    def wrong(right: Any) -> Any:
        return lambda self, order, run: None if isinstance(order, kind) else right(self, order, run)

    return wrong


def _sweeps_the_future_only(right: Any) -> Any:
    def due(self: Any, until: int, limit: int, since: int = 0) -> Any:
        return [alarm for alarm in right(self, until, limit, since) if alarm.at > until - 120_000]

    return due


def _only_the_last_event(right: Any) -> Any:
    def decide(self: Any, run: Any, events: Any) -> Any:
        decision, results = right(self, run, events[-1:])
        return decision, results * len(events)

    return decide


BUGS: Final = (
    Bug("commit before send", RunAdvancer, "_commit", _commit_first),
    Bug("conflict taken for success", RunAdvancer, "_commit", _conflict_is_success),
    Bug("write lost", OffloadingRunStore, "save", _lost_write),
    Bug("save without condition", MemoryRuns, "save", _unconditional_save),
    Bug("create over what exists", MemoryRuns, "create", lambda _: lambda self, new: self._put(new.run)),
    Bug("delivery not sent", Transition, "emit", _without(effects.DeliverAction)),
    Bug("timer not armed again", Transition, "_set_timer", _no_rearming),
    Bug("deadline dropped at continue", Transition, "_set_timer", _no_deadline_after_continue),
    Bug("sweep does nothing", RunTimers, "sweep", _nothing(Swept(0, 0))),
    Bug("sweep ignores the overdue", MemoryRuns, "due", _sweeps_the_future_only),
    Bug("uuid used again", transitions, "mint_uuid", _same_uuid),
    Bug("old answers move new activations", answers, "acked", _old_answer_counts),
    Bug("unsigned answers count", answers, "_refuse_unsigned", _nothing(None)),
    Bug("every signature counts", SignatureVerifier, "_problem", _nothing("")),
    Bug(
        "secret variable kept as it is",
        Transition,
        "encrypt_secrets",
        lambda _: lambda self, variables, token=None: dict(variables),
    ),
    Bug("secret in the error of a service", webhook_client, "without_text", lambda _: lambda failure: failure),
    Bug("secret variables sent to every service", request_args, "holds_secret", _nothing(None)),
    Bug("delivery dropped as not committed", DeliveryChecker, "check", _version_does_not_matter),
    Bug("DeliveryHeld lost", DeliveryChecker, "check", _held_is_lost),
    Bug("limit not held", Permits, "slot", _limit_does_not_matter),
    Bug("permit returned before its activation has ended", Limiter, "release", _released_by_anyone),
    Bug("waiter that nobody serves", Limiter, "_will_be_served", _queued_after_the_look),
    Bug("deliveries of waiters not sent", Limiter, "_send", _nothing(None)),
    Bug("failed delivery does not come again", Deliverer, "_after", _nothing(None)),
    Bug("answer in the answer lost", delivery, "answer_in", _nothing(None)),
    Bug("dead letter dropped", Deliverer, "give_up", _nothing(None)),
    Bug("page of what is not committed", advance, "turn_page", _page_of_what_is_not_committed),
    Bug("page not put", OffloadingRunStore, "put_page", _nothing(None)),
    Bug("parent not notified", Transition, "emit", _without(effects.TellParent)),
    Bug("child not started", Transition, "emit", _without(effects.StartChild)),
    Bug("child not stopped", Transition, "emit", _without(effects.StopChild)),
    Bug("unwritten task taken for answered", Inbox, "_is_closed", _nothing(True)),
    Bug("subscription not written", EffectExecutor, "_write", _write_without(effects.Listen)),
    Bug("early event not looked for", Transition, "emit", _without(effects.Listen)),
    Bug("task not in the inbox", EffectExecutor, "_write", _write_without(effects.OpenTask)),
    Bug("cancelled branch lives on", Transition, "remove", _cancelled_lives_on),
    Bug("join counted twice", fork, "child_ended", _joined_twice),
    Bug("result of an item lost", each, "results", _result_lost),
    Bug("max of each ignored", each, "_begin", _max_does_not_matter),
    Bug("undo skipped", compensation, "_start", _undo_skipped),
    Bug("work registered whatever the state", (token_moves, compensation), "has_work", _any_state_is_undone),
    Bug("work not registered on the way to stopped", token_moves, "_register", _not_before_stopped),
    Bug("work of an incomplete undo not registered", token_moves, "register", _incomplete_is_forgotten),
    Bug("incomplete undo sent", compensation, "_start", _incomplete_is_sent),
    Bug("failed undo forgotten", compensation, "_close", _failure_is_forgotten),
    Bug("lost branches not undone", fork, "lost_branches", _nothing([])),
    Bug("branches that finished undone too", fork, "lost_branches", _every_branch_lost),
    Bug("abandoned work not undone", token_moves, "abandon_scope", _nothing(None)),
    Bug("abandoned work undone though it is kept", token_moves, "end_wait", _keep_ignored),
    Bug("oldest work undone first", compensation, "_start", _oldest_first),
    Bug("children not awaited", compensation, "_waits_for_children", _nothing(False)),
    Bug("undo sent again at a stop", commands, "fail", _undo_sent_again),
    Bug("fork returns before the undo", token_moves, "has_due", _nothing(False)),
    Bug("retry keeps the old uuid", Transition, "activate", _retry_keeps_the_uuid),
    Bug("living run deleted", Operator, "delete_run", _deletes_the_living),
    Bug("namespace mixed up", messages, "encode", _wrong_namespace),
    Bug("only the last of several events", RunAdvancer, "_decide", _only_the_last_event),
    *(
        Bug(*bug)
        for bug in (
            *ERROR_BUGS,
            *VALUE_BUGS,
            *STEP_BUGS,
            *LIMIT_BUGS,
            *SCHEDULE_BUGS,
            *HOLD_BUGS,
            *INLINE_BUGS,
            *REPAIR_BUGS,
            *RECORD_BUGS,
            *UNDO_PAGE_BUGS,
        )
    ),
)
