"""A graph as SVG: one self-contained picture, without scripts, fonts or links. The same graph gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chalicelib.diagrams.flow_graph import BEGIN, Graph, Node, mark_of
from chalicelib.diagrams.layout import (
    LINE_HEIGHT,
    LOOP_WIDTH,
    Box,
    Connector,
    Drawing,
    Point,
    draw,
    labels_of,
    shortened,
)
from chalicelib.model.flow import DONE, STOPPED

_MARGIN: Final = 20.0
_TITLE: Final = 26.0

_STYLE: Final = """
.fsl-graph{font:12px ui-sans-serif,system-ui,"Segoe UI","DejaVu Sans",sans-serif}
.fsl-graph text{fill:#1f2937;text-anchor:middle}
.fsl-graph .title{font-size:14px;font-weight:600;text-anchor:start}
.fsl-graph .name{font-size:13px;font-weight:600}
.fsl-graph .detail{font-size:11px;fill:#6b7280}
.fsl-graph .label{font-size:11px;fill:#4b5563}
.fsl-graph .step{fill:#f8fafc;stroke:#94a3b8;stroke-width:1.2}
.fsl-graph .decision,.fsl-graph .choice{fill:#fdf8e7;stroke:#c9a227}
.fsl-graph .timer,.fsl-graph .event,.fsl-graph .condition{fill:#f1f5fd;stroke:#6b8fd6}
.fsl-graph .fork,.fsl-graph .each{fill:#fafafa;stroke:#94a3b8;stroke-dasharray:5 3}
.fsl-graph .call{fill:#f5f1fc;stroke:#9a7fd1}
.fsl-graph .branch{fill:#fff;stroke:#d1d5db}
.fsl-graph .way{fill:none;stroke:#94a3b8;stroke-width:1.2}
.fsl-graph .halo{fill:#fff;fill-opacity:.88}
.fsl-graph .head{fill:#94a3b8}
.fsl-graph .mark{fill:#1f2937}
.fsl-graph .ring{fill:none;stroke:#1f2937;stroke-width:1.4}
.fsl-graph .stopped{fill:#b91c1c;stroke:#b91c1c}
.fsl-graph .visited{stroke:#15803d;stroke-width:2}
.fsl-graph .went{stroke:#15803d;stroke-width:2.2}
.fsl-graph .head-went{fill:#15803d}
.fsl-graph .label-went{fill:#166534;font-weight:600}
.fsl-graph .undone{fill:#fff7ed;stroke:#c2410c;stroke-width:2}
.fsl-graph .undoing{fill:#ffedd5;stroke:#c2410c;stroke-width:3;stroke-dasharray:none}
.fsl-graph .current{fill:#dbeafe;stroke:#1d4ed8;stroke-width:3;stroke-dasharray:none}
.fsl-graph .failed{fill:#fee2e2;stroke:#b91c1c;stroke-width:3;stroke-dasharray:none}
""".strip()


def svg(graph: Graph) -> str:
    """Return the SVG of a graph. Texts are shortened to fit; tooltips contain the full texts."""
    drawing = draw(graph)
    width, height = drawing.width + 2 * _MARGIN, drawing.height + 2 * _MARGIN + _TITLE
    width = max(width, 2 * _MARGIN + 9.0 * min(len(graph.title), 60))
    shift = (width - drawing.width) / 2
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="fsl-graph" role="img" width="{_n(width)}" '
            f'height="{_n(height)}" viewBox="0 0 {_n(width)} {_n(height)}">',
            f"<title>{_text(graph.title)}</title>",
            f"<style>{_STYLE}</style>",
            "<defs>",
            _head("arrow", "head"),
            _head("arrow-went", "head-went"),
            "</defs>",
            '<rect width="100%" height="100%" fill="#fff"/>',
            f'<text class="title" x="{_n(_MARGIN)}" y="{_n(_MARGIN + 8)}">{_text(graph.title[:60])}</text>',
            f'<g transform="translate({_n(shift)} {_n(_MARGIN + _TITLE)})">',
            *_content(drawing),
            "</g>",
            "</svg>",
            "",
        )
    )


def _content(drawing: Drawing) -> Iterator[str]:
    for box in drawing.boxes:
        yield from _box(box)
    for connector in sorted(drawing.connectors, key=lambda one: one.edge.visits > 0):
        yield _line(connector)
    for connector in drawing.connectors:
        yield from _label(connector)


def _box(box: Box) -> Iterator[str]:
    node, middle = box.node, box.x + box.width / 2
    if node is None:
        yield _rect(box, "branch")
        if box.scope:
            yield _words(box.scope.name, "detail", (middle, box.y + LINE_HEIGHT + 2))
    elif not node.name:
        yield from _mark(node, (middle, box.y + box.height / 2), box.width / 2)
    else:
        yield f"<g><title>{_text(_whole(node))}</title>"
        yield _rect(box, " ".join(_classes(node)))
        yield _words(node.name, "name", (middle, box.y + 18))
        yield _words(node.detail, "detail", (middle, box.y + 33))
        yield "</g>"


def _classes(node: Node) -> Iterator[str]:
    yield "step"
    yield node.kind
    yield from filter(None, (mark_of(node),))


def _whole(node: Node) -> str:
    visits = f" (left {node.visits} times)" if node.visits > 1 else ""
    undone = " - its work is being undone" if node.undoing else " - its work was undone" if node.undone else ""
    position = " - the run is here" if node.current else " - the run was stopped here" if node.failed else ""
    return f"{node.kind} {node.name}: {node.detail}{visits}{undone}{position}"


def _rect(box: Box, classes: str) -> str:
    return (
        f'<rect class="{classes}" x="{_n(box.x)}" y="{_n(box.y)}" '
        f'width="{_n(box.width)}" height="{_n(box.height)}" rx="7"/>'
    )


def _mark(node: Node, at: Point, radius: float) -> Iterator[str]:
    x, y = _n(at[0]), _n(at[1])
    match node.kind:
        case kind if kind == BEGIN:
            yield f'<circle class="mark" cx="{x}" cy="{y}" r="{_n(radius - 2)}"><title>begin</title></circle>'
        case kind if kind == DONE:
            yield f'<circle class="ring" cx="{x}" cy="{y}" r="{_n(radius - 1)}"><title>done</title></circle>'
            yield f'<circle class="mark" cx="{x}" cy="{y}" r="{_n(radius - 4.5)}"/>'
        case kind if kind == STOPPED:
            side, left, top = _n(radius * 2 - 4), _n(at[0] - radius + 2), _n(at[1] - radius + 2)
            yield f'<rect class="stopped" x="{left}" y="{top}" width="{side}" height="{side}" rx="2">'
            yield "<title>stopped</title></rect>"


def _line(connector: Connector) -> str:
    (x, y), *rest = connector.points
    path = [f"M{_n(x)} {_n(y)}"]
    for end_x, end_y in rest:
        if connector.loop:
            path.append(
                f"C{_n(x + LOOP_WIDTH)} {_n(y - 8)} {_n(x + LOOP_WIDTH)} {_n(end_y + 8)} {_n(end_x)} {_n(end_y)}"
            )
        elif x == end_x:
            path.append(f"L{_n(end_x)} {_n(end_y)}")
        else:
            middle = (y + end_y) / 2
            path.append(f"C{_n(x)} {_n(middle)} {_n(end_x)} {_n(middle)} {_n(end_x)} {_n(end_y)}")
        x, y = end_x, end_y
    went = connector.edge.visits > 0
    marker = "arrow-went" if went else "arrow"
    return f'<path class="way{" went" if went else ""}" d="{"".join(path)}" marker-end="url(#{marker})"/>'


def _label(connector: Connector) -> Iterator[str]:
    lines = labels_of(connector.edge)
    if not lines:
        return
    x, y = connector.label
    top = y - LINE_HEIGHT * len(lines) / 2
    whole = " | ".join(connector.edge.labels)
    width = max(len(line) for line in lines) * 6.2 + 4
    yield f"<g><title>{_text(whole)}</title>"
    yield (
        f'<rect class="halo" x="{_n(x - width / 2)}" y="{_n(top)}" '
        f'width="{_n(width)}" height="{_n(LINE_HEIGHT * len(lines))}" rx="3"/>'
    )
    classes = "label label-went" if connector.edge.visits else "label"
    for number, line in enumerate(lines):
        yield _words(line, classes, (x, top + LINE_HEIGHT * number + 11.5))
    yield "</g>"


def _words(text: str, classes: str, at: Point) -> str:
    return f'<text class="{classes}" x="{_n(at[0])}" y="{_n(at[1])}">{_text(shortened(text))}</text>'


def _head(name: str, classes: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7.2" refY="4" markerWidth="8" markerHeight="8" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path class="{classes}" d="M0 .6 8 4 0 7.4z"/></marker>'
    )


def _n(number: float) -> str:
    return f"{number:.1f}".rstrip("0").rstrip(".") if abs(number) >= 0.05 else "0"


def _text(text: str) -> str:
    """Return the text escaped, without characters that XML does not allow."""
    fit = "".join(char if char.isprintable() or char == " " else " " for char in text)
    return fit.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
