"""Steps of FSL as data, before they are text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from chalicelib.asl.convert.jsonata.documents import Document
from chalicelib.asl.convert.jsonata.expressions import Expr, Variable

DONE: Final = "done"
STOPPED: Final = "stopped"


@dataclass(frozen=True, slots=True)
class Plain:
    """Text that is written as it is: a word, a number, a duration."""

    text: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A value in which nothing is an error by itself."""

    document: Document
    group: bool = False
    """It is written as a group if it can be: `(name = value)`."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A value that is kept: what must be there is marked by `$need`."""

    document: Document


Property: TypeAlias = Plain | Sent | Kept


@dataclass
class Entry:
    """A variable, or a member in it, and what it is set to."""

    variable: Variable
    value: Document
    members: tuple[str, ...] = ()


@dataclass
class Route:
    """Where a state leads. `target` is the name of a state of the machine, DONE or STOPPED.

    Attributes:
        states: The states that it is for; none in a `deci`.
        otherwise: It is `else`.
        given: The `output`, `error` and `cause` of an end.
    """

    states: tuple[str, ...]
    target: str
    when: Expr | None = None
    otherwise: bool = False
    entries: list[Entry] = field(default_factory=list)
    given: dict[str, Document] = field(default_factory=dict)
    is_end: bool = False


@dataclass
class Rule:
    """A rule of `repeat`: its states, its condition, and its numbers as FSL writes them."""

    states: tuple[str, ...]
    when: Expr | None
    settings: dict[str, str]


@dataclass
class Block:
    """The steps of a branch or an item, and its variables with what they begin with."""

    name: str
    steps: list[Step]
    variables: list[Entry] = field(default_factory=list)
    scope: int = 0
    """The number of its scope."""


@dataclass
class Step:
    """A step. `state` is the name of the state that it is made of; `name` its own."""

    kind: str
    state: str
    routes: list[Route] = field(default_factory=list)
    properties: dict[str, Property] = field(default_factory=dict)
    repeat: list[Rule] = field(default_factory=list)
    save: list[Entry] = field(default_factory=list)
    variables: list[Entry] = field(default_factory=list)
    """Those of a fork, and what they begin with."""
    blocks: list[Block] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    action: Action | None = None
    retry: dict[str, str] | None = None
    """How its delivery is retried."""
    name: str = ""

    @property
    def has_result(self) -> bool:
        """Whether it brings a `$result` that is its output where nothing else is written."""
        return self.kind in ("step", "each", "call")


@dataclass(eq=False)
class Action:
    """An action. Two with the same `properties` are one."""

    wish: str
    properties: dict[str, str]
    name: str = ""
    retries: list[dict[str, str] | None] = field(default_factory=list)
    """What each step that uses it says of `retry`."""
    comments: list[str] = field(default_factory=list)

    @property
    def retry(self) -> dict[str, str] | None:
        """How its deliveries are retried, where all its steps agree."""
        first = self.retries[0] if self.retries else None
        return first if first is not None and all(one == first for one in self.retries) else None


@dataclass
class Actions:
    """The actions of a document, each once, in the order of their first use."""

    known: dict[tuple[tuple[str, str], ...], Action] = field(default_factory=dict)

    def take(self, wish: str, properties: dict[str, str]) -> Action:
        """Return the action with these properties."""
        key = tuple(properties.items())
        if key not in self.known:
            self.known[key] = Action(wish, properties)
        return self.known[key]
