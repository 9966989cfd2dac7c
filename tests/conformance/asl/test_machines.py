"""Real machines are converted into flows that a server accepts."""

from __future__ import annotations

from functools import cache

import pytest

from tests.conformance.asl.machines import SUBSET, Converted, convert_file, convert_machine


@cache
def converted() -> tuple[Converted, ...]:
    return tuple(convert_file(SUBSET))


def test_the_subset_is_large_enough_to_mean_something() -> None:
    assert len(converted()) >= 30


@pytest.mark.parametrize("number", range(len(SUBSET.read_text(encoding="utf-8").splitlines())))
def test_a_real_machine_is_accepted(number: int) -> None:
    machine = converted()[number]
    assert (machine.name, machine.refusal) == (machine.name, "")
    unsayable = [error for error in machine.errors if "ItemReader" not in error and "ResultWriter" not in error]
    assert (machine.name, unsayable) == (machine.name, [])


def test_the_text_is_shorter_than_the_machine() -> None:
    assert sum(machine.lines_out for machine in converted()) < 0.75 * sum(machine.lines_in for machine in converted())


def test_what_a_server_would_refuse_is_found() -> None:
    task = {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:listTables", "Parameters": {"Nope": 1}, "End": True}
    definition = {"StartAt": "A", "States": {"A": task}}
    machine = convert_machine(definition, "m")
    assert "Nope" in machine.refusal + "".join(machine.errors)
