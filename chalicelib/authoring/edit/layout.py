"""Where a text has lines, comments and room for something new."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from chalicelib.language.source import Span
from chalicelib.language.syntax.tree import Comment

INDENT: Final = "    "
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_BLANKS: Final = " \t"


class Layout:
    """A text with its comments."""

    def __init__(self, text: str, comments: tuple[Comment, ...]) -> None:
        self.text = text
        found = _LINE_END.search(text)
        self.line_end = found[0] if found else "\n"
        self._starting = {one.span.start: one for one in comments}
        self._ending = {one.span.end: one for one in comments}

    def line_start(self, offset: int) -> int:
        """Return the offset at which the line of an offset starts."""
        return max(self.text.rfind("\n", 0, offset), self.text.rfind("\r", 0, offset)) + 1

    def indent(self, offset: int) -> str:
        """Return the blanks at the start of the line of an offset."""
        start = end = self.line_start(offset)
        while end < offset and self.text[end] in _BLANKS:
            end += 1
        return self.text[start:end]

    def begins_line(self, offset: int) -> bool:
        """Return whether only blanks precede the offset on its line."""
        return not self.text[self.line_start(offset) : offset].strip(_BLANKS + "\ufeff")

    def blanks_after(self, offset: int) -> int:
        """Return the offset of the first character from here on that is no blank."""
        while offset < len(self.text) and self.text[offset] in _BLANKS:
            offset += 1
        return offset

    def ends_line(self, offset: int) -> bool:
        """Return whether a line ends at the offset."""
        return offset >= len(self.text) or self.text[offset] in "\r\n"

    def after_comments(self, offset: int) -> tuple[int, bool]:
        """Return where something can follow, and whether it must begin a line.

        That is after the comments that follow on the same line, if the line then ends; else the offset itself.
        """
        at = self.blanks_after(offset)
        has_comment = False
        while at in self._starting and not _LINE_END.search(self._starting[at].text):
            has_comment = True
            at = self.blanks_after(self._starting[at].span.end)
        return (at, has_comment) if self.ends_line(at) else (offset, False)

    def before_comments(self, offset: int) -> int:
        """Return where something can precede what begins a line: above the comments that stand directly above it."""
        at = offset
        while (above := self._comment_above(at)) is not None:
            at = above
        return at

    def _comment_above(self, offset: int) -> int | None:
        """Return the start of the comment that fills the line or lines above the one of an offset."""
        line = self.line_start(offset)
        if line == 0:
            return None
        end = line - (2 if self.text[:line].endswith("\r\n") else 1)
        blanks = end
        while blanks and self.text[blanks - 1] in _BLANKS:
            blanks -= 1
        found = self._ending.get(blanks) or self._ending.get(end)
        return found.span.start if found and self.begins_line(found.span.start) else None

    def whole_lines(self, span: Span) -> Span:
        """Return what is removed with a member: its lines if it fills them, else the blanks beside it."""
        after = self.blanks_after(span.end)
        if not self.begins_line(span.start):
            start = span.start
            while start and self.text[start - 1] in _BLANKS:
                start -= 1
            return Span(start, span.end)
        if not self.ends_line(after):
            return Span(span.start, after)
        end = _LINE_END.match(self.text, after)
        return Span(self.line_start(span.start), end.end() if end else after)

    def without_comments(self, span: Span) -> Iterator[Span]:
        """Yield the parts of a span that hold no comment. A `#` comment includes the end of its line."""
        at = span.start
        for start in sorted(one for one in self._within(span) if one >= span.start):
            comment = self._starting[start]
            if start > at:
                yield Span(at, start)
            at = comment.span.end
            end = _LINE_END.match(self.text, at)
            at = end.end() if end and comment.text.startswith("#") else at
        if at < span.end:
            yield Span(at, span.end)

    def _within(self, span: Span) -> list[int]:
        return [at for at in range(span.start, span.end) if at in self._starting]
