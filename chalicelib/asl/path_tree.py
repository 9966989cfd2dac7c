"""What a JSONPath of Step Functions is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class NotReadable(ValueError):
    """A path or an intrinsic function cannot be read.

    Attributes:
        column: Where in the text, from 1.
        reason: What is wrong there.
    """

    def __init__(self, column: int, reason: str) -> None:
        super().__init__(f"{reason} at column {column}")
        self.column, self.reason = column, reason


class Root(StrEnum):
    """Where a path begins."""

    INPUT = "$"
    CONTEXT = "$$"
    VARIABLE = "$name"
    CURRENT = "@"
    """The node that a filter looks at."""


@dataclass(frozen=True, slots=True)
class Field:
    """A member of an object: `.name` or `['name']`."""

    name: str


@dataclass(frozen=True, slots=True)
class Fields:
    """Members of an object: `['a','b']`."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Index:
    """An item of a list, from 0; from its end where negative: `[-1]`."""

    index: int


@dataclass(frozen=True, slots=True)
class Indexes:
    """Items of a list: `[0,2]`."""

    indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """Items of a list: `[start:stop:step]`, each part None where it is not written."""

    start: int | None
    stop: int | None
    step: int | None


@dataclass(frozen=True, slots=True)
class Wildcard:
    """All members or items: `.*`, `[*]`."""


@dataclass(frozen=True, slots=True)
class Descent:
    """The node and all that is below it, `..`; the next step applies to each of them."""


@dataclass(frozen=True, slots=True)
class Filter:
    """The items for which the condition holds: `[?(@.a == 1)]`."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class Script:
    """An index that is computed, as it is written between the brackets: `[(@.length-1)]`."""

    source: str


@dataclass(frozen=True, slots=True)
class Function:
    """A function at the end of a path: `.length()`. The arguments are literals and paths."""

    name: str
    args: tuple[Operand, ...]


Step: TypeAlias = Field | Fields | Index | Indexes | Slice | Wildcard | Descent | Filter | Script | Function


@dataclass(frozen=True, slots=True)
class Path:
    """A path. `variable` is the name of the variable that it begins with, where its root is one."""

    root: Root
    variable: str = ""
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Literal:
    """A value in a filter. `bare` says that it is a text without quotes, as in `[?(@.a == es)]`."""

    value: str | int | float | bool | None
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Regex:
    """A regular expression in a filter: `/a.*/i`."""

    pattern: str
    flags: str


@dataclass(frozen=True, slots=True)
class LiteralList:
    """A list in a filter: `['a', 'b']`."""

    items: tuple[Operand, ...]


Operand: TypeAlias = Literal | LiteralList | Regex | Path


@dataclass(frozen=True, slots=True)
class Compare:
    """Two values compared. `operator` is one of COMPARISONS, in lower case."""

    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Exists:
    """Whether the path finds a node."""

    path: Path


@dataclass(frozen=True, slots=True)
class Not:
    """The condition does not hold."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class AllOf:
    """Each of the conditions holds: `a && b`."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of the conditions holds: `a || b`."""

    conditions: tuple[Condition, ...]


Condition: TypeAlias = Compare | Exists | Not | AllOf | AnyOf
