"""Why a flow is not edited."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.language import Diagnostic
from chalicelib.language.problems import Suggestion, displayed
from chalicelib.model.errors import EchoerError


class EditRefused(EchoerError):
    """An operation cannot be done; the message says which one and why. Nothing is changed."""


class FlowUnreadable(EchoerError):
    """The flow has syntax errors, so its text is not changed. `diagnostics` are these errors, by position."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        first = diagnostics[0]
        super().__init__(f"line {first.line}, column {first.column} cannot be read: {first.message}")
        self.diagnostics = diagnostics


def unknown(what: str, name: str, known: Iterable[str], where: str) -> EditRefused:
    """Return an error: there is no `what` of that name; it suggests the nearest name, or lists a few."""
    names = list(dict.fromkeys(known))
    hint = Suggestion(name, names).hint()
    if hint is None and names:
        listed = ", ".join(f"'{displayed(one)}'" for one in names[:8])
        hint = f"there is {listed}" + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return EditRefused(f"{where} has no {what} '{displayed(name)}'" + (f": {hint}" if hint else ""))
