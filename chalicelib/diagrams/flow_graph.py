"""The graph of a flow: steps are nodes, routes are edges, and branches and items are scopes.

Ids are unambiguous: `step:NAME`, and `begin:`, `done:` or `stopped:` followed by the id of a scope. The id of the
outermost scope is empty; that of a branch is `STEP/BRANCH`, that of an each `STEP/`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, TypeAlias

from chalicelib.engine.invocation import UNDO
from chalicelib.model import status
from chalicelib.model.flow import (
    BUILT_IN_STATES,
    DONE,
    ENDS,
    STOPPED,
    ActionStep,
    CallStep,
    ChoiceStep,
    ConditionStep,
    EachStep,
    EmitStep,
    EventStep,
    Flow,
    ForkStep,
    Route,
    SetStep,
    StartStep,
    Step,
    TimerStep,
    children_of,
    walk,
)
from chalicelib.model.history import Entry
from chalicelib.model.run import Run
from chalicelib.model.templates import source_of
from chalicelib.model.times import format_duration  # fmt: skip

BEGIN: Final = "begin"


@dataclass(frozen=True, slots=True)
class Path:
    """The path of a run: how often it left each step and took each route, and its current steps.

    If `since` is above 1, only history entries from that number on are counted.
    """

    steps: Mapping[str, int] = field(default_factory=dict)
    moves: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    """By step, state and target. The state is empty if conditions alone decide."""
    current: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()
    """The steps at which a run was stopped or failed."""
    undone: Mapping[str, int] = field(default_factory=dict)
    """How often the work of each step was undone."""
    undoing: frozenset[str] = frozenset()
    """The steps of which the work is being undone now."""
    there: Mapping[str, int] = field(default_factory=dict)
    """How many tokens are at each step."""
    run: str = ""
    """The name of the run; empty for a flow."""
    since: int = 1


NO_PATH: Final = Path()
Taken: TypeAlias = Mapping[tuple[str, str], Mapping[str, int]]
"""By step and target: how often each state led there."""


@dataclass(frozen=True, slots=True)
class Node:
    """A step, or the begin or end of a scope; the kind of these is `begin`, `done` or `stopped`."""

    id: str
    kind: str
    scope: str
    name: str = ""
    detail: str = ""
    """A short description of the step."""
    visits: int = 0
    current: bool = False
    failed: bool = False
    undone: int = 0
    """How often the work of the step was undone."""
    undoing: bool = False
    """Whether the work of the step is being undone now."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The steps of the flow itself, of a branch, or of an each. `step` is the id of the node around it."""

    id: str
    name: str = ""
    step: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """All routes from one step to one target, or the entry of a scope (without labels)."""

    source: str
    target: str
    scope: str
    labels: tuple[str, ...] = ()
    visits: int = 0


@dataclass(frozen=True)
class Graph:
    """The graph of a flow. Nodes and edges are in the order of the text; the outermost scope comes first."""

    name: str
    scopes: tuple[Scope, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    run: str = ""
    """The name of the run of which it shows the path; empty if it shows none."""
    since: int = 1
    """The first history entry that is counted."""

    @property
    def title(self) -> str:
        """What the drawing shows: the flow; or the run and its flow, and from which entry on if not from the first."""
        if not self.run:
            return self.name
        partial = f", from entry {self.since} on" if self.since > 1 else ""
        return f"{self.run} ({self.name}{partial})" if self.name else f"{self.run}{partial}"

    def within(self, scope: str) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
        """Return the nodes and edges of one scope, without those of nested scopes."""
        nodes, edges = self._by_scope.get(scope, ([], []))
        return tuple(nodes), tuple(edges)

    def held_by(self, step: str) -> Sequence[Scope]:
        """Return the scopes of a step: its branches, or its items."""
        return self._scopes_by_step.get(step, ())

    @cached_property
    def _by_scope(self) -> Mapping[str, tuple[list[Node], list[Edge]]]:
        found: defaultdict[str, tuple[list[Node], list[Edge]]] = defaultdict(lambda: ([], []))
        for node in self.nodes:
            found[node.scope][0].append(node)
        for edge in self.edges:
            found[edge.scope][1].append(edge)
        return found

    @cached_property
    def _scopes_by_step(self) -> Mapping[str, Sequence[Scope]]:
        found: defaultdict[str, list[Scope]] = defaultdict(list)
        for scope in self.scopes:
            found[scope.step].append(scope)
        return found


def graph_of(flow: Flow, path: Path = NO_PATH) -> Graph:
    """Return the graph of a flow, with the path of a run marked."""
    scopes = [(Scope(""), flow.steps), *_scopes_in(flow.steps)]
    nodes: list[Node] = []
    edges: list[Edge] = []
    led: Counter[str] = Counter()
    taken: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for (name, state, target), count in path.moves.items():
        led[target] += count
        taken[name, target][state] += count
    for scope, steps in scopes:
        targets = {route.target for step in steps for route in step.routes}
        first = steps[:1]
        nodes += (Node(f"{BEGIN}:{scope.id}", BEGIN, scope.id) for _ in first)
        nodes += (_node(step, scope.id, path) for step in steps)
        nodes += (Node(f"{end}:{scope.id}", end, scope.id) for end in (DONE, STOPPED) if end in targets)
        edges += (
            Edge(f"{BEGIN}:{scope.id}", f"step:{step.name}", scope.id, visits=_beginnings(step, path, led))
            for step in first
        )
        edges += (edge for step in steps for edge in _edges(step, scope.id, taken))
    return Graph(flow.name, tuple(scope for scope, _ in scopes), tuple(nodes), tuple(edges), path.run, path.since)


def mark_of(node: Node) -> str:
    """Return how a drawing marks the node: by the most important of what a run did there."""
    if node.failed:
        return "failed"
    if node.undoing:
        return "undoing"
    if node.current:
        return "current"
    return "undone" if node.undone else "visited" if node.visits else ""


def path_of(run: Run, entries: Iterable[Entry]) -> Path:
    """Return the path of a run that follows from these entries of its history, which are the newest ones."""
    steps: Counter[str] = Counter()
    moves: Counter[tuple[str, str, str]] = Counter()
    undone: Counter[str] = Counter()
    since = 0
    for entry in entries:
        since = since or entry.seq
        if entry.token == UNDO:
            undone[entry.step] += _is_undone(entry)
        elif entry.is_return:
            steps[entry.step] += 1
            moves[entry.step, entry.state, entry.target] += 1
    there = Counter(token.step for token in run.tokens if token.id != UNDO)
    at = frozenset(there)
    has_stopped = run.status in status.STOPPED
    return Path(
        steps,
        moves,
        current=frozenset() if has_stopped else at,
        failed=at if has_stopped else frozenset(),
        undone=+undone,
        undoing=frozenset(token.step for token in run.tokens if token.id == UNDO),
        there=there,
        run=run.name,
        since=since or 1,
    )


def _is_undone(entry: Entry) -> bool:
    """Return whether the entry, which is of the token that undoes, says that work was undone."""
    is_answer = bool(entry.state) and entry.event not in ("StepReported", "UndoFailed")
    return is_answer and entry.state not in BUILT_IN_STATES and not entry.error_name


def _beginnings(first: Step, path: Path, led: Mapping[str, int]) -> int:
    """Return how often tokens began at the first step of a scope: they were there, and no route had led them there.

    `led` is how often routes led to each step.
    """
    is_there = path.there.get(first.name, 0) or first.name in path.current | path.failed
    return max(path.steps.get(first.name, 0) + is_there - led.get(first.name, 0), 0)


def describe_step(step: Step) -> str:
    """Return a short description of what a step does."""
    match step:
        case ActionStep():
            return step.action
        case ChoiceStep():
            return "data decides"
        case SetStep():
            return f"set {', '.join(step.save)}" if step.save else "milestone"
        case TimerStep() | EventStep() | ConditionStep():
            return _described_wait(step)
        case ForkStep():
            return f"{step.join} of {len(step.branches)} branches"
        case EachStep():
            return f"each of {_described(step.items)}" + (
                f", {source_of(step.max) or step.max} at once" if step.max else ""
            )
        case CallStep():
            return f"flow {step.flow}"
        case EmitStep():
            return f"emit {_described(step.event)}" + ("" if step.to is None else f" to {_described(step.to)}")
        case StartStep():
            return f"start {step.flow}"


def _described_wait(step: TimerStep | EventStep | ConditionStep) -> str:
    match step:
        case TimerStep(next=cron, zone=zone) if cron is not None:
            return f"next {_described(cron)}" + ("" if zone is None else f" in {_described(zone)}")
        case TimerStep():
            return f"until {_described(step.until)}" if step.duration is None else f"for {_described(step.duration)}"
        case EventStep():
            return f"event {', '.join(dict.fromkeys(step.events.values()))}"
        case ConditionStep():
            return f"until {step.condition}"


def _described(value: object) -> str:
    """Return a short description of a template: a duration with its unit, an expression as its text."""
    if isinstance(value, int):
        return format_duration(value)
    source = source_of(value)
    if source is not None:
        return source
    return f"{len(value)} items" if isinstance(value, (list, tuple)) else str(value)


def _scopes_in(steps: Iterable[Step]) -> Iterator[tuple[Scope, tuple[Step, ...]]]:
    for step in walk(tuple(steps)):
        for name, nested in children_of(step):
            yield Scope(f"{step.name}/{name}", name, f"step:{step.name}"), nested


def _node(step: Step, scope: str, path: Path) -> Node:
    kind = "decision" if isinstance(step, ActionStep) and step.decides else step.__struct_config__.tag
    return Node(
        f"step:{step.name}",
        str(kind),
        scope,
        step.name,
        describe_step(step),
        path.steps.get(step.name, 0),
        step.name in path.current,
        step.name in path.failed,
        path.undone.get(step.name, 0),
        step.name in path.undoing,
    )


def _edges(step: Step, scope: str, taken: Taken) -> Iterator[Edge]:
    routes: dict[str, list[Route]] = {}
    for route in step.routes:
        routes.setdefault(route.target, []).append(route)
    for target, found in routes.items():
        goal = f"{target}:{scope}" if target in ENDS else f"step:{target}"
        labels = tuple(map(_label, found))
        yield Edge(f"step:{step.name}", goal, scope, labels, _visits(found, taken.get((step.name, target), {})))


def _visits(routes: Iterable[Route], taken: Mapping[str, int]) -> int:
    """Return how often the routes were taken, which have one target. Other states led there without a route."""
    states = {route.state for route in routes}
    return sum(count for state, count in taken.items() if None in states or state in states)


def _label(route: Route) -> str:
    words = [] if route.state is None else [route.state]
    if route.when is not None:
        words.append(f"when {' '.join(route.when.split())}")
    if route.entries:
        words = [*(words or ["else"]), f"({', '.join(route.entries)})"]
    return " ".join(words) or "else"
