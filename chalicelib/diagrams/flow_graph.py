"""What a diagram shows: the steps of a flow as nodes, its routes as edges, branches and items as scopes.

Ids are made so that no name can be taken for another: `step:NAME`, and `begin:`, `done:`, `stopped:` before the id of
a scope. The outermost scope's id is empty; a branch's is `STEP/BRANCH`, that of an each `STEP/`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from chalicelib.model import status
from chalicelib.model.flow import (
    DONE,
    ENDS,
    STOPPED,
    ActionStep,
    CallStep,
    ChoiceStep,
    ConditionStep,
    EachStep,
    EventStep,
    Flow,
    ForkStep,
    Route,
    SetStep,
    Step,
    TimerStep,
    children_of,
    walk,
)
from chalicelib.model.history import Entry
from chalicelib.model.run import Run
from chalicelib.model.templates import source_of  # fmt: skip

BEGIN: Final = "begin"
_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


@dataclass(frozen=True, slots=True)
class Path:
    """Where a run went: how often it left each step, and went from step to target; and where it stands."""

    steps: Mapping[str, int] = field(default_factory=dict)
    moves: Mapping[tuple[str, str], int] = field(default_factory=dict)
    current: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()
    """The steps at which a run that was stopped stands."""


NOWHERE: Final = Path()


@dataclass(frozen=True, slots=True)
class Node:
    """A step; or where a scope begins or ends, whose kind is `begin`, `done` or `stopped`."""

    id: str
    kind: str
    scope: str
    name: str = ""
    detail: str = ""
    """What the step does, in few words."""
    visits: int = 0
    current: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """The steps of the flow itself, of a branch, or of an each. `step` is the id of the node around it."""

    id: str
    name: str = ""
    step: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """All routes from one step to one target, or the way in (without labels)."""

    source: str
    target: str
    scope: str
    labels: tuple[str, ...] = ()
    visits: int = 0


@dataclass(frozen=True, slots=True)
class Graph:
    """A flow's diagram. Nodes and edges are in the order of the text; the outermost scope is the first."""

    name: str
    scopes: tuple[Scope, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def within(self, scope: str) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
        """The nodes and edges of one scope, without those of the scopes in it."""
        nodes = tuple(node for node in self.nodes if node.scope == scope)
        return nodes, tuple(edge for edge in self.edges if edge.scope == scope)


def graph_of(flow: Flow, path: Path = NOWHERE) -> Graph:
    """The diagram of a flow, with a run's path marked in it."""
    scopes = [(Scope(""), flow.steps), *_scopes_in(flow.steps)]
    nodes: list[Node] = []
    edges: list[Edge] = []
    for scope, steps in scopes:
        targets = {route.target for step in steps for route in step.routes}
        first = steps[:1]
        nodes += (Node(f"{BEGIN}:{scope.id}", BEGIN, scope.id) for _ in first)
        nodes += (_node(step, scope.id, path) for step in steps)
        nodes += (Node(f"{end}:{scope.id}", end, scope.id) for end in (DONE, STOPPED) if end in targets)
        begun = (path.steps.get(step.name, 0) or step.name in path.current | path.failed for step in first)
        edges += (
            Edge(f"{BEGIN}:{scope.id}", f"step:{step.name}", scope.id, visits=int(bool(was)))
            for step, was in zip(first, begun, strict=True)
        )
        edges += (edge for step in steps for edge in _edges(step, scope.id, path))
    return Graph(flow.name, tuple(scope for scope, _ in scopes), tuple(nodes), tuple(edges))


def path_of(run: Run, entries: Iterable[Entry]) -> Path:
    """The path of a run, as far as these entries of its history tell."""
    moves = Counter((entry.step, entry.target) for entry in entries if entry.step and entry.state and entry.target)
    steps: Counter[str] = Counter()
    for (step, _), count in moves.items():
        steps[step] += count
    stands_at = frozenset(token.step for token in run.tokens)
    is_stopped = run.status in status.STOPPED
    return Path(steps, moves, frozenset() if is_stopped else stands_at, stands_at if is_stopped else frozenset())


def what_it_does(step: Step) -> str:
    """What a step does, in few words."""
    match step:
        case ActionStep():
            return step.action
        case ChoiceStep():
            return "data decides"
        case SetStep():
            return f"set {', '.join(step.save)}"
        case TimerStep():
            return f"until {_shown(step.until)}" if step.duration is None else f"for {_shown(step.duration)}"
        case EventStep():
            return f"event {', '.join(dict.fromkeys(step.events.values()))}"
        case ConditionStep():
            return f"until {step.condition}"
        case ForkStep():
            return f"{step.join} of {len(step.branches)} branches"
        case EachStep():
            return f"each of {_shown(step.items)}" + (f", {step.max} at once" if step.max else "")
        case CallStep():
            return f"flow {step.flow}"


def _shown(value: object) -> str:
    """A template in few words: a duration in its unit, an expression as its text."""
    if isinstance(value, int):
        return next(f"{value // size}{unit}" for unit, size in _UNITS if value % size == 0)
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
        what_it_does(step),
        path.steps.get(step.name, 0),
        step.name in path.current,
        step.name in path.failed,
    )


def _edges(step: Step, scope: str, path: Path) -> Iterator[Edge]:
    labels: dict[str, list[str]] = {}
    for route in step.routes:
        labels.setdefault(route.target, []).append(_label(route))
    for target, found in labels.items():
        goal = f"{target}:{scope}" if target in ENDS else f"step:{target}"
        visits = path.moves.get((step.name, target), 0)
        yield Edge(f"step:{step.name}", goal, scope, tuple(found), visits)


def _label(route: Route) -> str:
    words = [] if route.state is None else [route.state]
    if route.when is not None:
        words.append(f"when {' '.join(route.when.split())}")
    return " ".join(words) or "else"
