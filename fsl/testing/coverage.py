"""What of a program its tests took: steps, routes, rules of `repeat`, and states after which steps were undone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from chalicelib.engine.invocation import UNDO
from chalicelib.hosting.scripted import ScriptedHost
from chalicelib.model.definition import Definition
from chalicelib.model.flow import ChoiceStep, RepeatRule, Route, SetStep, Step
from chalicelib.model.history import Entry
from chalicelib.model.json_values import Json
from fsl.testing.case_run import has_left
from fsl.testing.program import Place, Program

Part: TypeAlias = tuple[str, str]
"""A step, and a route, rule or state of it as FSL writes it."""


@dataclass(frozen=True, slots=True)
class Missed:
    """A route, a rule or a state that no test took."""

    step: str
    part: str
    place: Place | None


@dataclass(slots=True)
class FlowCoverage:
    """The steps of one flow with their routes, rules of `repeat` and undo states, and what of them was taken."""

    flow: str
    steps: list[str] = field(default_factory=list)
    routes: dict[Part, Route] = field(default_factory=dict)
    repeats: list[Part] = field(default_factory=list)
    undos: list[Part] = field(default_factory=list)
    places: dict[str, Place] = field(default_factory=dict)
    taken: set[Part] = field(default_factory=set)
    entered: set[str] = field(default_factory=set)

    def note(self, entries: Iterable[Entry], definition: Definition) -> None:
        """Count what the entries of one run took. A run undoes the newest work first."""
        done: dict[str, list[str]] = {}
        for entry in entries:
            step = definition.step(entry.step)
            if step is None:
                continue
            if entry.token == UNDO:
                states = done.get(step.name, [])
                if entry.event != "DeliveryFailed" and states:
                    self.taken.add((step.name, spell_undo(states.pop())))
            elif has_left(entry):
                done.setdefault(step.name, []).append(entry.state)
                self._left(entry, step)

    def _left(self, entry: Entry, step: Step) -> None:
        """Count the rule or the route by which a step left."""
        self.entered.add(step.name)
        if entry.rule is not None:
            self.taken.add((step.name, spell_rule(rules_of(step)[entry.rule - 1])))
            return
        alike = [one for one in step.routes if one.state in (None, entry.state) and one.target == entry.target]
        self.taken |= {(step.name, spell_route(route)) for route in alike[entry.route : entry.route + 1]}

    @property
    def missed(self) -> list[Missed]:
        """The parts that were not taken: routes, then rules, then undos."""
        parts = [*self.routes, *self.repeats, *self.undos]
        return [Missed(step, part, self.places.get(step)) for step, part in parts if (step, part) not in self.taken]

    def counted(self) -> Iterator[tuple[str, int, int]]:
        """Yield (what, how many were taken, how many there are)."""
        yield "steps", len(self.entered), len(self.steps)
        for what, parts in (("routes", self.routes), ("repeats", self.repeats), ("undos", self.undos)):
            yield what, sum(part in self.taken for part in parts), len(parts)

    def as_json(self) -> Json:
        return {
            "flow": self.flow,
            **{what: {"all": there, "taken": taken} for what, taken, there in self.counted()},
            "missed": [
                {"step": one.step, "route": one.part, "at": str(one.place) if one.place else None}
                for one in self.missed
            ],
        }


class Coverage:
    """The coverage of all programs, by the file and name of each flow."""

    def __init__(self) -> None:
        self._flows: dict[tuple[str, str], FlowCoverage] = {}

    def expect(self, program: Program) -> None:
        """Add the program's flows, even if no test takes them."""
        for name in program.definitions:
            self._of(program, name)

    def note(self, program: Program, host: ScriptedHost) -> None:
        """Count what the runs of a test took, called flows included."""
        for run in host.runs():
            definition = host.services.definition_cache.of(run)
            self._of(program, definition.flow.name).note(host.history(run.name), definition)

    def flows(self) -> Iterable[FlowCoverage]:
        return self._flows.values()

    def _of(self, program: Program, name: str) -> FlowCoverage:
        places = {step: place for (flow, step), place in program.places.items() if flow == name}
        file = next((place.file for place in places.values()), "")
        if (file, name) not in self._flows:
            self._flows[file, name] = _nothing_taken(name, program.definitions[name], places)
        return self._flows[file, name]


def _nothing_taken(name: str, definition: Definition, places: dict[str, Place]) -> FlowCoverage:
    compiled = list(definition.steps.values())
    steps = [one.step for one in compiled]
    return FlowCoverage(
        name,
        [step.name for step in steps],
        {(step.name, spell_route(route)): route for step in steps for route in step.routes},
        [(step.name, spell_rule(rule)) for step in steps for rule in rules_of(step)],
        [(one.step.name, spell_undo(state)) for one in compiled if one.undo for state in sorted(one.undo.states)],
        places,
    )


def rules_of(step: Step) -> tuple[RepeatRule, ...]:
    """Return the rules of the step's `repeat`."""
    return () if isinstance(step, (ChoiceStep, SetStep)) else step.repeat


def spell_route(route: Route) -> str:
    """Return the route as FSL writes it."""
    when = f"when ${{{route.when}}}" if route.when is not None else ""
    return " ".join(word for word in (route.state or ("" if when else "else"), when, "->", route.target) if word)


def spell_rule(rule: RepeatRule) -> str:
    """Return the rule of `repeat` as FSL writes it, without its numbers."""
    when = f" when ${{{rule.when}}}" if rule.when is not None else ""
    return f"repeat {rule.state or ''}{when}".replace("  ", " ")


def spell_undo(state: str) -> str:
    """Return the undo after a state."""
    return f"undo on {state}"


def share(taken: int, of: int) -> str:
    """Return `3/4 75%`, or `-` if there is nothing."""
    return f"{taken}/{of} {100 * taken // of}%" if of else "-"
