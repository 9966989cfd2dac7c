"""A machine as FSL, with all that its reader must know: checked, filled in, converted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.asl.check import check
from chalicelib.asl.convert import convert
from chalicelib.asl.problems import Level, Problem
from chalicelib.asl.read import Reading
from chalicelib.asl.substitute import substitute
from chalicelib.language import Operations


@dataclass(frozen=True, slots=True)
class Imported:
    """A machine as FSL.

    Attributes:
        fsl: The text; empty where there is no state to begin with.
        name: The name of the flow.
        problems: Those of the text, of the machine, and of its conversion. An error of the machine is not repeated for
            the conversion of the same place.
    """

    fsl: str
    name: str
    problems: tuple[Problem, ...]


def import_machine(
    reading: Reading,
    name: str,
    values: Mapping[str, str] | None = None,
    *,
    express: bool = False,
    flows: Mapping[str, str] | None = None,
    taken: Mapping[str, str] | None = None,
    operations: Operations | None = None,
) -> Imported:
    """Return the flow of a machine that was read. `name` becomes a word; `values` are those of `${NAME}`.

    `flows`, `taken` and `operations` are those of `convert`. A machine with errors is converted as far as it goes.
    Never raises for JSON.
    """
    machine = reading.machine
    if machine is None:
        return Imported("", name, reading.problems)
    filled = substitute(machine, values or {})
    problems = [*reading.problems, *check(filled, express=express)]
    if not _has_a_start(filled):
        return Imported("", name, tuple(dict.fromkeys(problems)))
    found = convert(filled, name, flows=flows, taken=taken, operations=operations)
    wrong = {problem.pointer for problem in problems if problem.level is Level.ERROR}
    problems += [one for one in found.problems if one.level is not Level.ERROR or one.pointer not in wrong]
    return Imported(found.text, found.name, tuple(dict.fromkeys(problems)))


def _has_a_start(machine: Mapping[str, Any]) -> bool:
    states, start = machine.get("States"), machine.get("StartAt")
    return isinstance(states, dict) and isinstance(start, str) and start in states
