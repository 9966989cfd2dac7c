"""Edits of the programs of the manual, which have every kind of step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from chalicelib.authoring.analyze import analyze
from chalicelib.authoring.edit.emit import edit
from chalicelib.authoring.edit.operations import Operation
from chalicelib.authoring.edit.outline import step_at
from chalicelib.language import KnownNames, parse
from chalicelib.language.syntax.tree import Route, Statement, Step, steps_within

PROGRAMS = sorted((Path(__file__).parents[3] / "fsl" / "programs").glob("*.fsl"))
EVERY_PROGRAM = pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)


def steps_of(text: str) -> list[tuple[Statement, Step]]:
    """Return the steps of all flows and runs of a text."""
    found = [(one, step) for one in parse(text)[0].statements for step in steps_within(one.members)]
    return [(one, step) for one, step in found if one.kind.key in ("flow", "flow_run") and step.routes is not None]


def done(text: str, statement: Statement, *do: dict[str, Any]) -> str:
    """Return the edited text."""
    found = edit(text, statement.name.text, msgspec.convert(list(do), list[Operation])).text
    assert parse(found)[1] == ()
    return found


def errors(text: str) -> list[str]:
    """Return the errors of a text, which is checked by itself."""
    return [one.message for one in analyze(text, KnownNames()).diagnostics if one.severity == "error"]


@EVERY_PROGRAM
def test_a_step_that_is_renamed_and_renamed_back_leaves_the_text_as_it_was(path: Path) -> None:
    text = path.read_text()
    for statement, step in steps_of(text):
        name = step.name.text
        renamed = done(text, statement, {"op": "rename", "step": name, "to": "An other name"})
        assert len(errors(renamed)) == len(errors(text))
        assert done(renamed, statement, {"op": "rename", "step": "An other name", "to": name}) == text


@EVERY_PROGRAM
def test_a_step_that_is_added_and_deleted_leaves_the_text_as_it_was(path: Path) -> None:
    text = path.read_text()
    for statement, step in steps_of(text):
        first = step.routes.items[0] if step.routes and step.routes.items else None
        if not isinstance(first, Route) or first.entries or first.target is None:
            continue
        add = {"op": "add", "kind": "set", "name": "N", "after": step.name.text}
        delete = {"op": "delete", "step": "N", "heal": True}
        assert edit(text, statement.name.text, msgspec.convert([add, delete], list[Operation])).edits == ()
        added = done(text, statement, add)
        assert done(added, statement, delete) == text
        before = done(text, statement, {**add, "before": step.name.text, "after": None})
        assert errors(added) == errors(before) == errors(text)


@EVERY_PROGRAM
def test_what_a_form_shows_can_be_set_again_without_a_change(path: Path) -> None:
    text = path.read_text()
    for statement, step in steps_of(text):
        found = step_at(text, step.name.span.start)
        assert found is not None
        assert found.name == step.name.text
        name = {"step": found.name}
        again: list[dict[str, Any]] = [
            {"op": "set", **name, "property": one.name, "value": one.value} for one in found.properties if one.value
        ]
        again += [
            {"op": "route", **name, "state": list(one.states) or None, "when": one.when, "to": one.to}
            for one in found.routes
            if one.states or one.when
        ]
        assert done(text, statement, *again) == text


@EVERY_PROGRAM
def test_a_deleted_step_is_healed_without_a_route_that_leads_nowhere(path: Path) -> None:
    text = path.read_text()
    for statement, step in steps_of(text):
        outline = step_at(text, step.name.span.start)
        if outline is None or len(outline.targets) < 4:
            continue
        healed = done(text, statement, {"op": "delete", "step": step.name.text, "heal": True})
        assert not [one for one in errors(healed) if "which is not a step" in one]
