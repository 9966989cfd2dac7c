"""The args that an activation which has ended was sent, as far as they follow from the history.

Theory of operation. Args are evaluated when a step is entered, and forgotten when it has ended. Those made of
constants, `$input`, `$run` and `$config` are the same at any time. Others are evaluated again with what is known of the
moment of entry: the state and the data of the step before, from the entry that led to the step, and variables that have
not changed since. An arg that reads anything else is unknown: it is never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from chalicelib.engine.bindings import answered_value, item_at, names_for
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.items import ItemPlace, place_of
from chalicelib.engine.request_args import arg_value
from chalicelib.engine.values.evaluation import Draws
from chalicelib.engine.values.secret_values import MASK
from chalicelib.expressions import NOTHING
from chalicelib.model.actions import RESERVED_ARGS
from chalicelib.model.compiled_step import VARYING, Invocation, names_in
from chalicelib.model.definition import Definition
from chalicelib.model.flow import Route, SetStep, Step
from chalicelib.model.history import Entry
from chalicelib.model.ids import ROOT
from chalicelib.model.json_values import Json, children_in
from chalicelib.model.run import Activation, Run, Token
from chalicelib.model.templates import Template, source_of
from chalicelib.model.variable_paths import split_path

_WITH_DATA: Final = frozenset({"StepAcked", "EventArrived"})
"""Events of entries that hold the data of a step."""

_VARIABLE: Final = re.compile(r"\$vars\b(?:\s*\.\s*(?:([A-Za-z_]\w*)|`([^`]*)`))?")


@dataclass(frozen=True, slots=True)
class PastActivation:
    """An activation that has ended. `entered` is the entry that led its token to the step; None if it is not known.

    `later` are all entries after that one; None if not all of them are known.
    """

    uuid: str
    step: str
    token: str
    entered: Entry | None
    later: tuple[Entry, ...] | None


def past_args(
    definition: Definition, run: Run, past: PastActivation, invocation: Invocation, read: Callable[[str], Json]
) -> tuple[dict[str, Json], list[str]]:
    """Return the args that are known, with secrets masked, and the names of the others."""
    at = past.entered.at if past.entered else run.updated_at
    token = _token(past)
    place = _place(run, token)
    names = names_for(
        definition,
        run,
        token,
        at,
        draws=Draws(),
        activation=Activation(uuid=past.uuid, since=at, deadline=at),
        item=item_at(place, read),
        index=NOTHING if place is None else place.index,
    )
    known = _known(past, place)
    found: dict[str, Json] = {}
    unknown: list[str] = []
    for parameter in invocation.action.parameters:
        name = parameter.name
        if name in RESERVED_ARGS and not invocation.action.is_called:
            continue
        if parameter.secret:
            found[name] = MASK
            continue
        template = invocation.args.get(name)
        used = (names_in(template) & VARYING) - known if name in invocation.varying else frozenset()
        if "vars" in used and past.token == ROOT and not _changed(definition, past, template):
            used -= {"vars"}
        try:
            if used:
                unknown.append(name)
            else:
                found[name] = arg_value(parameter, invocation, names)
        except ExpressionFailed:
            unknown.append(name)
    return found, unknown


def _token(past: PastActivation) -> Token:
    """Return the token as it entered the step."""
    entered = past.entered
    if entered is None or not entered.is_return:
        return Token(id=past.token, step=past.step)
    data = answered_value(entered.data) if entered.event == "StepAcked" else entered.data
    return Token(id=past.token, step=past.step, state=entered.state, result=data)


def _place(run: Run, token: Token) -> ItemPlace | None:
    """Return the item that the token worked on; without its value if its each has ended."""
    tokens = {known.id: known for known in run.tokens}
    parts = token.id.split(".")
    for length in range(len(parts), 1, -1):
        if parts[length - 1].isdigit():
            parent = ".".join(parts[: length - 1])
            return place_of(Token(id=token.id, step="", index=int(parts[length - 1]), parent=parent), tokens)
    return None


def _known(past: PastActivation, place: ItemPlace | None) -> frozenset[str]:
    """Return the names of which the values at the moment of entry are known."""
    found = set[str]()
    entered = past.entered
    if entered is not None:
        found |= {"now", "millis", "step"}
        if entered.event == "RunStarted" or (entered.is_return and entered.event in _WITH_DATA):
            found |= {"state", "result"}
        elif entered.is_return and entered.state:
            found.add("state")
    if place is not None:
        found.add("index")
        if place.items:
            found.add("item")
    return frozenset(found)


def _changed(definition: Definition, past: PastActivation, template: Template) -> bool:
    """Return whether a variable that the template reads may have changed since the step was entered."""
    if past.later is None or definition.has_scopes:
        return True
    read = set[str]()
    for source in _sources(template):
        for found in _VARIABLE.finditer(source):
            name = found[1] or found[2]
            if name is None:
                return bool(past.later)
            read.add(name)
    return bool(read & _assigned(definition, past.later))


def _assigned(definition: Definition, entries: Iterable[Entry]) -> set[str]:
    """Return the variables that may have been set or removed by these entries."""
    found = set[str]()
    for entry in entries:
        found |= entry.vars.keys() | set(entry.removed)
        compiled = definition.steps.get(entry.step)
        if compiled is not None and entry.is_return:
            found |= {split_path(key)[0] for key in _saves(compiled.step, entry.target)}
        if entry.event in ("RunRetried", "RunMigrated"):
            found |= definition.flow.vars.keys()
    return found


def _saves(step: Step, target: str) -> Iterable[str]:
    yield from getattr(step, "save", {})
    routes: tuple[Route, ...] = step.routes
    for route in routes:
        if route.target == target and not isinstance(step, SetStep):
            yield from route.entries


def _sources(template: Template) -> Iterable[str]:
    source = source_of(template)
    if source is not None:
        yield source
        return
    for inner in children_in(template):
        yield from _sources(inner)
