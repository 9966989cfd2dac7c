"""FSL files that are checked together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from chalicelib import language
from chalicelib.engine import expressions
from chalicelib.language import Checked, Diagnostic, Document, KnownNames
from chalicelib.model.actions import Action
from chalicelib.model.flow import Flow

ROUNDS: Final = 32
"""How many calls deep flows of several files may refer to each other."""


@dataclass(frozen=True, slots=True)
class Source:
    """One of the files, as far as it could be read."""

    name: str
    text: str
    document: Document
    syntax: tuple[Diagnostic, ...]


def read_all(sources: Sequence[Source]) -> list[tuple[Source, Checked]]:
    """Every document checked in the light of all others. Definitions are learnt until no round teaches more."""
    known = KnownNames()
    for _ in range(ROUNDS):
        checked = [
            language.check_document(source.document, known, expression_problem=expressions.problem_in)
            for source in sources
        ]
        learnt = _defined(checked)
        if learnt == known:
            break
        known = learnt
    return list(zip(sources, checked, strict=True))


def _defined(checked: Iterable[Checked]) -> KnownNames:
    actions: dict[str, Action] = {}
    flows: dict[str, Flow] = {}
    for one in checked:
        for statement in one.statements:
            if isinstance(statement.value, Action):
                actions[statement.name] = statement.value
            elif isinstance(statement.value, Flow):
                flows[statement.name] = statement.value
    return KnownNames(actions, flows)
