"""Refusal of what a call does not know: query parameters and fields of the body, with the nearest one that it knows.

Known are those of the call's `Route`. The calls of the original echoer ignore what they do not know, because its
clients send more; but a parameter that nearly has the name of a filter is refused there, too: no filter is dropped.
Public calls, which browsers and health checks make, ignore unknown parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

import msgspec

from chalicelib.entrypoints.http.answer_bodies import AnswerBody
from chalicelib.entrypoints.http.request import Request
from chalicelib.entrypoints.http.route import Route
from chalicelib.model.similar_names import nearest
from chalicelib.service.errors import Malformed

NEAR: Final = 0.75
"""How similar an unknown parameter of a call of echoer must be to a filter to count as a mistake (`difflib`)."""

ECHOERS: Final = frozenset(
    {
        *((method, f"/{kind}") for kind in ("action", "flow", "flowrun", "event") for method in ("GET", "POST")),
        *(("GET", f"/{kind}/{{name}}") for kind in ("action", "flow", "flowrun", "step")),
        *(("DELETE", f"/{kind}/{{name}}/{{uuid}}") for kind in ("action", "flow", "flowrun")),
        ("GET", "/step"),
        ("POST", "/step"),
        ("GET", "/watch"),
        ("POST", "/command"),
    }
)
"""The calls of the original echoer."""

_ANSWERS: Final = ("POST", "/step/{name}")
"""Services may send the whole answer of `POST /step` to it."""


def check(route: Route, request: Request) -> None:
    """Raise Malformed if the request has a query parameter or a field that the call does not know."""
    if route.role is None:
        return
    _check_parameters(route, request)
    if not knows_its_fields(route) or _is_of_other_type(route, request):
        return
    tolerated = _fields(AnswerBody) if route.call == _ANSWERS else _fields(route.other_body) if route.other_body else {}
    _check_fields(request.body, route.body, tolerated)


def knows_its_fields(route: Route) -> bool:
    """Return whether the call refuses unknown fields of its body."""
    is_other_protocol = route.error_response is not None
    return route.role is not None and route.body is not None and not is_other_protocol and route.call not in ECHOERS


def closed_types(routes: Iterable[Route]) -> set[str]:
    """Return the names of the types of bodies of which no call accepts an unknown field."""
    closed, open_ = set[str](), set[str]()
    for route in routes:
        is_closed = knows_its_fields(route) and route.call != _ANSWERS
        (closed if is_closed else open_).update(_names_in(route.body))
        for other in (route.other_body, *route.media_bodies.values()):
            open_.update(_names_in(other))
    return closed - open_


def _names_in(kind: Any) -> set[str]:
    """Return the names of a type of a body, and of the types of its fields."""
    if not isinstance(kind, type) or not issubclass(kind, msgspec.Struct):
        return set()
    inner = filter(None, map(_struct_in, _fields(kind).values()))
    return {kind.__name__}.union(*map(_names_in, inner))


def _check_parameters(route: Route, request: Request) -> None:
    known = [parameter.name for parameter in route.query]
    if route.is_callback:
        known.append("namespace")  # in the callback URL that actions receive
    is_lenient = route.call in ECHOERS
    for name in request.query.names():
        if name in known or (is_lenient and not nearest(name, known, NEAR)):
            continue
        raise Malformed(f"{' '.join(route.call)} has no parameter `{name:.60}`{_nearest(name, known, 'parameters')}")


def _is_of_other_type(route: Route, request: Request) -> bool:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media in route.media_bodies


def _check_fields(body: bytes, kind: Any, tolerated: Mapping[str, Any]) -> None:
    """Check the names of the fields of a JSON object, and of objects in it that have a type of their own.

    Any other body is left to the view, which says what is wrong with it.
    """
    try:
        found = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    _check_object(found, kind, tolerated, "")


def _check_object(found: Mapping[str, msgspec.Raw], kind: Any, tolerated: Mapping[str, Any], place: str) -> None:
    known = _fields(kind)
    for name, raw in found.items():
        if name in tolerated and name not in known:
            continue
        if name not in known:
            raise Malformed(f"unknown field `{place}{name:.60}`{_nearest(name, known, 'fields')}")
        inner = _struct_in(known[name])
        if inner is not None and bytes(raw)[:1] == b"{":
            _check_object(msgspec.json.decode(raw, type=dict[str, msgspec.Raw]), inner, {}, f"{place}{name}.")


@cache
def _fields(kind: Any) -> Mapping[str, Any]:
    """Return the types of a struct's fields by their names in JSON."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(kind)}


def _struct_in(kind: Any) -> type[msgspec.Struct] | None:
    """Return the struct that a field holds; None if it holds none."""
    choices = getattr(kind, "__args__", ()) if not isinstance(kind, type) else (kind,)
    return next((one for one in choices if isinstance(one, type) and issubclass(one, msgspec.Struct)), None)


def _nearest(name: str, known: Iterable[str], what: str) -> str:
    """Return the rest of a message about an unknown name."""
    names = list(known)
    if not names:
        return f": there are no {what}"
    near = nearest(name, names, 0.0)
    return f": did you mean `{near}`?" if near else f"; the {what} are {', '.join(names)}"
