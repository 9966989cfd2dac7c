"""Paths, intrinsic functions and JSONata expressions: their syntax, and what they read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Final

from chalicelib.asl.check.arguments import check_call
from chalicelib.asl.check.context import Place, short
from chalicelib.asl.check.objects import Check, kind
from chalicelib.asl.intrinsics import Call, is_call, parse_value
from chalicelib.asl.path_tree import NotReadable, Path, Root
from chalicelib.asl.paths import parse_path, parse_reference_path
from chalicelib.expressions.outline import outline

_OPEN: Final = "{%"
_CLOSE: Final = "%}"
_WHERE: Final = {
    "result": "only Output and Assign of Task, Map and Parallel have it",
    "errorOutput": "only Output and Assign of a catcher have it",
}
_ERROR_FUNCTIONS: Final = frozenset(
    "States." + name
    for name in ("Format", "JsonToString", "ArrayGetItem", "Base64Encode", "Base64Decode", "Hash", "UUID")
)
"""The functions that ErrorPath and CausePath take: those that may yield text (AWS)."""


def path(*, nullable: bool = False) -> Check:
    """Return a check for a path."""

    def check(place: Place) -> None:
        if place.value is None and nullable:
            return
        _parsed(place, parse_path)

    return check


def reference(*, nullable: bool = False, roots: tuple[Root, ...] = tuple(Root)) -> Check:
    """Return a check for a path that names one place, and that begins in one of these ways."""

    def check(place: Place) -> None:
        if place.value is None and nullable:
            return
        found = _parsed(place, parse_reference_path)
        if found is not None and found.root not in roots:
            place.error(f"the path must begin with {' or '.join(f'`{root}`' for root in roots)}")

    return check


def error_path(place: Place) -> None:
    """Accept a path that names one place, or a function that may yield text."""
    if not isinstance(place.value, str) or not is_call(place.value):
        reference()(place)
        return
    found = value(place)
    if isinstance(found, Call) and found.name not in _ERROR_FUNCTIONS:
        place.error(f"`{found.name}` is not allowed here, as it yields no text")


def value(place: Place) -> Call | Path | None:
    """Check what a member `x.$` says: a path, or an intrinsic function."""
    if not isinstance(place.value, str):
        place.error(f"a path or an intrinsic function is expected here, and not {kind(place.value)}")
        return None
    try:
        found = parse_value(place.value)
    except NotReadable as problem:
        place.error(str(problem))
        return None
    if isinstance(found, Call):
        check_call(place, found)
    _use(place, found)
    return found


def _parsed(place: Place, parse: Any) -> Path | None:
    if not isinstance(place.value, str):
        place.error(f"a path is expected here, and not {kind(place.value)}")
        return None
    try:
        found: Path = parse(place.value)
    except NotReadable as problem:
        place.error(str(problem))
        return None
    _use(place, found)
    return found


def _use(place: Place, tree: object) -> None:
    for name in _variables(tree):
        place.report.used.append((place.scope, name, place))


def _variables(tree: object) -> Iterator[str]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Path) and node.root is Root.VARIABLE:
            yield node.variable
        if isinstance(node, tuple):
            waiting.extend(reversed(node))
        elif is_dataclass(node):
            waiting.extend(getattr(node, field.name) for field in reversed(fields(node)))


def is_expression(text: str) -> bool:
    """Return whether the text means a JSONata expression, well written or not."""
    bare = text.strip()
    return bare.startswith(_OPEN) or bare.endswith(_CLOSE)


def expression(place: Place) -> None:
    """Check a JSONata expression between `{%` and `%}`."""
    text = place.value
    if not isinstance(text, str) or not is_expression(text):
        place.error("a JSONata expression `{% ... %}` is expected here")
        return
    if not text.startswith(_OPEN) or not text.endswith(_CLOSE) or len(text) < len(_OPEN + _CLOSE):
        place.error("a JSONata expression must begin with `{%` and end with `%}`")
        return
    found = outline(text[len(_OPEN) : -len(_CLOSE)])
    if found.problem is not None:
        offset, reason = found.problem
        place.error(f"the JSONata expression cannot be read: {reason} at column {offset + len(_OPEN) + 1}")
        return
    for name, _ in found.context:
        place.error(f"the expression has no document: {short(name)} finds nothing; read from `$states.input`")
    for names, _ in found.variables:
        _check_variable(place, names)


def _check_variable(place: Place, names: tuple[str, ...]) -> None:
    if names[0] != "states":
        place.report.used.append((place.scope, names[0], place))
    elif len(names) > 1 and names[1] not in place.members:
        where = _WHERE.get(names[1], "its members are input, context, result and errorOutput")
        place.error(f"`$states.{names[1][:40]}` is not available here: {where}")
