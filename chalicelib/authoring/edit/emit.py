"""Edit a flow: read it, apply the operations, and return what changes in the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chalicelib.authoring import occurrences
from chalicelib.authoring.edit import write
from chalicelib.authoring.edit.apply import Editor
from chalicelib.authoring.edit.drafts import (
    FlowDraft,
    Member,
    OtherDraft,
    PropertyDraft,
    Scope,
    StepDraft,
    draft_of,
)
from chalicelib.authoring.edit.emit_routes import emit_routes
from chalicelib.authoring.edit.errors import EditRefused, FlowUnreadable, unknown
from chalicelib.authoring.edit.layout import INDENT, Layout
from chalicelib.authoring.edit.operations import Operation, Rename
from chalicelib.authoring.edit.patch import Edit, Patch, applied
from chalicelib.authoring.edit.routes import Returns, returns_of
from chalicelib.language import Diagnostic, Document, Unwritable, parse
from chalicelib.language.source import Source, Span
from chalicelib.language.syntax.tree import Statement

_SHARED: Final = ("action", "flow", "config")
"""What is defined for all documents: where the definition is not in the text, it is not renamed there alone."""


@dataclass(frozen=True, slots=True)
class Edited:
    """The edits, in order and apart from each other, and the text with them."""

    edits: tuple[Edit, ...]
    text: str


def edit(text: str, flow: str, operations: Sequence[Operation], returns: Returns = lambda _: None) -> Edited:
    """Return the edits that the operations make in a flow of the text, or in a run with steps of its own.

    `flow` may be empty if the text has only one. `returns` gives the states of actions that the text does not declare.
    Takes time proportional to the text and the number of operations. Raises FlowUnreadable if the flow has syntax
    errors, and EditRefused if there is no such flow or an operation cannot be done.
    """
    at = operations[0].at if len(operations) == 1 and isinstance(operations[0], Rename) else None
    if at is not None and isinstance(operations[0], Rename) and operations[0].step is None:
        return _renamed(text, at, operations[0].to)
    document, problems = parse(text)
    statement = _statement(document, flow, problems)
    draft = draft_of(document, statement)
    Editor(draft, returns_of(document.statements, returns)).apply(operations)
    try:
        edits = _Emitter(document, draft).edits()
    except Unwritable as problem:
        raise EditRefused(str(problem)) from problem
    return Edited(edits, applied(text, edits))


def _renamed(text: str, at: int, new: str) -> Edited:
    """Return the edits that rename what is at an offset."""
    named = occurrences.symbol(text, at)
    if named and named[0].name.kind in _SHARED and not any(one.defines for one in named[1]):
        raise EditRefused(f"do[0]: {named[0].name.kind} '{named[0].name.text}' is not defined in this text")
    try:
        found = occurrences.renamed({"": text}, text, at, new)
    except occurrences.NotRenamed as problem:
        raise EditRefused(f"do[0]: {problem}") from problem
    patch = Patch(text)
    for place, written in found:
        patch.replace(place.span, written)
    return Edited(patch.edits(), applied(text, patch.edits()))


def _statement(document: Document, flow: str, problems: tuple[Diagnostic, ...]) -> Statement:
    """Return the flow of that name, else the run. Raises FlowUnreadable or EditRefused."""
    errors = tuple(one for one in problems if one.severity == "error")
    found = [one for one in document.statements if one.kind.key in ("flow", "flow_run")]
    named = sorted((one for one in found if one.name.text == flow or not flow), key=lambda one: one.kind.key)
    if not named:
        if errors:
            raise FlowUnreadable(errors)
        raise unknown("flow", flow, [one.name.text for one in found], "the text")
    if not flow and len(named) > 1:
        raise EditRefused(f"the text has {len(named)} flows: `flow` says which one is edited")
    statement = named[0]
    source = Source(document.text)
    lines = range(source.position(statement.span.start)[0], source.position(statement.span.end)[0] + 1)
    within = tuple(one for one in errors if one.line in lines or one.end_line in lines)
    inside = tuple(one for one in within if _touches(source, one, statement.span))
    if inside or statement.damaged:
        raise FlowUnreadable(inside or within or errors)
    return statement


def _touches(source: Source, one: Diagnostic, span: Span) -> bool:
    start, end = source.offset(one.line, one.column), source.offset(one.end_line, one.end_column)
    return start <= span.end and end >= span.start


class _Emitter:
    """Collects what the draft of a flow changes in its text."""

    def __init__(self, document: Document, flow: FlowDraft) -> None:
        self._text = document.text
        self._flow = flow
        self._layout = Layout(document.text, document.comments)
        self._patch = Patch(document.text)

    def edits(self) -> tuple[Edit, ...]:
        """Return the edits."""
        self._members(self._flow)
        for mentions in self._flow.mentions.values():
            for one in mentions:
                if one.place is not None and not one.is_dropped and one.place.name.text != one.name:
                    self._patch.replace(one.place.span, one.place.written(one.name))
        return self._patch.edits()

    def _members(self, scope: Scope) -> None:
        """Emit what changes in a scope. What is new between two places of the text is put there as a whole."""
        before: Member | None = None
        new: list[Member] = []
        gone: list[Member] = []
        for one in (*scope.members, None):
            is_new = isinstance(one, (PropertyDraft, StepDraft)) and (one.node is None or _is_moved(one))
            if one is not None and is_new:
                new += [] if one.is_deleted else [one]
            elif one is not None and one.is_deleted:
                gone.append(one)
            else:
                self._run(scope, before, new, gone, one)
                before, new, gone = one, [], []
            if one is not None and one.node is not None and not one.is_deleted:
                self._inner(one)

    def _inner(self, one: Member) -> None:
        """Emit what changes within a member of the text."""
        if (
            isinstance(one, PropertyDraft)
            and one.value is not None
            and one.node is not None
            and one.node.value is not None
        ):
            self._patch.replace(one.node.value.span, one.value.now())
        if isinstance(one, StepDraft):
            emit_routes(one, self._layout, self._patch)
            self._members(one)

    def _run(
        self, scope: Scope, before: Member | None, new: list[Member], gone: list[Member], after: Member | None
    ) -> None:
        """Emit what is new and what is gone between two members that stay. What is new replaces what is gone."""
        kinds = (PropertyDraft, (StepDraft, OtherDraft))
        for kind in kinds:
            added = [one for one in new if isinstance(one, kind)]
            left = [one for one in gone if isinstance(one, kind)]
            if added and left:
                at = _span(left[0])
                self._put(at, added, self._layout.indent(at.start), is_inline=not self._layout.begins_line(at.start))
                left = left[1:]
            elif added:
                self._insert(scope, before, added, after)
            for one in left:
                self._patch.replace(self._layout.whole_lines(_span(one)), "")

    def _insert(self, scope: Scope, before: Member | None, added: list[Member], after: Member | None) -> None:
        layout = self._layout
        if before is not None:
            span = _span(before)
            at, must_break = layout.after_comments(span.end)
            is_inline = not layout.begins_line(span.start) and not must_break
            self._put(Span(at, at), added, layout.indent(span.start), is_inline=is_inline, is_after=True)
        elif after is not None:
            start = _span(after).start
            is_inline = not layout.begins_line(start)
            at = start if is_inline else layout.before_comments(start)
            self._put(Span(at, at), added, layout.indent(at), is_inline=is_inline, is_before=True)
        else:
            self._first(scope, added)

    def _first(self, scope: Scope, added: list[Member]) -> None:
        """Emit the first members of a scope that has none in the text."""
        layout, node = self._layout, scope.node
        if isinstance(scope, FlowDraft) or node is None:
            end = self._flow.node.name.span.end
            at, must_break = layout.after_comments(end)
            is_inline = not must_break and not layout.ends_line(at)
            indent = layout.indent(end) + INDENT
            self._put(Span(at, at), added, indent, is_inline=is_inline, is_after=True)
            return
        body = scope.node.body if scope.node is not None else None
        if body is None:
            at = node.span.end - 1
            self._patch.insert(at, " {")
            self._put(Span(at, at), added, "", is_inline=True, is_after=True)
            self._patch.insert(at, " }")
            return
        at, must_break = layout.after_comments(body.span.start + 1)
        breaks = must_break or layout.ends_line(at)
        indent = layout.indent(node.span.start) + INDENT
        self._put(Span(at, at), added, indent, is_inline=not breaks, is_after=True)
        if not breaks and not self._text[at].isspace():
            self._patch.insert(at, " ")

    def _put(
        self,
        at: Span,
        added: list[Member],
        indent: str,
        *,
        is_inline: bool,
        is_after: bool = False,
        is_before: bool = False,
    ) -> None:
        """Put new members in the place of a span, which may be empty: on lines of their own, or on one line."""
        between = " " if is_inline else self._layout.line_end + indent
        parts: list[str | Span] = [between] if is_after else []
        for number, one in enumerate(added):
            parts += [between] if number else []
            if isinstance(one, PropertyDraft):
                parts.append(write.prop(one))
            elif isinstance(one, StepDraft) and one.node is not None:
                parts.append(one.node.span)
            elif isinstance(one, StepDraft):
                parts.append(write.step(one, self._text, indent, self._layout.line_end))
        self._patch.compose(at, [*parts, between] if is_before else parts)


def _is_moved(one: Member) -> bool:
    return isinstance(one, StepDraft) and one.is_moved


def _span(one: Member) -> Span:
    if one.node is None:
        raise ValueError("the member has no place in the text")
    return one.node.span
