"""How history entries are stored: as lists that leave out what the entry before says, or most entries would repeat.

    [1, 1800000000734, [[0, "Pay", "", "", {"e": "RunStarted", "s": "Pay", "f": "ready"}],
                        [734, "Ship", "PAID", "7h5dqTz8hnyWU9ra2lBSxQ", {"h": [12], "d": {"id": 7}}]]]

These are the number of the first entry, the time of the last, and the entries. An entry has five members, of which
those at the end are left out if they are empty: the milliseconds since the entry before, the target, the state, the
uuid, and a map of everything else by the short names of `history.Entry`. The uuid is base64 of its 16 bytes.

Of the rest is left out: the step, if it is the target of the entry before; `from`, if it is the step; the event
`StepAcked`; the author that an event has mostly. What is left out of a delivery is at the end of its list. Pure: it
works on JSON values, so that formats can use it.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from binascii import b2a_base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

Packed: TypeAlias = list[Any]
"""One entry as it is stored."""

_EVENT: Final = "StepAcked"
BY_ACTION: Final = "action"
"""The author that an answer has mostly."""
_AUTHORS: Final = {_EVENT: BY_ACTION, "TimerRang": "timer"}
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


def packed(entry: Mapping[str, Any], at: int, target: str) -> Packed:
    """Return how an entry is stored. `entry` has its fields by short name; the one before was `at`, with `target`."""
    more = dict(entry)
    del more["n"]
    item = [more.pop("t") - at, more.pop("g", ""), more.pop("a", ""), _short(more)]
    step, event = more.pop("s", ""), more.pop("e")
    if step != target:
        more["s"] = step
    if (origin := more.pop("f", "")) != step:
        more["f"] = origin
    if event != _EVENT:
        more["e"] = event
    if (author := more.pop("b", "")) != _AUTHORS.get(event, ""):
        more["b"] = author
    if (sent := more.get("h")) is not None:
        more["h"] = trimmed([sent.get("m", 0), sent.get("s"), sent.get("a", "")])
    item.append(more)
    return trimmed(item)


def unpacked(first: int, last_at: int, items: Sequence[Packed]) -> Iterator[dict[str, Any]]:
    """Yield the entries with their fields by short name. The first has number `first`, the last was at `last_at`."""
    at, target = last_at - sum(item[0] for item in items if item), ""
    for number, item in enumerate(items, first):
        lapse, after, state, uuid, more = [*item, *_EMPTY[len(item) :]]
        at += lapse
        event, step = more.get("e", _EVENT), more.get("s", target)
        entry = {"e": event, "s": step, "f": step, "b": _AUTHORS.get(event, ""), "u": uuid and _spelled(uuid), **more}
        entry.update(n=number, t=at, g=after, a=state)
        if (sent := more.get("h")) is not None:
            entry["h"] = dict(zip("msa", sent, strict=False))
        yield entry
        target = after


def moves_in(items: Sequence[Packed]) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield of each entry: its event, its step, where its token came from, its target, its state."""
    target = ""
    for item in items:
        more = item[4] if len(item) > 4 else _NO_MORE
        step = more.get("s", target)
        target = item[1] if len(item) > 1 else ""
        yield more.get("e", _EVENT), step, more.get("f", step), target, item[2] if len(item) > 2 else ""


def packed_entries(entries: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Return how consecutive entries are stored."""
    if not entries:
        return []
    items: list[Packed] = []
    at, target = entries[0]["t"], ""
    for entry in entries:
        items.append(packed(entry, at, target))
        at, target = entry["t"], entry.get("g", "")
    return [entries[0]["n"], at, items]


_NO_MORE: Final[Mapping[str, Any]] = {}
_EMPTY: Final[Packed] = [0, "", "", "", {}]


def trimmed(values: list[Any]) -> list[Any]:
    """Return the list, without what is empty at its end."""
    while values and not values[-1]:
        values.pop()
    return values


def _short(more: dict[str, Any]) -> str:
    """Take the uuid out of the map and return its short form. What is spelled otherwise stays in it."""
    short = shortened(more.get("u", ""))
    if short:
        del more["u"]
    return short


def shortened(uuid: str) -> str:
    """Return the short form of a uuid; empty if it is none, or is spelled otherwise."""
    digits = uuid.replace("-", "")
    if len(uuid) != 36 or uuid[8:24:5] != "----":
        return ""
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        return ""
    return b2a_base64(raw, newline=False).translate(_URL_SAFE)[:22].decode() if raw.hex() == digits else ""


def _spelled(short: str) -> str:
    text = urlsafe_b64decode(f"{short}==").hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
