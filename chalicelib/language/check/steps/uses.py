"""Expand `use NAME as PREFIX;`: the steps of another flow, with prefixed names, in the place of the line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from chalicelib.language.check.context import Context
from chalicelib.language.check.readers.arguments import Inputs
from chalicelib.language.problems import Problem, Suggestion
from chalicelib.language.syntax.tree import Use
from chalicelib.model.actions import ArgType
from chalicelib.model.flow import DONE, ENDS, EachStep, Flow, ForkStep, Step, walk
from chalicelib.model.templates import Template


class Uses:
    """The flows whose steps one flow (`owner`) uses.

    `inputs` takes their inputs; it is None if the flow cannot have more of them. `input_type` is that of its one value.
    """

    def __init__(self, context: Context, owner: str, inputs: Inputs | None, input_type: ArgType | None) -> None:
        self._context = context
        self._owner = owner
        self._inputs = inputs
        self._input_type = input_type
        self._found: list[tuple[Use, Flow]] = []

    def flow_of(self, use: Use) -> Flow | None:
        """Return the flow that the line names; one that is unknown or cannot be used is reported."""
        context, name = self._context, use.flow.text
        if not context.valid_name(use.prefix):
            return None
        flow = context.flow(name)
        if flow is None:
            if name not in context.broken["flow"]:
                near = Suggestion(name, context.names())
                context.findings.report(Problem.UNKNOWN_FLOW, use.flow.span, near=near, name=name)
            return None
        self._found.append((use, flow))
        self._adopt_inputs(use, flow)
        ignored = [f"'{key}'" for key, is_set in _ignored(flow).items() if is_set]
        if ignored:
            context.findings.report(Problem.IGNORED_BY_USE, use.flow.span, names=", ".join(ignored), flow=name)
        return flow

    def steps(self, use: Use, flow: Flow, following: str) -> tuple[Step, ...]:
        """Return the steps of the flow as they are used: its `done` leads to `following`."""
        for step in flow.steps if following != DONE else ():
            if any(route.target == DONE and route.entries for route in step.routes):
                reason = f"step '{step.name}' gives an output with a route to done, which leads to '{following}' here"
                self._refuse(use, reason)
        return tuple(_renamed(step, use.prefix.text, following) for step in flow.steps)

    def merge_vars(
        self, variables: dict[str, Template], secret: tuple[str, ...]
    ) -> tuple[dict[str, Template], tuple[str, ...]]:
        """Return the variables with those of the flows that are used. Those that differ are reported."""
        variables = dict(variables)
        hidden = set(secret)
        for use, flow in self._found:
            for name, value in flow.vars.items():
                is_secret = name in flow.secret_vars
                if name in variables and (variables[name] != value or (name in hidden) is not is_secret):
                    self._context.findings.report(
                        Problem.CONFLICTING_VARIABLE, use.flow.span, name=name, flow=flow.name, owner=self._owner
                    )
                variables.setdefault(name, value)
                hidden |= {name} if is_secret else set()
        return variables, tuple(sorted(hidden))

    def configs(self) -> frozenset[str]:
        """Return the names that the used steps read of the configuration."""
        return frozenset(name for _, flow in self._found for name in flow.configs)

    def _adopt_inputs(self, use: Use, flow: Flow) -> None:
        if flow.input_type is not None:
            if self._input_type is not flow.input_type:
                self._refuse(use, f"it takes one value as its input, and needs 'input = {flow.input_type}' here too")
        elif self._inputs is not None:
            for parameter in flow.input:
                self._inputs.adopt(parameter, use.flow.span, f"flow '{flow.name}'")
        elif flow.input:
            names = ", ".join(parameter.name for parameter in flow.input)
            self._refuse(use, f"it has inputs ({names}), and none can be added here")

    def _refuse(self, use: Use, reason: str) -> None:
        self._context.findings.report(
            Problem.UNUSABLE_FLOW, use.flow.span, name=use.flow.text, owner=self._owner, reason=reason
        )


def names_of(use: Use, flow: Flow) -> Iterator[str]:
    """Yield the names of the steps as they are used, nested ones included."""
    return (use.prefix.text + step.name for step in walk(flow.steps))


def _ignored(flow: Flow) -> Mapping[str, bool]:
    """Return the properties of a flow that do not apply to its steps, and whether it has them."""
    return {
        "output": flow.output is not None,
        "timeout": flow.timeout is not None,
        "max_steps": flow.max_steps is not None,
        "labels": bool(flow.labels),
        "keep": flow.keep is not None,
        "limit": flow.limit is not None,
    }


def _renamed(step: Step, prefix: str, done: str) -> Step:
    """Return the step with prefixed names; `done` is where its scope leads on to."""
    step = replace(
        step,
        name=prefix + step.name,
        routes=tuple(replace(route, target=_target(route.target, prefix, done)) for route in step.routes),
    )
    match step:
        case ForkStep():
            branches = (replace(one, steps=_all_renamed(one.steps, prefix)) for one in step.branches)
            return replace(step, branches=tuple(branches))
        case EachStep():
            return replace(step, steps=_all_renamed(step.steps, prefix))
        case _:
            return step


def _all_renamed(steps: tuple[Step, ...], prefix: str) -> tuple[Step, ...]:
    return tuple(_renamed(step, prefix, DONE) for step in steps)


def _target(target: str, prefix: str, done: str) -> str:
    if target == DONE:
        return done
    return target if target in ENDS else prefix + target
