"""The contract as a page that a browser shows: made from the OpenAPI document, without a script, loading nothing."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from chalicelib.definition import Json

SHOWN: Final = 2_000
"""Characters of an example that the page shows; the document has all of it."""


def page(document: Mapping[str, Any]) -> str:
    """The whole page."""
    groups = [(tag["name"], tag["description"]) for tag in document["tags"]]
    sections = [_section(document, name, told) for name, told in groups]
    return _PAGE.format(
        about=_prose(document["info"]["description"]),
        links="".join(f'<a href="#{name}">{name}</a> ' for name, _ in (*groups, ("types", ""))),
        sections="".join(sections),
        types="".join(_type(name, schema) for name, schema in sorted(document["components"]["schemas"].items())),
        version=html.escape(document["info"]["version"]),
    )


def _section(document: Mapping[str, Any], group: str, told: str) -> str:
    calls = "".join(
        _call(method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if group in operation["tags"]
    )
    return f'<h2 id="{group}">{group.capitalize()}</h2><p>{_prose(told)}</p>{calls}'


def _call(method: str, path: str, operation: Mapping[str, Any]) -> str:
    parts = [f"<p>{_prose(operation['description'])}</p>" if operation["description"] else ""]
    if parameters := operation["parameters"]:
        parts.append(_table(("parameter", "where", "what", "type"), map(_parameter, parameters)))
    if body := operation.get("requestBody"):
        wanted = "" if body["required"] else ", or none"
        parts += [f"<h4>Body: {_media(body['content'])}{wanted}</h4>", *_examples(body["content"])]
    answers = operation["responses"]
    parts += ["<h4>Answers</h4>", _table(("status", "when", "body"), (_answer(*one) for one in answers.items()))]
    parts += [shown for status in answers for shown in _examples(answers[status]["content"], status)]
    return (
        f'<details id="{operation["operationId"]}"><summary><code class="{method}">{method}</code> '
        f"<code>{html.escape(path)}</code> {_prose(operation['summary'])}</summary>{''.join(parts)}</details>"
    )


def _parameter(parameter: Mapping[str, Any]) -> Iterator[str]:
    yield f"<code>{html.escape(parameter['name'])}</code>{' (needed)' if parameter.get('required') else ''}"
    yield parameter["in"]
    yield _prose(parameter.get("description", ""))
    yield _kind(parameter["schema"])


def _answer(status: str, response: Mapping[str, Any]) -> Iterator[str]:
    yield f"<code>{status}</code>"
    headers = "".join(f"; header <code>{name}</code>" for name in response.get("headers", ()))
    yield _prose(response["description"]) + headers
    yield _media(response["content"])


def _media(content: Mapping[str, Any]) -> str:
    return " or ".join(f"{_kind(one['schema'])} ({html.escape(media)})" for media, one in content.items())


def _examples(content: Mapping[str, Any], status: str = "") -> Iterator[str]:
    for one in content.values():
        for title, example in one.get("examples", {}).items():
            before = f"{status} " if status else ""
            yield f"<h5>{before}{html.escape(title)}</h5><pre>{html.escape(_text(example['value']))}</pre>"


def _text(value: Json) -> str:
    text = value if isinstance(value, str) else msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    return text if len(text) <= SHOWN else text[:SHOWN] + "\n... (openapi.json has all of it)"


# ── types ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _type(name: str, schema: Mapping[str, Any]) -> str:
    needed = schema.get("required", ())
    rows = (
        (
            f"<code>{html.escape(field)}</code>{'' if field in needed else ' (may be missing)'}",
            _kind(of),
            _prose(of.get("description", "")),
        )
        for field, of in schema.get("properties", {}).items()
    )
    table = _table(("field", "type", ""), rows) if "properties" in schema else f"<p>{_kind(schema)}</p>"
    return f'<h3 id="type-{name}">{name}</h3><p>{_prose(schema.get("description", ""))}</p>{table}'


def _kind(schema: Mapping[str, Any]) -> str:
    """The type in few words."""
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
        if key in schema:
            yield words.format(schema[key])


def _prose(text: str) -> str:
    """The text as HTML; what stands in backticks as code."""
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
    "minLength": "of {} characters or more",
    "maxLength": "of {} characters at most",
    "default": "(usually {})",
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
h4,h5{{margin:.8rem 0 .2rem}}
</style>
<h1>Echoer: the HTTP interface</h1>
<p>{about}</p>
<p>For programs: <a href="openapi.json">openapi.json</a> (OpenAPI 3.1, version {version}). Here: {links}</p>
{sections}
<h2 id="types">Types</h2>
{types}
</html>
"""
