"""Objects: which members they may and must have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from chalicelib.asl.check.context import Place, short
from chalicelib.model.similar_names import nearest

Check: TypeAlias = Callable[[Place], None]

_LIKENESS: Final = 0.75
_MAX_COMPARED: Final = 40
"""Characters of an unknown name that are compared with those that are known."""


def anything(_place: Place) -> None:
    """Accept every value."""


@dataclass(frozen=True)
class Shape:
    """The members of an object.

    Attributes:
        both: Members in either query language, each with its check.
        jsonpath: Members where the query language is JSONPath only.
        jsonata: Members where it is JSONata only.
        required: Members that must be there.
        exclusive: Groups of which at most one may be there.
        one_of: Groups of which exactly one must be there.
    """

    both: Mapping[str, Check]
    jsonpath: Mapping[str, Check] = field(default_factory=dict)
    jsonata: Mapping[str, Check] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    exclusive: tuple[tuple[str, ...], ...] = ()
    one_of: tuple[tuple[str, ...], ...] = ()

    def check(self, place: Place) -> None:
        """Check the object and each of its members."""
        if not isinstance(place.value, dict):
            place.error(f"an object is expected here, and not {kind(place.value)}")
            return
        mine, other = (self.jsonata, self.jsonpath) if place.jsonata else (self.jsonpath, self.jsonata)
        for name in place.value:
            found = self.both.get(name) or mine.get(name)
            if found is not None:
                found(place.at(name))
            elif name in other:
                _other_language(place.at(name), name)
            else:
                place.at(name).error(f"{short(name)} is no field here{self._similar(name, mine)}")
        self._check_presence(place)

    def _similar(self, name: str, mine: Mapping[str, Check]) -> str:
        near = nearest(name[:_MAX_COMPARED], (*self.both, *mine), _LIKENESS)
        return f"; did you mean `{near}`?" if near else ""

    def _check_presence(self, place: Place) -> None:
        for name in self.required:
            if name not in place.value:
                place.error(f"`{name}` is missing")
        for group in (*self.exclusive, *self.one_of):
            given = [name for name in group if name in place.value]
            if len(given) > 1:
                place.error(f"only one of {_listed(given)} may be given")
        for group in self.one_of:
            if not any(name in place.value for name in group):
                language = self.jsonpath if place.jsonata else self.jsonata
                place.error(f"one of {_listed([name for name in group if name not in language])} is missing")


def _other_language(place: Place, name: str) -> None:
    mine, other = ("JSONata", "JSONPath") if place.jsonata else ("JSONPath", "JSONata")
    place.error(f"`{name}` is a field for {other}, and the query language here is {mine}")


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def kind(value: object) -> str:
    """Return what kind of JSON value it is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object"


def items(place: Place, check: Check, *, least: int = 0) -> None:
    """Check a list and each of its items."""
    if not isinstance(place.value, list):
        place.error(f"a list is expected here, and not {kind(place.value)}")
        return
    if len(place.value) < least:
        place.error("the list must not be empty")
    for index in range(len(place.value)):
        check(place.at(index))
