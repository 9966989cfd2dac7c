"""Which steps of a text a diagnostic is about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from chalicelib.language import Diagnostic

_NAME: Final = r'(?P<name>"[^"]*"|`[^`]*`|\w+)'
_STEP: Final = re.compile(rf"\s*(?:step|deci|set|wait|each|fork|call|start)\s+{_NAME}\s*=>")
_ACTION: Final = re.compile(rf"action\s+{_NAME}$")
_USES: Final = re.compile(rf"\baction\s*=\s*{_NAME};")


def steps_of(text: str, diagnostics: Iterable[Diagnostic]) -> dict[str, str]:
    """Return the steps that the diagnostics are about, each with the message of its first one.

    What is wrong with an action is about the steps that use it. A diagnostic about neither is left out.
    """
    lines = text.split("\n")
    found: dict[str, str] = {}
    for diagnostic in diagnostics:
        for name in _steps_at(lines, diagnostic.line - 1):
            found.setdefault(name, diagnostic.message)
    return found


def _steps_at(lines: list[str], number: int) -> Iterator[str]:
    while number >= 0:
        step, action = _STEP.match(lines[number]), _ACTION.match(lines[number])
        if step:
            yield _plain(step["name"])
            return
        if action:
            yield from _users_of(lines, action["name"])
            return
        number -= 1


def _users_of(lines: list[str], action: str) -> Iterator[str]:
    current = ""
    for line in lines:
        step = _STEP.match(line)
        current = _plain(step["name"]) if step else current
        used = _USES.search(line)
        if used and used["name"] == action and current:
            yield current


def _plain(name: str) -> str:
    return name.strip('"`')
