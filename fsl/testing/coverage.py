"""Which steps and routes of a program its tests took."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from chalicelib.hosting.scripted import ScriptedHost
from chalicelib.model.flow import Route, Step, walk
from chalicelib.model.history import Entry
from chalicelib.model.json_values import Json
from fsl.testing.case_run import has_left
from fsl.testing.program import Place, Program


@dataclass(frozen=True, slots=True)
class Missed:
    """A route that no test took."""

    step: str
    route: str
    place: Place | None


@dataclass(slots=True)
class FlowCoverage:
    """The steps and routes of one flow, and those that were taken."""

    flow: str
    steps: list[str] = field(default_factory=list)
    routes: list[tuple[str, Route]] = field(default_factory=list)
    places: dict[str, Place] = field(default_factory=dict)
    taken: list[tuple[str, Route]] = field(default_factory=list)
    entered: set[str] = field(default_factory=set)

    def note(self, entry: Entry, steps: dict[str, Step]) -> None:
        """Count the route by which the step of the entry left, if it did: the first one of its state and target."""
        step = steps.get(entry.step)
        if step is None or not has_left(entry):
            return
        self.entered.add(step.name)
        found = (one for one in step.routes if one.state in (None, entry.state) and one.target == entry.target)
        for route in found:
            if (step.name, route) not in self.taken:
                self.taken.append((step.name, route))
            return

    @property
    def missed(self) -> list[Missed]:
        left = (pair for pair in self.routes if pair not in self.taken)
        return [Missed(step, spell_route(route), self.places.get(step)) for step, route in left]

    def as_json(self) -> Json:
        return {
            "flow": self.flow,
            "steps": {"all": len(self.steps), "taken": len(self.entered)},
            "routes": {"all": len(self.routes), "taken": len(self.taken)},
            "missed": [
                {"step": one.step, "route": one.route, "at": str(one.place) if one.place else None}
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
            covered = self._of(program, definition.flow.name)
            steps = {step.name: step for step in walk(definition.flow.steps)}
            for entry in host.history(run.name):
                covered.note(entry, steps)

    def flows(self) -> Iterable[FlowCoverage]:
        return self._flows.values()

    def _of(self, program: Program, name: str) -> FlowCoverage:
        places = {step: place for (flow, step), place in program.places.items() if flow == name}
        file = next((place.file for place in places.values()), "")
        if (file, name) not in self._flows:
            steps = list(walk(program.definitions[name].flow.steps))
            routes = [(step.name, route) for step in steps for route in step.routes]
            self._flows[file, name] = FlowCoverage(name, [step.name for step in steps], routes, places)
        return self._flows[file, name]


def spell_route(route: Route) -> str:
    """Return the route as FSL writes it."""
    when = f"when ${{{route.when}}}" if route.when is not None else ""
    return " ".join(word for word in (route.state or ("" if when else "else"), when, "->", route.target) if word)


def share(taken: int, of: int) -> str:
    """Return `3/4 75%`."""
    return f"{taken}/{of} {100 * taken // of if of else 100}%"
