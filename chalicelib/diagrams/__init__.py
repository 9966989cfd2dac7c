"""The state diagram of a flow, and of a run with the path that it took. Pure: values in, text out.

model     Flow, and a run's Path -> Graph: scopes, nodes, edges; what all renderers draw
text      Graph -> Mermaid, DOT, and a plain listing
layers    sizes and edges -> places: which row, in which order, how far apart
placing   Graph -> Drawing: boxes within boxes, each scope laid out by `layers`
svg       Graph -> SVG, by way of its Drawing
"""

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
    "listing",
    "mermaid",
    "path_of",
    "svg",
]
