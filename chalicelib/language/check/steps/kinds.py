"""Read the steps of a flow, scope by scope, by their kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from chalicelib.language.check.context import Context
from chalicelib.language.check.readers.arguments import (
    Inputs,
    given_args,
    lacking,
    read_undo,
    refuse_plain_heirs,
    report_missing,
)
from chalicelib.language.check.readers.members import Properties, owner_of, read_assignments, refuse_steps
from chalicelib.language.check.readers.options import OPTIONS, read_options, refuse_signature
from chalicelib.language.check.readers.values import read_duration, read_name
from chalicelib.language.check.steps import reachability
from chalicelib.language.check.steps.routes import Routing, States, StepNode, StepScope
from chalicelib.language.check.steps.waits import WAIT_PROPERTIES, read_each, read_join, read_wait
from chalicelib.language.problems import Problem, Suggestion
from chalicelib.language.source import Span
from chalicelib.language.syntax.tree import Damaged, Member, Step, Word
from chalicelib.model import actions, flow, templates
from chalicelib.model.flow import DEFAULT_STATE, ENDS, ERROR, FAIL, STOPPED_STATE, TIMEOUT, Branch
from chalicelib.model.flow import Step as FlowStep

_ACTION_PROPERTIES: Final = ("action", "args", "save", "undo", *OPTIONS)
_BRANCH: Final = "branch"


class Steps:
    """Reads the steps of one flow. `inputs` is None if missing args cannot become inputs of the flow."""

    def __init__(self, context: Context, flow: str, inputs: Inputs | None) -> None:
        self._context = context
        self._flow = flow
        self._inputs = inputs
        self._names: set[str] = set()
        self._kinds: dict[str, Callable[[Step, StepScope], FlowStep | None]] = {
            "step": self._action_step,
            "deci": self._deci,
            "wait": self._wait,
            "fork": self._fork,
            "each": self._each,
            "call": self._call,
            "set": self._set,
        }

    @property
    def count(self) -> int:
        """The number of steps, nested steps included."""
        return len(self._names)

    def read(self, members: tuple[Member, ...], owner: str, at: Span, *, damaged: bool) -> tuple[flow.Step, ...]:
        """Return the steps among the members, which form one scope. `at` is the span of a report of no steps."""
        refuse_steps(self._context, owner, (member for member in members if _is_branch(member)))
        steps = [member for member in members if isinstance(member, Step) and not _is_branch(member)]
        lost = [member for member in members if isinstance(member, Damaged)]
        names = {step.name.text for step in steps} | {member.name.text for member in lost if member.name}
        uncertain = damaged or any(member.name is None for member in lost)
        scope = StepScope(frozenset(names), uncertain)
        found = [self._read_step(step, scope) for step in steps]
        if not steps and not lost and not damaged:
            self._context.findings.report(Problem.NO_STEPS, at, owner=owner)
        if not (lost or uncertain or scope.incomplete):
            reachability.check(self._context.findings, scope.nodes, owner, at)
        return tuple(step for step in found if step is not None)

    def _read_step(self, step: Step, scope: StepScope) -> FlowStep | None:
        self._check_name(step.name)
        kind = self._kinds.get(step.kind.key)
        if kind is None:
            scope.incomplete = True
            near = Suggestion(step.kind.key, (*self._kinds, _BRANCH))
            self._context.findings.report(
                Problem.UNKNOWN_STEP_KIND,
                step.kind.span,
                near=near,
                name=step.kind.text,
                kinds="step, deci, wait, fork, each, call or set",
            )
            return None
        found = kind(step, scope)
        if found is None:
            scope.incomplete = True
        else:
            scope.nodes.append(StepNode(step.name, tuple(route.target for route in found.routes), _is_instant(found)))
        return found

    def _check_name(self, word: Word) -> None:
        if word.text.lower() in ENDS:
            self._context.findings.report(Problem.RESERVED_NAME, word.span, name=word.text)
        elif word.text in self._names:
            self._context.findings.report(Problem.DUPLICATE_STEP, word.span, name=word.text, flow=self._flow)
        elif self._context.valid_name(word):
            self._names.add(word.text)

    def _properties(self, step: Step, *allowed: str, nested: bool = False) -> Properties:
        owner = owner_of(step.kind.key, step.name)
        members = step.body.members if step.body else ()
        if not nested:
            refuse_steps(self._context, owner, members)
        return Properties(self._context, owner, members, allowed, damaged=step.body is not None and step.body.damaged)

    def _routes(self, step: Step, scope: StepScope, *states: str) -> tuple[flow.Route, ...]:
        return Routing(self._context, step, scope).by_state(States((*states, ERROR), f"a {step.kind.key}"))

    def _deci(self, step: Step, scope: StepScope) -> FlowStep | None:
        if step.body and step.body.members:
            return self._action_step(step, scope)
        return flow.ChoiceStep(name=step.name.text, routes=Routing(self._context, step, scope).by_data())

    def _action_step(self, step: Step, scope: StepScope) -> FlowStep | None:
        properties = self._properties(step, *_ACTION_PROPERTIES)
        properties.require("action", step.name.span)
        name = properties.read("action", read_name)
        action = None if name is None else self._action(name, step, properties)
        states = States(None, "the action")
        if action:
            states = States((*action.returns, TIMEOUT, ERROR), f"action '{action.name}'", action.returns)
        routes = Routing(self._context, step, scope).by_state(states)
        args, options = self._args(step, properties, action), read_options(properties)
        if action:
            refuse_signature(properties, options, action)
        return flow.ActionStep(
            name=step.name.text,
            routes=routes,
            action=name or "",
            args=args,
            decides=step.kind.key == "deci",
            options=options,
            save=properties.templates("save"),
            undo=self._undo(step, properties, args, action),
        )

    def _action(self, name: str, step: Step, properties: Properties) -> actions.Action | None:
        action = self._context.action(name)
        if action is None and name not in self._context.broken["action"]:
            value = properties.value("action")
            near = Suggestion(name, self._context.names())
            span = value.span if value else step.name.span
            self._context.findings.report(Problem.UNKNOWN_ACTION, span, near=near, owner=properties.owner, name=name)
        return action

    def _args(self, step: Step, properties: Properties, action: actions.Action | None) -> dict[str, templates.Template]:
        entries = properties.read("args", read_assignments)
        unreadable = entries is None and "args" in properties
        parameters = action.parameters if action else None
        owner = f"action '{action.name}'" if action else ""
        given = given_args(self._context, entries or {}, parameters, owner)
        if action is None or unreadable or properties.damaged:
            return given
        at = properties.span("args") if "args" in properties else step.name.span
        missing = lacking(action, given)
        if self._inputs is None:
            report_missing(self._context, missing, at, step=f"step '{step.name.text}'", owner=owner)
            return given
        return given | {parameter.name: self._inputs.require(parameter, at, owner) for parameter in missing}

    def _undo(
        self, step: Step, properties: Properties, args: dict[str, templates.Template], undone: actions.Action | None
    ) -> actions.Undo | None:
        """Read the undo of a step. Args that it does not set are the step's own args of the same name."""
        value = properties.value("undo")
        undo = None if value is None else read_undo(self._context, "undo", value, properties.owner)
        action = None if undo is None else self._context.action(undo.action)
        if undo is None or action is None:
            return undo
        missing = lacking(action, undo.args)
        own = {parameter.name: args[parameter.name] for parameter in missing if parameter.name in args}
        heirs = (parameter for parameter in missing if parameter.name in own)
        refuse_plain_heirs(self._context, undone, action, heirs, properties.span("undo"))
        absent = [parameter for parameter in missing if parameter.name not in own]
        report_missing(
            self._context,
            absent,
            properties.span("undo"),
            step=f"the undo of step '{step.name.text}'",
            owner=f"action '{action.name}'",
        )
        return actions.Undo(action=undo.action, args=undo.args | own)

    def _wait(self, step: Step, scope: StepScope) -> FlowStep | None:
        return read_wait(self._properties(step, *WAIT_PROPERTIES), step, Routing(self._context, step, scope))

    def _fork(self, step: Step, scope: StepScope) -> FlowStep | None:
        properties = self._properties(step, "join", "save", nested=True)
        routes = self._routes(step, scope, DEFAULT_STATE, FAIL, TIMEOUT)
        members = step.body.members if step.body else ()
        refuse_steps(self._context, properties.owner, (one for one in members if not _is_branch(one)))
        branches = self._branches(members, properties.owner)
        if not branches and not properties.damaged:
            self._context.findings.report(
                Problem.MISSING_PROPERTY, step.name.span, owner=properties.owner, name="branch NAME { ... }"
            )
        return flow.ForkStep(
            name=step.name.text,
            routes=routes,
            branches=branches,
            join=read_join(properties, len(branches)),
            save=properties.templates("save"),
        )

    def _branches(self, members: tuple[Member, ...], owner: str) -> tuple[Branch, ...]:
        found: dict[str, Branch] = {}
        for step in members:
            if isinstance(step, Step) and _is_branch(step):
                name = step.name.text
                if name in found:
                    self._context.findings.report(Problem.DUPLICATE_ENTRY, step.name.span, name=name, group=owner)
                found[name] = self._branch(step)
        return tuple(found.values())

    def _branch(self, step: Step) -> Branch:
        owner = owner_of(_BRANCH, step.name)
        self._context.valid_name(step.name)
        properties = self._properties(step, nested=True)
        body = step.body.members if step.body else ()
        steps = self.read(body, owner, step.name.span, damaged=properties.damaged)
        return Branch(name=step.name.text, steps=steps)

    def _each(self, step: Step, scope: StepScope) -> FlowStep | None:
        properties = self._properties(step, "items", "max", "tolerate", "save", nested=True)
        routes = self._routes(step, scope, DEFAULT_STATE, FAIL, TIMEOUT)
        properties.require("items", step.name.span)
        body = step.body.members if step.body else ()
        steps = self.read(body, properties.owner, step.name.span, damaged=properties.damaged)
        return read_each(properties, step.name.text, routes, steps)

    def _call(self, step: Step, scope: StepScope) -> FlowStep | None:
        properties = self._properties(step, "flow", "input", "timeout", "save")
        routes = self._routes(step, scope, DEFAULT_STATE, STOPPED_STATE, TIMEOUT)
        properties.require("flow", step.name.span)
        name = properties.read("flow", read_name)
        given = read_flow_input(properties, name, f"call '{step.name.text}'", step.name.span)
        return flow.CallStep(
            name=step.name.text,
            routes=routes,
            flow=name or "",
            input=given,
            timeout=properties.read("timeout", read_duration),
            save=properties.templates("save"),
        )

    def _set(self, step: Step, scope: StepScope) -> FlowStep | None:
        properties = self._properties(step, "save")
        routes = self._routes(step, scope, DEFAULT_STATE)
        properties.require("save", step.name.span)
        return flow.SetStep(name=step.name.text, routes=routes, save=properties.templates("save"))


def read_flow_input(
    properties: Properties, name: str | None, who: str, at: Span, *, plain: bool = False
) -> dict[str, templates.Template]:
    """Read the `input` for the flow named by `flow`, checked against the inputs that this flow declares."""
    context = properties.context
    flow = None if name is None else context.flow(name)
    if name is not None and flow is None and name not in context.broken["flow"]:
        value = properties.value("flow")
        near = Suggestion(name, context.names())
        context.findings.report(Problem.UNKNOWN_FLOW, value.span if value else at, near=near, name=name)
    entries = properties.read("input", read_assignments)
    owner = f"flow '{name}'"
    parameters = flow.input if flow else None
    given = given_args(context, entries or {}, parameters, owner, what="input", plain=plain)
    if flow and not properties.damaged and (entries is not None or "input" not in properties):
        missing = [one for one in flow.input if one.required and one.name not in given]
        where = properties.span("input") if "input" in properties else at
        report_missing(context, missing, where, step=who, owner=owner, what="input")
    return given


def _is_branch(member: Member) -> bool:
    return isinstance(member, Step) and member.kind.key == _BRANCH


def _is_instant(step: FlowStep | None) -> bool:
    """Whether a step takes no time: it and its nested steps never wait."""
    match step:
        case flow.ChoiceStep() | flow.SetStep():
            return True
        case flow.ForkStep() | flow.EachStep():
            nested = [one for _, steps in flow.children_of(step) for one in steps]
            return all(_is_instant(one) for one in nested)
    return False
