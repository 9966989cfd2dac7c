"""The TextMate grammar has every keyword of the language."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import fsl
from chalicelib.authoring import keywords
from chalicelib.language.check.actions import _PROPERTIES
from chalicelib.language.check.flows import _FLOW, _RUN_OF_FLOW, _RUN_WITH_STEPS
from chalicelib.language.check.readers.options import OPTIONS
from chalicelib.language.check.schedules import SCHEDULE_PROPERTIES
from chalicelib.language.check.steps.kinds import _ACTION_PROPERTIES
from chalicelib.language.check.steps.outgoing import EMIT_PROPERTIES, START_PROPERTIES
from chalicelib.language.check.steps.waits import WAIT_PROPERTIES
from chalicelib.language.statements import END_WORDS, STATEMENT_WORDS
from chalicelib.language.syntax.recovery import _STEP_WORDS

EDITORS = Path(fsl.__file__).parent / "editors"
GRAMMAR = json.loads((EDITORS / "vscode" / "syntaxes" / "fsl.tmLanguage.json").read_text())


def coloured(name: str) -> set[str]:
    """Return the words in the patterns of one entry of the repository."""
    return set(re.findall(r"[a-z_]+", json.dumps(GRAMMAR["repository"][name]).lower()))


@pytest.mark.parametrize("word", [*STATEMENT_WORDS, *END_WORDS])
def test_statement_words_are_coloured(word: str) -> None:
    assert word in coloured("statement")


@pytest.mark.parametrize("word", _STEP_WORDS)
def test_step_words_are_coloured_and_offered(word: str) -> None:
    assert word in coloured("step")
    assert word in {**keywords.STEPS, **keywords.BRANCH}


def test_the_checkers_properties_are_those_that_are_coloured_and_offered() -> None:
    assert set(keywords.properties_of("action")) == set(_PROPERTIES)
    assert set(keywords.properties_of("deci")) == set(_ACTION_PROPERTIES)
    assert set(keywords.properties_of("wait")) == set(WAIT_PROPERTIES)
    assert set(keywords.properties_of("emit")) == set(EMIT_PROPERTIES)
    assert set(keywords.properties_of("start")) == set(START_PROPERTIES)
    assert set(keywords.properties_of("flow")) == set(_FLOW)
    assert set(keywords.properties_of("schedule")) == set(SCHEDULE_PROPERTIES)
    assert set(keywords.properties_of("flow_run")) == {*_RUN_WITH_STEPS, *_RUN_OF_FLOW}
    assert set(OPTIONS) <= set(keywords.properties_of("step"))
    for kind in keywords.PROPERTIES:
        assert set(keywords.properties_of(kind)) <= coloured("property")


def test_values_settings_types_and_routes_are_coloured() -> None:
    assert {value.lower() for values in keywords.VALUES.values() for value in values} <= coloured("constants")
    assert {name for names in keywords.SETTINGS.values() for name in names} <= coloured("settings")
    assert set(keywords.TYPES) <= coloured("types")
    assert {*keywords.ROUTES, "when"} <= coloured("routes")


@pytest.mark.parametrize("text", ["secret str token", 'a = Secret "NAME"', "secret token = null"])
def test_the_word_secret_is_coloured_before_a_name(text: str) -> None:
    assert re.search(GRAMMAR["repository"]["secret"]["match"], text)
    assert not re.search(GRAMMAR["repository"]["secret"]["match"], "secret = (str secret, data = secret)")


@pytest.mark.parametrize("text", ["use checks as pre_;", 'USE "my checks" as "pre_";'])
def test_the_words_of_use_are_coloured(text: str) -> None:
    assert re.search(GRAMMAR["repository"]["use"]["match"], text)
    assert not re.search(GRAMMAR["repository"]["use"]["match"], "use = ${ $input.use }; as = 1")


def test_the_grammars_patterns_are_there_and_are_regular_expressions() -> None:
    included = re.findall(r'"#(\w+)"', json.dumps(GRAMMAR))
    assert set(included) <= set(GRAMMAR["repository"])
    for pattern in re.findall(r'"(?:match|begin|end)": ("(?:[^"\\]|\\.)*")', json.dumps(GRAMMAR)):
        text = json.loads(pattern).replace("(?<=^|[;{\\s])", "")  # Oniguruma accepts this, Python does not
        re.compile(text)


def test_the_extension_names_files_that_exist() -> None:
    folder = EDITORS / "vscode"
    manifest = json.loads((folder / "package.json").read_text())
    named = [manifest["main"], manifest["contributes"]["grammars"][0]["path"]]
    named.append(manifest["contributes"]["languages"][0]["configuration"])
    assert all((folder / name).is_file() for name in named)
    json.loads((folder / "language-configuration.json").read_text())
