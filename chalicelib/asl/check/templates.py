"""Payload templates, and the variables that Assign sets."""

from __future__ import annotations

import re
from typing import Final

from chalicelib.asl.check.context import Place, short
from chalicelib.asl.check.objects import kind
from chalicelib.asl.check.queries import expression, is_expression, value

_SUFFIX: Final = ".$"
_NAME: Final = re.compile(r"[^\W\d_]\w*")
_MAX_NAME: Final = 80
_LOOKS_LIKE_A_PATH: Final = re.compile(r"\$(\$?[.\[]|$)|States\.[A-Z]\w+\(")


def template(place: Place) -> None:
    """Check a template: in JSONata its texts `{% %}`, in JSONPath its members `x.$`."""
    waiting = [place]
    while waiting:
        here = waiting.pop()
        if isinstance(here.value, list):
            waiting.extend(here.at(index) for index in reversed(range(len(here.value))))
        elif isinstance(here.value, dict):
            waiting.extend(reversed(_members(here)))
        elif isinstance(here.value, str):
            _text(here)


def _members(place: Place) -> list[Place]:
    if place.jsonata:
        return [place.at(name) for name in place.value]
    plain = []
    for name in place.value:
        if not name.endswith(_SUFFIX):
            plain.append(place.at(name))
            continue
        value(place.at(name))
        if name.removesuffix(_SUFFIX) in place.value:
            place.at(name).error(f"{short(name.removesuffix(_SUFFIX))} is given twice: with `.$` and without")
    return plain


def _text(place: Place) -> None:
    text = place.value
    if is_expression(text):
        if place.jsonata:
            expression(place)
        elif text.startswith("{%"):
            place.note("this is plain text, as the query language here is JSONPath")
    elif not place.jsonata and _LOOKS_LIKE_A_PATH.match(text):
        place.note("this is plain text; it is a path or a function only where the name of its field ends with `.$`")


def static(place: Place) -> None:
    """Accept a value that is as it is: the Result of a Pass. Say where it looks as if it were not."""
    waiting = [place]
    while waiting:
        here = waiting.pop()
        if isinstance(here.value, list):
            waiting.extend(here.at(index) for index in reversed(range(len(here.value))))
        elif isinstance(here.value, dict):
            waiting.extend(here.at(name) for name in reversed(here.value))
            for name in here.value:
                if name.endswith(_SUFFIX):
                    here.at(name).note("Result is as it is: the field keeps its `.$`, and nothing is read")


def assign(place: Place) -> None:
    """Check the variables that are set, and note them for the scope."""
    if not isinstance(place.value, dict):
        place.error(f"an object is expected here, and not {kind(place.value)}")
        return
    template(place)
    place.report.scopes[place.scope] = None
    for key in place.value:
        name = key if place.jsonata else key.removesuffix(_SUFFIX)
        _check_name(place.at(key), name)
        place.scope.assigned.setdefault(name, place.at(key))


def _check_name(place: Place, name: str) -> None:
    if name == "states":
        place.error("`states` is reserved, and cannot be assigned")
    elif len(name) > _MAX_NAME:
        place.error(f"the name of a variable has at most {_MAX_NAME} characters")
    elif _NAME.fullmatch(name) is None:
        # The specification leaves names to the implementation. Those with a hyphen are taken by some
        # tools; no expression can read them.
        report = place.warning if _NAME.fullmatch(name.replace("-", "_")) else place.error
        report(f"{short(name)} is no name of a variable: a letter, then letters, digits and `_`; AWS refuses it")
