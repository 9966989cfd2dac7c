"""What Step Functions has not is an error with its place, and all of it is found at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.asl.check import check
from chalicelib.asl.export import export
from chalicelib.asl.problems import Level, has_errors
from chalicelib.authoring.analyze import analyze_all, source_file
from chalicelib.model.actions import Action
from chalicelib.model.flow import Flow
from tests.asl.export.flows import ACTIONS, exported, refusals

CHARGE = "action = charge; args = ${ $input };"
PROGRAMS = sorted((Path(__file__).parents[3] / "fsl" / "programs").glob("*.fsl"))


def flow(steps: str, properties: str = "") -> str:
    return f"flow f input = any; {properties} {steps} flow_end"


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        (
            flow('wait W => (A -> done | TIMEOUT -> done) { events = (A = "a"); };'),
            "/steps/0: step W: Step Functions has",
        ),
        (flow("wait W => (DONE -> done | TIMEOUT -> done) { condition = ${ $vars.x }; };"), "/steps/0: step W: Step"),
        (
            flow('wait W => (DONE -> done) { next = "0 9 * * *"; };'),
            "/steps/0: step W: next: a Wait state knows no cron",
        ),
        (
            flow("wait W => (DONE -> done) { for = 1500ms; };"),
            "/steps/0: step W: 1500ms: Step Functions waits for whole",
        ),
        (flow('emit E => (DONE -> done) { event = "e"; };'), "/steps/0: step E: Step Functions has no such step"),
        (
            flow(f'step A => (OK -> done) {{ {CHARGE} undo = put (TableName = "t") on OK; }};'),
            "/steps/0/undo: step A: undo: Step Functions undoes nothing",
        ),
        (
            flow(f"step A => (OK -> done) {{ {CHARGE} limit = (concurrent = 1); }};"),
            "/steps/0/options/limit: step A: limit",
        ),
        (
            flow(f"step A => (OK -> done) {{ {CHARGE} approval = required; }};"),
            "/steps/0/options/approval: step A: approv",
        ),
        (
            flow(f"step A => (OK -> done) {{ {CHARGE} }};", "limit = (concurrent = 1);"),
            "/limit: flow f: limit: Step Functions does not bound",
        ),
        (
            flow(
                "fork F => (DONE -> done | FAIL -> done) { join = any; branch a { set A => (DONE -> done); };"
                " branch b { set B => (DONE -> done); }; };"
            ),
            "/steps/0/join: step F: join of 1 of 2: a Parallel state waits for all branches",
        ),
        (
            flow(
                "fork F => (DONE -> done | TIMEOUT -> done) { timeout = 1h; branch a { set A => (DONE -> done); }; };"
            ),
            "/steps/0/timeout: step F: timeout: a Parallel state has no time limit",
        ),
        (
            flow(
                "fork F => (DONE -> done) { branch a { set A => (DONE -> done) { save = (x = 1); }; }; };",
                "vars = (x = 0);",
            ),
            "/steps/0/branches/0/steps/0/save: step A: `save` sets x: Step Functions sets no variable",
        ),
        (
            flow(
                "each E => (DONE -> done) { items = [1]; tolerate = 1; step A => (OK -> done) { action = charge;"
                " args = ${ $vars.x }; }; };",
                "vars = (x = 0);",
            ),
            "/steps/0: step E: tolerate: the Map state is a distributed one, and its items do not see variable x",
        ),
        (
            flow(
                'step B => (BUILT -> done | BROKEN -> done) { action = build; args = (project = "p");'
                " repeat = (BROKEN -> (max = 2)); };"
            ),
            "/steps/0/repeat/0: step B: repeat: after BROKEN: Step Functions retries errors only",
        ),
        (
            flow("set A => (DONE -> done (output = ${ $run.labels }));"),
            "/steps/0/routes/0: step A: $run.labels: an execution",
        ),
        (flow("set A => (DONE -> done (output = ${ $vars }));"), "/steps/0/routes/0: step A: $vars as a whole"),
        (
            flow(
                f'step A => (OK -> B) {{ {CHARGE} }}; deci B => (when ${{ $state = "OK" }} -> done | else -> stopped);'
            ),
            "/steps/0/routes/0: step A: step B reads $state, which Step Functions does not hand on",
        ),
        (
            flow("set A => (DONE -> done (output = ${ $like($input.x, $input.y) }));"),
            "/steps/0/routes/0: step A: $like with a pattern that is computed",
        ),
        (
            'action a addr = "http://x.example/"; callback = none; return = (OK); action_end /'
            " flow f step A => (OK -> done) { action = a; }; flow_end",
            "/steps/0: step A: action a: http://x.example/: Step Functions calls https addresses only",
        ),
        (
            'action a addr = "https://x.example/"; method = https; callback = none; return = (OK);'
            ' headers = ("X" = secret "KEY"); action_end / flow f step A => (OK -> done) { action = a; }; flow_end',
            "/steps/0/action/secret_headers/X: step A: action a: header X: secret 'KEY'",
        ),
        (
            'action a addr = "f"; method = lambda; args = (secret str pin); return = (OK); action_end /'
            " flow f input = (secret str pin);"
            " step A => (OK -> done) { action = a; args = (pin = ${ $input.pin }); }; flow_end",
            "/input/0: flow f: secret input pin: Step Functions stores no secret values",
        ),
    ],
)
def test_refused_with_its_place(text: str, refused: str) -> None:
    found = refusals(text)
    assert any(one.startswith(refused) for one in found), found


def test_the_machine_has_a_state_that_fails_in_the_place_of_what_cannot_be_said() -> None:
    found = exported(flow('wait W => (DONE -> done) { next = "0 9 * * *"; };')).machine
    assert found["States"]["W"]["Error"] == "NotExported"


def test_what_only_differs_is_a_warning() -> None:
    text = flow(
        f"step A => (OK -> done) {{ {CHARGE} repeat = (max = 1, delay = 500ms); }};", "keep = 1d; max_steps = 9;"
    )
    found = [(one.pointer, one.level) for one in exported(text).problems]
    assert found == [("/keep", Level.WARNING), ("/max_steps", Level.WARNING), ("/steps/0/repeat/0", Level.WARNING)]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_every_program_is_exported_or_refused(program: Path) -> None:
    files = [source_file("actions", ACTIONS), source_file(program.name, program.read_text(encoding="utf-8"))]
    values = [one.value for _, checked in analyze_all(files) for one in checked.statements]
    actions = {value.name: value for value in values if isinstance(value, Action)}
    for value in values:
        if isinstance(value, Flow):
            found = export(value, actions)
            states = found.machine["States"]
            assert found.machine["StartAt"] in states
            assert {name for state in states.values() for name in _targets(state)} <= states.keys()
            if not has_errors(found.problems):
                assert not has_errors(check(found.machine))


def _targets(state: dict[str, object]) -> set[str]:
    ways: list[dict[str, object]] = [state, *state.get("Catch", ()), *state.get("Choices", ())]  # type: ignore[misc]
    return {str(way[key]) for way in ways for key in ("Next", "Default") if key in way}
