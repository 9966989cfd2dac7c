"""The documentation as one HTML page, made from the OpenAPI document. It has no script and loads nothing."""

from __future__ import annotations

import html
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from chalicelib.entrypoints.http.errors import CODES
from chalicelib.entrypoints.http.openapi.examples import Exchange
from chalicelib.entrypoints.http.route import Route
from chalicelib.model.json_values import Json

MAX_EXAMPLE_CHARACTERS: Final = 1_500
"""Longer examples are cut; the OpenAPI document has them completely."""


def page(document: Mapping[str, Any], routes: Sequence[Route], examples: Sequence[Exchange]) -> str:
    """Return the page as HTML."""
    groups = [(tag["name"], tag["description"]) for tag in document["tags"]]
    by_title = {(one.call, one.title): one for one in examples}
    codes = ((str(one.status), f"<code>{code}</code>", _prose(one.meaning)) for code, one in CODES.items())
    return _PAGE.format(
        about=_prose(document["info"]["description"]),
        links="".join(f'<a href="#{name}">{name}</a> ' for name in (*(name for name, _ in groups), "errors", "types")),
        begin="".join(_exchange(document, by_title[each.call, each.example]) for each in routes if each.example),
        sections="".join(_section(document, examples, *group) for group in groups),
        errors=_table(("status", "code", "meaning"), codes),
        types="".join(_type(name, schema) for name, schema in sorted(document["components"]["schemas"].items())),
        version=html.escape(document["info"]["version"]),
    )


def curl(document: Mapping[str, Any], one: Exchange) -> str:
    """Return the request as a shell command."""
    method, template = one.call
    path = template.format(**{name: quote(value, safe="") for name, value in one.path.items()})
    sent = {name: "true" if value is True else value for name, value in one.query.items()}
    query = f"?{urlencode(sent, doseq=True)}" if sent else ""
    words = [
        "curl",
        *(["-X", method] if method != "GET" else []),
        shlex.quote(document["servers"][0]["url"] + path + query),
    ]
    if document["paths"][template][method.lower()].get("security"):
        words.append('-H "Authorization: Bearer $TOKEN"')
    if one.body is not None:
        text = one.body if isinstance(one.body, str) else msgspec.json.encode(one.body).decode()
        words.append(f"--data-binary {shlex.quote(text)}")
    return " ".join(words)


def _section(document: Mapping[str, Any], examples: Sequence[Exchange], group: str, description: str) -> str:
    calls = "".join(
        _call(document, (method.upper(), path), [one for one in examples if one.call == (method.upper(), path)])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if group in operation["tags"]
    )
    return f'<h2 id="{group}">{group.capitalize()}</h2><p>{_prose(description)}</p>{calls}'


def _call(document: Mapping[str, Any], call: tuple[str, str], examples: Sequence[Exchange]) -> str:
    method, path = call
    operation = document["paths"][path][method.lower()]
    parts = [f"<p>{_prose(operation['description'])}</p>" if operation["description"] else ""]
    if parameters := operation["parameters"]:
        parts.append(_table(("parameter", "in", "meaning", "type"), map(_parameter, parameters)))
    if body := operation.get("requestBody"):
        parts.append(f"<p>Body: {_media(body['content'])}{'' if body['required'] else ' (optional)'}</p>")
    parts += [f"<p>Responses: {'; '.join(_answers(operation['responses']))}.</p>"]
    parts += [_exchange(document, one) for one in examples]
    return (
        f'<details id="{operation["operationId"]}"><summary><code class="{method}">{method}</code> '
        f"<code>{html.escape(path)}</code> {_prose(operation['summary'])}</summary>{''.join(parts)}</details>"
    )


def _parameter(parameter: Mapping[str, Any]) -> Iterator[str]:
    yield f"<code>{html.escape(parameter['name'])}</code>{' (required)' if parameter.get('required') else ''}"
    yield parameter["in"]
    yield _prose(parameter.get("description", ""))
    yield _kind(parameter["schema"])


def _answers(responses: Mapping[str, Any]) -> Iterator[str]:
    """Yield the successful responses with their types, and a link to the table of errors."""
    for status, response in responses.items():
        if int(status) < 400:
            headers = "".join(f", header <code>{name}</code>" for name in response.get("headers", ()))
            yield f"<code>{status}</code> {_media(response['content']) or 'without a body'}{headers}"
    errors = " ".join(f"<code>{status}</code>" for status in responses if int(status) >= 400)
    yield f'or an <a href="#errors">error</a>: {errors}'


def _media(content: Mapping[str, Any]) -> str:
    return " or ".join(f"{_kind(one['schema'])} ({html.escape(media)})" for media, one in content.items())


def _exchange(document: Mapping[str, Any], one: Exchange) -> str:
    """Return the request and the response."""
    answer = one.answer if isinstance(one.answer, str) else _indented(one.answer)
    if len(answer) > MAX_EXAMPLE_CHARACTERS:
        answer = f"{answer[:MAX_EXAMPLE_CHARACTERS]}\n... (openapi.json has the rest)"
    command = html.escape(curl(document, one))
    return f"<h4>{html.escape(one.title)}</h4><pre>$ {command}\n<b>{one.status}</b> {html.escape(answer)}</pre>"


def _indented(value: Json) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


# ── types ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _type(name: str, schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    rows = (
        (
            f"<code>{html.escape(field)}</code>{'' if field in required else ' (optional)'}",
            _kind(of),
            _prose(of.get("description", "")),
        )
        for field, of in schema.get("properties", {}).items()
    )
    table = _table(("field", "type", ""), rows) if "properties" in schema else f"<p>{_kind(schema)}</p>"
    return f'<h3 id="type-{name}">{name}</h3><p>{_prose(schema.get("description", ""))}</p>{table}'


def _kind(schema: Mapping[str, Any]) -> str:
    """Return a short name of the type."""
    match schema:
        case {"$ref": str(ref)}:
            name = ref.rpartition("/")[2]
            return f'<a href="#type-{name}">{name}</a>'
        case {"anyOf": [*several]}:
            return " or ".join(_kind(one) for one in several)
        case {"enum": [*values]}:
            return " ".join(f"<code>{html.escape(str(value))}</code>" for value in values)
        case {"type": "array"}:
            return f"list of {_kind(schema.get('items', {}))}"
        case {"type": "object", "additionalProperties": dict(inner)}:
            return f"object of {_kind(inner)}"
        case {"type": str(name)}:
            return html.escape(" ".join([name, *_bounds(schema)]))
    return "anything"


def _bounds(schema: Mapping[str, Any]) -> Iterator[str]:
    for key, words in _BOUNDS.items():
        if schema.get(key) not in (None, {}):
            yield words.format(schema[key])
    if "maxLength" in schema:
        yield f"of {schema.get('minLength', 0)} to {schema['maxLength']:,} characters"


def _prose(text: str) -> str:
    """Return the text as HTML, with text in backticks as code."""
    parts = html.escape(text, quote=False).split("`")
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))


def _table(header: tuple[str, ...], rows: Any) -> str:
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{name}</th>' for name in header)}</tr>{body}</table>"


_BOUNDS: Final = {
    "format": "({})",
    "pattern": "like {}",
    "minimum": "from {}",
    "maximum": "to {}",
    "default": "(default {})",
}
_PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Echoer: the HTTP interface</title>
<style>
:root{{color-scheme:light dark}}
body{{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem}}
table{{border-collapse:collapse;margin:.5rem 0}}
td,th{{text-align:left;vertical-align:top;padding:.2rem 1rem .2rem 0;border-bottom:1px solid #8884}}
code,pre{{font:14px/1.5 ui-monospace,monospace}}
pre{{overflow:auto;max-height:24rem;padding:.6rem;background:#8882;border-radius:.4rem}}
details{{border:1px solid #8886;border-radius:.4rem;padding:.4rem .8rem;margin:.4rem 0}}
summary{{cursor:pointer}} summary code:first-child{{display:inline-block;min-width:4rem;font-weight:bold}}
.GET{{color:#06c}} .POST{{color:#080}} .PUT{{color:#a60}} .DELETE{{color:#c00}}
h4{{margin:.8rem 0 .2rem}}
</style>
<h1>Echoer: the HTTP interface</h1>
<p>{about}</p>
<p>For programs: <a href="openapi.json">openapi.json</a> (OpenAPI 3.1, version {version}). Here: {links}</p>
<h2>At a glance</h2>
<p>Define a process, run it, look at it, and answer its tasks. The responses were recorded from a real server.</p>
{begin}
{sections}
<h2 id="errors">Errors</h2>
<p>Every error response is an <a href="#type-Error">Error</a>. Its <code>code</code> never changes; its message may.</p>
{errors}
<h2 id="types">Types</h2>
{types}
</html>
"""
