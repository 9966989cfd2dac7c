"""State diagrams as JSON."""

from typing import TypedDict

from chalicelib.entrypoints.http.responses.common import Count, Number


class Scope(TypedDict):
    """The steps of the flow itself (`id` is empty), of a branch, or of an each. `step` is the node that contains it."""

    id: str
    name: str
    step: str


class _Standing(TypedDict, total=False):
    there: Count


class Node(_Standing):
    """A step, or the start or end of a scope. For runs, `visits` counts how often the step was left, and `current` is
    true if the run is there now. `undone` counts how often its
    work was undone, and `undoing` is true while it is. `there`, how many tokens of live runs are at the step, is there
    if the request asks for it."""

    id: str
    kind: str
    scope: str
    name: str
    detail: str
    visits: Count
    current: bool
    failed: bool
    undone: Count
    undoing: bool


class _Taken(TypedDict, total=False):
    taken: list[Count]


class Edge(_Taken):
    """All routes from one step to one target. `taken`, how often each of the labels was, is there if the request asks
    for visits."""

    source: str
    target: str
    scope: str
    labels: list[str]
    visits: Count


# `from` is no name in Python.
Partial = TypedDict("Partial", {"from": Number})
Partial.__doc__ = "The first history entry of the run that is counted: older ones were not read."


class Box(TypedDict):
    """The box of a node (`id`), or of a branch (`id` is empty), in a scope: its upper left corner and its size."""

    id: str
    scope: str
    x: float
    y: float
    w: float
    h: float


class Way(TypedDict):
    """The line of an edge, and the centre of its label. `loop` is true if it leads back to its step."""

    source: str
    target: str
    points: list[list[float]]
    label: list[float]
    loop: bool


class Layout(TypedDict):
    """Where boxes and lines are, in pixels. A box comes before the boxes in it."""

    width: float
    height: float
    boxes: list[Box]
    ways: list[Way]


class CountedRuns(TypedDict):
    """How many runs were counted; `more` is true if there are others. Of `partial` runs the oldest history was not
    read."""

    runs: Count
    more: bool
    partial: Count


class LiveRuns(TypedDict):
    """How many live runs were counted; `more` is true if there are others."""

    runs: Count
    more: bool


class _OfRun(TypedDict, total=False):
    run: str
    partial: Partial
    layout: Layout
    counted: CountedRuns
    live: LiveRuns


class Graph(_OfRun):
    """A state diagram. `source`, `target`, `scope` and `step` are ids. The outermost scope comes first.

    `run` is the name of the run, if it is the diagram of one; `partial` is there if its oldest history was not read,
    `layout`, `counted` and `live` if the request asks for them.
    """

    name: str
    scopes: list[Scope]
    nodes: list[Node]
    edges: list[Edge]
