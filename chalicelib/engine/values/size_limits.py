"""How much data a run may hold. Values that are too large are refused before anything is stored, never later.

Values from outside (an input, an answer, variables that a person sets) are refused with TooLarge, and nothing changes.
A value that a flow computes makes its step return ERROR, which can be routed like any error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from chalicelib.engine.errors import ComputedTooLarge, TooLarge
from chalicelib.model.json_values import Json

MAX_VALUE_BYTES: Final = 5 * 1024 * 1024
"""Bytes of JSON of one value, of a run's input, and of all its variables together.

A request to an action holds all of them, and the largest request that Lambda and API Gateway document is 6 MB.
"""

MAX_BYTES_PER_CHARACTER: Final = 6
"""JSON escapes a control character with this many bytes."""

MAX_LABELS: Final = 50
"""Labels of one run: each is an item of its own, by which the run is found."""

MAX_LABEL_NAME: Final = 128
"""Characters of a label's name."""

MAX_LABEL_VALUE: Final = 256
"""Characters of a label's value."""


MAX_KEY: Final = 512
"""Characters of the key of a limit: messages and heads hold it."""


def admit(what: str, value: Json) -> None:
    """Raise TooLarge if the value, which came from outside, is too large. `what` names it in the message."""
    problem = _too_large(what, value)
    if problem:
        raise TooLarge(problem)


def fit(what: str, value: Json) -> None:
    """Raise ComputedTooLarge if the value, which a flow computed, is too large. `what` names it in the message."""
    problem = _too_large(what, value)
    if problem:
        raise ComputedTooLarge(problem)


def fit_key(key: str) -> str:
    """Return the key of a limit. Raises ComputedTooLarge if it is too long."""
    if len(key) > MAX_KEY:
        raise ComputedTooLarge(f"the key of the limit has {len(key)} characters; {MAX_KEY} are the limit")
    return key


def admit_labels(labels: Mapping[str, Json]) -> None:
    """Raise TooLarge if there are too many labels, or one is too long."""
    if len(labels) > MAX_LABELS:
        raise TooLarge(f"there are {len(labels)} labels; {MAX_LABELS} are the limit")
    for name, value in labels.items():
        if not 0 < len(name) <= MAX_LABEL_NAME:
            raise TooLarge(f"the name of label {name!r:.80} must have 1 to {MAX_LABEL_NAME} characters")
        length = len(value) if isinstance(value, str) else len(msgspec.json.encode(value))
        if length > MAX_LABEL_VALUE:
            raise TooLarge(f"label {name!r:.80} has {length} characters; {MAX_LABEL_VALUE} are the limit")


def _too_large(what: str, value: Json) -> str | None:
    if value is None or isinstance(value, (bool, int, float)):
        return None
    if isinstance(value, str) and len(value) < MAX_VALUE_BYTES // MAX_BYTES_PER_CHARACTER:
        return None
    size = len(msgspec.json.encode(value))
    if size <= MAX_VALUE_BYTES:
        return None
    return f"{what} would have {size} bytes of JSON; {MAX_VALUE_BYTES} are the limit"
