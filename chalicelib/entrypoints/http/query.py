"""What stands behind the `?` of a request. Whatever does not fit is Malformed, saying what was expected."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Final

from chalicelib.entrypoints.http.bodies import LONGEST
from chalicelib.model.status import Status
from chalicelib.model.times import Instant, instant
from chalicelib.service.errors import Malformed
from chalicelib.service.ports.runs import RunQuery

LIMIT: Final = 50
MOST: Final = 1_000
"""Entries of a list, where the request does not say how many; and at most."""


class Query:
    """The parameters behind the `?`. Each may be given once; unknown ones are let through."""

    def __init__(self, given: Mapping[str, Sequence[str]]) -> None:
        self._given = given

    def all(self, name: str) -> Sequence[str]:
        """Every value that the parameter was given."""
        return self._given.get(name, ())

    def text(self, name: str) -> str | None:
        """The parameter's value; None if it was not given, or is empty. Raises Malformed if it was given twice."""
        values = self.all(name)
        if len(values) > 1:
            raise Malformed(f"`{name}` is given {len(values)} times")
        if values and len(values[0]) > LONGEST:
            raise Malformed(f"`{name}` is longer than {LONGEST} characters")
        return values[0] if values and values[0] else None

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number within these bounds."""
        text = self.text(name)
        if text is None:
            return default
        if not re.fullmatch(r"[0-9]{1,16}", text) or not least <= int(text) <= most:
            raise Malformed(f"`{name}` must be a whole number from {least} to {most}, not {text!r:.60}")
        return int(text)

    def flag(self, name: str) -> bool:
        text = self.text(name)
        if text not in (None, "true", "false", "1", "0"):
            raise Malformed(f"`{name}` must be true or false, not {text!r:.60}")
        return text in ("true", "1")

    def limit(self) -> int:
        return self.number("limit", LIMIT, 1, MOST)

    def position(self, name: str) -> int:
        """A number of the history, or a moment: 0 where nothing is said."""
        return self.number(name, 0, 0, 10**15)

    def runs(self) -> RunQuery:
        """Which flow runs a list is to hold."""
        return RunQuery(
            statuses=self._statuses(),
            flow=self.text("flow"),
            label=self._label(),
            since=self._since(),
            limit=self.limit(),
            cursor=self.text("cursor"),
        )

    def _statuses(self) -> frozenset[Status] | None:
        text = self.text("status")
        if text is None:
            return None
        words = text.lower().split(",")
        for word in words:
            if word not in list(Status):
                raise Malformed(f"`status` must be among {', '.join(Status)}, not {word!r:.60}")
        return frozenset(Status(word) for word in words)

    def _label(self) -> tuple[str, str] | None:
        text = self.text("label")
        if text is None:
            return None
        key, colon, value = text.partition(":")
        if not key or not colon:
            raise Malformed(f"`label` must be KEY:VALUE, not {text!r:.60}")
        return key, value

    def _since(self) -> Instant | None:
        text = self.text("since")
        if text is None:
            return None
        since = instant(text)
        if since is None:
            raise Malformed(f"`since` must be an RFC 3339 time such as 2026-01-31T12:00:00Z, not {text!r:.60}")
        return since


def cursor_of(name: str) -> str:
    """A cursor for a list by name: behind `name`. It goes into a URL and a header as it is."""
    return urlsafe_b64encode(name.encode()).decode().rstrip("=")


def name_in(cursor: str | None) -> str:
    """The name for which `cursor_of` gave this cursor. Raises Malformed for other texts."""
    if cursor is None:
        return ""
    try:
        return urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode()
    except ValueError as exc:
        raise Malformed("the cursor is not one that a list gave") from exc
