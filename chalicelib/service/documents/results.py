"""Results of submitting a document, and its errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from chalicelib.language import Diagnostic, Document, Statement
from chalicelib.service.errors import Invalid, Malformed
from chalicelib.service.ports.definitions import Definition, Kind


class Change(StrEnum):
    """What a statement did to its resource."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Submitted:
    """The result of one statement. `uuid` is that of the resource; empty in a dry run that would create it."""

    kind: str
    name: str
    version: int
    uuid: str
    change: Change


@dataclass(frozen=True, slots=True)
class Submission:
    """The result of a document: that of each statement in order, and warnings."""

    results: tuple[Submitted, ...]
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Inspected:
    """What is known of a text that is not submitted."""

    document: Document
    diagnostics: tuple[Diagnostic, ...]
    statements: tuple[Statement, ...]
    """The checked statements; none if there is an error."""
    changes: tuple[tuple[Definition, Change], ...]
    """What a submission would store."""
    used: Mapping[Kind, Mapping[str, Definition]]
    """The stored definitions that the text defines or uses."""


class FslMalformed(Malformed):
    """The text is not FSL. Nothing was changed."""

    code = "fsl-malformed"

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__(_summary(diagnostics))
        self.diagnostics = diagnostics


class UnreadableText(Invalid):
    """The flow that is to be edited has syntax errors. Nothing was changed."""

    code = "unreadable"

    def __init__(self, message: str, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__(message)
        self.diagnostics = diagnostics


class FslRefused(Invalid):
    """The text is FSL, but it is not valid. Nothing was changed."""

    code = "fsl-refused"

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__(_summary(diagnostics))
        self.diagnostics = diagnostics


class WrongStatement(Invalid):
    """The text has a statement of a kind that the call does not accept. Nothing was changed."""

    code = "wrong-statement"

    def __init__(self, accepted: str, kind: str, name: str) -> None:
        super().__init__(f"this path accepts only {accepted} statements, not {kind} {name!r}; use POST /fsl instead")


def _summary(diagnostics: Sequence[Diagnostic]) -> str:
    errors = [found for found in diagnostics if found.severity == "error"]
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"line {first.line}, column {first.column}: {first.message}{more}"
