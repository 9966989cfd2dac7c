"""Steps with everything that follows from their definition, derived once when the definition is loaded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec
from msgspec.structs import replace

from chalicelib.model.action_versions import ActionVersions
from chalicelib.model.actions import Action, ActionCall, Limit, Method, Options, Parameter
from chalicelib.model.flow import (
    DEFAULT_STATE,
    ERROR,
    ActionStep,
    Branch,
    CallStep,
    ChoiceStep,
    ConditionStep,
    EachStep,
    EmitStep,
    EventStep,
    Flow,
    ForkStep,
    Route,
    SetStep,
    StartStep,
    Step,
    TimerStep,
    action_calls,
    children_of,
)
from chalicelib.model.json_values import Json, children_in
from chalicelib.model.templates import Expression, Template, holds_reference, source_of
from chalicelib.model.times import Milliseconds
from chalicelib.model.waits import NoticeKind

HUMAN_TIMEOUT_MS: Final[Milliseconds] = 30 * 86_400_000
"""How long a step waits for a person if neither the step nor its action has a timeout."""

_NAME: Final = re.compile(r"\$([A-Za-z_]\w*)")

VARYING: Final = frozenset(
    {"vars", "result", "state", "error", "event", "item", "index", "step", "response"}
    | {"now", "millis", "random", "uuid", "shuffle"}
)
"""Names and functions whose values change in the course of a run."""

_OTHER_OF_RUN: Final = re.compile(r"\$run\.(?!labels\b)[a-z_]+")
"""An expression that reads something else of the run, which does not change."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """An action to send, and the answers that are accepted."""

    action: Action
    options: Options
    args: Mapping[str, Template]
    states: tuple[str, ...]
    """The declared states that the step routes, in the order in which the action declares them."""
    given: Mapping[str, Json] = field(default_factory=dict)
    """Args that have been evaluated already."""
    evaluated: frozenset[str] = frozenset()
    """The args with expressions: they are evaluated when the step is entered. Not those that refer to secrets."""
    varying: frozenset[str] = frozenset()
    """Those of them that depend on more than `$input` and `$run`, which never change: their values are stored."""

    own_limit: Limit | None = None
    """The limit in the run's own version of the action: activations may hold permits of it."""
    is_bare: bool = False
    """Whether the request holds nothing but the run, the step and the args of the activation."""

    has_secrets: bool = field(init=False, default=False)
    """Whether the service may know secrets: those that it is sent, or those that it answers."""
    is_human: bool = field(init=False, default=False)
    """Whether a person does the work."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_human", self.action.method is Method.HUMAN)
        is_sent = bool(self.options.secret_headers) or any(map(self._sends_secret, self.action.parameters))
        has_secrets = self.action.secret_data or (is_sent and not self.is_human)
        object.__setattr__(self, "has_secrets", has_secrets)

    def _sends_secret(self, parameter: Parameter) -> bool:
        is_given = parameter.name in self.args or parameter.name in self.given
        return parameter.secret and (is_given or parameter.default is not None)

    @property
    def may_be_held_back(self) -> bool:
        """Whether its deliveries may wait for a limit or for a breaker."""
        limit = self.options.limit
        is_limited = limit is not None and (limit.concurrent is not None or limit.per_second is not None)
        return is_limited or self.action.breaker is not None

    def accepts(self, state: str) -> bool:
        """Whether an answer with `state` ends the wait, whatever it says of an error."""
        return state in self.action.returns


class CompiledUndo(msgspec.Struct, frozen=True, kw_only=True):
    """What undoes the work of a step, with its args by the time at which they are evaluated."""

    action: str
    """The name of the action or of the flow."""
    is_flow: bool
    states: frozenset[str]
    """The states after which there is work to undo."""
    parameters: Mapping[str, Parameter]
    """What the action or the flow declares, by name; empty for a flow that takes one value."""
    takes_value: bool = False
    """Whether it is a flow that takes one value: then every arg must have a value."""
    args: Mapping[str, Template]
    """Evaluated when the step finishes."""
    secret_args: Mapping[str, Template]
    """Evaluated when the step finishes, and encrypted."""
    inherited: frozenset[str]
    """The names of args that are those of the step itself, as they were sent."""
    sent_defaults: Mapping[str, Json]
    """The defaults that the step's action sends for inherited args whose expressions yield nothing."""
    references: Mapping[str, Template]
    """Args that refer to secrets of the namespace: evaluated when the action is sent."""


class CompiledScope(msgspec.Struct, frozen=True):
    """The variables of a fork, of a branch or of an item."""

    vars: Mapping[str, Template]
    """Their initial values, evaluated when the scope begins."""
    secret: frozenset[str]
    """The names of those that are stored encrypted."""
    names: frozenset[str]
    """The names that the initial values read."""


class CompiledStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step and what the engine asks of it at each move."""

    step: Step
    parent: str
    """The name of the fork or each around it; empty at the top level."""
    position: int
    """Its place among all steps of the flow, nested ones included, in the order of the text."""
    names: frozenset[str]
    """The names (`vars` for `$vars`) that its expressions may read; empty if it has no expressions."""
    routes: Mapping[str, tuple[Route, ...]]
    """For each state that a route names: the routes that accept it, from left to right."""
    other_routes: tuple[Route, ...]
    """The routes that accept any other state."""
    invocation: Invocation | None = None
    """What an action step sends."""
    notices: Mapping[NoticeKind, Invocation] = msgspec.field(default_factory=dict)
    """What a wait for events sends when it begins and when it ends."""
    undo: CompiledUndo | None = None
    signed: bool = False
    """Whether answers to the step, or to the action that undoes it, must be signed."""
    fork_scope: CompiledScope | None = None
    """The variables that the branches of a fork share; None if there are none."""
    leaves_straight: bool = False
    """Whether an answer does nothing but take a route: the step saves, repeats, undoes and hides nothing."""
    enters_straight: bool = False
    """Whether nothing but its args is computed when the step is entered, and its action is sent at once."""
    scopes: Mapping[str, CompiledScope] = msgspec.field(default_factory=dict)
    """The variables of each branch by its name, or of each item by the empty name; without those that have none."""

    def routes_of(self, state: str) -> tuple[Route, ...]:
        """The routes that accept `state`, from left to right."""
        return self.routes.get(state, self.other_routes)


def compile_steps(flow: Flow, actions: ActionVersions, defaults: Options) -> dict[str, CompiledStep]:
    """Compile every step of the flow, nested ones included; the keys are their names."""
    steps = enumerate(_with_parents(flow.steps, ""))
    return {step.name: _compile(step, parent, place, actions, defaults) for place, (step, parent) in steps}


def undo_user(action: str) -> str:
    """Return how the undo by an action is called where its version is looked up."""
    return f"undo by {action}"


def undo_invocation(name: str, actions: ActionVersions, defaults: Options) -> Invocation:
    """The invocation of an action that undoes a step, without its args."""
    own = actions.own[name]
    action = actions.sent(undo_user(name), name, [parameter.name for parameter in own.parameters])
    options = _human_timeout(action, action.options.over(defaults), action.options.timeout)
    return Invocation(action, options, {}, action.returns, own_limit=own.options.limit)


def reads_labels(template: Template) -> bool:
    """Return whether an expression in the template may read the labels of the run, which may change."""
    source = source_of(template)
    if source is not None:
        return "$run" in source and not _OTHER_OF_RUN.fullmatch(source.strip())
    return any(map(reads_labels, children_in(template)))


def names_in(template: Template) -> frozenset[str]:
    """The names that the template's expressions may read, `now` included: functions of time need it."""
    source = source_of(template)
    if source is not None:
        return frozenset(_NAME.findall(source)) | {"now"}
    return frozenset[str]().union(*map(names_in, children_in(template)))


def _names_read(template: Template) -> frozenset[str] | None:
    """Return the names of variables and functions in the template's expressions; None if it has no expression."""
    source = source_of(template)
    if source is not None:
        return frozenset(_NAME.findall(source))
    found = [names for inner in children_in(template) if (names := _names_read(inner)) is not None]
    return frozenset[str]().union(*found) if found else None


def _with_parents(steps: Iterable[Step], parent: str) -> Iterator[tuple[Step, str]]:
    for step in steps:
        yield step, parent
        for _, nested in children_of(step):
            yield from _with_parents(nested, step.name)


def _compile(step: Step, parent: str, position: int, versions: ActionVersions, defaults: Options) -> CompiledStep:
    actions = versions.own
    invocation = _invocation(step, versions, defaults) if isinstance(step, ActionStep) else None
    undo = _undo(step, actions) if isinstance(step, (ActionStep, CallStep)) else None
    notices = _notices(step, versions, defaults) if isinstance(step, EventStep) else {}
    sent = {NoticeKind.CANCEL: invocation.action if invocation else None}
    sent[NoticeKind.CANCEL_UNDO] = (
        undo_invocation(undo.action, versions, defaults).action if undo and not undo.is_flow else None
    )
    notices |= {kind: _cancellation(action, defaults) for kind, action in sent.items() if action and action.cancel}
    return CompiledStep(
        step=step,
        parent=parent,
        position=position,
        names=_names(step, undo, _limit_keys(undo, (invocation, *notices.values()), actions)),
        routes=_routes_by_state(step),
        other_routes=_accepting(step, None),
        invocation=invocation,
        notices=notices,
        undo=undo,
        signed=(invocation is not None and invocation.options.signed)
        or (undo is not None and not undo.is_flow and actions[undo.action].options.signed)
        or any(notice.options.signed for notice in notices.values()),
        leaves_straight=invocation is not None and undo is None and _returns_straight(step, invocation),
        enters_straight=invocation is not None and _is_sent_at_once(invocation),
        fork_scope=_scope(step) if isinstance(step, ForkStep) else None,
        scopes=_scopes(step),
    )


def _returns_straight(step: Step, invocation: Invocation) -> bool:
    return isinstance(step, ActionStep) and not (step.repeat or step.save or invocation.has_secrets)


def _is_sent_at_once(invocation: Invocation) -> bool:
    options = invocation.options
    computed = (options.timeout, options.heartbeat, options.role)
    has_key = options.limit is not None and options.limit.key is not None
    return not (invocation.is_human or options.approval or has_key or any(isinstance(one, dict) for one in computed))


def _scopes(step: Step) -> dict[str, CompiledScope]:
    """Return the variables of the branches of a fork, or of the items of an each."""
    named: tuple[tuple[str, Branch | EachStep], ...] = ()
    if isinstance(step, ForkStep):
        named = tuple((branch.name, branch) for branch in step.branches)
    elif isinstance(step, EachStep):
        named = (("", step),)
    return {name: found for name, owner in named if (found := _scope(owner)) is not None}


def _scope(owner: Branch | ForkStep | EachStep) -> CompiledScope | None:
    if not owner.vars:
        return None
    return CompiledScope(owner.vars, frozenset(owner.secret_vars), names_in(owner.vars))


def _routes_by_state(step: Step) -> dict[str, tuple[Route, ...]]:
    """Return the routes of each state that is named. No condition of a choice is judged again after it failed."""
    if isinstance(step, ChoiceStep):
        return {ERROR: tuple(route for route in step.routes if route.state == ERROR)}
    return {state: _accepting(step, state) for route in step.routes if (state := route.state) is not None}


def _accepting(step: Step, state: str | None) -> tuple[Route, ...]:
    return tuple(route for route in step.routes if route.state in (None, state))


def _invocation(step: ActionStep, actions: ActionVersions, defaults: Options) -> Invocation:
    """Services written for echoer take the first state for success, so the order is the action's, not the routes'."""
    routed = {route.state for route in step.routes}
    states = [state for state in routed if state is not None]
    action, known = actions.sent(step.name, step.action, step.args, states), actions.own[step.action]
    own = step.options.over(action.options)
    names = {name: _names_read(arg) for name, arg in step.args.items() if not holds_reference(arg)}
    evaluated = {name: used for name, used in names.items() if used is not None}
    return Invocation(
        action.taking(step.args),
        _human_timeout(action, own.over(defaults), own.timeout),
        step.args,
        tuple(state for state in action.returns if state in routed or None in routed),
        evaluated=frozenset(evaluated),
        varying=frozenset(name for name, used in evaluated.items() if used & VARYING or reads_labels(step.args[name])),
        own_limit=step.options.over(known.options).limit,
    )


def _notices(step: EventStep, actions: ActionVersions, defaults: Options) -> dict[NoticeKind, Invocation]:
    calls = {NoticeKind.ENTER: step.on_enter, NoticeKind.LEAVE: step.on_leave}
    return {
        kind: _notice(call, actions.sent(step.name, call.action, call.args), defaults)
        for kind, call in calls.items()
        if call
    }


def _notice(call: ActionCall, action: Action, defaults: Options) -> Invocation:
    """All args but those that refer to secrets are evaluated when the wait begins.

    A notice holds no permit, so only the rate of a limit counts for it.
    """
    options = action.options.over(defaults)
    limit = replace(options.limit, concurrent=None) if options.limit and options.limit.per_second else None
    evaluated = frozenset(name for name, arg in call.args.items() if not holds_reference(arg))
    return Invocation(
        action, replace(options, limit=limit), call.args, action.returns, evaluated=evaluated, varying=evaluated
    )


def _cancellation(action: Action, defaults: Options) -> Invocation:
    """The notice that an activation of the action was abandoned. Its args are all that it sends."""
    notified = Action(name=action.name, returns=(), addresses=action.cancel, ca_bundle=action.ca_bundle)
    base = action.options.over(defaults)
    options = Options(retry=base.retry, headers=base.headers, secret_headers=base.secret_headers)
    return Invocation(notified, options, {}, (), is_bare=True)


def _human_timeout(action: Action, options: Options, stated: Milliseconds | Expression | None) -> Options:
    """The options with the timeout for people, if the action is done by a person and no timeout is stated."""
    return replace(options, timeout=HUMAN_TIMEOUT_MS) if action.method is Method.HUMAN and stated is None else options


def _undo(step: ActionStep | CallStep, actions: Mapping[str, Action]) -> CompiledUndo | None:
    """The step's own undo, or its action's. Args that it leaves out are the step's own args of the same names."""
    undo = step.undo or (actions[step.action].undo if isinstance(step, ActionStep) else None)
    if undo is None:
        return None
    declared_inputs = (undo.inputs or ()) if undo.is_flow else actions[undo.action].taking(undo.args).parameters
    parameters = {known.name: known for known in declared_inputs}
    secret = {name for name, parameter in parameters.items() if parameter.secret}
    defaults: dict[str, Json] = {}
    own: dict[str, Template] = {}
    if isinstance(step, ActionStep) and not undo.is_flow:
        sent = {known.name: known for known in actions[step.action].parameters}
        defaults = {name: known.default for name, known in sent.items() if name in parameters and not known.required}
        own = {**defaults, **{name: arg for name, arg in step.args.items() if name in parameters}}
    args = {**own, **undo.args}
    references = {name: arg for name, arg in args.items() if holds_reference(arg)}
    declared = actions[step.action].returns if isinstance(step, ActionStep) else (DEFAULT_STATE,)
    return CompiledUndo(
        action=undo.action,
        is_flow=undo.is_flow,
        states=frozenset(undo.states or declared),
        parameters=parameters,
        takes_value=undo.is_flow and undo.inputs is None,
        args={name: arg for name, arg in args.items() if name not in secret and name not in references},
        secret_args={name: arg for name, arg in args.items() if name in secret and name not in references},
        inherited=frozenset(own.keys() - undo.args.keys()),
        sent_defaults=defaults,
        references=references,
    )


def _limit_keys(
    undo: CompiledUndo | None, invocations: Iterable[Invocation | None], actions: Mapping[str, Action]
) -> list[Template]:
    """The keys of the limits of the actions that the step sends and that undo it."""
    limits = [invocation.options.limit for invocation in invocations if invocation]
    if undo is not None and not undo.is_flow:
        limits.append(actions[undo.action].options.limit)
    return [limit.key for limit in limits if limit is not None]


def _names(step: Step, undo: CompiledUndo | None, limit_keys: list[Template]) -> frozenset[str]:
    """The names that the step's expressions read."""
    found = set(names_in([*step_templates(step), *limit_keys]))
    if undo is not None:
        found |= names_in([*undo.args.values(), *undo.secret_args.values()])
    conditions = [route.when for route in step.routes if route.when is not None]
    if not isinstance(step, (ChoiceStep, SetStep)):
        conditions += [rule.when for rule in step.repeat if rule.when is not None]
    if isinstance(step, ConditionStep):
        conditions.append(step.condition)
    for condition in conditions:
        found |= {"now", *_NAME.findall(condition)}
    return frozenset(found)


def step_templates(step: Step) -> Iterator[Template]:
    """Yield the templates of a step; not those of its conditions, of its undo, and of the steps within it."""
    for route in step.routes:
        yield from route.entries.values()
    if not isinstance(step, ChoiceStep):
        yield from step.save.values()
    yield from _options(step)
    yield from _own_templates(step)


def _own_templates(step: Step) -> Iterator[Template]:
    match step:
        case ActionStep():
            yield from step.args.values()
        case TimerStep():
            yield from (step.duration, step.until, step.next, step.zone)
        case EventStep():
            yield step.key
            yield from (call.args for call in action_calls(step))
        case EachStep():
            yield step.items
        case ForkStep():
            yield from step.vars.values()
        case CallStep():
            yield step.input
        case EmitStep():
            yield from (step.event, step.key, step.data, step.to, step.ttl)
        case StartStep():
            yield from (step.input, step.run, step.labels)


def _options(step: Step) -> Iterator[Template]:
    """Yield the options of a step that may be expressions."""
    if not isinstance(step, (ChoiceStep, SetStep)):
        for rule in step.repeat:
            yield from (rule.max, rule.delay, rule.rate, rule.cap)
    match step:
        case ActionStep():
            yield from (step.options.timeout, step.options.heartbeat, step.options.role)
        case EventStep() | ConditionStep() | CallStep() | ForkStep():
            yield step.timeout
        case EachStep():
            yield from (step.max, step.tolerate, step.batch, step.timeout)
