"""What is derived from a definition when it is loaded."""

from __future__ import annotations

import pytest

from chalicelib.model.actions import Action, ArgType, Method, Options, Parameter, Undo
from chalicelib.model.compiled_step import HUMAN_TIMEOUT_MS, names_in
from chalicelib.model.definition import Definition
from chalicelib.model.flow import ActionStep, Branch, Flow, ForkStep, Route
from chalicelib.model.json_values import Json
from chalicelib.model.templates import expression, reference
from tests.engine.flows import WORK, step


def parameter(name: str, *, secret: bool = False) -> Parameter:
    return Parameter(name=name, type=ArgType.ANY, required=False, secret=secret)


def test_routes_of_a_state_keep_their_order_and_others_fall_through_to_else() -> None:
    first, other, last = Route(target="x", state="OK", when="$vars.a"), Route(target="y"), Route(target="z", state="OK")
    one = ActionStep(name="A", routes=(first, other, last), action="work")
    compiled = Definition(flow=Flow(name="f", steps=(one,)), actions={"work": WORK}).steps["A"]
    assert compiled.routes_of("OK") == (first, other, last)
    assert compiled.routes_of("FAIL") == (other,)
    assert compiled.names == {"vars", "now"}


def test_states_are_in_the_action_s_order() -> None:
    definition = Definition(
        flow=Flow(name="f", steps=(step("A", "FAIL->B|OK->B|ERROR->B"), step("B", "OK->done"))), actions={"work": WORK}
    )
    first, second = (definition.steps[name].invocation for name in "AB")
    assert first is not None
    assert second is not None
    assert first.states == ("OK", "FAIL")
    assert second.states == ("OK",)


def test_steps_in_branches_have_the_fork_as_parent() -> None:
    fork = ForkStep(
        name="F", routes=(Route(target="done"),), join=1, branches=(Branch(name="b", steps=(step("A", "OK->done"),)),)
    )
    definition = Definition(flow=Flow(name="f", steps=(fork,)), actions={"work": WORK})
    assert {name: compiled.parent for name, compiled in definition.steps.items()} == {"F": "", "A": "F"}
    assert definition.step("nowhere") is None


def test_the_args_of_an_undo_are_divided_by_when_they_are_evaluated() -> None:
    args = {"id": expression("$result.id"), "card": expression("$input.card"), "key": reference("k")}
    actions = {
        "work": Action(name="work", returns=("OK",), undo=Undo(action="back", args=args)),
        "back": Action(
            name="back",
            returns=("OK",),
            options=Options(signed=True),
            parameters=(
                parameter("id"),
                parameter("note"),
                parameter("card", secret=True),
                parameter("key", secret=True),
            ),
        ),
    }
    one = step("A", "OK->done", args={"note": "n", "more": 1})
    compiled = Definition(flow=Flow(name="f", steps=(one,)), actions=actions).steps["A"]
    assert compiled.undo is not None
    assert compiled.undo.args == {"note": "n", "id": args["id"]}
    assert compiled.undo.secret_args == {"card": args["card"]}
    assert compiled.undo.references == {"key": args["key"]}
    assert compiled.names == {"result", "input", "now"}
    assert compiled.signed


@pytest.mark.parametrize(
    ("action", "options", "timeout"),
    [
        (Options(), Options(), HUMAN_TIMEOUT_MS),
        (Options(timeout=5), Options(), 5),
        (Options(timeout=5), Options(timeout=7), 7),
    ],
)
def test_a_person_has_more_time_than_a_service_unless_a_timeout_is_given(
    action: Options, options: Options, timeout: int
) -> None:
    human = Action(name="work", returns=("OK",), method=Method.HUMAN, options=action)
    definition = Definition(
        flow=Flow(name="f", steps=(step("A", "OK->done", options=options),)), actions={"work": human}
    )
    invocation = definition.steps["A"].invocation
    assert invocation is not None
    assert invocation.options.timeout == timeout


@pytest.mark.parametrize(
    ("template", "names"),
    [
        ({"a": ["text $vars", 7]}, set()),
        ({"a": [expression("$vars.x & $item")]}, {"vars", "item", "now"}),
        (expression("$sum($result.prices)"), {"sum", "result", "now"}),
        (reference("vars"), set()),
    ],
)
def test_names_of_a_template_are_those_of_its_expressions(template: Json, names: set[str]) -> None:
    assert names_in(template) == names
