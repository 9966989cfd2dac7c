"""Whether a step of another version can take what a token waits for."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.model.compiled_step import CompiledStep, Invocation
from chalicelib.model.flow import CallStep, EachStep, EventStep, ForkStep, StartStep
from chalicelib.model.json_values import Json
from chalicelib.model.run import Activation, Token
from chalicelib.model.templates import holds_reference
from chalicelib.model.waits import EachWait, EventWait, ForkWait, RepeatWait


def wait_problem(before: CompiledStep, after: CompiledStep, token: Token, there: str, *, is_live: bool) -> str:
    """Return why `after`, which is of the kind of `before`, cannot take what the token waits for; empty if it can.

    `there` names the version of `after`. `is_live`: the token waits; otherwise it enters the step again.
    """
    activation = token.activation
    if activation is None or isinstance(activation.wait, RepeatWait):
        return ""
    if before.invocation is not None and after.invocation is not None:
        return request_problem(before.invocation, after.invocation, there)
    match before.step, after.step:
        case (CallStep(flow=old), CallStep(flow=new)) | (StartStep(flow=old), StartStep(flow=new)):
            return "" if old == new else f"it waits for a run of flow {old!r}, and in {there} for one of {new!r}"
        case EventStep() as old_event, EventStep() as new_event:
            return _event_problem(old_event, new_event, activation, there)
        case ForkStep() as old_fork, ForkStep() as new_fork:
            return _fork_problem(old_fork, new_fork, activation, there, is_live=is_live)
        case EachStep(), EachStep() as each:
            return _each_problem(each, activation, there)
        case _:
            return ""


def request_problem(before: Invocation, after: Invocation, there: str) -> str:
    """Return why an answer to the request `before` cannot be taken as one to `after`; empty if it can.

    The request may be delivered again: then it must be the same.
    """
    old, new = before.action, after.action
    if old.name != new.name:
        return f"action {old.name!r} is under way, and {there} sends {new.name!r}"
    if (before.is_human, old.direct, old.is_operation) != (after.is_human, new.direct, new.is_operation):
        return f"action {old.name!r} is called in another way in {there}, and answers in another way"
    missing = [state for state in old.returns if state not in new.returns]
    if missing:
        return f"action {old.name!r} may answer {missing[0]}, which it does not return in {there}"
    if after.options.signed and not before.options.signed:
        return f"answers of action {old.name!r} must be signed in {there}, and it was sent before that"
    if _references(before) != _references(after):
        return f"args of action {old.name!r} refer to other secrets in {there}"
    return ""


def _references(invocation: Invocation) -> Mapping[str, Json]:
    defaults = {known.name: known.default for known in invocation.action.parameters}
    return {name: arg for name, arg in {**defaults, **invocation.args}.items() if holds_reference(arg)}


def _event_problem(before: EventStep, after: EventStep, activation: Activation, there: str) -> str:
    leaves = isinstance(activation.wait, EventWait) and activation.wait.leave is not None
    if not leaves:
        return ""
    old, new = before.on_leave, after.on_leave
    if old is not None and new is not None and old.action == new.action:
        return ""
    return f"its `on_leave` is action {old.action if old else ''!r}, and another or none in {there}"


def _fork_problem(before: ForkStep, after: ForkStep, activation: Activation, there: str, *, is_live: bool) -> str:
    """A branch that has ended must be there. One that is new begins only when the fork is entered again."""
    wait = activation.wait
    if not isinstance(wait, ForkWait) or wait.decided is not None:
        return ""
    old, branches = {branch.name for branch in before.branches}, {branch.name for branch in after.branches}
    gone, added = sorted((set(wait.results) | set(wait.failed)) - branches), sorted(branches - old)
    if gone:
        return f"its branch {gone[0]!r} has ended, and is not in {there}"
    return f"branch {added[0]!r} is new in {there}, and would not begin" if added and is_live else ""


def _each_problem(after: EachStep, activation: Activation, there: str) -> str:
    wait = activation.wait
    if not isinstance(wait, EachWait) or (wait.batch is None) == (after.batch is None):
        return ""
    return f"its items are {'single' if wait.batch is None else 'in batches'}, and in {there} they are not"
