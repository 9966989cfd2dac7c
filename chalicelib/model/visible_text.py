"""Characters that change what a terminal shows or does: control characters, and those that turn the direction of text.

They are escaped in lines of logs and in output of `fsl`, and no new name holds one.
"""

from __future__ import annotations

import re
from typing import Final

UNSAFE: Final = (
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # directions (Unicode Standard Annex 9)
    "\u2028\u2029\ud800-\udfff"  # separators of lines, halves of characters
)
"""The unsafe characters, as a part of a regular expression."""

_UNSAFE: Final = re.compile(f"[{UNSAFE}]")
_UNSAFE_IN_LINES: Final = re.compile(f"(?![\n\t])[{UNSAFE}]")


def visible(text: str, *, lines: bool = False) -> str:
    """Return the text with unsafe characters as `\\uXXXX` (as in JSON). `lines`: keep newlines and tabs."""
    return (_UNSAFE_IN_LINES if lines else _UNSAFE).sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def is_safe(text: str) -> bool:
    """Return whether the text has no unsafe character."""
    return not _UNSAFE.search(text)
