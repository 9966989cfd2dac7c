"""The words that begin and end statements."""

from __future__ import annotations

from typing import Final

BLOCK_WORDS: Final = ("action", "flow", "flow_run", "event", "schedule", "hook")
"""Statements that end with a word of their own: `action NAME ... action_end`."""

CONFIG: Final = "config"
"""`config NAME = VALUE;` is a statement without members and without an end word."""

STATEMENT_WORDS: Final = (*BLOCK_WORDS, CONFIG)

END_WORDS: Final = tuple(f"{word}_end" for word in BLOCK_WORDS)

ANY_STATEMENT: Final = f"{', '.join(STATEMENT_WORDS[:-1])} or {STATEMENT_WORDS[-1]}"
"""All of them, for messages."""
