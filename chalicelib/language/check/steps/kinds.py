"""Read the steps of a flow, scope by scope, by their kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from chalicelib.language.check.context import Context
from chalicelib.language.check.readers import direct
from chalicelib.language.check.readers.arguments import (
    Inputs,
    given_args,
    given_value,
    lacking,
    refuse_plain_heirs,
    report_missing,
)
from chalicelib.language.check.readers.flow_input import read_flow_input
from chalicelib.language.check.readers.members import Properties, owner_of, read_assignments, refuse_steps
from chalicelib.language.check.readers.operations import check_operation_args, read_step_role
from chalicelib.language.check.readers.options import OPTIONS, read_options, refuse_signature
from chalicelib.language.check.readers.undo import Undone, read_undo, refuse_useless
from chalicelib.language.check.readers.values import read_name, read_timespan
from chalicelib.language.check.readers.variables import read_variables
from chalicelib.language.check.steps import reachability
from chalicelib.language.check.steps.outgoing import EMIT_PROPERTIES, START_PROPERTIES, read_emit, read_start
from chalicelib.language.check.steps.repeat import read_repeat
from chalicelib.language.check.steps.routes import Routing, States, StepNode, StepScope
from chalicelib.language.check.steps.uses import Uses, names_of
from chalicelib.language.check.steps.waits import (
    EACH_PROPERTIES,
    WAIT_PROPERTIES,
    read_abandoned,
    read_each,
    read_join,
    read_wait,
)
from chalicelib.language.problems import Problem, Suggestion
from chalicelib.language.source import Span
from chalicelib.language.syntax.tree import Damaged, Member, Step, Use, Word
from chalicelib.model import actions, flow, templates
from chalicelib.model.flow import DEFAULT_STATE, DONE, ENDS, ERROR, FAIL, STOPPED_STATE, TIMEOUT, Branch
from chalicelib.model.flow import Step as FlowStep

_ACTION_PROPERTIES: Final = ("action", "args", "save", "undo", "repeat", "role", *OPTIONS)
_BRANCH: Final = "branch"


class Steps:
    """Reads the steps of one flow. `inputs` is None if missing args cannot become inputs of the flow."""

    def __init__(
        self, context: Context, flow: str, inputs: Inputs | None, input_type: actions.ArgType | None = None
    ) -> None:
        self.uses: Final = Uses(context, flow, inputs, input_type)
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
            "emit": self._emit,
            "start": self._start,
        }

    @property
    def count(self) -> int:
        """The number of steps, nested steps included."""
        return len(self._names)

    def read(self, members: tuple[Member, ...], owner: str, at: Span, *, damaged: bool) -> tuple[flow.Step, ...]:
        """Return the steps among the members, which form one scope. `at` is the span of a report of no steps."""
        refuse_steps(self._context, owner, (member for member in members if _is_branch(member)))
        parts = [one for one in members if isinstance(one, Use) or (isinstance(one, Step) and not _is_branch(one))]
        used = {one.span: self.uses.flow_of(one) for one in parts if isinstance(one, Use)}
        lost = [member for member in members if isinstance(member, Damaged)]
        names = {name for part in parts for name in _names_in(part, used)} | {one.name.text for one in lost if one.name}
        uncertain = damaged or any(member.name is None for member in lost) or None in used.values()
        scope = StepScope(frozenset(names), uncertain)
        found: list[FlowStep | None] = []
        for number, part in enumerate(parts):
            if isinstance(part, Step):
                found.append(self._read_step(part, scope))
                continue
            following = next((name for one in parts[number + 1 :] for name in _names_in(one, used)), DONE)
            found += self._read_use(part, used[part.span], following, scope)
        if not parts and not lost and not damaged:
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
                kinds="step, deci, wait, fork, each, call, set, emit or start",
            )
            return None
        found = kind(step, scope)
        if found is None:
            scope.incomplete = True
        else:
            scope.nodes.append(StepNode(step.name, tuple(route.target for route in found.routes), _is_instant(found)))
        return found

    def _read_use(self, use: Use, used: flow.Flow | None, following: str, scope: StepScope) -> tuple[FlowStep, ...]:
        """Return the steps of the flow that is used, prefixed; none if it is unknown."""
        if used is None:
            return ()
        for name in names_of(use, used):
            self._check_name(Word(name, quoted=True, span=use.prefix.span))
        found = self.uses.steps(use, used, following)
        for step in found:
            word = Word(step.name, quoted=True, span=use.flow.span)
            scope.nodes.append(StepNode(word, tuple(route.target for route in step.routes), _is_instant(step)))
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

    def _routes(self, step: Step, scope: StepScope, states: States) -> tuple[flow.Route, ...]:
        return Routing(self._context, step, scope).by_state(states)

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
        args, options = self._args(step, properties, action), read_options(properties, of_step=True)
        options = replace(options, role=read_step_role(properties, action))
        source, owner = f"action '{name}'", f"step '{step.name.text}'"
        parameters, returns = (action.parameters, action.returns) if action else ((), None)
        direct.refuse_none(properties)
        if action:
            refuse_signature(properties, options, action)
            self._warn_of_loops(step, routes, options.over(action.options), action)
        if action and action.direct:
            direct.refuse_options(properties, options, action)
        return flow.ActionStep(
            name=step.name.text,
            routes=routes,
            action=name or "",
            args=args,
            decides=step.kind.key == "deci",
            options=options,
            save=properties.variables("save"),
            undo=self._undo(properties, Undone(owner, source, returns), routes, args, parameters),
            repeat=read_repeat(properties, states),
        )

    def _warn_of_loops(
        self, step: Step, routes: Iterable[flow.Route], options: actions.Options, action: actions.Action
    ) -> None:
        """Warn of routes that send the action again at once: no person, no time-out and no condition comes between.

        The original echoer has no other way to do a step again, so its documents get no warning.
        """
        if self._context.is_echoer or action.method is actions.Method.HUMAN or options.approval:
            return
        left: set[str | None] = set()
        for route in () if step.name.text.lower() in ENDS else routes:
            is_loop = route.target == step.name.text and route.when is None and route.state != TIMEOUT
            if is_loop and not left & {route.state, None}:
                state = f"state {route.state}" if route.state else "else"
                hint = "wait before the step is done again, or use repeat with a delay and a max"
                self._context.findings.report(
                    Problem.LOOP_WITHOUT_PAUSE, step.name.span, hint=hint, state=state, step=step.name.text
                )
            elif route.target != step.name.text:
                left.add(route.state)

    def _action(self, name: str, step: Step, properties: Properties) -> actions.Action | None:
        action = self._context.action(name)
        if action is None and name not in self._context.broken["action"]:
            value = properties.value("action")
            near = Suggestion(name, self._context.names())
            span = value.span if value else step.name.span
            self._context.findings.report(Problem.UNKNOWN_ACTION, span, near=near, owner=properties.owner, name=name)
        return action

    def _args(self, step: Step, properties: Properties, action: actions.Action | None) -> dict[str, templates.Template]:
        if action and action.is_operation:
            check_operation_args(properties, action, step.name)
        if action and action.is_open:
            entries = properties.read("args", read_assignments)
            return given_args(self._context, entries or {}, None, "", what="operation arg")
        if action and action.takes_value:
            return given_value(properties, "args", step.name.span, f"action '{action.name}'")
        entries = properties.read("args", read_assignments)
        unreadable = entries is None and "args" in properties
        parameters = action.parameters if action else None
        owner = f"action '{action.name}'" if action else ""
        given = given_args(self._context, entries or {}, parameters, owner)
        if action is None or unreadable or properties.damaged:
            return given
        at = properties.span("args") if "args" in properties else step.name.span
        missing = lacking(action.parameters, given)
        if self._inputs is None:
            report_missing(self._context, missing, at, step=f"step '{step.name.text}'", owner=owner)
            return given
        return given | {parameter.name: self._inputs.require(parameter, at, owner) for parameter in missing}

    def _undo(
        self,
        properties: Properties,
        undone: Undone,
        routes: tuple[flow.Route, ...],
        own: dict[str, templates.Template],
        parameters: Iterable[actions.Parameter],
    ) -> actions.Undo | None:
        """Read the undo of a step or call.

        Args that it does not set are those in `own` of the same name, as they were sent. A flow, and the undo of a
        call, get only what is set.
        """
        value = properties.value("undo")
        found = None if value is None else read_undo(self._context, value, undone)
        if value is None or found is None:
            return None
        undo, undoer = found
        refuse_useless(self._context, value, undone, undo, routes)
        missing = lacking(undoer.parameters or (), undo.args)
        heirs = [one for one in missing if one.name in own and not undo.is_flow]
        at, what = properties.span("undo"), "input" if undo.is_flow else "arg"
        refuse_plain_heirs(self._context, parameters, heirs, at, owner=undone.source, undoer=undoer.owner)
        absent = [one for one in missing if one not in heirs]
        report_missing(self._context, absent, at, step=f"the undo of {undone.owner}", owner=undoer.owner, what=what)
        return undo

    def _wait(self, step: Step, scope: StepScope) -> FlowStep | None:
        properties, routing = self._properties(step, *WAIT_PROPERTIES), Routing(self._context, step, scope)
        return read_wait(properties, step, routing, self._inputs)

    def _fork(self, step: Step, scope: StepScope) -> FlowStep | None:
        properties = self._properties(step, "join", "timeout", "abandoned", "vars", "save", "repeat", nested=True)
        states = States((DEFAULT_STATE, FAIL, TIMEOUT, ERROR), "a fork")
        routes = self._routes(step, scope, states)
        members = step.body.members if step.body else ()
        refuse_steps(self._context, properties.owner, (one for one in members if not _is_branch(one)))
        branches = self._branches(members, properties.owner)
        if not branches and not properties.damaged:
            self._context.findings.report(
                Problem.MISSING_PROPERTY, step.name.span, owner=properties.owner, name="branch NAME { ... }"
            )
        variables, secret = read_variables(properties)
        return flow.ForkStep(
            name=step.name.text,
            routes=routes,
            branches=branches,
            join=read_join(properties, len(branches)),
            timeout=properties.read("timeout", read_timespan),
            keep_abandoned=read_abandoned(properties),
            vars=variables,
            secret_vars=secret,
            save=properties.variables("save"),
            repeat=read_repeat(properties, states),
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
        properties = self._properties(step, "vars", nested=True)
        variables, secret = read_variables(properties)
        body = step.body.members if step.body else ()
        steps = self.read(body, owner, step.name.span, damaged=properties.damaged)
        return Branch(name=step.name.text, steps=steps, vars=variables, secret_vars=secret)

    def _each(self, step: Step, scope: StepScope) -> FlowStep | None:
        properties = self._properties(step, *EACH_PROPERTIES, nested=True)
        states = States((DEFAULT_STATE, FAIL, TIMEOUT, ERROR), "an each")
        routes = self._routes(step, scope, states)
        properties.require("items", step.name.span)
        body = step.body.members if step.body else ()
        steps = self.read(body, properties.owner, step.name.span, damaged=properties.damaged)
        return read_each(properties, step.name.text, routes, steps, read_repeat(properties, states))

    def _call(self, step: Step, scope: StepScope) -> FlowStep | None:
        properties = self._properties(step, "flow", "input", "timeout", "save", "undo", "repeat")
        states = States((DEFAULT_STATE, STOPPED_STATE, TIMEOUT, ERROR), "a call")
        routes = self._routes(step, scope, states)
        properties.require("flow", step.name.span)
        name = properties.read("flow", read_name)
        owner = f"call '{step.name.text}'"
        given = read_flow_input(properties, name, owner, step.name.span)
        undone = Undone(owner, "a call", (DEFAULT_STATE,))
        return flow.CallStep(
            name=step.name.text,
            routes=routes,
            flow=name or "",
            input=given,
            timeout=properties.read("timeout", read_timespan),
            save=properties.variables("save"),
            undo=self._undo(properties, undone, routes, {}, ()),
            repeat=read_repeat(properties, states),
        )

    def _set(self, step: Step, scope: StepScope) -> FlowStep | None:
        properties = self._properties(step, "save")
        routes = self._routes(step, scope, States((DEFAULT_STATE, ERROR), "a set"))
        return flow.SetStep(name=step.name.text, routes=routes, save=properties.variables("save"))

    def _emit(self, step: Step, scope: StepScope) -> FlowStep | None:
        return read_emit(self._properties(step, *EMIT_PROPERTIES), step, Routing(self._context, step, scope))

    def _start(self, step: Step, scope: StepScope) -> FlowStep | None:
        return read_start(self._properties(step, *START_PROPERTIES), step, Routing(self._context, step, scope))


def _is_branch(member: Member) -> bool:
    return isinstance(member, Step) and member.kind.key == _BRANCH


def _names_in(part: Member, used: Mapping[Span, flow.Flow | None]) -> list[str]:
    """Return the names of a step, or of the steps that are used, without nested ones."""
    if isinstance(part, Step):
        return [part.name.text]
    found = used.get(part.span)
    return [part.prefix.text + step.name for step in found.steps] if found and isinstance(part, Use) else []


def _is_instant(step: FlowStep | None) -> bool:
    """Whether a step takes no time: it and its nested steps never wait."""
    match step:
        case flow.ChoiceStep() | flow.SetStep() | flow.EmitStep() | flow.StartStep():
            return True
        case flow.TimerStep():
            return isinstance(step.duration, int) and step.duration == 0
        case flow.ForkStep() | flow.EachStep():
            nested = [one for _, steps in flow.children_of(step) for one in steps]
            return all(_is_instant(one) for one in nested)
    return False
