"""The context that all checks share: the findings, the known names, and the check of expressions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from chalicelib.language.check.catalog import Catalog
from chalicelib.language.check.descriptions import described
from chalicelib.language.limits import MAX_NAME_CHARACTERS
from chalicelib.language.problems import Findings, Problem
from chalicelib.language.source import Span
from chalicelib.language.syntax.tree import (
    Expression,
    Reference,
    Value,
    Word,
)  # fmt: skip
from chalicelib.model.actions import SECRET_NAME, Action, ArgType, Parameter
from chalicelib.model.flow import Flow
from chalicelib.model.statements import VALUE_TYPES, Config, EventType
from chalicelib.model.templates import Template, expression, reference, reference_of, source_of
from chalicelib.model.times import Instant
from chalicelib.model.visible_text import is_safe

ExpressionProblem: TypeAlias = Callable[[str], "tuple[int, str] | None"]
"""Maps JSONata text to the offset and message of a problem in it, or None."""

AddressProblem: TypeAlias = Callable[[str], str | None]
"""Maps the address of a hook to the reason why nothing may be sent there, or None."""


@dataclass
class Context:
    """One check of one document. The document's definitions take precedence over the catalog's."""

    findings: Findings
    catalog: Catalog
    expression_problem: ExpressionProblem | None = None
    address_problem: AddressProblem | None = None
    actions: dict[str, Action] = field(default_factory=dict)
    flows: dict[str, Flow] = field(default_factory=dict)
    events: dict[str, EventType] = field(default_factory=dict)
    configs: dict[str, Config] = field(default_factory=dict)
    is_echoer: bool = False
    """The document uses no word that the original echoer does not have."""
    now: Instant | None = None
    """The time of the submission; None: times are not compared with it."""
    broken: dict[str, set[str]] = field(default_factory=lambda: {kind: set() for kind in VALUE_TYPES})
    """Names with invalid definitions in the document, by kind; their uses are not reported."""
    later: list[Callable[[], object]] = field(default_factory=list)
    """Checks that need all flows of the document. They may report a problem again: equal ones are shown once."""

    def action(self, name: str) -> Action | None:
        """Return the action with this name; None if there is none or its definition has errors."""
        if name in self.actions or name in self.broken["action"]:
            return self.actions.get(name)
        return self.catalog.action(name)

    def flow(self, name: str) -> Flow | None:
        """Return the flow with this name; None if there is none or its definition has errors."""
        if name in self.flows or name in self.broken["flow"]:
            return self.flows.get(name)
        return self.catalog.flow(name)

    def event(self, name: str) -> EventType | None:
        """Return the event with this name; None if it is not declared or its declaration has errors."""
        if name in self.events or name in self.broken["event"]:
            return self.events.get(name)
        return self.catalog.event(name)

    def config(self, name: str) -> Config | None:
        """Return the value of the configuration with this name; None if there is none or it has errors."""
        if name in self.configs or name in self.broken["config"]:
            return self.configs.get(name)
        return self.catalog.config(name)

    def names(self) -> Iterable[str]:
        """Yield the known names of actions and flows, for suggestions."""
        yield from self.actions
        yield from self.flows
        yield from self.catalog.names()

    def wrong(self, name: str, value: Value, needed: str, hint: str | None = None) -> None:
        """Report that the value of `name` is not what it must be (`needed`)."""
        if isinstance(value, Reference):
            self.misplaced(name, value, "only a secret arg, a part of one, or a whole header may be a secret")
            return
        self.findings.report(
            Problem.WRONG_VALUE, value.span, hint=hint, name=name, needed=needed, found=described(value)
        )

    def misplaced(self, name: str, value: Reference, hint: str) -> None:
        """Report that the value of `name` must not be a reference to a secret."""
        self.findings.report(Problem.MISPLACED_SECRET, value.span, hint=hint, secret=value.name.text, name=name)

    def secret(self, value: Reference) -> str:
        """Return the name of a secret; an invalid name is reported."""
        name = value.name
        if not SECRET_NAME.fullmatch(name.text):
            reason = "the name of a secret consists of 1 to 128 letters, digits, '_', '-' and '.'"
            self.findings.report(Problem.INVALID_NAME, name.span, reason=reason)
        return name.text

    def reference(self, value: Reference) -> Template:
        """Return the reference to a secret as a template."""
        return reference(self.secret(value))

    def valid_name(self, word: Word) -> bool:
        """Whether a word is a valid name; an invalid name is reported."""
        if not word.text.strip():
            reason = "a name must not be empty"
        elif len(word.text) > MAX_NAME_CHARACTERS:
            reason = f"it has {len(word.text)} characters; the limit is {MAX_NAME_CHARACTERS}"
        elif not is_safe(word.text):
            reason = "a name must not have control characters, or ones that turn the direction of text"
        else:
            return True
        self.findings.report(Problem.INVALID_NAME, word.span, reason=reason)
        return False

    def source(self, value: Expression) -> str:
        """Return the JSONata text of an expression, stripped; an invalid expression is reported."""
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
        """Return the expression as a template."""
        return expression(self.source(value))


def accepts(parameter: Parameter, template: Template) -> bool:
    """Whether a parameter can have a value: one of its type, or null if its default is null."""
    if template is None and not parameter.required and parameter.default is None:
        return True
    return fits(parameter.type, template)


def fits(kind: ArgType, template: Template) -> bool:
    """Whether a template can have a type. An expression fits every type; a reference to a secret is text."""
    if reference_of(template) is not None:
        return kind in (ArgType.STR, ArgType.ANY)
    return source_of(template) is not None or kind.admits(template)
