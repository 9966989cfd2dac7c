"""Print diagnostics as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from chalicelib.language.problems import Diagnostic, render
from fsl.cli.common import say

_FIELDS: Final = ("severity", "code", "slug", "message", "line", "column", "end_line", "end_column", "hint", "hidden")
_MISSING: Final[dict[str, Any]] = {"slug": "", "line": 1, "column": 1, "end_line": 1, "end_column": 1, "hidden": 0}


def show(diagnostics: Iterable[Diagnostic], text: str, name: str) -> None:
    """Print the diagnostics of a document on standard error."""
    for diagnostic in diagnostics:
        head, *rest = render(diagnostic, text, name).split("\n")
        say(head, "red" if diagnostic.severity == "error" else "yellow", err=True)
        for line in rest:
            say(line, err=True)


def from_json(found: dict[str, Any]) -> Diagnostic:
    """Return a diagnostic that a server sent as JSON."""
    return Diagnostic(**{name: found.get(name) or _MISSING.get(name) for name in _FIELDS})  # type: ignore[arg-type]
