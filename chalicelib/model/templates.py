"""Templates: JSON values that may hold expressions and references to secrets at their leaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from chalicelib.model.json_values import children_in

Template: TypeAlias = Any
"""Json with expressions at its leaves."""

Expression: TypeAlias = dict[str, str]
"""A template that is one expression, in the place of an option that is a number otherwise."""

_EXPRESSION_KEY: Final = "${}"

_REFERENCE_KEY: Final = "${secret}"

ENCRYPTED_KEY: Final = "\0sealed"
"""The only key of an encrypted value (`engine.values.secret_values`)."""

RESERVED_KEYS: Final = frozenset({_EXPRESSION_KEY, _REFERENCE_KEY, ENCRYPTED_KEY})
"""Keys that maps in a document cannot have, because they would give the map another meaning."""


def expression(source: str) -> Template:
    """Return a template leaf with the JSONata text `source` (without `${` and `}`)."""
    return {_EXPRESSION_KEY: source}


def source_of(template: Template) -> str | None:
    """Return the JSONata text if `template` is an expression, else None."""
    if isinstance(template, Mapping) and template.keys() == {_EXPRESSION_KEY}:
        source = template[_EXPRESSION_KEY]
        return source if isinstance(source, str) else None
    return None


def reference(name: str) -> Template:
    """Return a template leaf that refers to a secret of the namespace. It is read when an action is sent."""
    return {_REFERENCE_KEY: name}


def reference_of(template: Template) -> str | None:
    """Return the secret's name if `template` is a reference to a secret, else None."""
    if isinstance(template, Mapping) and template.keys() == {_REFERENCE_KEY}:
        name = template[_REFERENCE_KEY]
        return name if isinstance(name, str) else None
    return None


def holds_reference(template: Template) -> bool:
    """Return whether the template contains a reference to a secret."""
    return reference_of(template) is not None or any(map(holds_reference, children_in(template)))
