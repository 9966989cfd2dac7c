"""How much a run may hold. What is too large is refused where it comes in, before anything is kept: so no limit bites
later, in the middle of the run.

What comes from outside (an input, an answer, a person's variables) is refused with TooLarge, and changes nothing.
What a flow computes makes its step return ERROR, which can be routed as any error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from chalicelib.engine.errors import ExpressionFailed, TooLarge
from chalicelib.model.json_values import Json

LARGEST: Final = 5 * 1024 * 1024
"""Bytes of JSON of one value, of a run's input, and of all its variables together: a request to an action holds them
all, and the largest request of which Lambda and API Gateway tell has 6 MB."""

LABELS: Final = 50
LABEL_NAME: Final = 128
LABEL_VALUE: Final = 256
"""A run's labels, and characters of each: every label is an item of its own by which the run is found."""


def admit(what: str, value: Json) -> None:
    """What came from outside is not too large. Raises TooLarge."""
    problem = _too_large(what, value)
    if problem:
        raise TooLarge(problem)


def fit(what: str, value: Json) -> None:
    """What a flow computed is not too large. Raises ExpressionFailed."""
    problem = _too_large(what, value)
    if problem:
        raise ExpressionFailed(problem)


def admit_labels(labels: Mapping[str, Json]) -> None:
    """There are not too many labels, and none is too long. Raises TooLarge."""
    if len(labels) > LABELS:
        raise TooLarge(f"there are {len(labels)} labels; {LABELS} are the limit")
    for name, value in labels.items():
        if not 0 < len(name) <= LABEL_NAME:
            raise TooLarge(f"the name of label {name!r:.80} must have 1 to {LABEL_NAME} characters")
        length = len(value) if isinstance(value, str) else len(msgspec.json.encode(value))
        if length > LABEL_VALUE:
            raise TooLarge(f"label {name!r:.80} has {length} characters; {LABEL_VALUE} are the limit")


def _too_large(what: str, value: Json) -> str | None:
    if value is None or isinstance(value, (bool, int, float)) or (isinstance(value, str) and len(value) < LARGEST // 6):
        return None
    size = len(msgspec.json.encode(value))
    return f"{what} would have {size} bytes of JSON; {LARGEST} are the limit" if size > LARGEST else None
