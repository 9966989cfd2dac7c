"""The pages of the documentation that are generated from the code: settings, commands, HTTP calls, diagnostics, and
programs.

Each function returns one page as Markdown. Nothing here is committed; `scripts.docs` writes the pages when it builds
the site.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

import click

from chalicelib import config
from chalicelib.config import Access, Settings
from chalicelib.entrypoints.http import routes
from chalicelib.entrypoints.http.errors import CODES
from chalicelib.entrypoints.http.openapi.document import document as openapi_document
from chalicelib.language.problems import Problem

_DASHES: Final = "---"
_WARNING_PREFIX: Final = "FSL3"


def settings() -> str:
    """Return the page of settings, from the table in the docstring of `config`."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (config.__doc__ or "").splitlines()
        if line.startswith("|") and _DASHES not in line
    ][1:]
    merged: list[list[str]] = []
    for name, default, meaning in rows:
        if name:
            merged.append([name, default, meaning])
        else:
            merged[-1][2] += f" {meaning}"
    cells = ([", ".join(f"`{one}`" for one in name.split(", ")), *rest] for name, *rest in merged)
    return _page(
        "Settings",
        "Settings are environment variables. Every setting has a default that works on one machine.",
        _table(("variable", "default", "meaning"), cells),
    )


def commands() -> str:
    """Return the page of the terminal's commands, from their help texts."""
    (entry,) = (one for one in entry_points(group="console_scripts") if one.name == "fsl")
    root = entry.load()
    sections = [f"## {path}\n\n```text\n{text}\n```" for path, text in _helps(root, "fsl")]
    return _page("Commands", "Every command of `fsl`, as `--help` describes it.", *sections)


def http_calls() -> str:
    """Return the page of HTTP calls, from the OpenAPI document of a server that requires tokens."""
    document: Mapping[str, Any] = openapi_document(routes.ROUTES, Settings(auth=Access.TOKEN))
    schemas = document["components"]["schemas"]
    calls: list[tuple[str, str, Mapping[str, Any]]] = [
        (method.upper(), path, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    sections = []
    for tag in document["tags"]:
        sections.append(f"## {tag['name'].capitalize()}\n\n{tag['description']}")
        sections += [_call(*call, schemas) for call in calls if tag["name"] in call[2]["tags"]]
    codes = ((f"`{code}`", str(one.status), one.meaning) for code, one in CODES.items())
    sections.append(f"## Error codes\n\n{_table(('code', 'status', 'meaning'), codes)}")
    return _page("HTTP calls", document["info"]["description"], *sections)


def diagnostics() -> str:
    """Return the page of diagnostics, from the catalogue of problems."""
    rows = [(*row, "warning" if row[0].startswith(f"`{_WARNING_PREFIX}") else "error") for row in diagnostic_rows()]
    introduction = "Every problem that `fsl check` reports. Words in braces are replaced by text from the document."
    return _page("Diagnostics", introduction, _table(("code", "name", "message", "severity"), rows))


def diagnostic_rows() -> list[tuple[str, str, str]]:
    """Return code, name and message of every problem, as cells of a Markdown table."""
    return [(f"`{one.code}`", one.slug, _cell(one.template)) for one in Problem]


def programs(folder: Path) -> str:
    """Return the page of example programs with their tests, from the `.fsl` files of `folder`."""
    sections = []
    for file in sorted(folder.glob("*.fsl")):
        tests = file.with_suffix(".test.yaml")
        parts = [f"## {file.stem}", _fenced("text", file.read_text(encoding="utf-8"))]
        if tests.exists():
            parts.append(_fenced("yaml", tests.read_text(encoding="utf-8")))
        sections.append("\n\n".join(parts))
    return _page("Programs", "One small program with its tests for each construct of the language.", *sections)


def _helps(command: click.Command, path: str, parent: click.Context | None = None) -> Iterator[tuple[str, str]]:
    context = click.Context(command, info_name=path.rpartition(" ")[2], parent=parent, max_content_width=100)
    yield path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None and not found.hidden:
                yield from _helps(found, f"{path} {name}", context)


def _call(method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    parts = [f"### {method} {path}", operation["summary"], operation["description"]]
    parameters = [
        (f"`{one['name']}`", one["in"], _type(one["schema"]), one.get("description", ""))
        for one in operation.get("parameters", [])
    ]
    if parameters:
        parts.append(_table(("parameter", "in", "type", "meaning"), parameters))
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        parts += [f"Body (`{media}`):", _fields(content["schema"], schemas)]
    statuses = [(status, one["description"]) for status, one in operation["responses"].items()]
    parts.append(_table(("status", "meaning"), statuses))
    return "\n\n".join(part for part in parts if part)


def _fields(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    found = schemas[_referred(schema)] if "$ref" in schema else schema
    required = found.get("required", [])
    rows = [
        (f"`{name}`", _type(one), "yes" if name in required else "no")
        for name, one in found.get("properties", {}).items()
    ]
    return _table(("field", "type", "required"), rows) if rows else f"{_type(schema)}."


def _type(schema: Mapping[str, Any]) -> str:
    """Return a short name of the type."""
    if "$ref" in schema:
        return _referred(schema)
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("type", "any"))


def _referred(schema: Mapping[str, Any]) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _page(title: str, *parts: str) -> str:
    return "\n\n".join((f"# {title}", *parts)) + "\n"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, [_DASHES] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _fenced(language: str, text: str) -> str:
    longest = max((len(found) for found in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
