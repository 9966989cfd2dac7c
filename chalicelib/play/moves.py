"""The moves of a play, as JSON: each object has one member, the name of the move."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

from chalicelib.model.json_values import Json

MAX_MOVES: Final = 1_000
"""The moves of one play."""

_Text = Annotated[str, msgspec.Meta(max_length=1_024)]


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of all moves: unknown fields are refused."""


class At(_Body, frozen=True, kw_only=True):
    """The activation that is meant: its step, and where several tokens or runs wait there, the token and the run."""

    step: _Text
    token: _Text | None = None
    run: _Text | None = None
    """The name of a called run; by default the run that is played, and then its called runs."""


class GivenError(_Body, frozen=True, kw_only=True):
    """Why an action answers as it does."""

    name: _Text = "Error"
    cause: str = ""


class AnswerMove(At, frozen=True, kw_only=True):
    """An action or a person answers. `done` false: a report of progress."""

    state: _Text = ""
    data: Json = None
    vars: dict[str, Json] = {}
    error: GivenError | None = None
    done: bool = True


class FailMove(At, frozen=True, kw_only=True):
    """A delivery fails. It is repeated as the step's `retry` says, unless `final`."""

    error: str = "connection refused"
    status: Annotated[int, msgspec.Meta(ge=100, le=599)] | None = None
    final: bool | None = None
    """None: as Echoer decides by the status."""


class EventMove(_Body, frozen=True, kw_only=True):
    """An event is published; with `run`, it is sent to that run only."""

    name: _Text
    key: _Text | int | float | bool = ""
    data: Json = None
    run: _Text | None = None


class CommandMove(_Body, frozen=True, kw_only=True):
    """A user commands the run."""

    do: Literal["pause", "continue", "stop", "retry", "vars"]
    step: _Text | None = None
    reason: _Text = ""
    set: dict[str, Json] = {}
    remove: tuple[_Text, ...] = ()


class ClockMove(_Body, frozen=True, kw_only=True):
    """Time passes: until the next thing happens by itself, by a duration (`2h`), or to a moment (RFC 3339)."""

    next: bool = False
    by: _Text | None = None
    to: _Text | None = None


class AutoMove(_Body, frozen=True, kw_only=True):
    """Everything that is asked is answered with its first state, until nothing is asked, or until a step is reached.

    `time`: where nothing is asked, time passes until something happens by itself, or the run has ended.
    """

    until: _Text | None = None
    time: bool = False


class Move(_Body, frozen=True, kw_only=True, omit_defaults=True):
    """One move: exactly one of the members."""

    answer: AnswerMove | None = None
    fail: FailMove | None = None
    event: EventMove | None = None
    command: CommandMove | None = None
    clock: ClockMove | None = None
    auto: AutoMove | None = None


AnyMove: TypeAlias = AnswerMove | FailMove | EventMove | CommandMove | ClockMove | AutoMove


def made(move: Move) -> AnyMove:
    """Return what the move does. Raises ValueError unless it has exactly one member."""
    given: list[Any] = [one for name in move.__struct_fields__ if (one := getattr(move, name)) is not None]
    if len(given) != 1:
        raise ValueError(f"a move has exactly one of {', '.join(move.__struct_fields__)}")
    found: AnyMove = given[0]
    return found
