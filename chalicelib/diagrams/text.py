"""A graph as text: JSON, Mermaid, DOT, and a listing for a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Final

from chalicelib.diagrams.flow_graph import BEGIN, Edge, Graph, Node, Scope
from chalicelib.model.flow import DONE, STOPPED
from chalicelib.model.json_values import Json

_MARKED: Final = (
    ("failed", "#fee2e2", "#b91c1c"),
    ("current", "#dbeafe", "#1d4ed8"),
    ("visited", "#f0fdf4", "#15803d"),
)


def as_json(graph: Graph) -> Json:
    """Return the graph as JSON: `nodes`, `edges` (which refer to nodes by id), and `scopes`, the outermost first."""
    return {
        "name": graph.name,
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
    }


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
    }


# ── Mermaid ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def mermaid(graph: Graph) -> str:
    """Return the graph as a stateDiagram-v2: https://mermaid.js.org/syntax/stateDiagram.html"""
    ids = {node.id: f"s{number}" for number, node in enumerate(graph.nodes)}
    lines = ["stateDiagram-v2", *_mermaid_scope(graph, "", ids, "    ")]
    for name, fill, stroke in _MARKED:
        marked = [ids[node.id] for node in graph.nodes if _mark(node) == name]
        if marked:
            lines += [f"    classDef {name} fill:{fill},stroke:{stroke}", f"    class {','.join(marked)} {name}"]
    return "\n".join(lines) + "\n"


def _mermaid_scope(graph: Graph, scope: str, ids: dict[str, str], indent: str) -> Iterator[str]:
    nodes, edges = graph.within(scope)
    for node in nodes:
        held = [one for one in graph.scopes if one.step == node.id]
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
        "    compound=true;",
        '    node [shape=box, style="rounded,filled", fillcolor=white, fontname=sans];',
        "    edge [fontname=sans, fontsize=10];",
    ]
    return "\n".join([*head, *_dot_scope(graph, "", "    "), "}"]) + "\n"


def _dot_scope(graph: Graph, scope: str, indent: str) -> Iterator[str]:
    nodes, edges = graph.within(scope)
    for node in nodes:
        held = [one for one in graph.scopes if one.step == node.id]
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
    fill = next((f", fillcolor={_quoted(fill)}" for name, fill, _ in _MARKED if _mark(node) == name), "")
    return f"label={_quoted(node.name)}, tooltip={_quoted(node.detail)}{fill}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'


# ── a listing ────────────────────────────────────────────────────────────────────────────────────────────────────────


def listing(graph: Graph) -> str:
    """Return the steps and their routes, one per line, indented by scope."""
    return "\n".join([graph.name, *_listed(graph, "", "  ")]) + "\n"


def _listed(graph: Graph, scope: str, indent: str) -> Iterator[str]:
    nodes, edges = graph.within(scope)
    names = {node.id: node.name or node.kind for node in nodes}
    for node in (one for one in nodes if one.name):
        sign = {"failed": "!", "current": ">", "visited": "*"}.get(_mark(node), " ")
        yield f"{indent}{sign} {node.name}  ({node.detail})"
        for one in (one for one in graph.scopes if one.step == node.id):
            if one.name:
                yield f"{indent}    {one.name}:"
            yield from _listed(graph, one.id, indent + "      ")
        for edge in (one for one in edges if one.source == node.id):
            times = f"  [{edge.visits}]" if edge.visits else ""
            yield f"{indent}    {_label(edge)} -> {names[edge.target]}{times}"


def _mark(node: Node) -> str:
    return "failed" if node.failed else "current" if node.current else "visited" if node.visits else ""


def _label(edge: Edge) -> str:
    return " | ".join(edge.labels)
