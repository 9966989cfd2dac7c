"""The comments of a text, told apart by where they stand.

Between two tokens lies a gap, and every comment lies in one gap. Where the layout may end a line (between members,
items, statements) a gap's comments stand behind what precedes, on lines of their own, or in front of what follows.
Where it never does (`addr # why` `= "..."`), a `/* short */` comment keeps its place, and any other moves above the
member or item that it was in.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.language.format.layout import LINE_END, Remark, indent_of
from chalicelib.language.syntax.tree import Comment, Document


@dataclass(frozen=True, slots=True)
class Gap:
    """The comments between two things that may stand on different lines."""

    suffix: str
    """Short ones, right behind what precedes."""
    beside: str
    """What ends the line of what precedes."""
    above: tuple[Remark, ...]
    blank: bool
    """A blank line stands right before what follows."""
    lead: str
    """Short ones, right before what follows."""


class Comments:
    """The comments of a text, by gaps."""

    def __init__(self, document: Document) -> None:
        self._text = document.text
        self._comments = document.comments
        self._starts = [comment.span.start for comment in document.comments]

    def between(self, start: int, end: int) -> Sequence[Comment]:
        return self._comments[bisect_left(self._starts, start) : bisect_left(self._starts, end)]

    def glue(self, start: int, end: int, above: list[Remark]) -> str:
        """The comments of a gap at which no line ends, if they are short; others are put `above`."""
        short = []
        for comment in self.between(start, end):
            if _is_short(comment):
                short.append(comment.text)
            else:
                above.append(self._remark(comment, blank=False))
        return " ".join(short)

    def gap(self, start: int, end: int, *, divided: bool = True, last: bool = False, begins: bool = False) -> Gap:
        """The comments of a gap at which a line may end.

        `divided`: what precedes has its `;` already. `last`: a closing bracket follows. `begins`: nothing precedes.
        """
        comments = self.between(start, end)
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
        """The offset of the first `/` of a gap between two statements."""
        for comment in self.between(start, end):
            found = self._text.find("/", start, comment.span.start)
            if found >= 0:
                return found
            start = comment.span.end
        return self._text.index("/", start, end)

    def _remark(self, comment: Comment, *, blank: bool) -> Remark:
        line = self._text[: comment.span.start]
        indent = line[max(line.rfind("\n"), line.rfind("\r")) + 1 :]
        return Remark(comment.text, 0 if indent.strip(" \t\ufeff") else indent_of(indent), blank)


def _spans_lines(comment: Comment) -> bool:
    return LINE_END.search(comment.text) is not None


def _is_short(comment: Comment) -> bool:
    return comment.text.startswith("/*") and not _spans_lines(comment)
