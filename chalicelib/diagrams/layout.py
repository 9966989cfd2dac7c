"""A graph -> boxes and connectors: each scope is laid out on its own, then as one box in the enclosing scope."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from chalicelib.diagrams.flow_graph import Edge, Graph, Node, Scope
from chalicelib.diagrams.layers import Arc, arrange
from chalicelib.model.flow import ENDS

Point: TypeAlias = tuple[float, float]

LINE_HEIGHT: Final = 15.0
"""The height of a line of text."""
MARK_DIAMETER: Final = 18.0
"""The diameter of the marks at the begin and the ends of a scope."""
NODE_GAP: Final = 26.0
ROW_GAP: Final = 15.0
PADDING: Final = 14.0
HEADER_HEIGHT: Final = 40.0
"""The height of the upper part of a box with nested scopes: its name and description."""
LOOP_WIDTH: Final = 26.0
"""How far the loop of a step that leads to itself extends out of its box."""
_CHARACTER_WIDTH: Final = 6.9
_MAX_TEXT_CHARACTERS: Final = 34
_MAX_SHARED_END_NODES: Final = 40
"""In a scope with more nodes, every route to an end gets an end of its own."""


@dataclass(frozen=True, slots=True)
class Box:
    """The box of a node, by its upper left corner, or of a branch, without a node."""

    node: Node | None
    scope: Scope | None
    x: float
    y: float
    width: float
    height: float
    holds: bool = False
    """The box contains other boxes."""


@dataclass(frozen=True, slots=True)
class Connector:
    """The line of an edge from box to box, and the centre of its label."""

    edge: Edge
    points: tuple[Point, ...]
    label: Point
    loop: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """The positioned boxes and connectors; a box comes before the boxes in it."""

    boxes: tuple[Box, ...]
    connectors: tuple[Connector, ...]
    width: float
    height: float


def draw(graph: Graph, order: Sequence[str] = ()) -> Drawing:
    """Return the drawing of a graph.

    `order` has ids of nodes from left to right in an earlier drawing: those of one row keep that order.
    """
    inner: dict[str, Drawing] = {}
    kept = {key: number for number, key in enumerate(order)}
    for scope in reversed(graph.scopes):
        inner[scope.id] = _Sheet(graph, scope, inner, kept).drawing()
    return inner[""]


def shortened(text: str) -> str:
    """Return the text, shortened for a box or label."""
    return text if len(text) <= _MAX_TEXT_CHARACTERS else f"{text[: _MAX_TEXT_CHARACTERS - 1]}…"


def text_width(text: str) -> float:
    """Return the approximate width of a text in a label; East Asian characters count twice."""
    return _CHARACTER_WIDTH * sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def labels_of(edge: Edge) -> list[str]:
    """Return the lines of the label of an edge; the last one is the number of visits, if there are several."""
    found = [shortened(label) for label in edge.labels]
    return [*found, f"{edge.visits} times"] if edge.visits > 1 else found


class _Sheet:
    """The layout of one scope."""

    def __init__(self, graph: Graph, scope: Scope, inner: Mapping[str, Drawing], kept: Mapping[str, int]) -> None:
        self._kept = kept
        nodes, edges = graph.within(scope.id)
        self._nodes, edges = _with_own_ends(nodes, edges) if len(nodes) > _MAX_SHARED_END_NODES else (nodes, edges)
        self._held = {
            node.id: [(one, inner[one.id]) for one in graph.held_by(node.id)]
            for node in self._nodes
            if node.kind in ("fork", "each")
        }
        self._loops = {edge.source: edge for edge in edges if edge.source == edge.target}
        self._edges = [edge for edge in edges if edge.source != edge.target]
        self._boxes: list[Box] = []
        self._connectors: list[Connector] = []

    def drawing(self) -> Drawing:
        sizes = {node.id: _size(node, self._held.get(node.id, [])) for node in self._nodes}
        room = {key: (width + 2 * self._reach(key), height) for key, (width, height) in sizes.items()}
        arcs = [Arc(edge.source, edge.target, *_label_size(edge)) for edge in self._edges]
        placed = arrange(room, arcs, NODE_GAP, ROW_GAP, self._kept)
        at: dict[str, Box] = {}
        for node in self._nodes:
            (x, y), (width, height) = placed.nodes[node.id], sizes[node.id]
            held = self._held.get(node.id, [])
            at[node.id] = Box(node, None, x - width / 2, y - height / 2, width, height, holds=bool(held))
            self._boxes.append(at[node.id])
            self._put_in(at[node.id], held)
        ports = _ports(self._edges, at, placed.waypoints)
        for number, edge in enumerate(self._edges):
            start, end = ports[number, "out"], ports[number, "in"]
            points = (
                start,
                *_to_edge(start, at[edge.source], placed.bands[edge.source]),
                *placed.waypoints[number],
                *_to_edge(end, at[edge.target], placed.bands[edge.target]),
                end,
            )
            self._connectors.append(Connector(edge, points, placed.labels[number]))
        self._connectors += (_loop(edge, at[key]) for key, edge in self._loops.items())
        return Drawing(tuple(self._boxes), tuple(self._connectors), placed.width, placed.height)

    def _reach(self, key: str) -> float:
        """Return how far the loop of a step extends out of its box, including its label."""
        return LOOP_WIDTH + _label_size(self._loops[key])[0] if key in self._loops else 0.0

    def _put_in(self, box: Box, held: Sequence[tuple[Scope, Drawing]]) -> None:
        """Position the scopes of a step next to each other within its box."""
        frames = [_frame(scope, drawing) for scope, drawing in held]
        left = box.x + (box.width - sum(width for width, _ in frames) - PADDING * (len(frames) - 1)) / 2
        top = box.y + HEADER_HEIGHT
        for (scope, drawing), (width, height) in zip(held, frames, strict=True):
            down = PADDING
            if scope.name:
                self._boxes.append(Box(None, scope, left, top, width, height, holds=True))
                down = PADDING + LINE_HEIGHT
            x, y = left + (width - drawing.width) / 2, top + (down if scope.name else 0.0)
            self._boxes += (replace(one, x=one.x + x, y=one.y + y) for one in drawing.boxes)
            self._connectors += (_moved(connector, x, y) for connector in drawing.connectors)
            left += width + PADDING


def _with_own_ends(nodes: tuple[Node, ...], edges: tuple[Edge, ...]) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
    ends = {node.id: node for node in nodes if node.kind in ENDS}
    own = [replace(ends[edge.target], id=f"{edge.target}:{edge.source}") for edge in edges if edge.target in ends]
    turned = (replace(edge, target=f"{edge.target}:{edge.source}") if edge.target in ends else edge for edge in edges)
    return (*(node for node in nodes if node.id not in ends), *own), tuple(turned)


def _size(node: Node, held: Sequence[tuple[Scope, Drawing]]) -> tuple[float, float]:
    if not node.name:
        return MARK_DIAMETER, MARK_DIAMETER
    width = max(
        76.0, text_width(shortened(node.name)) * 1.12 + 2 * PADDING, text_width(shortened(node.detail)) + 2 * PADDING
    )
    if not held:
        return width, HEADER_HEIGHT + 2
    frames = [_frame(scope, drawing) for scope, drawing in held]
    inside = sum(one for one, _ in frames) + PADDING * (len(frames) + 1)
    return max(width, inside), HEADER_HEIGHT + max(height for _, height in frames) + PADDING


def _frame(scope: Scope, drawing: Drawing) -> tuple[float, float]:
    """Return the size of a scope within the box of its step; a branch has a frame."""
    if not scope.name:
        return drawing.width, drawing.height
    return max(
        drawing.width, text_width(shortened(scope.name))
    ) + 2 * PADDING, drawing.height + 2 * PADDING + LINE_HEIGHT


def _label_size(edge: Edge) -> tuple[float, float]:
    lines = labels_of(edge)
    return max(map(text_width, lines), default=0.0) + 8, LINE_HEIGHT * len(lines)


def _ports(
    edges: Sequence[Edge], at: Mapping[str, Box], waypoints: Sequence[tuple[Point, ...]]
) -> dict[tuple[int, str], Point]:
    """Return where each edge leaves its source and enters its target: spread over the side that faces the edge."""
    sides: dict[tuple[str, bool], list[tuple[float, int, str]]] = {}
    for number, (edge, points) in enumerate(zip(edges, waypoints, strict=True)):
        for box, point, end in ((at[edge.source], points[0], "out"), (at[edge.target], points[-1], "in")):
            below = point[1] > box.y + box.height / 2
            sides.setdefault((edge.source if end == "out" else edge.target, below), []).append((point[0], number, end))
    found: dict[tuple[int, str], Point] = {}
    for (key, below), ends in sides.items():
        box = at[key]
        for n, (_, number, end) in enumerate(sorted(ends), 1):
            share = n / (len(ends) + 1) if box.node and box.node.name else 0.5
            found[number, end] = (box.x + box.width * share, box.y + box.height if below else box.y)
    return found


def _to_edge(port: Point, box: Box, band: tuple[float, float]) -> tuple[Point, ...]:
    """Return the point straight above or below a port at the edge of its row, past taller boxes."""
    edge = band[0] if port[1] < box.y + box.height / 2 else band[1]
    return ((port[0], edge),) if abs(edge - port[1]) > 1 else ()


def _loop(edge: Edge, box: Box) -> Connector:
    """Return a connector from the right side of a box back to it."""
    right, middle = box.x + box.width, box.y + (HEADER_HEIGHT if box.holds else box.height) / 2
    label = (right + LOOP_WIDTH + _label_size(edge)[0] / 2, middle)
    return Connector(edge, ((right, middle - 10), (right, middle + 10)), label, loop=True)


def _moved(connector: Connector, x: float, y: float) -> Connector:
    points = tuple((one[0] + x, one[1] + y) for one in connector.points)
    return replace(connector, points=points, label=(connector.label[0] + x, connector.label[1] + y))
