"""Write steps, with their routes and their bodies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from chalicelib.language.format import spelling
from chalicelib.language.format.written_properties import (
    Properties,
    action_call,
    flow_input,
    group,
    options,
    repeat,
    some,
    templates,
    timeout,
    undo,
    variables,
    variables_set,
    written,
)
from chalicelib.model.actions import WHOLE
from chalicelib.model.flow import (
    ENDS,
    ActionStep,
    Branch,
    CallStep,
    ChoiceStep,
    ConditionStep,
    EachStep,
    EmitStep,
    EventStep,
    ForkStep,
    Route,
    SetStep,
    StartStep,
    Step,
    TimerStep,
)


def steps(steps: Iterable[Step]) -> str:
    """Write steps, one after the other."""
    return "\n".join(
        f"{_kind(step)} {spelling.name(step.name)} => {_routes(step.routes)}{_body(step)};" for step in steps
    )


def _kind(step: Step) -> str:
    match step:
        case ActionStep():
            return "deci" if step.decides else "step"
        case ChoiceStep():
            return "deci"
        case TimerStep() | EventStep() | ConditionStep():
            return "wait"
        case SetStep():
            return "set"
        case ForkStep():
            return "fork"
        case EachStep():
            return "each"
        case CallStep():
            return "call"
        case EmitStep():
            return "emit"
        case StartStep():
            return "start"
        case _:
            assert_never(step)


def _routes(routes: Iterable[Route]) -> str:
    """Write the routes. If a state is called `else`, the keyword is written `ELSE`."""
    found = tuple(routes)
    otherwise = "ELSE" if any(route.state == "else" for route in found) else "else"
    return f"({' | '.join(_route(route, otherwise) for route in found)})"


def _route(route: Route, otherwise: str) -> str:
    words = [] if route.state is None else [spelling.name(route.state)]
    if route.when is not None:
        words.append(f"when {spelling.expression(route.when)}")
    entries = _end_entries(route) if route.target in ENDS else variables_set(route.entries)
    return f"{' '.join(words) or otherwise} -> {spelling.name(route.target)}" + (f" {entries}" if entries else "")


def _end_entries(route: Route) -> str:
    return group(templates(route.entries)) if route.entries else ""


def _body(step: Step) -> str:
    if isinstance(step, ChoiceStep):
        return ""
    nested = ""
    if isinstance(step, ForkStep):
        nested = "".join(map(_branch, step.branches))
    elif isinstance(step, EachStep):
        nested = steps(step.steps)
    return f" {{ {written(_of_step(step))} {nested} }}"


def _branch(branch: Branch) -> str:
    return f"branch {spelling.name(branch.name)} {{ {written(variables(branch))} {steps(branch.steps)} }};"


def _of_step(step: Step) -> Properties:
    match step:
        case ActionStep():
            yield from _of_action_step(step)
        case TimerStep() | EventStep() | ConditionStep():
            yield from _of_wait(step)
        case EmitStep() | StartStep():
            yield from _of_outgoing(step)
        case ForkStep():
            yield "join", "all" if step.join == len(step.branches) else "any" if step.join == 1 else str(step.join)
            yield from timeout(step.timeout)
            yield from _abandoned(step)
            yield from variables(step)
        case EachStep():
            yield from _of_each(step)
        case CallStep():
            yield from _of_flow_input(step)
            yield from timeout(step.timeout)
            yield from undo(step.undo)
    if isinstance(step, ChoiceStep):
        return
    if step.save:
        yield "save", variables_set(step.save)
    if not isinstance(step, SetStep) and step.repeat:
        yield "repeat", repeat(step.repeat)


def _of_flow_input(step: CallStep | StartStep) -> Properties:
    yield "flow", spelling.name(step.flow)
    yield from flow_input(step.input)


def _of_outgoing(step: EmitStep | StartStep) -> Properties:
    if isinstance(step, StartStep):
        yield from _of_flow_input(step)
        if step.run is not None:
            yield "name", spelling.template(step.run)
        yield from some("labels", step.labels)
        return
    for name, value in (("event", step.event), ("key", step.key), ("data", step.data), ("to", step.to)):
        if value is not None:
            yield name, spelling.template(value)
    if step.ttl is not None:
        yield "ttl", spelling.duration(step.ttl)


def _of_wait(step: TimerStep | EventStep | ConditionStep) -> Properties:
    match step:
        case TimerStep():
            if step.duration is not None:
                yield "for", spelling.duration(step.duration)
            if step.until is not None:
                yield "until", spelling.template(step.until)
            if step.next is not None:
                yield "next", spelling.template(step.next)
            if step.zone is not None:
                yield "zone", spelling.template(step.zone)
        case EventStep():
            yield "events", group((state, spelling.string(event)) for state, event in step.events.items())
            if step.key is not None:
                yield "key", spelling.template(step.key)
            yield from timeout(step.timeout)
            yield from action_call("on_enter", step.on_enter)
            yield from action_call("on_leave", step.on_leave)
        case ConditionStep():
            yield "condition", spelling.expression(step.condition)
            yield from timeout(step.timeout)


def _of_action_step(step: ActionStep) -> Properties:
    yield "action", spelling.name(step.action)
    if step.args.keys() == {WHOLE}:
        yield "args", spelling.template(step.args[WHOLE])
    else:
        yield from some("args", step.args)
    yield from options(step.options)
    yield from undo(step.undo)


def _of_each(step: EachStep) -> Properties:
    yield "items", spelling.template(step.items)
    if step.max:
        yield "max", spelling.template(step.max)
    if step.tolerate_percent is not None:
        yield "tolerate", f'"{step.tolerate_percent:.6f}'.rstrip("0").rstrip(".") + '%"'
    elif step.tolerate is not None:
        yield "tolerate", spelling.template(step.tolerate)
    if step.batch is not None:
        yield "batch", spelling.template(step.batch)
    yield from timeout(step.timeout)
    yield from _abandoned(step)
    yield from variables(step)


def _abandoned(step: ForkStep | EachStep) -> Properties:
    if step.keep_abandoned:
        yield "abandoned", "keep"
