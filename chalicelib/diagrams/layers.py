"""Position the boxes of one scope: rows from top to bottom, with edges through the rows between.

This is Sugiyama's method in its simplest form. Edges that close a cycle are reversed. Each node gets the row after the
longest path to it. Every edge gets a box for its label in the row after its source, and thin boxes in all further rows
that it crosses. Barycentres determine the order within rows. The positions within a row are those closest to the mean
of the neighbours that keep the order and the gaps; pooling adjacent violators finds them exactly. The result is
deterministic, and the time is proportional to the number of boxes times the number of sweeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeAlias

Key: TypeAlias = str | tuple[int, int | str]
Point: TypeAlias = tuple[float, float]
Band: TypeAlias = tuple[float, float]
"""The upper and lower edge of a row."""
SWEEPS: Final = 16
MAX_CROSSED_ROWS: Final = 12_000
"""Rows that all edges together may cross with boxes of their own. In larger graphs edges are drawn straight."""
NOTHING_KEPT: Final[Mapping[str, int]] = {}
_LONG_EDGE_WEIGHT: Final = 8.0
"""The weight of a piece of a long edge relative to an edge to a node, so that long edges are straight."""


@dataclass(frozen=True, slots=True)
class Arc:
    """An edge to position: its ends, and the size of its label."""

    source: str
    target: str
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class LayerLayout:
    """The positions of nodes, labels and edges. `labels` and `waypoints` are in the order of the arcs."""

    nodes: Mapping[str, Point]
    """The centres of the nodes."""
    bands: Mapping[str, Band]
    """The rows of the nodes; within its row an edge goes straight up or down."""
    labels: tuple[Point, ...]
    waypoints: tuple[tuple[Point, ...], ...]
    """The points between source and target, in the direction of the arc."""
    width: float
    height: float


@dataclass(slots=True)
class _Box:
    width: float
    height: float
    row: int
    x: float = 0.0
    weight: float = 1.0


def arrange(
    sizes: Mapping[str, tuple[float, float]],
    arcs: Sequence[Arc],
    gap: float,
    space: float,
    kept: Mapping[str, int] = NOTHING_KEPT,
) -> LayerLayout:
    """Position nodes of these sizes, `gap` apart in a row, with `space` between rows. Arcs have two distinct ends.

    Nodes of a row that are in `kept` stand in the order of their numbers there.
    """
    down = _directions(list(sizes), arcs)
    rows = _rows(list(sizes), arcs, down)
    boxes: dict[Key, _Box] = {key: _Box(*size, 2 * rows[key]) for key, size in sizes.items()}
    small = sum(abs(rows[arc.source] - rows[arc.target]) for arc in arcs) * 2 <= MAX_CROSSED_ROWS
    chains = [_chain(number, arc, boxes, is_down=down[number], whole=small) for number, arc in enumerate(arcs)]
    links = [(a, b) for chain in chains for a, b in pairwise(chain) if boxes[b].row == boxes[a].row + 1]
    order = _ordered(boxes, links, kept)
    _spread(order, boxes, links, gap)
    left = min((box.x - box.width / 2 for box in boxes.values()), default=0.0)
    right = max((box.x + box.width / 2 for box in boxes.values()), default=0.0)
    for box in boxes.values():
        box.x -= left
    bands = _bands(order, boxes, space)
    return LayerLayout(
        {key: (boxes[key].x, sum(bands[boxes[key].row]) / 2) for key in sizes},
        {key: bands[boxes[key].row] for key in sizes},
        tuple((boxes[number, "label"].x, sum(bands[boxes[number, "label"].row]) / 2) for number in range(len(arcs))),
        tuple(_waypoints(chain, boxes, bands, is_down=down[number]) for number, chain in enumerate(chains)),
        right - left,
        bands[-1][1] if bands else 0.0,
    )


def _waypoints(
    chain: Sequence[Key], boxes: Mapping[Key, _Box], bands: Sequence[Band], *, is_down: bool
) -> tuple[Point, ...]:
    """Return the points through the middle of the label, and straight through every row of nodes between."""
    points: list[Point] = []
    for key in chain[1:-1]:
        box, (top, bottom) = boxes[key], bands[boxes[key].row]
        if key[1] == "label":
            points.append((box.x, (top + bottom) / 2))
        elif box.row % 2 == 0:
            points += [(box.x, top), (box.x, bottom)]
    return tuple(points if is_down else reversed(points))


def _directions(nodes: Sequence[str], arcs: Sequence[Arc]) -> list[bool]:
    """Return for each arc whether it points down; an arc that closes a cycle is reversed."""
    out: dict[str, list[int]] = {node: [] for node in nodes}
    for number, arc in enumerate(arcs):
        out[arc.source].append(number)
    state: dict[str, str] = {}
    down = [True] * len(arcs)
    for root in nodes:
        stack: list[tuple[str, Iterator[int]]] = []
        if root not in state:
            state[root] = "open"
            stack.append((root, iter(out[root])))
        while stack:
            node, rest = stack[-1]
            number = next(rest, -1)
            if number < 0:
                state[node] = "closed"
                stack.pop()
                continue
            target = arcs[number].target
            down[number] = state.get(target) != "open"
            if target not in state:
                state[target] = "open"
                stack.append((target, iter(out[target])))
    return down


def _rows(nodes: Sequence[str], arcs: Sequence[Arc], down: Sequence[bool]) -> dict[str, int]:
    """Return the row of each node: the longest path to it; a node without predecessors is directly above its target."""
    ahead: dict[str, list[str]] = {node: [] for node in nodes}
    waits = dict.fromkeys(nodes, 0)
    for arc, is_down in zip(arcs, down, strict=True):
        upper, lower = (arc.source, arc.target) if is_down else (arc.target, arc.source)
        ahead[upper].append(lower)
        waits[lower] += 1
    rows = dict.fromkeys(nodes, 0)
    roots = [node for node in nodes if not waits[node]]
    ready = list(roots)
    for node in ready:
        for lower in ahead[node]:
            rows[lower] = max(rows[lower], rows[node] + 1)
            waits[lower] -= 1
            if not waits[lower]:
                ready.append(lower)
    for node in roots[1:]:
        rows[node] = min((rows[lower] for lower in ahead[node]), default=1) - 1
    return rows


def _chain(number: int, arc: Arc, boxes: dict[Key, _Box], *, is_down: bool, whole: bool) -> list[Key]:
    """Return the boxes of an arc from top to bottom, ends included. Creates those between: all, or only the label."""
    upper, lower = (arc.source, arc.target) if is_down else (arc.target, arc.source)
    between = range(boxes[upper].row + 1, boxes[lower].row)
    label = between[0] if is_down else between[-1]
    chain: list[Key] = [upper]
    for row in between if whole else (label,):
        key: Key = (number, "label") if row == label else (number, row)
        size = (arc.width, arc.height) if row == label else (2.0, 0.0)
        boxes[key] = _Box(*size, row, weight=_LONG_EDGE_WEIGHT)
        chain.append(key)
    return [*chain, lower]


def _neighbours(boxes: Iterable[Key], links: Iterable[tuple[Key, Key]]) -> tuple[dict[Key, list[Key]], ...]:
    above: dict[Key, list[Key]] = {key: [] for key in boxes}
    below: dict[Key, list[Key]] = {key: [] for key in boxes}
    for upper, lower in links:
        above[lower].append(upper)
        below[upper].append(lower)
    return above, below


def _ordered(boxes: Mapping[Key, _Box], links: Sequence[tuple[Key, Key]], kept: Mapping[str, int]) -> list[list[Key]]:
    """Return the boxes by row, in an order with few crossings: the best order of several sweeps."""
    rows: list[list[Key]] = [[] for _ in range(max((box.row for box in boxes.values()), default=-1) + 1)]
    for key, box in boxes.items():
        rows[box.row].append(key)
    for row in rows:
        _restore(row, kept)
    above, below = _neighbours(boxes, links)
    best, fewest = [list(row) for row in rows], _crossings(rows, below)
    for sweep in range(SWEEPS):
        near, sequence = (above, rows) if sweep % 2 == 0 else (below, rows[::-1])
        places: dict[Key, float] = {key: float(n) for row in rows for n, key in enumerate(row)}
        for row in sequence:
            wanted = {
                key: sum(places[one] for one in near[key]) / len(near[key]) if near[key] else places[key] for key in row
            }
            row.sort(key=wanted.__getitem__)
            _restore(row, kept)
            places.update((key, float(n)) for n, key in enumerate(row))
        found = _crossings(rows, below)
        if found < fewest:
            best, fewest = [list(row) for row in rows], found
    return best


def _restore(row: list[Key], kept: Mapping[str, int]) -> None:
    """Put the kept boxes of a row in their order, in the places that they have together."""
    places = [n for n, key in enumerate(row) if isinstance(key, str) and key in kept] if kept else []
    inside = sorted((row[n] for n in places), key=lambda key: kept[str(key)])
    for n, key in zip(places, inside, strict=True):
        row[n] = key


def _crossings(rows: Sequence[Sequence[Key]], below: Mapping[Key, Sequence[Key]]) -> int:
    count = 0
    for upper, lower in pairwise(rows):
        place = {key: n for n, key in enumerate(lower)}
        ends = [end for key in upper for end in sorted(place[one] for one in below[key])]
        tree = [0] * (len(lower) + 1)
        for seen, end in enumerate(ends):
            at, before = end + 1, 0
            while at:
                before, at = before + tree[at], at & (at - 1)
            count += seen - before
            at = end + 1
            while at < len(tree):
                tree[at] += 1
                at += at & -at
    return count


def _spread(
    rows: Sequence[Sequence[Key]], boxes: Mapping[Key, _Box], links: Sequence[tuple[Key, Key]], gap: float
) -> None:
    """Set the x of every box: near its neighbours, in order, without overlap."""
    above, below = _neighbours(boxes, links)
    for row in rows:
        _settle([boxes[key] for key in row], [0.0] * len(row), gap)
    for sweep in range(2 * SWEEPS):
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            near = above if sweep % 2 == 0 else below
            if sweep >= 2 * SWEEPS - 2:
                near = {key: above[key] + below[key] for key in row}
            wanted = [_mean([boxes[one] for one in near[key]], boxes[key]) for key in row]
            _settle([boxes[key] for key in row], wanted, gap)


def _mean(near: Sequence[_Box], box: _Box) -> float:
    weights = [one.weight * box.weight for one in near]
    return sum(one.x * weight for one, weight in zip(near, weights, strict=True)) / sum(weights) if near else box.x


def _settle(row: Sequence[_Box], wanted: Sequence[float], gap: float) -> None:
    """Move the boxes of a row as close to the wanted positions as their order and the gaps allow (least squares)."""
    offset, offsets = 0.0, []
    for n, box in enumerate(row):
        apart = gap if box.height and n and row[n - 1].height else gap / 2
        offset += (row[n - 1].width + box.width) / 2 + apart if n else 0.0
        offsets.append(offset)
    pools: list[tuple[float, float, int]] = []
    for box, want, shift in zip(row, wanted, offsets, strict=True):
        pool = (box.weight * (want - shift), box.weight, 1)
        while pools and pools[-1][0] / pools[-1][1] >= pool[0] / pool[1]:
            last = pools.pop()
            pool = (last[0] + pool[0], last[1] + pool[1], last[2] + pool[2])
        pools.append(pool)
    places = [total / weight for total, weight, count in pools for _ in range(count)]
    for box, place_, shift in zip(row, places, offsets, strict=True):
        box.x = place_ + shift


def _bands(rows: Sequence[Sequence[Key]], boxes: Mapping[Key, _Box], space: float) -> list[Band]:
    """Return the upper and lower edge of each row."""
    bands, top = [], 0.0
    for row in rows:
        height = max((boxes[key].height for key in row), default=0.0)
        bands.append((top, top + height))
        top += height + space
    return bands
