"""Machines drawn at random end alike in the direct interpreter and after conversion."""

from __future__ import annotations

import copy
import os
from collections import Counter
from typing import Any, Final

from tests.conformance.asl import drawn
from tests.conformance.asl.cases import Case, Kind, load
from tests.conformance.asl.compare import difference
from tests.conformance.asl.interpreter import Interpreter
from tests.conformance.asl.paths import Failure, Undefined, Unknown

SEED: Final = int(os.environ.get("ECHOER_ASL_SEED", "0"))
COUNT: Final = int(os.environ.get("ECHOER_ASL_COUNT", "250"))
KNOWN: Final = {"Pass", "Choice", "Wait", "Succeed", "Fail", "Map", "Parallel"}


def test_drawn_machines_end_alike() -> None:
    found = drawn.differences(SEED, COUNT)
    assert not found, f"python -m tests.conformance.asl --drawn {COUNT} --seed {SEED}\n" + "\n".join(found)


def test_drawn_machines_are_worth_drawing() -> None:
    ends = Counter[str]()
    types = Counter[str]()
    for seed in range(COUNT):
        drawn_machine, given = drawn.machine_of(seed)
        types.update(state["Type"] for inner in drawn.machines_in(drawn_machine) for state in inner["States"].values())
        try:
            end = drawn.interpreted(drawn_machine, given)
        except (Undefined, Unknown):
            ends["undefined"] += 1
        else:
            ends["failed" if end.failed else "succeeded"] += 1
    assert set(types) == {*KNOWN, "Task"}
    assert min(types.values()) > COUNT / 20
    assert ends["succeeded"] > COUNT / 3
    assert ends["failed"] > COUNT / 10
    assert ends["undefined"] < COUNT / 3


def test_a_wrong_conversion_is_found_and_made_small() -> None:
    """The interpreter is given the machine, the engine another one: one in which a comparison is turned around."""

    def wrong(given: dict[str, Any]) -> dict[str, Any]:
        changed = copy.deepcopy(given)
        for inner in drawn.machines_in(changed):
            for state in inner["States"].values():
                if state.get("ResultPath") == "$.r":
                    state["ResultPath"] = "$.f.g"
        return changed

    seed = next(seed for seed in range(1000) if drawn.compared(*drawn.machine_of(seed), change=wrong)[0])
    original, given = drawn.machine_of(seed)
    small = drawn.smallest(original, given, change=wrong)
    assert drawn.compared(small, given, change=wrong)[0]
    assert len(small["States"]) <= len(original["States"])


def test_the_interpreter_agrees_with_aws() -> None:
    """It says what AWS recorded, wherever it knows what the machine uses."""
    agreed = 0
    for case in load():
        if case.kind is Kind.PURE and case.lang == "JSONPath":
            verdict = _interpreted(case)
            assert verdict in ("", "unknown"), (case.id, verdict)
            agreed += not verdict
    assert agreed >= 250


def _interpreted(case: Case) -> str:
    try:
        output = Interpreter(case.definition, drawn.work, case.input).run()
    except (Undefined, Unknown):
        return "unknown"
    except Failure as failure:
        return "" if (case.status, case.error) == ("FAILED", failure.name) else f"failed: {failure.name}"
    wildcards = {key.removeprefix("/output"): one for key, one in case.wildcards.items() if key.startswith("/output")}
    return difference(output, case.output, wildcards)
