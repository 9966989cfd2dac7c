"""Functions on times. Each moment is in milliseconds since 1970."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.pictures import iso
from chalicelib.expressions.pictures.calendar import MAX_MILLIS
from chalicelib.expressions.values import NOTHING

if TYPE_CHECKING:
    from chalicelib.expressions.evaluation.evaluator import Machine


def now(m: Machine, picture: Any = NOTHING, zone: Any = NOTHING) -> Any:
    """Return the moment of the evaluation as text."""
    return from_millis(m, m.millis, picture, zone)


def millis(m: Machine) -> int:
    """Return the moment of the evaluation."""
    return m.millis


def from_millis(m: Machine, value: Any = NOTHING, picture: Any = NOTHING, zone: Any = NOTHING) -> Any:
    """Return the moment as text: by a picture, or in ISO 8601; in a zone, or in UTC."""
    if value is NOTHING:
        return NOTHING
    if not -MAX_MILLIS <= value <= MAX_MILLIS:
        raise Failure("L0027")
    offset = 0
    if zone is not NOTHING:
        from chalicelib.expressions.pictures.zones import offset_at

        offset = offset_at(zone, int(value), m.meter)
    at = int(value + offset * 60_000) - offset * 60_000
    m.meter.spend(4)
    if picture is NOTHING:
        return iso.written_iso(at, offset)
    from chalicelib.expressions.pictures import times

    return times.write(times.read_picture(picture, m.meter), at, offset, m.meter)


def to_millis(m: Machine, text: Any = NOTHING, picture: Any = NOTHING, zone: Any = NOTHING) -> Any:
    """Return the moment that a text is: by a picture, or in ISO 8601; without an offset, in the zone or UTC."""
    if text is NOTHING:
        return NOTHING
    m.meter.spend(8)
    if picture is NOTHING:
        found = iso.read_iso(text)
        if found is None:
            raise Failure("D3110", value=text)
        at, has_offset = found, text[-1:] == "Z" or "+" in text or "-" in text[10:]
    else:
        from chalicelib.expressions.pictures import reading, times

        read = reading.read(times.read_picture(picture, m.meter), text, m.millis, m.meter)
        if read is None:
            return NOTHING
        at, has_offset = read
    if zone is not NOTHING and not has_offset:
        from chalicelib.expressions.pictures.zones import offset_of_local

        at -= offset_of_local(zone, at, m.meter) * 60_000
    if not -MAX_MILLIS <= at <= MAX_MILLIS:
        raise Failure("L0027")
    return at
