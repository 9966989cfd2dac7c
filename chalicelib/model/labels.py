"""Labels of runs, as they are searched for."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.model.json_values import Json, scalar_text


def searchable(labels: Mapping[str, Json]) -> dict[str, str]:
    """Return the searchable labels as text: the scalars. Lists and maps are stored but cannot be searched."""
    texts = {key: _text(value) for key, value in labels.items()}
    return {key: text for key, text in texts.items() if text is not None}


def _text(value: Json) -> str | None:
    match value:
        case None:
            return "null"
        case str() | bool() | int() | float():
            return scalar_text(value)
        case _:
            return None
