"""Check a document: return its definitions and runs, or the diagnostics that explain why there are none.

A new kind of statement is a module that reads it and a row in `_FIRST` or `_LAST`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from chalicelib.language.check.actions import read_action, with_undo
from chalicelib.language.check.catalog import Catalog, named_by
from chalicelib.language.check.configs import read_config
from chalicelib.language.check.context import AddressProblem, Context, ExpressionProblem
from chalicelib.language.check.echoer import is_echoer
from chalicelib.language.check.events import read_event
from chalicelib.language.check.flows import read_flow, read_run
from chalicelib.language.check.hooks import read_hook
from chalicelib.language.check.schedules import read_schedule
from chalicelib.language.limits import MAX_STATEMENTS
from chalicelib.language.problems import Diagnostic, Findings, Problem, in_order
from chalicelib.language.source import Source
from chalicelib.language.statements import STATEMENT_WORDS
from chalicelib.language.syntax.parsing import parse
from chalicelib.language.syntax.tree import Document, Word
from chalicelib.language.syntax.tree import Statement as Node
from chalicelib.model.actions import Action
from chalicelib.model.flow import ActionStep, CallStep, Flow, walk
from chalicelib.model.statements import Config, EventType, StatementValue
from chalicelib.model.times import Instant

Reader: TypeAlias = Callable[[Context, Node], StatementValue | None]
"""Returns the value of a statement; None if it is too damaged to have one."""

_FIRST: Final[Mapping[str, Reader]] = {"event": read_event, "config": read_config}
"""The kinds of statements that refer to no others; actions and flows may refer to them."""

_LAST: Final[Mapping[str, Reader]] = {"flow_run": read_run, "schedule": read_schedule, "hook": read_hook}
"""The kinds of statements that refer to flows."""


@dataclass(frozen=True)
class Statement:
    """One checked statement: its value, and its text from the first to the last token."""

    kind: str
    """The word that begins it."""
    name: str
    value: StatementValue
    text: str


@dataclass(frozen=True)
class Checked:
    """The statements in the order of the text (none if there is an error), and all diagnostics by position."""

    statements: tuple[Statement, ...]
    diagnostics: tuple[Diagnostic, ...]


def read(text: str, catalog: Catalog, *, expression_problem: ExpressionProblem | None = None) -> Checked:
    """Parse and check a text. Never raises."""
    document, found = parse(text)
    checked = check_document(document, catalog, expression_problem=expression_problem)
    return Checked(checked.statements, in_order((*found, *checked.diagnostics)))


def check_document(
    document: Document,
    catalog: Catalog,
    *,
    expression_problem: ExpressionProblem | None = None,
    address_problem: AddressProblem | None = None,
    now: Instant | None = None,
) -> Checked:
    """Check a document against a catalog. The document's own definitions take precedence, in any order.

    `expression_problem` checks JSONata text; without it, every expression that is not empty is accepted.
    `address_problem` checks where hooks may send to. `now` is the time of the submission: a new schedule must not lie
    before it. A damaged document is checked as far as it was parsed and yields no statements. The diagnostics of
    `parse` are not repeated.
    """
    findings = Findings(Source(document.text))
    context = Context(findings, catalog, expression_problem, address_problem, is_echoer=is_echoer(document), now=now)
    values = _Statements(document, context).read()
    if document.damaged or findings.errors:
        return Checked((), findings.diagnostics())
    checked = tuple(
        Statement(node.kind.key, node.name.text, value, document.text[node.span.start : node.span.end])
        for node, value in values
    )
    return Checked(checked, findings.diagnostics())


class _Statements:
    """Reads the statements of one document.

    The order is: events and configs, actions, flows with callees before callers, then everything that refers to flows.
    """

    def __init__(self, document: Document, context: Context) -> None:
        self._context = context
        self._nodes = document.statements
        self._values: dict[int, StatementValue] = {}
        self._flows: dict[str, Node] = {}
        self._actions: list[tuple[Node, Action | None]] = []
        self._undo_of: dict[str, str] = {}
        """What undoes each action of the document that has an undo."""

    def read(self) -> list[tuple[Node, StatementValue]]:
        findings = self._context.findings
        if len(self._nodes) > MAX_STATEMENTS:
            first = self._nodes[MAX_STATEMENTS]
            findings.report(
                Problem.TOO_MANY, first.kind.span, count=len(self._nodes), what="statements", limit=MAX_STATEMENTS
            )
            return []
        self._check_names()
        self._read_all(_FIRST)
        self._read_actions()
        for name in self._flows_by_call():
            node = self._flows[name]
            before = findings.errors
            flow = read_flow(self._context, node)
            self._values[id(node)] = flow
            if findings.errors == before and not node.damaged:
                self._context.flows[name] = flow
                self._context.broken["flow"].discard(name)
        self._read_undos()
        self._read_all(_LAST)
        for check in self._context.later:
            check()
        return [(node, self._values[id(node)]) for node in self._nodes if id(node) in self._values]

    def _check_names(self) -> None:
        seen: set[tuple[str, str]] = set()
        for node in self._nodes:
            kind, name = node.kind.key, node.name.text
            if not node.damaged:
                self._context.valid_name(node.name)
            if (kind, name) in seen:
                self._context.findings.report(Problem.DUPLICATE_STATEMENT, node.name.span, kind=kind, name=name)
            seen.add((kind, name))
            if kind == "flow":
                self._flows.setdefault(name, node)
            for defines, broken in self._context.broken.items():
                if kind == defines or kind not in STATEMENT_WORDS:
                    broken.add(name)

    def _read_all(self, readers: Mapping[str, Reader]) -> None:
        """Read the statements of some kinds. The names of those without errors become known."""
        for node in self._nodes:
            if node.kind.key not in readers:
                continue
            before = self._context.findings.errors
            value = readers[node.kind.key](self._context, node)
            if value is None:
                continue
            self._values[id(node)] = value
            if self._context.findings.errors == before and not node.damaged:
                self._define(node.name.text, value)

    def _define(self, name: str, value: StatementValue) -> None:
        context = self._context
        if isinstance(value, EventType):
            context.events.setdefault(name, value)
            context.broken["event"].discard(name)
        elif isinstance(value, Config):
            context.configs.setdefault(name, value)
            context.broken["config"].discard(name)

    def _read_actions(self) -> None:
        actions = [node for node in self._nodes if node.kind.key == "action"]
        self._actions = [(node, read_action(self._context, node)) for node in actions]
        for node, action in self._actions:
            if action is not None:
                self._context.actions.setdefault(node.name.text, action)
                self._context.broken["action"].discard(node.name.text)
            for kind, word in named_by(node):
                if kind == "undo":
                    self._undo_of[node.name.text] = word.text

    def _read_undos(self) -> None:
        for node, action in self._actions:
            if action is not None:
                self._values[id(node)] = with_undo(self._context, node, action)

    def _flows_by_call(self) -> list[str]:
        """Return the document's flows, callees before callers. Reports flows that call themselves."""
        order: list[str] = []
        path: list[tuple[str, list[str]]] = []
        state: dict[str, Literal["open", "closed"]] = {}
        for name in self._flows:
            if name not in state:
                path.append((name, list(self._called_by(name))))
                state[name] = "open"
            while path:
                current, calls = path[-1]
                if not calls:
                    path.pop()
                    state[current] = "closed"
                    order.append(current)
                    continue
                called = calls.pop(0)
                if called not in state:
                    state[called] = "open"
                    path.append((called, list(self._called_by(called))))
                elif state[called] == "open":
                    self._report_cycle([one for one, _ in path], called)
        return [name for name in order if name in self._flows]

    def _called_by(self, name: str) -> Iterable[str]:
        """Return the flows that a flow runs: those that it calls, and those that undo its steps."""
        if name in self._flows:
            return [called for called, _ in self._calls_in(self._flows[name])]
        flow = self._context.catalog.flow(name)
        return _flows_run_by(flow) if flow else []

    def _calls_in(self, node: Node) -> Iterator[tuple[str, Word]]:
        """Yield each flow that a statement runs, and the word that causes it."""
        for kind, word in named_by(node):
            if kind == "flow":
                yield word.text, word
            undo = word.text if kind == "undo" else self._undo_of.get(word.text) if kind == "action" else None
            if undo is not None and undo in self._flows and self._context.action(undo) is None:
                yield undo, word

    def _report_cycle(self, path: list[str], called: str) -> None:
        cycle = [*path[path.index(called) :], called]
        for flow, callee in itertools.pairwise(cycle):
            for name, word in self._calls_in(self._flows[flow]) if flow in self._flows else ():
                if name == callee:
                    path_text = " -> ".join(cycle)
                    self._context.findings.report(Problem.RECURSIVE_CALL, word.span, flow=flow, path=path_text)
                    return


def _flows_run_by(flow: Flow) -> Iterator[str]:
    for step in walk(flow.steps):
        if isinstance(step, CallStep):
            yield step.flow
        if isinstance(step, (ActionStep, CallStep)) and step.undo and step.undo.is_flow:
            yield step.undo.action
