"""What all parts of a test file are made of: strict mappings and durations."""

from __future__ import annotations

import re
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from chalicelib.model import times
from chalicelib.model.times import Milliseconds

Span: TypeAlias = Annotated[
    str, Meta(pattern=r"^([0-9]{1,12}(ms|s|m|h|d) ?)+$", description="A duration: 500ms, 30s, 15m, 2h, 3d, 1d 12h.")
]

Moment: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^([0-9]{1,12}(ms|s|m|h|d) ?)+( to ([0-9]{1,12}(ms|s|m|h|d) ?)+)?$",
        description="A time since the start: 15m, or 15m to 20m.",
    ),
]

_SPANS: Final = re.compile(r"[0-9]+(?:ms|s|m|h|d)")


def span(text: str) -> Milliseconds:
    """Return the milliseconds of a duration such as `1d 12h`."""
    return sum(times.duration(part) or 0 for part in _SPANS.findall(text))


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of a test file. An unknown field is an error."""


def is_in(at: Milliseconds, moment: str) -> bool:
    """Return whether the time since the start is the moment, or within it where it is a range."""
    first, _, last = moment.partition(" to ")
    return span(first) <= at <= span(last or first)
