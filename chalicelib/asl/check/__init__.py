"""Whether a machine is valid Amazon States Language: every problem at its place, before anything runs.

The rules are those of states-language.net, and of AWS where it answers more strictly (ValidateStateMachineDefinition).

context     the places of a machine, the scopes, what was found
objects     which members an object may and must have
values      texts, numbers, times, words
queries     paths, intrinsic functions, JSONata expressions; `arguments` of functions
templates   payload templates, Assign
choices     the rules of a Choice
failures    Retry and Catch
maps        the fields that only a Map has
states      the eight types of states
scopes      states that lead to each other
"""

from __future__ import annotations

from typing import Any

from chalicelib.asl.check.context import Place, Report, Scope, short
from chalicelib.asl.check.objects import kind
from chalicelib.asl.check.scopes import check_machine
from chalicelib.asl.plain import not_plain
from chalicelib.asl.problems import Level, Problem

__all__ = ["check"]


def check(machine: Any, *, express: bool = False) -> list[Problem]:
    """Return all that is wrong with the machine, or worth knowing, each at its JSON pointer.

    `machine` is JSON of Python's own types, `express` says that it is to run as an Express workflow, which the machine
    itself does not say. Without an error, the machine can be converted. Never raises; takes time linear in its size.
    """
    if (found := not_plain(machine)) is not None:
        return [found]
    if not isinstance(machine, dict):
        return [Problem("", Level.ERROR, f"a machine is an object, and not {kind(machine)}")]
    if "States" not in machine and isinstance(machine.get("Resources"), dict):
        return [Problem("", Level.ERROR, "this is a template, and no machine: `fsl import --from` reads its machines")]
    report = Report()
    check_machine(Place(report, machine, Scope(None, express=express)))
    _check_variables(report)
    return report.problems()


def _check_variables(report: Report) -> None:
    """Report variables that two scopes set, and those that no scope sets."""
    for scope, name, place in report.used:
        if name not in scope.assigned and not any(name in outer.assigned for outer in scope.outer()):
            place.warning(f"no state assigns the variable {short('$' + name)} here")
    for scope in report.scopes:
        _check_shadows(scope)


def _check_shadows(scope: Scope) -> None:
    for name, place in scope.assigned.items():
        for outer in scope.outer():
            if name in outer.assigned:
                place.error(
                    f"the variable {short('$' + name)} belongs to an outer scope: {outer.assigned[name].pointer}"
                )
                break
