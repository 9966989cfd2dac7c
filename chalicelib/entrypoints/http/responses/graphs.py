"""State diagrams as JSON."""

from typing import TypedDict

from chalicelib.entrypoints.http.responses.common import Count


class Scope(TypedDict):
    """The steps of the flow itself (`id` is empty), of a branch, or of an each. `step` is the node that contains it."""

    id: str
    name: str
    step: str


class Node(TypedDict):
    """A step, or the start or end of a scope. For runs, `visits` counts how often the step was left, and `current` is
    true if the run is there now."""

    id: str
    kind: str
    scope: str
    name: str
    detail: str
    visits: Count
    current: bool
    failed: bool


class Edge(TypedDict):
    """All routes from one step to one target."""

    source: str
    target: str
    scope: str
    labels: list[str]
    visits: Count


class Graph(TypedDict):
    """A state diagram. `source`, `target`, `scope` and `step` are ids. The outermost scope comes first."""

    name: str
    scopes: list[Scope]
    nodes: list[Node]
    edges: list[Edge]
