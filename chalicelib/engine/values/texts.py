"""Values as text."""

from __future__ import annotations

from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.values.secret_values import shown
from chalicelib.model.json_values import Json, scalar_text


def key_text(value: Json) -> str:
    """Return a correlation key as text: 7 and "7" are the same key. Raises ExpressionFailed."""
    if isinstance(value, (bool, str, int, float)):
        return scalar_text(value)
    raise ExpressionFailed(f"a key must be text or a number, and is {shown(value)}")
