"""The request of an action without callback: its address, and its query or body, made of the args (fsl/manual.md, 3).

A value in an address stays within its place: it is percent-encoded, and a value that would be another path (`..`, or
nothing at all) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from chalicelib.engine.errors import ExpressionFailed
from chalicelib.model.actions import WHOLE, Action
from chalicelib.model.addresses import PLACEHOLDER, placeholders_in
from chalicelib.model.json_values import Json, scalar_text

JSON_TYPE: Final = "application/json"
FORM_TYPE: Final = "application/x-www-form-urlencoded"

_SEPARATORS: Final = re.compile(r"[/\\]")


class DirectRequest(msgspec.Struct, frozen=True):
    """What is sent. `addresses` are complete; a request without a body has no content type."""

    addresses: tuple[str, ...]
    body: bytes
    content_type: str


def direct_request(action: Action, args: Mapping[str, Json]) -> DirectRequest:
    """Return the request of an action without callback, with these args. Raises ExpressionFailed."""
    try:
        if action.is_http:
            return _http_request(action, args)
        return DirectRequest(action.addresses, _json_of(action, args), JSON_TYPE)
    except UnicodeEncodeError as exc:
        raise ExpressionFailed(f"an arg of action {action.name!r} holds text that is not valid Unicode") from exc


def _http_request(action: Action, args: Mapping[str, Json]) -> DirectRequest:
    used = {name for address in action.addresses for name in placeholders_in(address)}
    left = {name: value for name, value in args.items() if name not in used}
    addresses = tuple(_filled(address, args) for address in action.addresses)
    if not action.verb.has_body:
        query = urlencode(list(_fields(left)), quote_via=quote)
        return DirectRequest(tuple(_with_query(address, query) for address in addresses), b"", "")
    if action.form:
        return DirectRequest(addresses, urlencode(list(_fields(left))).encode(), FORM_TYPE)
    return DirectRequest(addresses, _json_of(action, left), JSON_TYPE)


def _json_of(action: Action, args: Mapping[str, Json]) -> bytes:
    return msgspec.json.encode(args[WHOLE] if action.takes_value else dict(args))


def _filled(address: str, args: Mapping[str, Json]) -> str:
    """Return the address without its fragment, with the args in the places of the placeholders."""
    path, mark, query = address.partition("#")[0].partition("?")
    segments = [_segment(segment, args) for segment in path.split("/")]
    return "/".join(segments) + mark + _substituted(query, args)


def _segment(template: str, args: Mapping[str, Json]) -> str:
    names = placeholders_in(template)
    for name in names:
        if ".." in _SEPARATORS.split(_text(name, args)):
            raise ExpressionFailed(f"arg {name!r} must not lead to another path of the address: it holds '..'")
    filled = _substituted(template, args)
    if names and filled in ("", ".", ".."):
        reason = f"it is {filled!r}" if filled else "it is empty"
        raise ExpressionFailed(f"arg {names[0]!r} must be a part of the address's path, and {reason}")
    return filled


def _substituted(template: str, args: Mapping[str, Json]) -> str:
    return PLACEHOLDER.sub(lambda found: quote(_text(found[1], args), safe=""), template)


def _text(name: str, args: Mapping[str, Json]) -> str:
    """Return the arg as text. Raises ExpressionFailed if it is null, a list or a map."""
    value = args[name]
    if isinstance(value, (str, int, float)):
        return scalar_text(value) if not isinstance(value, str) else value
    kind = "null" if value is None else "a map" if isinstance(value, Mapping) else "a list"
    raise ExpressionFailed(f"arg {name!r} must be text, a number, true or false in an address, and is {kind}")


def _fields(args: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """Yield the fields of a query or a form: a list repeats its name, null is left out, a map is JSON."""
    for name, value in args.items():
        for one in value if isinstance(value, (list, tuple)) else (value,):
            if one is not None:
                yield name, _field(one)


def _field(value: Json) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode() if isinstance(value, (list, tuple, Mapping)) else scalar_text(value)


def _with_query(address: str, query: str) -> str:
    if not query:
        return address
    joint = "" if address.endswith(("?", "&")) else "&" if "?" in address else "?"
    return address + joint + query
