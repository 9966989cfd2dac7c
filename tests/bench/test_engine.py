"""What the part `engine` measures, counted: calls of functions, which are the same on every machine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import pytest

from bench.engine import language, own_program
from bench.engine.samples import EXPRESSIONS, ORDER, STATES
from chalicelib.engine.events import StepAcked
from chalicelib.engine.machine import decide
from chalicelib.expressions import UNUSUAL, Draw
from chalicelib.expressions.compiled import Compiled
from chalicelib.model.run import Run, decode_run, encode

CALLS_OF_A_DECISION = 65
"""Calls of functions, of Python and of C, of the decision that takes a token through a guarded route."""

CALLS_OF_A_START = 50
CALLS_OF_A_STEP = 1_900
"""Calls of parsing and checking one plain step."""

CALLS_WITH_EXPRESSIONS = 2_200
"""The same for a step with two expressions, which are parsed too."""


def calls(work: Callable[[], object]) -> int:
    """Count the calls of functions that the work makes."""
    count = 0

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    work()  # imports and caches
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def answered(run: Run, number: int) -> StepAcked:
    activation = run.tokens[0].activation
    assert activation is not None
    return StepAcked(
        at=run.updated_at + 1,
        nonce=f"{number:032x}",
        step="",
        uuid=activation.uuid,
        state="OK",
        variables={"amount": number},
    )


def test_a_decision_makes_few_calls() -> None:
    definition = own_program.definition(5)
    run = own_program.start(definition)
    event = answered(run, 1)
    assert calls(lambda: decide(definition, run, event)) <= CALLS_OF_A_DECISION
    assert calls(lambda: own_program.start(definition)) <= CALLS_OF_A_START


def test_every_transition_of_a_walk_makes_as_many_calls() -> None:
    """Neither the length of the flow nor the place in it counts."""
    counts = set[int]()
    for states in (5, 200):
        definition = own_program.definition(states)
        run = own_program.start(definition)
        for number in range(states - 1):
            event = answered(run, number)
            counts.add(calls(lambda run=run, event=event, definition=definition: decide(definition, run, event)))  # type: ignore[misc]
            run = decide(definition, run, event).run
    assert len(counts) <= 2, counts


@pytest.mark.parametrize("states", STATES)
def test_the_walks_do_what_they_say(states: int) -> None:
    definition = own_program.definition(states)
    assert own_program.walk(definition, states) == states
    assert own_program.stored_walk(definition, states) == states
    run = own_program.start(definition)
    assert decode_run(encode(run)) == run


@pytest.mark.parametrize(
    ("with_expressions", "most"), [(False, CALLS_OF_A_STEP), (True, CALLS_WITH_EXPRESSIONS)], ids=["plain", "two"]
)
def test_the_language_takes_time_in_proportion_to_the_text(*, with_expressions: bool, most: int) -> None:
    counted: dict[str, list[float]] = {}
    for steps in (100, 400):
        works = language.works(language.text(steps, with_expressions=with_expressions))
        for name, work in works.items():
            counted.setdefault(name, []).append(calls(work) / steps)
    for name, (few, many) in counted.items():
        assert many <= 1.1 * few, name
    assert counted["parse and check"][1] <= most


def test_the_five_expressions_yield_values() -> None:
    names = {"input": ORDER}
    values = {name: Compiled(source).evaluate(names, Draw()) for name, source in EXPRESSIONS.items()}
    assert values["path"] == "London"
    assert values["filter"] == [item["name"] for item in ORDER["items"] if item["price"] > 50 and item["quantity"] < 5]
    assert values["text"] == "Order 4711 of Ada: 412"
    assert values["sum"] == sum(item["price"] * item["quantity"] for item in ORDER["items"])
    assert values["object"] == {"id": 4711, "items": 10, "rate": "express"}
    small = {name for name, source in EXPRESSIONS.items() if Compiled(source).small(names) is not UNUSUAL}
    assert small == {"path", "text"}
