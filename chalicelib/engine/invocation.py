"""What an activation asks of the outside: which action, with which args, answering which states (API.md, 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from chalicelib.engine.routes import answers
from chalicelib.model.actions import Action, Method, Options, Undo
from chalicelib.model.definition import Definition
from chalicelib.model.flow import BUILT_IN_STATES, ActionStep
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, Token
from chalicelib.model.templates import Template, holds_reference
from chalicelib.model.times import Milliseconds

UNDO: Final = "undo"
"""The id of the token that undoes finished steps."""

HUMAN_TIMEOUT: Final[Milliseconds] = 30 * 86_400_000
"""How long a person is waited for where nothing is said."""

APPROVED: Final = "APPROVE"

REJECTED: Final = "REJECT"
"""How a person answers whether a dispatch may pass."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """An action to be sent, and how its answer is judged."""

    action: Action
    options: Options
    args: Mapping[str, Template]
    states: tuple[str, ...]
    """What may be answered, in the order in which the action declares it."""
    routed: frozenset[str] = frozenset()
    """Built-in states that are routed by name, and so may be answered too."""
    given: Mapping[str, Json] = field(default_factory=dict)
    """Args whose values are known already."""

    @property
    def is_human(self) -> bool:
        return self.action.method is Method.HUMAN

    def accepts(self, state: str) -> bool:
        """Whether an answer with `state` ends the wait."""
        return state in self.states or state in self.routed


def invocation_of(definition: Definition, run: Run, token: Token) -> Invocation | None:
    """What the token's wait asks of the outside; None if it waits for something else."""
    if token.id == UNDO:
        return _undo_invocation(definition, run)
    step = definition.step(token.step)
    if not isinstance(step, ActionStep):
        return None
    action = definition.actions[step.action]
    routed = frozenset(route.state for route in step.routes if route.state in BUILT_IN_STATES)
    options = _with_patience(action, definition.options(step), step.options.over(action.options).timeout)
    return Invocation(action, options, step.args, answers(step, action), routed - {None})


def _undo_invocation(definition: Definition, run: Run) -> Invocation | None:
    if not run.undos:
        return None
    undo = run.undos[-1]
    action = definition.actions[undo.action]
    options = _with_patience(action, action.options.over(definition.defaults), action.options.timeout)
    step = definition.step(undo.step)
    said = undo_of(definition, step) if isinstance(step, ActionStep) else None
    references = {name: arg for name, arg in said.args.items() if holds_reference(arg)} if said else {}
    return Invocation(action, options, references, action.returns, given=undo.args)


def undo_of(definition: Definition, step: ActionStep) -> Undo | None:
    """What undoes the step: its own undo, or its action's, with the step's args where that has args of their names."""
    undo = definition.actions[step.action].undo
    if step.undo or undo is None:
        return step.undo
    wanted = {parameter.name for parameter in definition.actions[undo.action].parameters}
    given = {name: value for name, value in step.args.items() if name in wanted}
    return Undo(action=undo.action, args={**given, **undo.args})


def _with_patience(action: Action, options: Options, said: Milliseconds | None) -> Options:
    """A person is waited for longer than a service, where nothing is said of it."""
    return replace(options, timeout=HUMAN_TIMEOUT) if action.method is Method.HUMAN and said is None else options


def awaits_approval(token: Token) -> bool:
    """Whether a person must let the dispatch pass before anything is sent."""
    memo = token.activation.memo if token.activation else None
    return isinstance(memo, Mapping) and memo.get("approval") == "open"


def is_signed(definition: Definition, step: str) -> bool:
    """Whether answers to a step must be signed, of its action or of what undoes it: all that is known of one whose
    activation is gone."""
    found = definition.step(step)
    if not isinstance(found, ActionStep):
        return False
    undo = undo_of(definition, found)
    return definition.options(found).signed or (undo is not None and definition.actions[undo.action].options.signed)
