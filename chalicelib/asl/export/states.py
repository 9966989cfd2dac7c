"""Each step as a state, with the states that its routes need behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from chalicelib.asl.export import refusals, retries
from chalicelib.asl.export.catches import Failures, catchers
from chalicelib.asl.export.choices import choice_state, choose
from chalicelib.asl.export.graph import entries_read, passed_to
from chalicelib.asl.export.leaving import left
from chalicelib.asl.export.parallel import map_state, parallel_state
from chalicelib.asl.export.scope import Scope
from chalicelib.asl.export.tasks import Task, action_task, call_task, start_task
from chalicelib.asl.export.values.durations import seconds_of
from chalicelib.asl.export.values.names import INPUT, RESULT, Inexpressible, Meaning, held_error
from chalicelib.asl.export.values.templates import Missing, names_in, wrapped
from chalicelib.asl.export.ways import KEEP, NOT_EXPORTED, Here
from chalicelib.asl.problems import Level, pointer
from chalicelib.model.flow import (
    DEFAULT_STATE,
    ERROR,
    FAIL,
    STOPPED_STATE,
    ActionStep,
    CallStep,
    ChoiceStep,
    EachStep,
    ForkStep,
    SetStep,
    StartStep,
    Step,
    TimerStep,
)
from chalicelib.model.json_values import Json
from chalicelib.model.templates import Template

_NO_EVENTS: Final = "Step Functions has no such step: an execution waits for time, tasks and task tokens only"

State = dict[str, Json]


def add_step(scope: Scope, step: Step, index: int) -> None:
    """Add the state of a step. What cannot be expressed is a problem, and the state then fails."""
    place = pointer("", index)
    for problem in refusals.of_step(step, place):
        scope.problem(problem.pointer, problem.message, problem.level)
    name = scope.around.state_of[step.name]
    scope.states[name] = {}
    try:
        made = _made(scope, step, place)
    except Inexpressible as reason:
        scope.problem(place, f"step {step.name}: {reason}")
        made = {"Type": "Fail", "Error": NOT_EXPORTED, "Cause": str(reason)}
    scope.states[name] = made


def _made(scope: Scope, step: Step, place: str) -> State:
    match step:
        case ActionStep():
            return _action(scope, step, place)
        case ChoiceStep():
            return _choice(scope, step, place)
        case SetStep():
            return _set(scope, step, place)
        case TimerStep():
            return _wait(scope, step, place)
        case ForkStep():
            return _fork(scope, step, place)
        case EachStep():
            return _each(scope, step, place)
        case CallStep():
            return _call(scope, step, place)
        case StartStep():
            return _start(scope, step, place)
        case _:
            raise Inexpressible(_NO_EVENTS)


# ── tasks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _action(scope: Scope, step: ActionStep, place: str) -> State:
    action = scope.around.actions[step.action]
    for problem in refusals.of_action(step, action, place):
        scope.problem(problem.pointer, problem.message, problem.level)
    if not action.addresses and not action.is_human:
        raise Inexpressible(f"action {action.name} has no addr")
    has_token = not action.direct
    task = action_task(step, action, scope.entering(step, has_token=has_token), scope.around.shim)
    stated = step.options.over(action.options)
    limits = _limits(scope, step, place, stated.timeout, stated.heartbeat, task)
    named = tuple((state, names) for state, names in task.statuses.items())
    failures = Failures(states=(ERROR,), timeouts=_timeouts(limits), named=named)
    state = _task_state(task, limits)
    retriers = retries.of_deliveries(scope, step, place, action) + retries.of_repeat(scope, step, place, failures)
    returns = action.returns if task.state else (action.success_state,)
    return _finished(scope, step, place, state, task, returns, failures, retriers)


def _call(scope: Scope, step: CallStep, place: str) -> State:
    if any(route.state == STOPPED_STATE and route.when and "$error" in route.when for route in step.routes):
        text = "the error of a machine that failed is States.TaskFailed, and not its own"
        scope.problem(place, f"step {step.name}: {text}", Level.WARNING)
    task = call_task(step, scope.entering(step))
    limits = _limits(scope, step, place, step.timeout, None, task)
    failures = Failures(states=(STOPPED_STATE, ERROR), timeouts=_timeouts(limits))
    state = _task_state(task, limits)
    retriers = retries.of_repeat(scope, step, place, failures)
    return _finished(scope, step, place, state, task, (DEFAULT_STATE,), failures, retriers)


def _start(scope: Scope, step: StartStep, place: str) -> State:
    task = start_task(step, scope.entering(step))
    failures = Failures(states=(ERROR,))
    retriers = retries.of_repeat(scope, step, place, failures)
    return _finished(scope, step, place, _task_state(task, {}), task, (DEFAULT_STATE,), failures, retriers)


def _task_state(task: Task, limits: State) -> State:
    state: State = {"Type": "Task", "Resource": task.resource, "Arguments": task.arguments, **limits}
    if task.role:
        state["Credentials"] = {"RoleArn": task.role}
    return state


def _limits(
    scope: Scope, step: Step, place: str, timeout: Template, heartbeat: Template, task: Task
) -> dict[str, Json]:
    """Return the time limits that are stated, or that a task token needs."""
    writer = scope.entering(step)
    found: dict[str, Json] = {}
    for name, option, member in (("timeout", timeout, "TimeoutSeconds"), ("heartbeat", heartbeat, "HeartbeatSeconds")):
        if option is not None:
            try:
                found[member] = seconds_of(option, writer)
            except Inexpressible as reason:
                scope.problem(pointer(place, "options", name), f"step {step.name}: {name}: {reason}")
    if "TimeoutSeconds" not in found and task.has_token and task.default_timeout_s:
        found = {"TimeoutSeconds": task.default_timeout_s, **found}
    return found


def _timeouts(limits: Mapping[str, Json]) -> tuple[str, ...]:
    names = {"TimeoutSeconds": "States.Timeout", "HeartbeatSeconds": "States.HeartbeatTimeout"}
    return tuple(name for member, name in names.items() if member in limits)


def _finished(
    scope: Scope,
    step: Step,
    place: str,
    state: State,
    task: Task,
    returns: Sequence[str],
    failures: Failures,
    retriers: Sequence[Json],
) -> State:
    """Complete the state of a task with its errors and its ways out."""
    for note in task.notes:
        scope.problem(place, note, Level.NOTE)
    if retriers:
        state["Retry"] = list(retriers)
    caught = catchers(scope, step, place, failures, choose)
    if caught:
        state["Catch"] = caught
    whole = task.result.whole or RESULT
    return left(
        scope,
        step,
        place,
        state,
        result=task.result,
        response=task.response,
        carried=KEEP if whole == RESULT else wrapped(whole),
        returns=returns,
        state_text=task.state,
    )


# ── all other steps ──────────────────────────────────────────────────────────────────────────────────────────────────


def _choice(scope: Scope, step: ChoiceStep, place: str) -> State:
    writer = scope.entering(step)
    here = Here(step=step, place=place, writer=writer, behind=writer, passes=True, error=KEEP)
    routes = [route for route in step.routes if route.state != ERROR]
    if len(routes) < len(step.routes):
        scope.problem(place, f"step {step.name}: ERROR of a deci: a Choice state catches nothing")
    return choice_state(scope, routes, here)


def _set(scope: Scope, step: SetStep, place: str) -> State:
    _refuse_catch(scope, step, place, step.save)
    result = Meaning(whole=INPUT)
    return left(
        scope,
        step,
        place,
        {"Type": "Pass"},
        result=result,
        carried=wrapped("null"),
        returns=(DEFAULT_STATE,),
        passes=True,
        error=held_error(scope.error),
    )


def _wait(scope: Scope, step: TimerStep, place: str) -> State:
    writer = scope.entering(step)
    if step.next is not None:
        raise Inexpressible("next: a Wait state knows no cron expressions")
    if step.until is not None:
        state: State = {"Type": "Wait", "Timestamp": writer.value(step.until, Missing.FAIL)}
    else:
        state = {"Type": "Wait", "Seconds": seconds_of(step.duration, writer)}
    _refuse_catch(scope, step, place, {"": step.until if step.until is not None else step.duration, **step.save})
    if step.repeat:
        scope.problem(pointer(place, "repeat"), f"step {step.name}: repeat: a Wait state is not retried")
    nothing = Meaning(whole="(null)")
    return left(
        scope, step, place, state, result=nothing, carried=wrapped("null"), returns=(DEFAULT_STATE,), passes=True
    )


def _refuse_catch(scope: Scope, step: SetStep | TimerStep, place: str, templates: Mapping[str, Template]) -> None:
    """Report routes of ERROR of a state that catches nothing, unless nothing in it can fail."""
    can_fail = any(isinstance(one, (dict, list)) for one in templates.values())
    if can_fail and any(route.state == ERROR for route in step.routes):
        kind = "Pass" if isinstance(step, SetStep) else "Wait"
        scope.problem(pointer(place, "routes"), f"step {step.name}: ERROR: a {kind} state catches nothing")


def _fork(scope: Scope, step: ForkStep, place: str) -> State:
    state, result, carried = parallel_state(scope, step, place)
    if _reads_result_of_failure(scope, step):
        text = "FAIL: $result is null, and not the outputs of the branches that have finished"
        scope.problem(place, f"step {step.name}: {text}", Level.WARNING)
    return _joined(scope, step, place, state, result, carried)


def _reads_result_of_failure(scope: Scope, step: ForkStep) -> bool:
    """Return whether something reads `$result` after the fork has failed."""
    routes = [route for route in step.routes if route.state in (None, FAIL)]
    read = names_in(step.save).union(*(entries_read(route) for route in routes)) if routes else frozenset[str]()
    return "result" in read.union(*(passed_to(route, scope.live, scope.at_end) for route in routes))


def _each(scope: Scope, step: EachStep, place: str) -> State:
    return _joined(scope, step, place, map_state(scope, step, place), Meaning(whole=RESULT), KEEP)


def _joined(
    scope: Scope, step: ForkStep | EachStep, place: str, state: State, result: Meaning, carried: Json | object
) -> State:
    failures = Failures(states=(FAIL, ERROR))
    found = retries.of_repeat(scope, step, place, failures)
    if found:
        state["Retry"] = found
    caught = catchers(scope, step, place, failures, choose)
    if caught:
        state["Catch"] = caught
    return left(scope, step, place, state, result=result, carried=carried, returns=(DEFAULT_STATE,))
