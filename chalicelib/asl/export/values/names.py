"""What the names of FSL are in a machine: `$vars.x` is `$x`, `$result` is `$states.result` or `$states.input`."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Final


class Inexpressible(Exception):
    """Something has no counterpart in Step Functions; the message says what, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a name of FSL is.

    Attributes:
        whole: The JSONata text of its value; None if the whole value cannot be expressed.
        members: The texts of members that have their own. Other members follow `whole`.
        why: Why it, or a member that is not listed, cannot be expressed.
        is_closed: Whether it has no other members.
    """

    whole: str | None = None
    members: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    is_closed: bool = False


NOTHING: Final = Meaning(whole="()")
"""A name without a value: `()` yields nothing."""

NULL: Final = Meaning(whole="(null)")


def error_meaning(whole: str, members: Mapping[str, str]) -> Meaning:
    """Return what `$error` is."""
    why = "Step Functions has the name and the cause of an error only"
    return Meaning(whole=whole, members=members, why=why, is_closed=True)


def held_error(variable: str) -> Meaning:
    """Return what `$error` is where a variable holds it."""
    members = {name: f"${variable}.{name}" for name in ("name", "cause", "step", "state")}
    return error_meaning(f"${variable}", members)


def refused(why: str) -> Meaning:
    """Return the meaning of a name that cannot be expressed."""
    return Meaning(why=why)


INPUT: Final = "$states.input"
RESULT: Final = "$states.result"
TASK_TOKEN: Final = "$states.context.Task.Token"  # noqa: S105 - a path
EXECUTION_INPUT: Final = "$states.context.Execution.Input"

_RUN: Final = Meaning(
    members={
        "name": "$states.context.Execution.Name",
        "id": "$states.context.Execution.Id",
        "flow": "$states.context.StateMachine.Name",
        "started_at": "$states.context.Execution.StartTime",
    },
    why="an execution has no labels, version or namespace",
)

_EVENT: Final = refused("Step Functions has no events that an execution waits for")
_SCHEDULED: Final = refused("an execution does not know the slot of a schedule")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """What each name is at one place of a machine. `variables`: the name of each variable in the machine."""

    input: Meaning
    variables: Mapping[str, str]
    result: Meaning
    state: Meaning
    error: Meaning
    response: Meaning
    step: Meaning
    item: Meaning
    index: Meaning
    config: Meaning

    def meaning(self, name: str) -> Meaning:
        """Return what a name is. The variables themselves are `variables`."""
        match name:
            case "run":
                return _RUN
            case "event":
                return _EVENT
            case "scheduled":
                return _SCHEDULED
            case "now":
                return Meaning(whole="$now()")
            case _:
                found: Meaning = getattr(self, name)
                return found


def step_meaning(name: str, *, has_token: bool) -> Meaning:
    """Return what `$step` is in the state of that name. `has_token`: whether it waits for a task token."""
    members = {
        "name": "$states.context.State.Name",
        "entered_at": "$states.context.State.EnteredTime",
        "attempt": "$states.context.State.RetryCount",
    }
    if has_token:
        members |= {"token": TASK_TOKEN}
    return Meaning(members=members, why=f"step {name} has no uuid and no other token in Step Functions")


def free_name(name: str, taken: Set[str]) -> str:
    """Return the name, with a number if it is taken."""
    number = 2
    while f"{name}{number}" in taken:
        number += 1
    return f"{name}{number}" if name in taken else name
