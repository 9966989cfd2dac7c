"""Read what undoes the work of an action, a step or a call: an action or a flow, its args, and after which states."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.language.check.context import Context
from chalicelib.language.check.readers.arguments import given_args, value_of
from chalicelib.language.check.readers.members import read_assignments
from chalicelib.language.check.readers.operations import check_undo_args
from chalicelib.language.check.readers.values import INVALID_VALUE, read_name
from chalicelib.language.problems import Problem, Suggestion
from chalicelib.language.syntax.tree import Call, Group, Value
from chalicelib.model.actions import WHOLE, Action, ArgType, Parameter, Undo
from chalicelib.model.flow import BUILT_IN_STATES, Flow, Route


@dataclass(frozen=True, slots=True)
class Undone:
    """What is undone. `source` declares its `states`, which are None if they are unknown."""

    owner: str
    source: str
    states: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Undoer:
    """The action or flow that undoes: its description, and its parameters; None if they are unknown."""

    owner: str
    parameters: tuple[Parameter, ...] | None


def read_undo(context: Context, value: Value, undone: Undone) -> tuple[Undo, Undoer] | None:
    """Read `refund`, `refund (order = 1)` or `refund (order = 1) on PAID | SETTLED`.

    The caller adds the args that are left out.
    """
    word = value.name if isinstance(value, Call) else value
    name = read_name(context, "undo", word)
    if name is None:
        return None
    action = context.action(name)
    flow = None if action or name in context.broken["action"] else context.flow(name)
    is_flow = flow is not None or (
        action is None and name not in context.broken["action"] and _is_broken(context, name)
    )
    if action is None and not is_flow and name not in context.broken["action"]:
        near = Suggestion(name, context.names())
        context.findings.report(Problem.UNKNOWN_UNDO, word.span, near=near, owner=undone.owner, name=name)
    undoer = _undoer(name, action, flow)
    if flow and flow.input_type is ArgType.LIST:
        context.findings.report(Problem.UNDO_TAKES_LIST, word.span, owner=undone.owner, name=name)
    group = value.group if isinstance(value, Call) else None
    if action and action.is_operation:
        check_undo_args(context, action, value, undone.owner)
    if action and action.takes_value:
        whole = value_of(context, "undo", group) if group else INVALID_VALUE
        args = {} if whole is INVALID_VALUE else {WHOLE: whole}
        return Undo(action=name, args=args, states=_read_states(context, value, undone)), undoer
    entries = (read_assignments(context, "undo", group) or {}) if isinstance(group, Group) else {}
    what = "input" if is_flow else "operation arg" if undoer.parameters is None else "arg"
    args = given_args(context, entries, undoer.parameters, undoer.owner, what=what)
    states = _read_states(context, value, undone)
    inputs = undoer.parameters if is_flow else None
    return Undo(action=name, args=args, states=states, is_flow=is_flow, inputs=inputs), undoer


def refuse_useless(context: Context, value: Value, undone: Undone, undo: Undo, routes: tuple[Route, ...]) -> None:
    """Report that the step accepts none of the states after which it would be undone."""
    routed = {route.state for route in routes}
    if undo.states and routes and not routed & {None, *undo.states}:
        reason = f"the step has no route for {' or '.join(undo.states)}"
        context.findings.report(Problem.USELESS_UNDO, value.span, owner=undone.owner, reason=reason)


def _is_broken(context: Context, name: str) -> bool:
    return name in context.broken["flow"]


def _undoer(name: str, action: Action | None, flow: Flow | None) -> Undoer:
    if action:
        return Undoer(f"action '{name}'", None if action.is_open else action.parameters)
    if flow is None or flow.input_type is not None:
        return Undoer(f"flow '{name}'", None)
    return Undoer(f"flow '{name}'", flow.input)


def _read_states(context: Context, value: Value, undone: Undone) -> tuple[str, ...]:
    words = value.states if isinstance(value, Call) else ()
    declared = undone.states
    if declared is None:
        return tuple(dict.fromkeys(word.text for word in words))
    if not words:
        if len(declared) > 1:
            states, hint = " or ".join(declared), f"write after which, like: on {declared[0]}"
            context.findings.report(
                Problem.UNDO_WITHOUT_STATES,
                value.span,
                hint=hint,
                owner=undone.owner,
                source=undone.source,
                states=states,
            )
        return declared
    found: dict[str, None] = {}
    for word in words:
        if word.text in found:
            context.findings.report(Problem.DUPLICATE_ENTRY, word.span, name=word.text, group="undo")
        elif word.text not in declared:
            built_in = f"{word.text} is built in: what the action did then is unknown"
            context.findings.report(
                Problem.UNKNOWN_UNDO_STATE,
                word.span,
                hint=built_in if word.text in BUILT_IN_STATES else None,
                near=Suggestion(word.text, declared),
                owner=undone.owner,
                state=word.text,
                source=undone.source,
            )
        found[word.text] = None
    return tuple(found)
