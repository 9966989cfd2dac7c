"""The example programs: each is valid and has tests, and together they use all of FSL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, get_args

import pytest

from chalicelib import expressions, language
from chalicelib.language import KnownNames
from chalicelib.language.syntax.tree import Property, steps_within
from chalicelib.model.actions import Method
from chalicelib.model.definition import Definition
from chalicelib.model.flow import Step, walk
from fsl.testing.cases import schema
from fsl.testing.coverage import Coverage
from fsl.testing.document import Document
from fsl.testing.program import read_program
from fsl.testing.report import describe
from fsl.testing.suite import Suite, find

PROGRAMS: Final = Path(language.__file__).parents[2] / "fsl" / "programs"
FILES: Final = sorted(PROGRAMS.glob("*.fsl"))

PROPERTIES: Final = frozenset(
    """
    abandoned action addr approval args at batch body breaker callback cancel catch_up condition config cron data
    description event events every flow for headers heartbeat input items jitter join keep key labels limit max
    max_steps method name on on_enter on_leave output overlap repeat reply_timeout retry return role save timeout to
    tolerate ttl undo until vars verb zone
    """.split()  # noqa: SIM905 - a list of words reads better than words in quotes
)


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


def test_together_they_have_every_property() -> None:
    used: set[str] = set()
    for file in FILES:
        document, _ = language.parse(file.read_text(encoding="utf-8"))
        for statement in document.statements:
            bodies = [step.body.members for step in steps_within(statement.members) if step.body]
            for members in (statement.members, *bodies):
                used |= {member.name.key for member in members if isinstance(member, Property)}
    assert used == PROPERTIES


def test_together_they_have_every_method_and_every_way_to_join() -> None:
    definitions = _all().values()
    assert {action.method for made in definitions for action in made.actions.values()} == {*Method} - {Method.EVENTS}
    text = "".join(file.read_text(encoding="utf-8") for file in FILES)
    for word in ("join = any", "join = 2", "TIMEOUT ->", "ERROR ->", "FAIL ->", "STOPPED ->", "-> stopped", "else ->"):
        assert word in text, word


def test_the_schema_that_editors_read_is_the_format() -> None:
    kept = PROGRAMS.parent / "testing" / "schema.json"
    assert json.loads(kept.read_text(encoding="utf-8")) == schema()


def test_the_schema_admits_every_test_file_of_the_programs() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    for file in find([PROGRAMS]):
        jsonschema.validate(Document(str(file), file.read_text(encoding="utf-8")).value, schema())


def _all() -> dict[str, Definition]:
    return {name: made for file in FILES for name, made in read_program([file]).definitions.items()}
