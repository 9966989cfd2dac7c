"""New steps, routes and properties as FSL."""

from __future__ import annotations

from typing import Final

from chalicelib.authoring.edit.drafts import ELSE, Mention, PropertyDraft, RouteDraft, StepDraft, steps_of
from chalicelib.authoring.edit.layout import INDENT
from chalicelib.language.format import spelling
from chalicelib.model.flow import ENDS

_LINE_CHARACTERS: Final = 110
"""A longer step is written on several lines."""


def step(draft: StepDraft, text: str, indent: str, line_end: str) -> str:
    """Write a new step or branch, without blanks around it. `text` is the document, `indent` that of the step."""
    head = f"{draft.kind} {spelling.name(draft.name.name)}"
    if not draft.is_branch:
        found = " | ".join(route(one, text) for one in draft.routes if not one.is_deleted)
        head += f" => ({found})"
    inner = indent + INDENT
    properties = [prop(one) for one in draft.members if isinstance(one, PropertyDraft) and not one.is_deleted]
    nested = [step(one, text, inner, line_end) for one in steps_of(draft)]
    if not properties and not nested and not draft.is_branch:
        return f"{head};"
    short = f"{head} {{ {' '.join(properties)} }};"
    if not nested and len(indent) + len(short) <= _LINE_CHARACTERS:
        return short
    lines = "".join(f"{line_end}{inner}{one}" for one in (*properties, *nested))
    return f"{head} {{{lines}{line_end}{indent}}};"


def prop(draft: PropertyDraft) -> str:
    """Write a new property."""
    return f"{draft.name} = {draft.value.now() if draft.value else ''};"


def route(draft: RouteDraft, text: str) -> str:
    """Write a new route, with the entries that it has taken over from one in the text."""
    states = ", ".join(state(name) for name, _ in draft.states)
    when = "" if draft.when is None else f"when {spelling.expression(draft.when.now())}"
    entries = "" if draft.entries is None else f" {text[draft.entries.span.start : draft.entries.span.end]}"
    return f"{' '.join(filter(None, (states, when)))} -> {target(draft.target)}{entries}"


def state(name: str) -> str:
    """Write a state of a route."""
    return ELSE if name == ELSE else spelling.name(name)


def target(mention: Mention) -> str:
    """Write a target of a route."""
    return mention.name if mention.name in ENDS else spelling.name(mention.name)
