"""Calls that read the large values of a run, whole or in part."""

from __future__ import annotations

from typing import Final

from chalicelib.engine.values.secret_values import masked
from chalicelib.entrypoints.http import pages, parameters, responses
from chalicelib.entrypoints.http.exchange import MAX_RESPONSE_BYTES
from chalicelib.entrypoints.http.parameters import Parameter
from chalicelib.entrypoints.http.request import Request, Response
from chalicelib.entrypoints.http.route import Route
from chalicelib.model.json_values import Json
from chalicelib.service.errors import Malformed, NotFound, TooLarge
from chalicelib.service.runs.references import key_named
from chalicelib.service.runs.value_windows import at_path, window
from chalicelib.service.security.roles import Role

SOURCES: Final = ("input", "vars", "output", "entry")
MAX_DEPTH: Final = 64
MAX_COUNT: Final = 1_000
DEFAULT_COUNT: Final = 100
DEFAULT_DEPTH: Final = 2


def by_key(request: Request, name: str, key: str) -> Json:
    """Get a large value of a run, to which a `$ref` in another response leads.

    The response is the value itself. A value that is too large for one response is read in parts: by `path`, as JSON
    pointer (RFC 6901), and by `from` and `count`, which return a part of a list, a map or a string.
    """
    reader = request.services.reader
    value = masked(reader.blob(reader.stored(request.namespace, name), key_named(key)))
    return _whole(_part(request, _at(request, value)), attachment=None)


def read(request: Request, name: str) -> Json:
    """Get a part of the input, the variables or the output of a run, or of the data of a history entry (`of`).

    `path` leads to the value (RFC 6901). The response has `count` of its children from the index `from`, to a depth,
    and lists what is left out (`cut`). With `raw=true` it is the whole value, as a file.
    """
    value = _at(request, masked(_source(request, name)))
    if request.query.flag("raw"):
        return _whole(value, attachment=f"{request.query.text('of')}.json")
    shown = window(
        value,
        depth=request.query.number("depth", DEFAULT_DEPTH, 1, MAX_DEPTH),
        first=request.query.position("from"),
        count=request.query.number("count", DEFAULT_COUNT, 1, MAX_COUNT),
    )
    cut: list[responses.CutValue] = [{"path": one.path, "type": one.type, "bytes": one.bytes} for one in shown.cut]
    part: responses.ValueWindow = {
        "type": shown.type,
        "length": shown.length,
        "bytes": shown.bytes,
        "value": shown.value,
        "cut": cut,
        "next": shown.next,
    }
    return part


def _source(request: Request, name: str) -> Json:
    reader, of = request.services.reader, request.query.choice("of", SOURCES)
    if of is None:
        raise Malformed(f"`of` is missing; it must be {', '.join(SOURCES[:-1])} or {SOURCES[-1]}")
    seq = request.query.position("seq")
    if (of == "entry") != (seq > 0):
        raise Malformed("`seq`, the number of a history entry, belongs to `of=entry`")
    run = reader.stored(request.namespace, name)
    match of:
        case "input":
            return reader.input_of(run)
        case "vars":
            return reader.vars_of(run)
        case "output":
            return reader.output_of(run)
        case _:
            entry = reader.entry(run, seq)
            return {"data": entry.data, "vars": entry.vars}


def _at(request: Request, value: Json) -> Json:
    path = request.query.text("path") or ""
    try:
        return at_path(value, path)
    except LookupError:
        raise NotFound("value", path) from None


def _part(request: Request, value: Json) -> Json:
    """Return the children or characters of the value that the request asks for; all if it asks for none."""
    if request.query.text("from") is None and request.query.text("count") is None:
        return value
    first = request.query.position("from")
    last = first + request.query.number("count", DEFAULT_COUNT, 1, 10**9)
    if isinstance(value, dict):
        return dict(list(value.items())[first:last])
    if isinstance(value, (str, list)):
        return value[first:last]
    return value


def _whole(value: Json, attachment: str | None) -> Response:
    item = pages.item(value, "")
    if item.size > MAX_RESPONSE_BYTES:
        raise TooLarge(
            f"the value has {len(item.text)} bytes, more than one response can have: read it in parts, "
            "with `path`, `from` and `count`"
        )
    return Response(
        item.raw, headers={"Content-Disposition": f'attachment; filename="{attachment}"'} if attachment else {}
    )


# ── routes ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_PATH: Final = Parameter("path", "The place of a value within it, as JSON pointer (RFC 6901): `/rows/3`.")
_FROM: Final = Parameter("from", "The index of the first child.", parameters.integer(0, 10**15, default=0))
ROUTES: Final = (
    Route(
        method="GET",
        path="/flowrun/{name}/value",
        view=read,
        group="runs",
        role=Role.VIEWER,
        query=(
            Parameter(
                "of",
                "What to read: the input, the variables or the output of the run, or `data` and `vars` of an entry.",
                {"type": "string", "enum": [*SOURCES]},
                required=True,
            ),
            Parameter("seq", "The number of the history entry, for `of=entry`.", parameters.integer(1, 10**15)),
            _PATH,
            Parameter("depth", "How deep the response is.", parameters.integer(1, MAX_DEPTH, default=DEFAULT_DEPTH)),
            _FROM,
            Parameter(
                "count", "The maximum number of children.", parameters.integer(1, MAX_COUNT, default=DEFAULT_COUNT)
            ),
            Parameter("raw", "Return the whole value, as a file.", {"type": "boolean"}),
        ),
        answers={200: responses.ValuePart},
        headers=("content-disposition",),
        errors=(404, 413),
    ),
    Route(
        method="GET",
        path="/flowrun/{name}/value/{key}",
        view=by_key,
        group="runs",
        role=Role.VIEWER,
        query=(
            _PATH,
            _FROM,
            Parameter("count", "The maximum number of children or characters.", parameters.integer(1, 10**9)),
        ),
        answers={200: responses.Value},
        errors=(404, 413),
    ),
)
