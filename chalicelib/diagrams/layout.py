"""A graph -> boxes and ways on a plane: each scope laid out for itself, then as one box in the scope around it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from chalicelib.diagrams.flow_graph import Edge, Graph, Node, Scope
from chalicelib.diagrams.layers import Arc, place
from chalicelib.model.flow import ENDS

Point: TypeAlias = tuple[float, float]

LINE: Final = 15.0
"""From one line of text to the next."""
MARK: Final = 18.0
"""The diameter of the marks where a scope begins and ends."""
GAP: Final = 26.0
SPACE: Final = 15.0
PAD: Final = 14.0
HEAD: Final = 40.0
"""The upper part of a box that holds scopes: its name and what it does."""
LOOP: Final = 26.0
"""How far the loop of a step that leads to itself reaches out of its box."""
_CHARACTER: Final = 6.9
_LONGEST: Final = 34
_MANY: Final = 40
"""In a scope of more steps every way to an end has an end of its own."""


@dataclass(frozen=True, slots=True)
class Box:
    """A node's box by its upper left corner; or a branch's, whose node is None."""

    node: Node | None
    scope: Scope | None
    x: float
    y: float
    width: float
    height: float
    holds: bool = False
    """Other boxes lie in it."""


@dataclass(frozen=True, slots=True)
class Way:
    """An edge's points from box to box, and its label: lines of text around a point."""

    edge: Edge
    points: tuple[Point, ...]
    label: Point
    loop: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything placed; boxes come before what lies in them."""

    boxes: tuple[Box, ...]
    ways: tuple[Way, ...]
    width: float
    height: float


def draw(graph: Graph) -> Drawing:
    """The drawing of a graph."""
    inner: dict[str, Drawing] = {}
    for scope in reversed(graph.scopes):
        inner[scope.id] = _Sheet(graph, scope, inner).drawing()
    return inner[""]


def shortened(text: str) -> str:
    """The text, short enough for a box or a label."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def text_width(text: str) -> float:
    """About how wide a text is at the size of labels; East Asian characters count twice."""
    return _CHARACTER * sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def labels_of(edge: Edge) -> list[str]:
    """The lines of an edge's label; how often it was gone, if more than once, is the last."""
    found = [shortened(label) for label in edge.labels]
    return [*found, f"{edge.visits} times"] if edge.visits > 1 else found


class _Sheet:
    """One scope while it is laid out."""

    def __init__(self, graph: Graph, scope: Scope, inner: Mapping[str, Drawing]) -> None:
        nodes, edges = graph.within(scope.id)
        self._nodes, edges = _with_own_ends(nodes, edges) if len(nodes) > _MANY else (nodes, edges)
        self._held = {
            node.id: [(one, inner[one.id]) for one in graph.scopes if one.step == node.id]
            for node in self._nodes
            if node.kind in ("fork", "each")
        }
        self._loops = {edge.source: edge for edge in edges if edge.source == edge.target}
        self._edges = [edge for edge in edges if edge.source != edge.target]
        self._boxes: list[Box] = []
        self._ways: list[Way] = []

    def drawing(self) -> Drawing:
        sizes = {node.id: _size(node, self._held.get(node.id, [])) for node in self._nodes}
        room = {key: (width + 2 * self._reach(key), height) for key, (width, height) in sizes.items()}
        arcs = [Arc(edge.source, edge.target, *_label_size(edge)) for edge in self._edges]
        placed = place(room, arcs, GAP, SPACE)
        at: dict[str, Box] = {}
        for node in self._nodes:
            (x, y), (width, height) = placed.nodes[node.id], sizes[node.id]
            held = self._held.get(node.id, [])
            at[node.id] = Box(node, None, x - width / 2, y - height / 2, width, height, holds=bool(held))
            self._boxes.append(at[node.id])
            self._put_in(at[node.id], held)
        ports = _ports(self._edges, at, placed.ways)
        for number, edge in enumerate(self._edges):
            start, end = ports[number, "out"], ports[number, "in"]
            points = (
                start,
                *_to_edge(start, at[edge.source], placed.bands[edge.source]),
                *placed.ways[number],
                *_to_edge(end, at[edge.target], placed.bands[edge.target]),
                end,
            )
            self._ways.append(Way(edge, points, placed.labels[number]))
        self._ways += (_loop(edge, at[key]) for key, edge in self._loops.items())
        return Drawing(tuple(self._boxes), tuple(self._ways), placed.width, placed.height)

    def _reach(self, key: str) -> float:
        """How far a step's loop reaches out of its box, its label included."""
        return LOOP + _label_size(self._loops[key])[0] if key in self._loops else 0.0

    def _put_in(self, box: Box, held: Sequence[tuple[Scope, Drawing]]) -> None:
        """The scopes of a step, side by side within its box."""
        frames = [_frame(scope, drawing) for scope, drawing in held]
        left = box.x + (box.width - sum(width for width, _ in frames) - PAD * (len(frames) - 1)) / 2
        top = box.y + HEAD
        for (scope, drawing), (width, height) in zip(held, frames, strict=True):
            down = PAD
            if scope.name:
                self._boxes.append(Box(None, scope, left, top, width, height, holds=True))
                down = PAD + LINE
            x, y = left + (width - drawing.width) / 2, top + (down if scope.name else 0.0)
            self._boxes += (replace(one, x=one.x + x, y=one.y + y) for one in drawing.boxes)
            self._ways += (_moved(way, x, y) for way in drawing.ways)
            left += width + PAD


def _with_own_ends(nodes: tuple[Node, ...], edges: tuple[Edge, ...]) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
    ends = {node.id: node for node in nodes if node.kind in ENDS}
    own = [replace(ends[edge.target], id=f"{edge.target}:{edge.source}") for edge in edges if edge.target in ends]
    turned = (replace(edge, target=f"{edge.target}:{edge.source}") if edge.target in ends else edge for edge in edges)
    return (*(node for node in nodes if node.id not in ends), *own), tuple(turned)


def _size(node: Node, held: Sequence[tuple[Scope, Drawing]]) -> tuple[float, float]:
    if not node.name:
        return MARK, MARK
    width = max(76.0, text_width(shortened(node.name)) * 1.12 + 2 * PAD, text_width(shortened(node.detail)) + 2 * PAD)
    if not held:
        return width, HEAD + 2
    frames = [_frame(scope, drawing) for scope, drawing in held]
    inside = sum(one for one, _ in frames) + PAD * (len(frames) + 1)
    return max(width, inside), HEAD + max(height for _, height in frames) + PAD


def _frame(scope: Scope, drawing: Drawing) -> tuple[float, float]:
    """The size that a scope takes within the box of its step: a branch has a frame of its own."""
    if not scope.name:
        return drawing.width, drawing.height
    return max(drawing.width, text_width(shortened(scope.name))) + 2 * PAD, drawing.height + 2 * PAD + LINE


def _label_size(edge: Edge) -> tuple[float, float]:
    lines = labels_of(edge)
    return max(map(text_width, lines), default=0.0) + 8, LINE * len(lines)


def _ports(
    edges: Sequence[Edge], at: Mapping[str, Box], ways: Sequence[tuple[Point, ...]]
) -> dict[tuple[int, str], Point]:
    """Where each edge leaves its box and enters the other: spread over the side that faces the way."""
    sides: dict[tuple[str, bool], list[tuple[float, int, str]]] = {}
    for number, (edge, way) in enumerate(zip(edges, ways, strict=True)):
        for box, point, end in ((at[edge.source], way[0], "out"), (at[edge.target], way[-1], "in")):
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
    """From a port straight to the edge of its row, past taller boxes."""
    edge = band[0] if port[1] < box.y + box.height / 2 else band[1]
    return ((port[0], edge),) if abs(edge - port[1]) > 1 else ()


def _loop(edge: Edge, box: Box) -> Way:
    """A way from the right side of a box back to it."""
    right, middle = box.x + box.width, box.y + (HEAD if box.holds else box.height) / 2
    label = (right + LOOP + _label_size(edge)[0] / 2, middle)
    return Way(edge, ((right, middle - 10), (right, middle + 10)), label, loop=True)


def _moved(way: Way, x: float, y: float) -> Way:
    points = tuple((one[0] + x, one[1] + y) for one in way.points)
    return replace(way, points=points, label=(way.label[0] + x, way.label[1] + y))
