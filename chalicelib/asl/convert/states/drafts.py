"""A state as a step and its exits, before it is known where their documents are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.asl.convert.flow.steps import Block, Step
from chalicelib.asl.convert.jsonata.documents import Document
from chalicelib.asl.convert.jsonata.expressions import Expr, Variable


@dataclass
class Exit:
    """One way out of a state. `target` is a state; None is the end of the scope.

    Attributes:
        states: The states of FSL that lead here; none in a `deci`.
        document: What is handed on, or the output.
        assigns: What is assigned on the way.
        given: What an end says (`error`, `cause`), where the way leads to `stopped`.
        is_success: The step did not fail.
    """

    target: str | None
    document: Document
    states: tuple[str, ...] = ()
    when: Expr | None = None
    otherwise: bool = False
    assigns: list[tuple[Variable, Document]] = field(default_factory=list)
    given: dict[str, Document] | None = None
    is_success: bool = True
    is_before: bool = False
    """It is an exit of the step before."""


@dataclass
class Draft:
    """A step, its exits, and what makes the blocks within it once its own place is known.

    Attributes:
        before: A step before it, which leads to it.
        after: A step behind it: its success leads there, and the success exits are those of that step.
    """

    step: Step
    exits: list[Exit]
    blocks: Callable[[], list[Block]] | None = None
    before: Step | None = None
    after: Step | None = None


def next_of(state: Mapping[str, Any]) -> str | None:
    """Return where a state leads; None to the end of its scope."""
    following = state.get("Next")
    return following if isinstance(following, str) else None
