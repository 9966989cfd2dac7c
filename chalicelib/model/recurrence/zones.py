"""Time zones by their IANA names, and local times as moments.

Sources: the IANA time zone database (of the system, else of the package tzdata), PEP 495 (`fold`), RFC 3339.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from chalicelib.model.similar_names import nearest
from chalicelib.model.times import Instant

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

DEFAULT_ZONE: Final = "UTC"

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+\-]{0,30}(/[A-Za-z0-9_+\-]{1,30}){0,3}", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)


class UnknownZone(ValueError):
    """The text is no name of a time zone. `hint` has the name that was probably meant; `str()` says both."""

    def __init__(self, name: str, hint: str = "") -> None:
        super().__init__(f"'{name}' is no time zone" + (f"; {hint}" if hint else ""))
        self.hint = hint


def check_zone(name: str) -> None:
    """Raise UnknownZone if `name` is no time zone of the IANA database, spelled as there."""
    if name not in _zone_names():
        near = nearest(name, _zone_names(), 0.75)
        hint = f"did you mean '{near}'?" if near else "write a name such as Europe/Berlin, or UTC"
        raise UnknownZone(name, hint)


def rules_of(name: str) -> ZoneInfo:
    """Return the rules of a time zone. Raises UnknownZone."""
    from zoneinfo import ZoneInfo

    if _NAME.fullmatch(name):
        try:
            return ZoneInfo(name)
        except (ValueError, OSError, LookupError):
            pass
    raise UnknownZone(name)


def local_time(at: Instant, zone: str) -> datetime:
    """Return what the clocks of a zone show at a moment, with the zone. Raises OverflowError after the year 9999."""
    return (_EPOCH + timedelta(milliseconds=at)).astimezone(rules_of(zone))


def instant_of_local(shown: datetime, zone: str) -> Instant:
    """Return when the clocks of a zone show this time (without a zone, of whole seconds).

    A time that comes twice, when clocks are set back, means the first. A time that does not exist, when clocks are
    set forward, means the moment at which they are set: the next moment that exists.
    """
    rules = rules_of(zone)
    first = shown.replace(tzinfo=rules, fold=0).astimezone(UTC)
    if first.astimezone(rules).replace(tzinfo=None) != shown:
        first = _end_of_gap(shown.replace(tzinfo=rules, fold=1).astimezone(UTC), first, rules)
    return (first - _EPOCH) // timedelta(milliseconds=1)


def format_local(at: Instant, zone: str) -> str:
    """Return a moment as RFC 3339 in the local time of a zone, to the second; `Z` stands for an offset of zero."""
    shown = local_time(at, zone).replace(microsecond=0)
    offset = shown.utcoffset() or timedelta()
    if not offset:
        return f"{shown:%Y-%m-%dT%H:%M:%S}Z"
    return shown.isoformat()


def _end_of_gap(before: datetime, after: datetime, rules: ZoneInfo) -> datetime:
    """Return the first moment with the offset of `after`, which `before` does not have yet."""
    offset = after.astimezone(rules).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if middle.astimezone(rules).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    from zoneinfo import available_timezones

    return frozenset(name for name in available_timezones() if name not in {"Factory", "localtime"})
