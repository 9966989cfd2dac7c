"""Templates and expressions: JSON values in which names of the run stand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Final

from chalicelib.definition import Json, Template, source_of
from chalicelib.engine import expressions
from chalicelib.engine.errors import ExpressionFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What `$input`, `$vars` and so on stand for (FSL.md, 6)."""

    input: Mapping[str, Json] = field(default_factory=dict)
    vars: Mapping[str, Json] = field(default_factory=dict)
    result: Json = None
    state: str = ""
    index: int | None = None
    run: Mapping[str, Json] = field(default_factory=dict)


_INPUT: Final = re.compile(r"\$input\.(?:([A-Za-z_]\w*)|`([^`]*)`)\s*")


def evaluate(source: str, names: Names) -> Json:
    """The value of a JSONata expression; None where it yields nothing. Raises ExpressionFailed.

    A plain `$input.NAME` needs no JSONata: flows that use nothing else never load it.
    """
    plain = _INPUT.fullmatch(source.strip())
    if plain:
        return names.input.get(plain[1] or plain[2])
    return expressions.evaluate(source, {name.name: getattr(names, name.name) for name in fields(names)})


def resolve(template: Template, names: Names) -> Json:
    """The template with every expression in it replaced by its value. Raises ExpressionFailed."""
    source = source_of(template)
    if source is not None:
        value = evaluate(source, names)
        if value is None:
            raise ExpressionFailed(f"expression {source!r} yields nothing")
        return value
    if isinstance(template, Mapping):
        return {key: resolve(value, names) for key, value in template.items()}
    if isinstance(template, (list, tuple)):
        return [resolve(value, names) for value in template]
    return template
