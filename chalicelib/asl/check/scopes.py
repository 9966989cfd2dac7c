"""Scopes: states that lead to each other, and the scopes within them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from chalicelib.asl.check.context import Place, Scope, short
from chalicelib.asl.check.maps import processor_config
from chalicelib.asl.check.objects import Shape, anything
from chalicelib.asl.check.states import ENDS, check_state
from chalicelib.asl.check.values import MAX_SECONDS, one_of, text, whole
from chalicelib.asl.language import JSONATA, JSONPATH, language_of

MAX_NAME: Final = 80
"""Characters of a state's name (AWS)."""

_STATES: Final = {"StartAt": text, "States": anything, "Comment": text}
_MACHINE: Final = Shape(
    {
        **_STATES,
        "Version": one_of("1.0"),
        "TimeoutSeconds": whole(1, MAX_SECONDS),
        "QueryLanguage": one_of(JSONPATH, JSONATA),
    },
    required=("StartAt", "States"),
)
_BRANCH: Final = Shape(_STATES, required=("StartAt", "States"))
_PROCESSOR: Final = Shape({**_STATES, "ProcessorConfig": processor_config}, required=("StartAt", "States"))


def check_machine(place: Place) -> None:
    """Check the machine and all the scopes within it, outer ones first."""
    language = language_of(place.value, JSONPATH)
    _MACHINE.check(place)
    waiting = [place]
    for scope in waiting:
        waiting.extend(_check_scope(scope, language))


def _check_scope(place: Place, language: str) -> list[Place]:
    """Check the states of a scope; return the scopes within it."""
    scope = place.value
    if not isinstance(scope, dict) or "States" not in scope:
        return []
    states = place.at("States")
    if not isinstance(states.value, dict) or not states.value:
        states.error("an object with at least one state is expected here")
        return []
    found: list[Place] = []
    for name in states.value:
        state = states.at(name)
        _check_name(state, name)
        _check_language(state, language)
        check_state(state)
        found.extend(_scopes_in(state))
    _check_ways(place, states)
    return found


def _check_name(place: Place, name: str) -> None:
    if not name:
        place.error("the name of a state must not be empty")
    if len(name) > MAX_NAME:
        place.error(f"the name of a state has at most {MAX_NAME} characters, and this one {len(name)}")
    first = place.report.names.setdefault(name, place)
    if first is not place:
        place.error(f"the state {short(name)} is there twice: also at {first.pointer}")


def _check_language(place: Place, language: str) -> None:
    """Settle the query language of a state: its own, or that of the machine."""
    own = language_of(place.value, language)
    if own == JSONPATH and language == JSONATA:
        place.error("the query language of a state cannot be JSONPath where that of the machine is JSONata")
    place.jsonata = own == JSONATA


def _scopes_in(state: Place) -> Iterator[Place]:
    if state.has("Branches") and state.value.get("Type") == "Parallel":
        yield from _branches(state.at("Branches"))
    for name in ("ItemProcessor", "Iterator"):
        if state.has(name) and state.value.get("Type") == "Map":
            yield _processor(state.at(name))


def _branches(place: Place) -> Iterator[Place]:
    if not isinstance(place.value, list) or not place.value:
        place.error("a list with at least one branch is expected here")
        return
    for index in range(len(place.value)):
        branch = place.at(index)
        branch.scope = Scope(branch.scope, express=branch.scope.express)
        _BRANCH.check(branch)
        yield branch


def _processor(place: Place) -> Place:
    config = place.value.get("ProcessorConfig") if isinstance(place.value, dict) else None
    distributed = isinstance(config, dict) and config.get("Mode") == "DISTRIBUTED"
    outer = place.scope
    if distributed and outer.express:
        place.error("Express workflows do not support distributed maps")
    express = config.get("ExecutionType") == "EXPRESS" if distributed and isinstance(config, dict) else outer.express
    place.scope = Scope(outer, isolated=distributed, express=express)
    _PROCESSOR.check(place)
    return place


# ── targets ──


def _check_ways(place: Place, states: Place) -> None:
    """Report targets that are no states here, states that nothing leads to, and a scope that never ends."""
    known: dict[str, Any] = states.value
    for name in known:
        for target in _targets(states.at(name)):
            if isinstance(target.value, str) and target.value not in known:
                target.error(f"there is no state {short(target.value)} here")
    start = place.value.get("StartAt")
    if isinstance(start, str) and start not in known:
        place.at("StartAt").error(f"there is no state {short(start)} here")
    elif isinstance(start, str):
        reached = _reached(states, start)
        for name in known:
            if name not in reached:
                states.at(name).error(f"nothing leads to the state {short(name)}")
    if not any(_ends(state) for state in known.values()):
        states.error("no state ends: one must have `End`, or be Succeed or Fail")


def _targets(state: Place) -> Iterator[Place]:
    """Yield the places that name a state to go to."""
    for name in ("Next", "Default"):
        if state.has(name):
            yield state.at(name)
    for name in ("Choices", "Catch"):
        rules = state.at(name) if state.has(name) else None
        if rules is None or not isinstance(rules.value, list):
            continue
        for index in range(len(rules.value)):
            rule = rules.at(index)
            if rule.has("Next"):
                yield rule.at("Next")


def _reached(states: Place, start: str) -> set[str]:
    reached, waiting = {start}, [start]
    while waiting:
        for target in _targets(states.at(waiting.pop())):
            name = target.value
            if isinstance(name, str) and name in states.value and name not in reached:
                reached.add(name)
                waiting.append(name)
    return reached


def _ends(state: Any) -> bool:
    return isinstance(state, dict) and (state.get("End") is True or state.get("Type") in ENDS)
