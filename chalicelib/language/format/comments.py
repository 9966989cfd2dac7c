"""Assign the comments of a text to the members, items and statements around them.

Every comment is in the gap between two tokens. In a gap where the layout may end a line (between members, items and
statements), comments go to the end of the preceding line, to lines of their own, or before the next token. In a gap
where it never ends a line (`addr # why` `= "..."`), a `/* short */` comment keeps its position, and any other moves
above its member or item.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.language.format.layout import LINE_END, Remark, indent_of
from chalicelib.language.syntax.tree import Comment, Document


@dataclass(frozen=True, slots=True)
class Gap:
    """The comments between two tokens that may be on different lines."""

    suffix: str
    """Short comments directly after the preceding token."""
    trailing: str
    """The comment at the end of the preceding line."""
    above: tuple[Remark, ...]
    blank: bool
    """A blank line precedes the next token."""
    lead: str
    """Short comments directly before the next token."""


class Comments:
    """The comments of a text, by gap."""

    def __init__(self, document: Document) -> None:
        self._text = document.text
        self._comments = document.comments
        self._starts = [comment.span.start for comment in document.comments]

    def between(self, start: int, end: int) -> Sequence[Comment]:
        """Return the comments from offset `start` up to `end`."""
        return self._comments[bisect_left(self._starts, start) : bisect_left(self._starts, end)]

    def glue(self, start: int, end: int, above: list[Remark]) -> str:
        """Return the short comments of a gap in which no line ends; the others are added to `above`."""
        short = []
        for comment in self.between(start, end):
            if _is_short(comment):
                short.append(comment.text)
            else:
                above.append(self._remark(comment, blank=False))
        return " ".join(short)

    def gap(self, start: int, end: int, *, divided: bool = True, last: bool = False, begins: bool = False) -> Gap:
        """Return the comments of a gap in which a line may end.

        `divided`: the preceding member already has its `;`. `last`: a closing bracket follows. `begins`: no token
        precedes.
        """
        comments = self.between(start, end)
        if not comments:
            return Gap("", "", (), len(LINE_END.findall(self._text, start, end)) > 1, "")
        edges = [start, *(comment.span.end for comment in comments)]
        befores = [
            self._text[edge:stop]
            for edge, stop in zip(edges, [*(one.span.start for one in comments), end], strict=True)
        ]
        breaks = [len(LINE_END.findall(before)) for before in befores]
        behind = next((n for n, count in enumerate(breaks) if count), len(comments)) if not begins else 0
        behind = next((n for n in range(behind) if _spans_lines(comments[n])), behind)
        tight = 0
        while not divided and tight < behind and _is_short(comments[tight]) and not befores[tight].strip():
            tight += 1
        first = len(comments)
        while not last and first > tight and _is_short(comments[first - 1]) and not breaks[first]:
            first -= 1
        behind = min(max(behind, tight), first)
        return Gap(
            "".join(f" {one.text}" for one in comments[:tight]),
            " ".join(one.text.rstrip() for one in comments[tight:behind]),
            tuple(self._remark(comments[n], blank=breaks[n] > 1) for n in range(behind, first)),
            breaks[first] > 1,
            "".join(f"{one.text} " for one in comments[first:]),
        )

    def slash(self, start: int, end: int) -> int:
        """Return the offset of the first `/` in a gap between two statements."""
        for comment in self.between(start, end):
            found = self._text.find("/", start, comment.span.start)
            if found >= 0:
                return found
            start = comment.span.end
        return self._text.index("/", start, end)

    def _remark(self, comment: Comment, *, blank: bool) -> Remark:
        start = comment.span.start
        line = self._text.rfind("\n", 0, start) + 1
        indent = self._text[max(line, self._text.rfind("\r", line, start) + 1) : start]
        return Remark(comment.text, 0 if indent.strip(" \t\ufeff") else indent_of(indent), blank)


def _spans_lines(comment: Comment) -> bool:
    return LINE_END.search(comment.text) is not None


def _is_short(comment: Comment) -> bool:
    return comment.text.startswith("/*") and not _spans_lines(comment)
