"""The example programs: each is valid and has tests, and together they use all of FSL and of the format of tests."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final, get_args

import pytest

from chalicelib import expressions, language
from chalicelib.authoring import keywords
from chalicelib.language import KnownNames
from chalicelib.language.syntax import tree
from chalicelib.language.syntax.tree import (
    Assignment,
    Declaration,
    Document,
    EventName,
    Group,
    Property,
    Route,
    Use,
    Word,
    steps_within,
)  # fmt: skip
from chalicelib.model.definition import Definition
from chalicelib.model.flow import Jitter, Overflow, Step, walk
from chalicelib.model.hooks import HookEvent
from fsl.testing import document as yaml
from fsl.testing.cases import Case, Command, OtherRun, Reply, Signal, schema
from fsl.testing.coverage import Coverage
from fsl.testing.expectations import Expect, set_fields
from fsl.testing.parts import Part
from fsl.testing.program import read_program
from fsl.testing.report import describe
from fsl.testing.suite import Suite, find

PROGRAMS: Final = Path(language.__file__).parents[2] / "fsl" / "programs"
FILES: Final = sorted(PROGRAMS.glob("*.fsl"))
TEXT: Final = "".join(file.read_text(encoding="utf-8") for file in FILES)
DOCUMENTS: Final = [language.parse(file.read_text(encoding="utf-8"))[0] for file in FILES]

NOT_TESTED: Final = {("method", "events")}
"""Values of properties that no test of a program can use: an event bus of AWS is no action."""


UNUSED: Final[dict[type[Part], frozenset[str]]] = {Case: frozenset({"limit"})}
"""Fields that the tests of programs do not need."""


def test_the_folder_is_not_empty_and_every_program_has_tests() -> None:
    assert len(FILES) >= 25
    assert [file.with_suffix(".test.yaml") for file in FILES] == find([PROGRAMS])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_program_passes_its_tests_which_take_every_route(file: Path) -> None:
    coverage = Coverage()
    results = list(Suite(file.with_suffix(".test.yaml")).run(coverage))
    assert results
    assert [line for result in results if not result.ok for line in describe(result)] == []
    assert [missed for flow in coverage.flows() for missed in flow.missed] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_program_has_neither_errors_nor_warnings(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    checked = language.read(text, KnownNames(), expression_problem=expressions.problem_in)
    assert [language.render(one, text, file.name) for one in checked.diagnostics] == []


def test_together_they_have_every_kind_of_step() -> None:
    used = {type(step) for made in _all().values() for step in walk(made.flow.steps)}
    assert used == set(get_args(Step))


def test_together_they_have_every_statement() -> None:
    kinds = {statement.kind.key for document in DOCUMENTS for statement in document.statements}
    assert kinds == set(keywords.STATEMENTS)


def test_together_they_have_every_property_of_every_statement_and_step() -> None:
    used = {(kind, found.name.key) for kind, found in _properties()}
    known = {(kind, name) for kind, properties in keywords.PROPERTIES.items() for name in properties}
    assert sorted(known - used) == []


def test_together_they_have_every_value_that_is_a_word() -> None:
    used = {(found.name.key, found.value.key) for _, found in _properties() if isinstance(found.value, Word)}
    known = {(name, value.lower()) for name, values in keywords.VALUES.items() for value in values}
    assert sorted(known - used - NOT_TESTED) == []


def test_together_they_have_every_setting() -> None:
    used: set[tuple[str, str]] = set()
    words: set[str] = set()
    for _, found in _properties():
        for one in _parts(found.value):
            if isinstance(one, Assignment):
                used.add((found.name.key, one.name.key))
                words.add(one.value.key if isinstance(one.value, Word) else "")
    known = {(name, setting) for name, settings in keywords.SETTINGS.items() for setting in settings}
    assert sorted(known - used) == []
    assert set(Overflow) <= words
    assert set(Jitter) <= words


def test_together_they_have_every_type_and_event_of_hooks() -> None:
    parts = [part for _, found in _properties() for part in _parts(found.value)]
    assert {one.type.key for one in parts if isinstance(one, Declaration) and one.type} >= set(keywords.TYPES)
    assert {one.text for one in parts if isinstance(one, EventName)} == set(HookEvent)


def test_together_they_read_every_name_in_expressions() -> None:
    assert [name for name in keywords.BOUND_NAMES if not re.search(rf"\$\{{[^}}]*\${name}\b", TEXT)] == []


def test_together_they_have_every_way_to_join_and_to_route() -> None:
    words = "join = any|join = 2|TIMEOUT ->|ERROR ->|FAIL ->|STOPPED ->|-> stopped|else ->|stopped (error|done (output"
    assert [word for word in words.split("|") if word not in TEXT] == []
    groups = [step.routes for document in DOCUMENTS for step in _steps(document) if step.routes]
    routes = [route for group in groups for route in group.items]
    assert any(isinstance(route, Route) and len(route.states) > 1 for route in routes)
    assert any(isinstance(member, Use) for one in DOCUMENTS for each in one.statements for member in each.members)


def test_together_their_tests_use_every_field_of_the_format() -> None:
    used: dict[type[Part], set[str]] = defaultdict(set)
    for file in find([PROGRAMS]):
        _note(Suite(file).tests, used)
    for part in (Case, Reply, Signal, Command, OtherRun, Expect):
        assert sorted(set(part.__struct_fields__) - used[part] - UNUSED.get(part, frozenset())) == []


def test_the_schema_that_editors_read_is_the_format() -> None:
    kept = PROGRAMS.parent / "testing" / "schema.json"
    assert json.loads(kept.read_text(encoding="utf-8")) == schema()


def test_the_schema_admits_every_test_file_of_the_programs() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    for file in find([PROGRAMS]):
        jsonschema.validate(yaml.Document(str(file), file.read_text(encoding="utf-8")).value, schema())


def _all() -> dict[str, Definition]:
    return {name: made for file in FILES for name, made in read_program([file]).definitions.items()}


def _steps(document: Document) -> Iterator[tree.Step]:
    for statement in document.statements:
        yield from steps_within(statement.members)


def _properties() -> Iterator[tuple[str, Property]]:
    """Yield every property with the kind of its statement or step; a deci has those of a step."""
    for document in DOCUMENTS:
        for statement in document.statements:
            yield from ((statement.kind.key, one) for one in statement.members if isinstance(one, Property))
        for step in _steps(document):
            kind = "step" if step.kind.key == "deci" else step.kind.key
            members = step.body.members if step.body else ()
            yield from ((kind, one) for one in members if isinstance(one, Property))


def _parts(value: object) -> Iterator[object]:
    """Yield what is in a group, groups within it included."""
    if isinstance(value, Route):
        value = value.entries
    if isinstance(value, Group):
        for item in value.items:
            yield item
            yield from _parts(item)


def _note(value: object, used: dict[type[Part], set[str]]) -> None:
    """Note which fields of the format a test file has."""
    if isinstance(value, Part):
        for name in set_fields(value):
            used[type(value)].add(name)
            _note(getattr(value, name), used)
    elif isinstance(value, list):
        for item in value:
            _note(item, used)
    elif isinstance(value, dict):
        for item in value.values():
            _note(item, used)
