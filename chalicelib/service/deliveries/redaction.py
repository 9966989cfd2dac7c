"""Mask secrets in error texts of services, which may quote the request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from chalicelib.engine.values.secret_values import MASK
from chalicelib.model.json_values import Json

MIN_MASKED_CHARACTERS: Final = 4
"""The shortest text of a secret that is masked: shorter ones occur by coincidence."""


def redact(text: str, secrets: Iterable[Json]) -> str:
    """Return the text with every secret that it quotes masked."""
    for secret in sorted({found for value in secrets for found in _texts(value)}, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def redact_value(value: Json, secrets: Iterable[Json]) -> Json:
    """Return the JSON value with every secret that its texts and names quote masked."""
    known = list(secrets)
    if isinstance(value, str):
        return redact(value, known)
    if isinstance(value, Mapping):
        return {redact(name, known): redact_value(inner, known) for name, inner in value.items()}
    return [redact_value(inner, known) for inner in value] if isinstance(value, (list, tuple)) else value


def _texts(value: Json) -> Iterator[str]:
    """Yield the strings and numbers in a value that are long enough to be masked."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)
    elif value is not None and not isinstance(value, bool) and len(found := str(value)) >= MIN_MASKED_CHARACTERS:
        yield found
