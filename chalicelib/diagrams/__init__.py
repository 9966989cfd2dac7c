"""The state diagram of a flow, and of a run with the path that it took. Pure: values in, text out.

coverage     how often runs took each route of a flow
flow_graph   a flow and the path of a run -> Graph: scopes, nodes and edges
layers       sizes and edges -> positions: rows, order within rows, distances
layout       Graph -> Drawing: nested boxes, each scope positioned by `layers`
svg          Graph -> SVG, from its Drawing
text         Graph -> JSON, Mermaid, DOT and a plain listing
"""

from chalicelib.diagrams.coverage import labels_taken
from chalicelib.diagrams.flow_graph import Edge, Graph, Node, Path, Scope, graph_of, path_of
from chalicelib.diagrams.svg import svg
from chalicelib.diagrams.text import as_json, as_text, dot, listing, mermaid

__all__ = [
    "Edge",
    "Graph",
    "Node",
    "Path",
    "Scope",
    "as_json",
    "as_text",
    "dot",
    "graph_of",
    "labels_taken",
    "listing",
    "mermaid",
    "path_of",
    "svg",
]
