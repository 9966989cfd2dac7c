"""A run's flow and its actions, each in one fixed version, compiled for the engine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from chalicelib.model.action_versions import ActionVersions
from chalicelib.model.actions import DEFAULTS, Action, Options
from chalicelib.model.compiled_step import CompiledStep, Invocation, compile_steps, names_in, undo_invocation, undo_user
from chalicelib.model.flow import ConditionStep, Flow, Step, actions_named, has_secret_vars
from chalicelib.model.json_values import Json
from chalicelib.model.times import Milliseconds

MAX_STEPS: Final = 1_000_000
"""How many steps a run may enter in all, unless its flow or the setting ECHOER_MAX_STEPS says otherwise."""

_DRAWN: Final = re.compile(rb"\$(?:random|uuid|shuffle)\b|\$step\s*\.\s*`?(?:uuid|token)\b")


@dataclass(frozen=True, kw_only=True)
class Definition:
    """All that the engine needs to know about the definition of a run. It never changes, so it is compiled once."""

    flow: Flow
    actions: Mapping[str, Action]
    defaults: Options = DEFAULTS
    """The options that apply where neither a step nor its action has them."""
    max_steps: int = MAX_STEPS
    """How many steps a run may enter in all, if its flow has no `max_steps`."""
    keep: Milliseconds | None = None
    """How long ended runs are kept, if their flow has no `keep`. None: until they are deleted."""
    newest: Mapping[str, Action] = field(default_factory=dict)
    """The newest versions of actions that are newer than those in `actions` (`model.action_versions`)."""
    config: Mapping[str, Json] = field(default_factory=dict)
    """The values that the run reads as `$config.NAME`."""
    unfollowed: Mapping[str, str] = field(init=False, repr=False, compare=False)
    """For each step (or undo) that cannot use the newest version of its action: why."""
    steps: Mapping[str, CompiledStep] = field(init=False, repr=False, compare=False)
    """Every step by name, nested ones included."""
    undo_invocations: Mapping[str, Invocation] = field(init=False, repr=False, compare=False)
    """For each action: how it is sent when it undoes a step."""
    has_secrets: bool = field(init=False, repr=False, compare=False)
    """Whether anything that a run of it stores may be encrypted."""
    has_permits: bool = field(init=False, repr=False, compare=False)
    """Whether any action that it sends is limited to a number of activations at once."""
    reads_response: bool = field(init=False, repr=False, compare=False)
    """Whether any expression reads `$response`."""
    reads_error: bool = field(init=False, repr=False, compare=False)
    """Whether any expression reads `$error`."""
    has_cancels: bool = field(init=False, repr=False, compare=False)
    """Whether any action that it sends is notified of abandoned activations."""
    has_conditions: bool = field(init=False, repr=False, compare=False)
    """Whether any step waits for a condition."""
    has_scopes: bool = field(init=False, repr=False, compare=False)
    """Whether a fork, a branch or an each has variables of its own."""
    is_straight: bool = field(init=False, repr=False, compare=False)
    """Whether every wait has a time-out, and runs have no secrets, permits, cancellations, scopes and responses."""
    computes_vars: bool = field(init=False, repr=False, compare=False)
    """Whether the initial value of a variable of the flow holds an expression."""
    has_draws: bool = field(init=False, repr=False, compare=False)
    """Whether any expression may read what is drawn at random: `$random()`, `$uuid()`, `$shuffle()`, or the uuid of an
    activation."""

    def __post_init__(self) -> None:
        versions = ActionVersions(self.actions, self.newest, frozenset(self.config))
        steps = compile_steps(self.flow, versions, self.defaults)
        used = {step.undo.action for step in steps.values() if step.undo and not step.undo.is_flow}
        undos = {name: undo_invocation(name, versions, self.defaults) for name in self.actions}
        derived = {
            "unfollowed": _unfollowed(versions.problems, used),
            "steps": steps,
            "undo_invocations": undos,
            "has_secrets": _has_secrets(self.flow, self.actions),
            "has_permits": any(
                _needs_permit(invocation)
                for invocation in (*(compiled.invocation for compiled in steps.values()), *undos.values())
            ),
            "has_scopes": any(compiled.fork_scope or compiled.scopes for compiled in steps.values()),
            "reads_response": _reads(self.flow, steps.values(), "response"),
            "reads_error": _reads(self.flow, steps.values(), "error"),
            "has_cancels": any(action.cancel for action in (*self.actions.values(), *self.newest.values())),
            "computes_vars": bool(names_in(self.flow.vars)),
            "has_draws": _has_draws((self.flow, *self.actions.values(), *self.newest.values())),
            "has_conditions": any(isinstance(compiled.step, ConditionStep) for compiled in steps.values()),
        }
        others = ("has_secrets", "has_permits", "has_scopes", "has_cancels", "reads_response")
        is_timed = isinstance(self.defaults.timeout, int)
        derived["is_straight"] = is_timed and not any(derived[name] for name in others)
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @property
    def step_limit(self) -> int:
        """How many steps a run may enter in all."""
        return self.flow.max_steps if self.flow.max_steps is not None else self.max_steps

    @property
    def undoing_actions(self) -> frozenset[str]:
        """The names of the actions that undo its steps, or undid them in a version to which a run of it belonged."""
        own = {step.undo.action for step in self.steps.values() if step.undo and not step.undo.is_flow}
        return frozenset(own & self.actions.keys()) | (self.actions.keys() - actions_named(self.flow))

    @property
    def secret_vars(self) -> frozenset[str]:
        """The names of all secret variables, of the run and of scopes."""
        scopes = (scope for step in self.steps.values() for scope in (step.fork_scope, *step.scopes.values()) if scope)
        return frozenset(self.flow.secret_vars).union(*(scope.secret for scope in scopes))

    @property
    def kept_ms(self) -> Milliseconds | None:
        """How long an ended run is kept; None: until it is deleted."""
        return self.flow.keep if self.flow.keep is not None else self.keep

    def step(self, name: str) -> Step | None:
        """Return the step of that name, at any depth, or None."""
        compiled = self.steps.get(name)
        return compiled.step if compiled else None


def _reads(flow: Flow, steps: Iterable[CompiledStep], name: str) -> bool:
    """Return whether an expression of a step or of the flow's output reads that name."""
    return name in names_in(flow.output) or any(name in compiled.names for compiled in steps)


def _has_draws(parts: Iterable[Flow | Action]) -> bool:
    """Return whether an expression of a part may read what is drawn. A text that only looks like one counts too."""
    return any(_DRAWN.search(msgspec.json.encode(part)) for part in parts)


def _unfollowed(problems: Mapping[str, str], undoing: Iterable[str]) -> dict[str, str]:
    """Return the problems of steps, and of those actions that undo steps."""
    undos = {undo_user(name) for name in undoing}
    return {user: why for user, why in problems.items() if not user.startswith(undo_user("")) or user in undos}


def _needs_permit(invocation: Invocation | None) -> bool:
    limits = (invocation.options.limit, invocation.own_limit) if invocation else ()
    return any(limit is not None and limit.concurrent is not None for limit in limits)


def configs_of(flow: Flow, actions: Iterable[Action]) -> frozenset[str]:
    """Return the names of the configuration that a run reads in the expressions of its flow and of its actions."""
    return frozenset(flow.configs).union(*(action.configs for action in actions))


def _has_secrets(flow: Flow, actions: Mapping[str, Action]) -> bool:
    parameters = (*flow.input, *(parameter for action in actions.values() for parameter in action.parameters))
    return (
        has_secret_vars(flow)
        or any(parameter.secret for parameter in parameters)
        or any(action.secret_data for action in actions.values())
    )
