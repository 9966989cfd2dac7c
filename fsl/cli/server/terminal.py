"""Read statements of several lines; a line that ends in `/` ends a statement.

On a terminal there are a banner, a prompt, a history and multi-line editing. From a pipe only lines are read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol, TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import Completer
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

PROMPT: Final = "> "
EXIT: Final = "exit"

BANNER: Final = r"""
     ___
    / e \ ))  )   )
    \___/ ))  )   )    echoer
     / \

 A statement ends with a line that ends in /
 Try: list flowrun /   task /   help /   exit       TAB completes commands and names
"""

_STRING_OR_COMMENT: Final = re.compile(r'"[^"]*"|`[^`]*`|#[^\n]*|/\*.*?\*/|(?P<open>"|`|/\*)', re.DOTALL)


def ended(text: str) -> bool:
    """Whether the last line ends the statement: with a `/` that is not part of a string or comment."""
    start = 0
    kept: list[str] = []
    for skipped in _STRING_OR_COMMENT.finditer(text):
        if skipped["open"]:
            return False
        kept.append(text[start : skipped.start()])
        start = skipped.end()
    kept.append(text[start:])
    bare = "".join(kept) if kept[-1].strip() else ""
    return bare.rstrip().endswith("/")


class StatementBuffer:
    """Collects lines until they form a statement."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def feed(self, line: str) -> str | None:
        """Add a line; return the statement that it ends, without its `/`, or None."""
        if not line.strip() and not self._lines:
            return None
        self._lines.append(line)
        text = "\n".join(self._lines)
        if not ended(text):
            return None
        self._lines.clear()
        return text.rstrip().removesuffix("/").strip()

    def rest(self) -> str:
        """Return and remove the lines that do not form a complete statement."""
        text = "\n".join(self._lines).strip()
        self._lines.clear()
        return text


class Reader(Protocol):
    """A source of lines."""

    interactive: bool

    def lines(self) -> Iterator[str]: ...


class PipedReader:
    """Reads lines of a file or a pipe."""

    interactive = False

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def lines(self) -> Iterator[str]:
        for line in self._stream:
            yield line.rstrip("\r\n")


class TerminalReader:
    """Reads lines from a terminal, one statement at a time. Ctrl-C discards the statement, Ctrl-D ends the session."""

    interactive = True

    def __init__(self, completer: Completer) -> None:
        self._session: PromptSession[str] = PromptSession(
            history=_history(),
            multiline=True,
            key_bindings=_keys(),
            prompt_continuation="",
            completer=completer,
            complete_while_typing=False,
            complete_in_thread=True,
        )

    def lines(self) -> Iterator[str]:
        while True:
            try:
                yield from self._session.prompt(PROMPT).splitlines()
            except KeyboardInterrupt:
                continue
            except EOFError:
                return


def _history() -> History:
    path = Path(os.environ.get("ECHOER_HISTORY") or "~/.echoer_history").expanduser()
    try:
        path.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(path)


def _keys() -> KeyBindings:
    """Return key bindings in which Enter starts a new line until the statement is complete."""
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        text = buffer.text.strip()
        last = text.rpartition("\n")[2].strip().lower()
        if not text or last == EXIT or ended(text):
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n")

    return keys
