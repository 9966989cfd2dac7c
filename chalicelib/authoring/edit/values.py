"""Values of properties and conditions: JSON or text -> FSL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from chalicelib import expressions
from chalicelib.authoring import keywords
from chalicelib.authoring.edit.errors import EditRefused
from chalicelib.authoring.occurrences import NAMES_OF_STEPS, steps_in
from chalicelib.language import Unwritable, parse
from chalicelib.language.format import spelling
from chalicelib.language.source import Span
from chalicelib.language.syntax.tree import Property, Step, Value, expressions_in
from chalicelib.model.json_values import Json
from chalicelib.model.templates import RESERVED_KEYS

_BEFORE: Final = "flow f step s => () { p = "
_AFTER: Final = "; }; flow_end"
_BEGINNINGS: Final = ("(", "[", "{", "${", '"', "`")
"""What is meant as FSL if it begins so, and is refused if it cannot be read."""
_NOT_GROUPS: Final = ("data", "items", "output")
"""Properties of which a map is one value, and no list of entries."""


def written(name: str, value: Json) -> str:
    """Return the value of a property as FSL. Raises EditRefused."""
    try:
        if isinstance(value, str):
            return _text(name, value)
        if isinstance(value, Mapping) and name not in _NOT_GROUPS and not RESERVED_KEYS & value.keys():
            return _group(name, value)
        return _template(value)
    except Unwritable as problem:
        raise EditRefused(str(problem)) from problem


def condition(source: str) -> str:
    """Return the text of a condition without `${` and `}`. Raises EditRefused."""
    text = source.strip()
    if text.startswith("${") and text.endswith("}"):
        text = text[2:-1].strip()
    try:
        spelling.expression(text)
    except Unwritable as problem:
        raise EditRefused(str(problem)) from problem
    _check_expression(text)
    return text


def _text(name: str, value: str) -> str:
    """Write a text: as it is if it is one value of FSL, else in quotes."""
    text = value.strip()
    found = _read(text)
    if found is not None:
        for one in expressions_in(found):
            _check_expression(one.source.strip())
        return text
    if text.startswith(_BEGINNINGS):
        raise EditRefused(f"the value of '{name}' cannot be read: {_problem(text)}")
    return spelling.string(value)


def _read(text: str) -> Value | None:
    """Return the value that the text is; None if it is not exactly one."""
    document, problems = parse(f"{_BEFORE}{text}{_AFTER}")
    if problems or len(document.statements) != 1 or len(document.statements[0].members) != 1:
        return None
    step = document.statements[0].members[0]
    members = step.body.members if isinstance(step, Step) and step.body else ()
    found = members[0] if len(members) == 1 else None
    at = Span(len(_BEFORE), len(_BEFORE) + len(text))
    return found.value if isinstance(found, Property) and found.value and found.value.span == at else None


def _problem(text: str) -> str:
    problems = parse(f"{_BEFORE}{text}{_AFTER}")[1]
    return problems[0].message if problems else "it is more than one value"


def _check_expression(source: str) -> None:
    problem = expressions.problem_in(source) if source else (0, "it is empty")
    if problem:
        raise EditRefused(f"invalid expression '{source[:80]}': {problem[1]}")


def _group(name: str, entries: Mapping[str, Json]) -> str:
    """Write the entries of a group. Settings such as `delay = 1s` are read like properties."""
    is_settings = name in keywords.SETTINGS
    found = (
        f"{spelling.name(key)} = {_text(key, value) if is_settings and isinstance(value, str) else _template(value)}"
        for key, value in entries.items()
    )
    return f"({', '.join(found)})"


def _template(value: Json) -> str:
    """Write JSON: a text that is an expression, `${ ... }`, as that, any other text in quotes."""
    if isinstance(value, str):
        return value.strip() if _is_expression(value.strip()) else spelling.string(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_template, value))}]"
    if isinstance(value, Mapping) and not RESERVED_KEYS & value.keys():
        return f"{{ {', '.join(f'{spelling.string(key)}: {_template(one)}' for key, one in value.items())} }}"
    return spelling.template(value)


def _is_expression(text: str) -> bool:
    if not (text.startswith("${") and text.endswith("}")):
        return False
    spelling.expression(text[2:-1].strip())
    _check_expression(text[2:-1].strip())
    return True


def steps_named(value: str) -> Iterator[tuple[str, int, int]]:
    """Yield the name, start and end of each text of a value, as FSL, that is compared with the name of a step."""
    if any(one in value for one in NAMES_OF_STEPS):
        for one in expressions_in(_read(value)):
            begin = one.span.start + 2 - len(_BEFORE)
            yield from ((name, begin + start, begin + end) for name, start, end in steps_in(one.source))
