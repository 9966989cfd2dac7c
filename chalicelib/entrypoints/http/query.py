"""The query parameters of a request. A value of the wrong form raises `Malformed`, which names the expected form."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from chalicelib.entrypoints.http.reading import MAX_TEXT_CHARACTERS
from chalicelib.model.status import Status
from chalicelib.model.times import Instant, instant
from chalicelib.service.errors import Malformed
from chalicelib.service.ports.runs import RunQuery

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 1_000
"""Entries of a list."""

COMPLETING: Final = "completing"
"""A status of the contract that no run has: work that follows the last step belongs to the run that is `running`."""


class Query:
    """The parameters after the `?`. A parameter may be given once. `strict` refuses unknown ones."""

    def __init__(self, parameters: Mapping[str, Sequence[str]]) -> None:
        self._parameters = parameters

    def names(self) -> Collection[str]:
        """Return the names of all parameters."""
        return self._parameters.keys()

    def all(self, name: str) -> Sequence[str]:
        """Return every value of a parameter that may be repeated."""
        return self._parameters.get(name, ())

    def text(self, name: str) -> str | None:
        """Return the value; None if it is missing or empty. Raises Malformed if the parameter is repeated."""
        values = self.all(name)
        if len(values) > 1:
            raise Malformed(f"`{name}` is given {len(values)} times; give it once")
        if values and len(values[0]) > MAX_TEXT_CHARACTERS:
            raise Malformed(f"`{name}` has {len(values[0])} characters; the limit is {MAX_TEXT_CHARACTERS}")
        return values[0] if values and values[0] else None

    def number(self, name: str, default: int, minimum: int, maximum: int) -> int:
        """Return an integer within these bounds."""
        text = self.text(name)
        if text is None:
            return default
        if not re.fullmatch(r"[0-9]{1,16}", text) or not minimum <= int(text) <= maximum:
            raise Malformed(f"`{name}` must be an integer from {minimum} to {maximum}, not {text!r:.60}")
        return int(text)

    def flag(self, name: str) -> bool:
        text = self.text(name)
        if text not in (None, "true", "false", "1", "0"):
            raise Malformed(f"`{name}` must be true or false, not {text!r:.60}")
        return text in ("true", "1")

    def labels(self) -> list[tuple[str, str]]:
        """Return every `label`, each of the form KEY:VALUE."""
        return [_label(text) for text in self.all("label") if text]

    def choice(self, name: str, allowed: Sequence[str]) -> str | None:
        """Return one of the allowed words; None if it is missing."""
        text = self.text(name)
        if text not in (None, *allowed):
            raise Malformed(f"`{name}` must be {' or '.join(allowed)}, not {text!r:.60}")
        return text

    def limit(self) -> int:
        return self.number("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)

    def position(self, name: str) -> int:
        """Return a position in a history, or a time in milliseconds; 0 if it is missing."""
        return self.number(name, 0, 0, 10**15)

    def runs(self) -> RunQuery:
        """Return the filters of a list of runs."""
        return RunQuery(
            statuses=self._statuses(),
            flow=self.text("flow"),
            version=self.number("version", 0, 1, 10**9) or None,
            labels=tuple(self.labels()),
            since=self.moment("since"),
            until=self.moment("until"),
            error=self.text("error"),
            parent=self.text("parent"),
            name_prefix=self.text("name_prefix") or "",
            undo_failed=self._undo_failed(),
            due_before=self.moment("due_before"),
            waiting_for=self.text("waiting_for"),
            limit=self.limit(),
            cursor=self.text("cursor"),
        )

    def _statuses(self) -> frozenset[Status] | None:
        text = self.text("status")
        if text is None:
            return None
        words = text.lower().split(",")
        for word in words:
            if word not in (*Status, COMPLETING):
                raise Malformed(f"`status` must be one or more of {', '.join(Status)}, not {word!r:.60}")
        return frozenset(Status(word) for word in words if word != COMPLETING)

    def _undo_failed(self) -> bool:
        text = self.text("undo")
        if text not in (None, "failed"):
            raise Malformed(f"`undo` must be failed, not {text!r:.60}")
        return text is not None

    def moment(self, name: str) -> Instant | None:
        """Return an RFC 3339 time; None if it is missing."""
        text = self.text(name)
        if text is None:
            return None
        found = instant(text)
        if found is None:
            raise Malformed(f"`{name}` must be an RFC 3339 time such as 2026-01-31T12:00:00Z, not {text!r:.60}")
        return found


def _label(text: str) -> tuple[str, str]:
    key, colon, value = text.partition(":")
    if not key or not colon or len(text) > MAX_TEXT_CHARACTERS:
        raise Malformed(f"`label` must have the form KEY:VALUE, not {text!r:.60}")
    return key, value


def cursor_of(name: str) -> str:
    """Return the cursor of the entries after `name` in a list sorted by name. It is safe in URLs and headers."""
    return urlsafe_b64encode(name.encode()).decode().rstrip("=")


def name_in(cursor: str | None) -> str:
    """Return the name for which `cursor_of` returned this cursor. Raises Malformed for any other text."""
    if cursor is None:
        return ""
    try:
        return urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode()
    except ValueError as exc:
        raise Malformed(
            f"`cursor` must be the value of `x-next-cursor` of the previous page, not {cursor!r:.60}"
        ) from exc
