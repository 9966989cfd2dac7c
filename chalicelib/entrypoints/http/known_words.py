"""Which fields and words a place of a body can have. Only messages of errors need it, so it is loaded by the first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from msgspec import inspect

from chalicelib.model.similar_names import nearest

_PART: Final = re.compile(r"\.?([^.\[\]]+)|\[[^\]]*\]")


def advice_on_field(kind: type, place: str, name: str) -> str:
    """Return the rest of a message about an unknown field of the object at the place: the nearest, or all of them."""
    names = [field.encode_name for one in _types_at(kind, place) for field in getattr(one, "fields", ())]
    return _advice(name, names, "fields")


def advice_on_word(kind: type, place: str, word: str) -> str:
    """Return the rest of a message about a word that the place cannot have. All are listed if none is similar."""
    words = [str(one) for found in _types_at(kind, place) for one in _words_of(found)]
    near = nearest(word, words)
    return f": did you mean `{near}`?" if near else f"; it can be {', '.join(words)}" if words else ""


def _advice(name: str, known: list[str], what: str) -> str:
    if not known:
        return f": there are no {what}"
    return f": did you mean `{nearest(name, known, 0.0) or known[0]}`?"


def _words_of(found: inspect.Type) -> Iterator[Any]:
    if isinstance(found, inspect.LiteralType):
        yield from found.values
    elif isinstance(found, inspect.EnumType):
        yield from (one.value for one in found.cls)


def _types_at(kind: type, place: str) -> list[inspect.Type]:
    """Return the types that a value at the place, such as `moves[0].answer`, can have."""
    found = list(_plain(inspect.type_info(kind)))
    for part in _PART.finditer(place):
        found = [inner for one in found for below in _below(one, part[1]) for inner in _plain(below)]
    return found


def _below(found: inspect.Type, name: str | None) -> Iterator[inspect.Type]:
    """Yield the types of a member, or, without a name, those of the items of a list and the values of an object."""
    if name is not None:
        yield from (field.type for field in getattr(found, "fields", ()) if field.encode_name == name)
    elif isinstance(found, inspect.DictType):
        yield found.value_type
    elif isinstance(found, (inspect.ListType, inspect.VarTupleType)):
        yield found.item_type


def _plain(found: inspect.Type) -> Iterator[inspect.Type]:
    """Yield the types that a union has, without annotations."""
    if isinstance(found, inspect.Metadata):
        yield from _plain(found.type)
    elif isinstance(found, inspect.UnionType):
        for one in found.types:
            yield from _plain(one)
    else:
        yield found
