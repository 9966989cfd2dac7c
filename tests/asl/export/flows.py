"""Flows for tests of the export, from their text."""

from __future__ import annotations

from typing import Any

from chalicelib.asl.export import Exported, export
from chalicelib.asl.problems import Level
from chalicelib.authoring.analyze import analyze_all, source_file
from chalicelib.model.actions import Action
from chalicelib.model.flow import Flow

ACTIONS = """
action charge
    addr     = "charge-card";
    method   = lambda;
    callback = none;
    args     = any;
    return   = (OK);
action_end
/
action put
    addr   = "dynamodb:putItem";
    method = aws;
    return = (OK);
action_end
/
action build
    addr   = "http://build.example/run";
    args   = (str project);
    return = (BUILT | BROKEN);
action_end
/
action find
    addr     = "https://shop.example/orders/{id}";
    method   = https;
    verb     = GET;
    callback = none;
    args     = (str id);
    return   = (FOUND | MISSING on 404);
action_end
/
"""


def exported(text: str, name: str = "", **config: Any) -> Exported:
    """Return the export of the flow of that name, or of the last flow of the text."""
    (_, checked), *_ = analyze_all([source_file("test", ACTIONS + text)])
    assert checked.statements, checked.diagnostics
    values = [statement.value for statement in checked.statements]
    actions = {value.name: value for value in values if isinstance(value, Action)}
    flows = [value for value in values if isinstance(value, Flow) and name in ("", value.name)]
    return export(flows[-1], actions, config=config or None)


def machine(text: str, **config: Any) -> dict[str, Any]:
    """Return the machine of the only flow of the text, which can be expressed as a whole."""
    found = exported(text, **config)
    assert not [problem for problem in found.problems if problem.level is Level.ERROR], found.problems
    return found.machine


def states(text: str, **config: Any) -> dict[str, Any]:
    """Return the states of the only flow of the text."""
    found: dict[str, Any] = machine(text, **config)["States"]
    return found


def refusals(text: str) -> list[str]:
    """Return what cannot be expressed, each as `pointer: message`."""
    return [f"{one.pointer}: {one.message}" for one in exported(text).problems if one.level is Level.ERROR]
