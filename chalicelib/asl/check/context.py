"""Where the checker is, and what it found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from chalicelib.asl.problems import Level, Problem, pointer

MAX_PROBLEMS: Final = 1_000
"""Problems that are listed; the last one says how many more there are."""

_MAX_POINTERS: Final = 1_000_000
"""Characters of all pointers together: names may be long, and each problem repeats those above it."""


class Scope:
    """States that lead to each other: a machine, a branch, or the processor of a Map.

    Attributes:
        parent: The scope that it is in.
        isolated: It does not see the variables of its parent, as those of a distributed Map.
        express: It runs as an Express workflow.
        assigned: The variables that its states assign, each with the first place of it.
    """

    __slots__ = ("assigned", "express", "isolated", "parent")

    def __init__(self, parent: Scope | None, *, isolated: bool = False, express: bool = False) -> None:
        self.parent, self.isolated, self.express = parent, isolated, express
        self.assigned: dict[str, Place] = {}

    def outer(self) -> Iterator[Scope]:
        """Yield the outer scopes that variables are seen from here, the nearest first."""
        scope = self
        while scope.parent is not None and not scope.isolated:
            scope = scope.parent
            yield scope


class Report:
    """The problems so far, and what is only known when all is read.

    Attributes:
        used: The variables that are read, each with its scope and place.
        names: The names of states, each with its first place.
        labels: The labels of maps, each with its first place.
        scopes: The scopes that assign variables.
    """

    def __init__(self) -> None:
        self._problems: list[Problem] = []
        self._left_out, self._room = 0, _MAX_POINTERS
        self.used: list[tuple[Scope, str, Place]] = []
        self.names: dict[str, Place] = {}
        self.labels: dict[str, Place] = {}
        self.scopes: dict[Scope, None] = {}

    def add(self, place: Place, level: Level, message: str) -> None:
        """Add a problem, while there is room."""
        if len(self._problems) >= MAX_PROBLEMS or self._room <= 0:
            self._left_out += 1
            return
        where = place.pointer
        self._room -= len(where) + len(message)
        self._problems.append(Problem(where, level, message))

    def problems(self) -> list[Problem]:
        """Return all, as they were found."""
        if not self._left_out:
            return list(self._problems)
        more = Problem("", Level.ERROR, f"{self._left_out} more problems are not listed")
        return [*self._problems, more]


class Place:
    """A value of the machine. Its pointer is only made for a problem, as names may be long.

    Attributes:
        value: The JSON value.
        scope: The scope it is in.
        jsonata: The query language there is JSONata, not JSONPath.
        members: The members of `$states` that expressions may read there.
    """

    __slots__ = ("_key", "_parent", "_report", "jsonata", "members", "scope", "value")

    def __init__(self, report: Report, value: Any, scope: Scope) -> None:
        self._report, self.value, self.scope = report, value, scope
        self._parent: Place | None = None
        self._key: str | int = ""
        self.jsonata = False
        self.members = frozenset({"input", "context"})

    @property
    def pointer(self) -> str:
        """The JSON pointer of this place."""
        keys: list[str | int] = []
        place = self
        while place._parent is not None:
            keys.append(place._key)
            place = place._parent
        return pointer("", *reversed(keys))

    @property
    def report(self) -> Report:
        """What collects the problems."""
        return self._report

    def at(self, key: str | int) -> Place:
        """Return the place of a member or an item that is there."""
        child = Place(self._report, self.value[key], self.scope)
        child._parent, child._key = self, key
        child.jsonata, child.members = self.jsonata, self.members
        return child

    def has(self, key: str) -> bool:
        """Return whether this is an object with that member."""
        return isinstance(self.value, dict) and key in self.value

    def error(self, message: str) -> None:
        """Add an error here."""
        self._report.add(self, Level.ERROR, message)

    def warning(self, message: str) -> None:
        """Add a warning here."""
        self._report.add(self, Level.WARNING, message)

    def note(self, message: str) -> None:
        """Add a note here."""
        self._report.add(self, Level.NOTE, message)


def short(text: object) -> str:
    """Return a name or text of the machine for a message, in quotes and cut where it is long."""
    shown = str(text)
    return f"`{shown}`" if len(shown) <= 60 else f"`{shown[:57]}...`"
