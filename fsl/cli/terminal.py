"""The terminal of echoer: statements over as many lines as they need, each ended by a line that ends in `/`.

At a terminal it has a banner, a prompt, history and editing of whole statements; where its input is piped it reads
lines and prints answers, nothing else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol, TextIO

from prompt_toolkit import PromptSession
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
 Try: list flowrun /   get flowrun NAME /   help /   exit
"""

_ASIDE: Final = re.compile(r'"[^"]*"|`[^`]*`|#[^\n]*|/\*.*?\*/|(?P<open>"|`|/\*)', re.DOTALL)


def ended(text: str) -> bool:
    """Whether the text's last line ends its statement: a `/` that is no part of a string or a comment."""
    left = 0
    kept: list[str] = []
    for aside in _ASIDE.finditer(text):
        if aside["open"]:
            return False
        kept.append(text[left : aside.start()])
        left = aside.end()
    kept.append(text[left:])
    bare = "".join(kept) if kept[-1].strip() else ""
    return bare.rstrip().endswith("/")


class Statements:
    """Gathers lines until they are statements."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def feed(self, line: str) -> str | None:
        """The statement that the line ends, without its `/`."""
        if not line.strip() and not self._lines:
            return None
        self._lines.append(line)
        text = "\n".join(self._lines)
        if not ended(text):
            return None
        self._lines.clear()
        return text.rstrip().removesuffix("/").strip()

    def rest(self) -> str:
        """What was fed and not ended."""
        text = "\n".join(self._lines).strip()
        self._lines.clear()
        return text


class Reader(Protocol):
    """Where lines come from."""

    interactive: bool

    def lines(self) -> Iterator[str]: ...


class Piped:
    """Lines of a file or a pipe."""

    interactive = False

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def lines(self) -> Iterator[str]:
        for line in self._stream:
            yield line.rstrip("\r\n")


class Terminal:
    """Lines that a person types and edits, a statement at a time. Ctrl-C drops it, Ctrl-D leaves."""

    interactive = True

    def __init__(self) -> None:
        self._session: PromptSession[str] = PromptSession(
            history=_history(), multiline=True, key_bindings=_keys(), prompt_continuation=""
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
    """Enter begins another line until the statement is ended."""
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
