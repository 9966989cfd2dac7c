"""Check documents, including their JSONata expressions, and documents that use each other's definitions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from chalicelib import expressions, language
from chalicelib.language import Catalog, Checked, Diagnostic, Document, KnownNames, Operations
from chalicelib.language.problems import in_order
from chalicelib.model.actions import Action
from chalicelib.model.flow import Flow
from chalicelib.model.statements import Config, EventType

MAX_ROUNDS: Final = 32
"""How deep the calls between flows of different documents may be nested."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One of several documents that are checked together, parsed as far as possible."""

    name: str
    text: str
    document: Document
    syntax: tuple[Diagnostic, ...]
    """The diagnostics of the parser."""


def analyze(text: str, catalog: Catalog) -> Checked:
    """Parse and check one document, including its expressions. Never raises."""
    with expressions.together():
        return language.read(text, catalog, expression_problem=expressions.problem_in)


def source_file(name: str, text: str) -> SourceFile:
    """Parse a document that is checked together with others."""
    return SourceFile(name, text, *language.parse(text))


def analyze_all(files: Sequence[SourceFile], operations: Operations | None = None) -> list[tuple[SourceFile, Checked]]:
    """Check documents that may use each other's definitions.

    Repeats the check with the definitions found so far until a round finds no new ones. `operations` are those that
    actions may call; without them, such actions are not checked.
    """
    known = KnownNames(operations=operations)
    for _ in range(MAX_ROUNDS):
        checked = [_checked(file, known) for file in files]
        defined = replace(_defined(checked), operations=operations)
        if defined == known:
            break
        known = defined
    return list(zip(files, checked, strict=True))


@expressions.together()
def _checked(file: SourceFile, known: KnownNames) -> Checked:
    return language.check_document(file.document, known, expression_problem=expressions.problem_in)


def diagnostics_of(file: SourceFile, checked: Checked) -> tuple[Diagnostic, ...]:
    """Return the diagnostics of the parser and the checker for one document, by position."""
    return in_order((*file.syntax, *checked.diagnostics))


def _defined(documents: Iterable[Checked]) -> KnownNames:
    values = [statement.value for document in documents for statement in document.statements]
    return KnownNames(
        {value.name: value for value in values if isinstance(value, Action)},
        {value.name: value for value in values if isinstance(value, Flow)},
        {value.name: value for value in values if isinstance(value, EventType)},
        {value.name: value for value in values if isinstance(value, Config)},
    )
