"""Worlds made of FSL text, and small outsides."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from chalicelib import language
from chalicelib.engine import expressions
from chalicelib.language import KnownNames
from chalicelib.model.actions import Action
from chalicelib.model.definition import Definition
from chalicelib.model.flow import Flow
from fsl.testing.drive import World
from fsl.testing.outside import Answer, Kind, Outside, Reply, Request, agree

SECOND = 1_000
HOUR = 3_600_000
DAY = 24 * HOUR


def world(text: str, outside: Outside = agree, secrets: Mapping[str, str] | None = None) -> World:
    """A world with the flows of the text, where these secrets are set."""
    checked = language.read(text, KnownNames(), expression_problem=expressions.problem_in)
    assert [one for one in checked.diagnostics if one.severity == "error"] == []
    values = [statement.value for statement in checked.statements]
    actions = {value.name: value for value in values if isinstance(value, Action)}
    flows = [value for value in values if isinstance(value, Flow)]
    definitions = {flow.name: Definition(flow=flow, actions=actions) for flow in flows}
    return World(definitions, outside, secrets=secrets)


def after(milliseconds: int) -> Outside:
    """Everything goes well, and takes so long."""

    def reply(request: Request) -> Reply | None:
        return None if request.kind is Kind.FLOW else (Answer(state=request.states[0], after=milliseconds),)

    return reply


def silent(_request: Request) -> Reply | None:
    """Everything is taken, nothing is answered."""
    return ()


def written(folder: Path, **files: str) -> Path:
    """The folder, with files in it: `a_fsl="..."` is `a.fsl`, `a_test_yaml` is `a.test.yaml`."""
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return folder
