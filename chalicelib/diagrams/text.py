"""A graph as text: JSON, Mermaid, DOT, and a listing for a terminal."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from chalicelib.diagrams.flow_graph import BEGIN, Edge, Graph, Node, Scope, mark_of
from chalicelib.diagrams.layout import Box, Connector, draw
from chalicelib.model.flow import DONE, STOPPED
from chalicelib.model.json_values import Json

_MARKED: Final = (
    ("failed", "#fee2e2", "#b91c1c"),
    ("undoing", "#ffedd5", "#c2410c"),
    ("current", "#dbeafe", "#1d4ed8"),
    ("undone", "#fff7ed", "#c2410c"),
    ("visited", "#f0fdf4", "#15803d"),
)


def as_json(graph: Graph, *, has_layout: bool = False, order: Sequence[str] = ()) -> Json:
    """Return the graph as JSON: `nodes`, `edges` (which refer to nodes by id), and `scopes`, the outermost first.

    Of a run, `run` is its name, and `partial` says from which history entry on its path is counted, if not from the
    first. `has_layout`: add the positions of boxes and lines; nodes of a row that are in `order` keep that order.
    """
    of_run: dict[str, Json] = {"run": graph.run} if graph.run else {}
    if graph.since > 1:
        of_run["partial"] = {"from": graph.since}
    layout = {"layout": _layout(graph, order)} if has_layout else {}
    return {
        "name": graph.name,
        **of_run,
        "scopes": [{"id": one.id, "name": one.name, "step": one.step} for one in graph.scopes],
        "nodes": [_node(node) for node in graph.nodes],
        "edges": [
            {
                "source": edge.source,
                "target": edge.target,
                "scope": edge.scope,
                "labels": list(edge.labels),
                "visits": edge.visits,
            }
            for edge in graph.edges
        ],
        **layout,
    }


def _layout(graph: Graph, order: Sequence[str]) -> Json:
    """Return where boxes and lines are, in pixels from the upper left corner; a box comes before the boxes in it."""
    drawing = draw(graph, order)
    return {
        "width": _pixels(drawing.width),
        "height": _pixels(drawing.height),
        "boxes": [_box(box) for box in drawing.boxes],
        "ways": [_way(connector) for connector in drawing.connectors],
    }


def _box(box: Box) -> Json:
    scope = box.node.scope if box.node else box.scope.id if box.scope else ""
    place = {"x": box.x, "y": box.y, "w": box.width, "h": box.height}
    return {"id": box.node.id if box.node else "", "scope": scope, **{k: _pixels(v) for k, v in place.items()}}


def _way(connector: Connector) -> Json:
    return {
        "source": connector.edge.source,
        "target": connector.edge.target,
        "points": [[_pixels(x), _pixels(y)] for x, y in connector.points],
        "label": [_pixels(one) for one in connector.label],
        "loop": connector.loop,
    }


def _pixels(number: float) -> float:
    return round(number, 1)


def as_text(graph: Graph) -> str:
    """Return the graph as JSON text."""
    return json.dumps(as_json(graph), indent=2, ensure_ascii=False) + "\n"


def _node(node: Node) -> Json:
    return {
        "id": node.id,
        "kind": node.kind,
        "scope": node.scope,
        "name": node.name,
        "detail": node.detail,
        "visits": node.visits,
        "current": node.current,
        "failed": node.failed,
        "undone": node.undone,
        "undoing": node.undoing,
    }


_SIGNS: Final = {"failed": "!", "undoing": "<", "current": ">", "undone": "-", "visited": "*", "": " "}


# ── Mermaid ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def mermaid(graph: Graph) -> str:
    """Return the graph as a stateDiagram-v2: https://mermaid.js.org/syntax/stateDiagram.html"""
    ids = {node.id: f"s{number}" for number, node in enumerate(graph.nodes)}
    title = ["---", f"title: {json.dumps(graph.title)}", "---"] if graph.run else []
    lines = [*title, "stateDiagram-v2", *_mermaid_scope(graph, "", ids, "    ")]
    for name, fill, stroke in _MARKED:
        marked = [ids[node.id] for node in graph.nodes if mark_of(node) == name]
        if marked:
            lines += [f"    classDef {name} fill:{fill},stroke:{stroke}", f"    class {','.join(marked)} {name}"]
    return "\n".join(lines) + "\n"


def _mermaid_scope(graph: Graph, scope: str, ids: dict[str, str], indent: str) -> Iterator[str]:
    nodes, edges = graph.within(scope)
    for node in nodes:
        held = graph.held_by(node.id)
        if node.kind == STOPPED:
            yield f'{indent}state "stopped" as {ids[node.id]}'
        elif node.name:
            yield f'{indent}state "{_plain(f"{node.name}: {node.detail}")}" as {ids[node.id]}'
        if held:
            yield f"{indent}state {ids[node.id]} {{"
            yield from _mermaid_branches(graph, held, ids, indent + "    ")
            yield f"{indent}}}"
    for edge in edges:
        label = _plain(_label(edge))
        ends = (_mermaid_end(edge.source, ids), _mermaid_end(edge.target, ids))
        yield f"{indent}{ends[0]} --> {ends[1]}" + (f" : {label}" if label else "")


def _mermaid_branches(graph: Graph, held: Iterable[Scope], ids: dict[str, str], indent: str) -> Iterator[str]:
    for number, scope in enumerate(held):
        if number:
            yield f"{indent}--"
        yield from _mermaid_scope(graph, scope.id, ids, indent)


def _mermaid_end(node: str, ids: dict[str, str]) -> str:
    return "[*]" if node.startswith((f"{BEGIN}:", f"{DONE}:")) else ids[node]


def _plain(text: str) -> str:
    """Return the text with the characters of Mermaid's syntax replaced by its entity codes."""
    codes = {'"': "#quot;", ";": "#59;", "#": "#35;", "<": "#lt;", ">": "#gt;", "{": "#123;", "}": "#125;", ":": "#58;"}
    return "".join(codes.get(char, char if char.isprintable() else " ") for char in text)


# ── DOT ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def dot(graph: Graph) -> str:
    """Return the graph as a digraph for Graphviz: https://graphviz.org/doc/info/lang.html"""
    head = [
        f"digraph {_quoted(graph.name)} {{",
        *([f"    label={_quoted(graph.title)};"] if graph.run else []),
        "    compound=true;",
        '    node [shape=box, style="rounded,filled", fillcolor=white, fontname=sans];',
        "    edge [fontname=sans, fontsize=10];",
    ]
    return "\n".join([*head, *_dot_scope(graph, "", "    "), "}"]) + "\n"


def _dot_scope(graph: Graph, scope: str, indent: str) -> Iterator[str]:
    nodes, edges = graph.within(scope)
    for node in nodes:
        held = graph.held_by(node.id)
        if not held:
            yield f"{indent}{_quoted(node.id)} [{_dot_look(node)}];"
            continue
        yield f"{indent}subgraph {_quoted(f'cluster {node.id}')} {{"
        yield f"{indent}    label={_quoted(f'{node.name}: {node.detail}')};"
        yield f"{indent}    {_quoted(node.id)} [{_dot_look(node)}];"
        for one in held:
            yield f"{indent}    subgraph {_quoted(f'cluster {node.id} {one.name}')} {{"
            yield f"{indent}        label={_quoted(one.name)};"
            yield from _dot_scope(graph, one.id, indent + "        ")
            yield f"{indent}    }}"
        yield f"{indent}}}"
    for edge in edges:
        went = ", color=forestgreen, penwidth=2" if edge.visits else ""
        yield f"{indent}{_quoted(edge.source)} -> {_quoted(edge.target)} [label={_quoted(_label(edge))}{went}];"


def _dot_look(node: Node) -> str:
    match node.kind:
        case kind if kind == BEGIN:
            return 'label="", shape=circle, width=0.15, fillcolor=black'
        case kind if kind == DONE:
            return 'label="", shape=doublecircle, width=0.12, fillcolor=black'
        case kind if kind == STOPPED:
            return "label=stopped, fontcolor=firebrick, color=firebrick"
    fill = next((f", fillcolor={_quoted(fill)}" for name, fill, _ in _MARKED if mark_of(node) == name), "")
    return f"label={_quoted(node.name)}, tooltip={_quoted(node.detail)}{fill}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'


# ── a listing ────────────────────────────────────────────────────────────────────────────────────────────────────────


def listing(graph: Graph) -> str:
    """Return the steps and their routes, one per line, indented by scope."""
    return "\n".join([graph.title, *_listed(graph, "", "  ")]) + "\n"


def _listed(graph: Graph, scope: str, indent: str) -> Iterator[str]:
    nodes, edges = graph.within(scope)
    names = {node.id: node.name or node.kind for node in nodes}
    leaving: defaultdict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        leaving[edge.source].append(edge)
    for node in (one for one in nodes if one.name):
        undone = f"  undone {node.undone} times" if node.undone > 1 else "  undone" if node.undone else ""
        yield f"{indent}{_SIGNS[mark_of(node)]} {node.name}  ({node.detail}){undone}"
        for one in graph.held_by(node.id):
            if one.name:
                yield f"{indent}    {one.name}:"
            yield from _listed(graph, one.id, indent + "      ")
        for edge in leaving[node.id]:
            times = f"  [{edge.visits}]" if edge.visits else ""
            yield f"{indent}    {_label(edge)} -> {names[edge.target]}{times}"


def _label(edge: Edge) -> str:
    return " | ".join(edge.labels)
