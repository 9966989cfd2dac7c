"""Replaced, removed and inserted spans of a text -> a list of edits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.language.source import Span


@dataclass(frozen=True, slots=True)
class Edit:
    """`insert` replaces the characters from offset `start` up to, not including, `end`."""

    start: int
    end: int
    insert: str


def applied(text: str, edits: Iterable[Edit]) -> str:
    """Return the text with the edits, which are in order and do not overlap."""
    parts: list[str] = []
    at = 0
    for one in edits:
        parts += (text[at : one.start], one.insert)
        at = one.end
    return "".join((*parts, text[at:]))


class Patch:
    """The changes of a text so far. A change within a span that is replaced as a whole has no effect."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._replaced: list[Edit] = []
        self._inserted: list[Edit] = []
        self._composed: list[tuple[Span, list[str | Span]]] = []

    def replace(self, span: Span, new: str) -> None:
        """Put a text in the place of a span."""
        self._replaced.append(Edit(span.start, span.end, new))

    def insert(self, at: int, new: str) -> None:
        """Insert a text; texts for the same offset follow one another."""
        self._inserted.append(Edit(at, at, new))

    def compose(self, at: Span, parts: list[str | Span]) -> None:
        """Put texts, and what becomes of spans that are removed elsewhere, in the place of a span; insert if empty."""
        if any(isinstance(one, Span) for one in parts):
            self._composed.append((at, parts))
        elif at.start == at.end:
            self.insert(at.start, "".join(str(one) for one in parts))
        else:
            self.replace(at, "".join(str(one) for one in parts))

    def edits(self) -> tuple[Edit, ...]:
        """Return the edits: in order, apart from each other, and each of them changes something."""
        replaced, inserted = list(self._replaced), list(self._inserted)
        for at, parts in self._composed:
            written = "".join(one if isinstance(one, str) else self._after(one) for one in parts)
            (inserted if at.start == at.end else replaced).append(Edit(at.start, at.end, written))
        return tuple(one for one in _joined(replaced, inserted) if self._text[one.start : one.end] != one.insert)

    def _after(self, span: Span) -> str:
        """Return what becomes of a span."""
        inner = _joined([one for one in self._replaced if _is_within(one, span)], self._inside(span))
        return applied(self._text[span.start : span.end], [_shifted(one, span.start) for one in inner])

    def _inside(self, span: Span) -> list[Edit]:
        return [one for one in self._inserted if span.start < one.start < span.end]


def _is_within(one: Edit, span: Span) -> bool:
    """Return whether an edit is a part of the span, and not all of it."""
    return span.start <= one.start and one.end <= span.end and one.end - one.start < span.end - span.start


def _shifted(one: Edit, by: int) -> Edit:
    return Edit(one.start - by, one.end - by, one.insert)


def _joined(replaced: list[Edit], inserted: list[Edit]) -> list[Edit]:
    """Return all edits in order: those within larger ones left out, and those that touch joined."""
    kept: list[Edit] = []
    for one in sorted(replaced, key=lambda one: (one.start, -one.end)):
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    found: list[Edit] = []
    for one in sorted((*inserted, *kept), key=lambda one: (one.start, one.end > one.start)):
        last = found[-1] if found else None
        if last is None or one.start > last.end:
            found.append(one)
        elif one.start == last.end or last.start == one.start:
            found[-1] = Edit(last.start, max(last.end, one.end), last.insert + one.insert)
    return found
