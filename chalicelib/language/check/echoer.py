"""Tell documents of the original echoer from documents that use a word of FSL 0.2 or later."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from chalicelib.language.syntax.tree import (
    Assignment,
    Declaration,
    Document,
    Entry,
    EventName,
    Group,
    Number,
    Property,
    Route,
    Step,
    Value,
    Word,
)  # fmt: skip

_PROPERTIES: Final = {
    "action": frozenset({"addr", "method", "secret", "args", "return"}),
    "flow": frozenset[str](),
    "flow_run": frozenset[str](),
    "step": frozenset({"action", "args"}),
    "deci": frozenset({"action", "args"}),
}
_METHODS: Final = frozenset({"http", "https"})
_TYPES: Final = frozenset({"str", "int"})


def is_echoer(document: Document) -> bool:
    """Whether the document uses only what the original echoer has: str, int, http, https, step and deci."""
    return not document.comments and all(
        statement.kind.key in ("action", "flow", "flow_run") and _are_echoer(statement.kind.key, statement.members)
        for statement in document.statements
    )


def _are_echoer(kind: str, members: Iterable[object]) -> bool:
    return all(_is_echoer_member(kind, member) for member in members)


def _is_echoer_member(kind: str, member: object) -> bool:
    match member:
        case Property():
            return member.name.key in _PROPERTIES[kind] and _is_echoer_property(member)
        case Step() if kind in ("flow", "flow_run") and member.kind.key in ("step", "deci"):
            routes = member.routes.items if member.routes else ()
            body = member.body.members if member.body else ()
            return (
                all(isinstance(one, Route) and _is_echoer_route(one) for one in routes)
                and (member.kind.key == "step" or bool(body))
                and _are_echoer(member.kind.key, body)
            )
        case _:
            return False


def _is_echoer_route(route: Route) -> bool:
    states = [word.key for word in route.states]
    return len(states) == 1 and states != ["else"] and route.when is None and route.entries is None


def _is_echoer_property(member: Property) -> bool:
    value = member.value
    match value:
        case None:
            return True
        case Word():
            return member.name.key != "method" or value.key in _METHODS
        case Group():
            return all(_is_echoer_entry(entry) for entry in value.items)
        case _:
            return False


def _is_echoer_entry(entry: Entry) -> bool:
    match entry:
        case Declaration():
            return entry.secret is None and entry.default is None and entry.type.key in _TYPES
        case Assignment():
            return not entry.members and _is_echoer_value(entry.value)
        case Route():
            return _is_echoer_route(entry)
        case EventName():
            return False


def _is_echoer_value(value: Value) -> bool:
    if isinstance(value, Word):
        return value.quoted
    return isinstance(value, Number) and isinstance(value.value, int)
