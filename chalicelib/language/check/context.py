"""What every check has at hand: where to report, which names exist, and how an expression is judged."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from chalicelib.language.check.catalog import Catalog
from chalicelib.language.check.descriptions import described
from chalicelib.language.limits import NAME_CHARACTERS
from chalicelib.language.problems import Findings, Problem
from chalicelib.language.source import Span
from chalicelib.language.syntax.tree import (
    Expression,
    Reference,
    Value,
    Word,
)  # fmt: skip
from chalicelib.model.actions import SECRET_NAME, Action, ArgType
from chalicelib.model.flow import Flow
from chalicelib.model.templates import Template, expression, reference, reference_of, source_of

ExpressionProblem: TypeAlias = Callable[[str], "tuple[int, str] | None"]
"""Given JSONata text: the offset of a problem in it and what is wrong, or None."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass
class Context:
    """One check of one document. Its own definitions win over the catalog's."""

    findings: Findings
    catalog: Catalog
    expression_problem: ExpressionProblem | None = None
    actions: dict[str, Action] = field(default_factory=dict)
    flows: dict[str, Flow] = field(default_factory=dict)
    broken: dict[str, set[str]] = field(default_factory=lambda: {"action": set(), "flow": set()})
    """Names that the document defines, but not readably: nothing is said about who uses them."""

    def action(self, name: str) -> Action | None:
        """The action of that name; None if there is none, or none that can be read."""
        if name in self.actions or name in self.broken["action"]:
            return self.actions.get(name)
        return self.catalog.action(name)

    def flow(self, name: str) -> Flow | None:
        """The flow of that name; None if there is none, or none that can be read."""
        if name in self.flows or name in self.broken["flow"]:
            return self.flows.get(name)
        return self.catalog.flow(name)

    def names(self) -> Iterable[str]:
        yield from self.actions
        yield from self.flows
        yield from self.catalog.names()

    def wrong(self, name: str, value: Value, needed: str, hint: str | None = None) -> None:
        """Reports that a value is not of the kind that `name` needs."""
        if isinstance(value, Reference):
            self.misplaced(name, value, "it can only be a secret arg, a part of one, or the whole text of a header")
            return
        self.findings.report(
            Problem.WRONG_VALUE, value.span, hint=hint, name=name, needed=needed, found=described(value)
        )

    def misplaced(self, name: str, value: Reference, hint: str) -> None:
        """Reports that `name` takes no reference to a secret."""
        self.findings.report(Problem.MISPLACED_SECRET, value.span, hint=hint, secret=value.name.text, name=name)

    def secret(self, value: Reference) -> str:
        """The name of a secret; reported if it cannot be one."""
        name = value.name
        if not SECRET_NAME.fullmatch(name.text):
            reason = "the name of a secret has 1 to 128 characters: letters, digits, _, - and ."
            self.findings.report(Problem.INVALID_NAME, name.span, reason=reason)
        return name.text

    def reference(self, value: Reference) -> Template:
        """The reference to a secret as a template."""
        return reference(self.secret(value))

    def valid_name(self, word: Word) -> bool:
        """Whether a word can be a name; reported if not."""
        if not word.text.strip():
            reason = "a name cannot be empty"
        elif len(word.text) > NAME_CHARACTERS:
            reason = f"a name has at most {NAME_CHARACTERS} characters, not {len(word.text)}"
        elif _CONTROL.search(word.text):
            reason = "a name cannot hold control characters"
        else:
            return True
        self.findings.report(Problem.INVALID_NAME, word.span, reason=reason)
        return False

    def source(self, value: Expression) -> str:
        """The JSONata text of an expression, without blanks around it; reported if it cannot be read."""
        text = value.source.strip()
        problem = (0, "it is empty") if not text else None
        if text and self.expression_problem:
            problem = self.expression_problem(text)
        if problem:
            blanks = len(value.source) - len(value.source.lstrip())
            start = min(value.span.start + 2 + blanks + max(0, problem[0]), value.span.end - 1)
            self.findings.report(Problem.INVALID_EXPRESSION, Span(start, start + 1), reason=problem[1])
        return text

    def expression(self, value: Expression) -> Template:
        """The expression as a template."""
        return expression(self.source(value))


def fits(kind: ArgType, template: Template) -> bool:
    """Whether a template can be of a type: an expression can be of any, and what the namespace keeps is text."""
    if reference_of(template) is not None:
        return kind in (ArgType.STR, ArgType.ANY)
    return source_of(template) is not None or kind.admits(template)
