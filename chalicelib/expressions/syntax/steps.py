"""How steps are put together to paths."""

from __future__ import annotations

from collections.abc import Collection

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.syntax import ancestry
from chalicelib.expressions.syntax.tree import Node


def joined(left: Node, right: Node) -> Node:
    """Return the path of `left.right`."""
    path = left if left.kind == "path" else _path(left)
    known = len(path.items) if left.kind == "path" else 0
    if right.kind == "path":
        path.items.extend(right.items)
        path.group = path.group or right.group
    else:
        if right.filters is not None:
            right.stages = [("filter", predicate) for predicate in right.filters]
            right.filters = None
        path.items.append(right)
    for step in (path.items[0], *path.items[max(0, known - 1) :]):
        if step.kind == "literal":
            if not isinstance(step.value, str):
                raise Failure("S0213", step.at, step.value)
            step.kind = "name"
        if step.keep:
            path.keep_singleton = True
    for step in (path.items[0], path.items[-1]):
        if step.kind == "array":
            step.constructs = True
    ancestry.resolve(path)
    return path


def _path(step: Node) -> Node:
    path = Node("path", step.at, items=[step])
    path.height = step.height + 1
    if step.kind == "parent":
        path.seeking = [step.value]
    return path


def kept(node: Node) -> Node:
    """Return the node of `node[]`, which retains an array of one."""
    if node.kind == "path":
        last = node.items[-1]
        if last.kind == "sort" or len(node.items) > 1:
            node.keep = True
        else:
            last.keep = node.keep_singleton = True
    node.keep = True
    return node


def filtered(node: Node, predicate: Node, at: int) -> Node:
    """Return the node of `node[predicate]`."""
    step = node.items[-1] if node.kind == "path" else node
    if step.group is not None:
        raise Failure("S0209", at)
    ancestry.resolve_in_filter(step, predicate)
    if node.kind == "path":
        step.stages = [*(step.stages or []), ("filter", predicate)]
    else:
        step.filters = [*(step.filters or []), predicate]
    return node


def sorted_by(node: Node, sort: Node) -> Node:
    """Return the path of `node^(...)`."""
    path = node if node.kind == "path" else _path(node)
    path.items.append(sort)
    ancestry.resolve(path)
    return path


def focused(node: Node, name: str, at: int) -> Node:
    """Return the node of `node@$name`."""
    step = node.items[-1] if node.kind == "path" else node
    if step.stages is not None or step.filters is not None:
        raise Failure("S0215", at)
    if step.kind == "sort":
        raise Failure("S0216", at)
    step.focus = name
    step.tuples = True
    return node


def numbered(node: Node, name: str) -> Node:
    """Return the path of `node#$name`."""
    path = node
    if node.kind != "path":
        path = _path(node)
        if node.filters is not None:
            node.stages = [("filter", predicate) for predicate in node.filters]
            node.filters = None
    step = path.items[-1]
    if step.stages is None:
        step.position = name
    else:
        step.stages.append(("index", name))
    step.tuples = True
    return path


def is_word(node: Node, words: Collection[str]) -> bool:
    """Whether the node is one of these names and nothing else."""
    if node.kind != "path" or len(node.items) != 1 or node.group is not None:
        return False
    step = node.items[0]
    return step.kind == "name" and step.value in words and step.stages is None


def tail(body: Node) -> Node:
    """Mark the calls in tail position, so that they do not nest."""
    if body.kind == "call" and not body.filters and body.group is None and not body.keep:
        thunk = Node("thunk", body.at, left=body)
        thunk.height = body.height
        thunk.seeking = body.seeking
        return thunk
    if body.kind == "condition" and not body.filters and body.group is None:
        body.items[1:] = [tail(part) for part in body.items[1:]]
    elif body.kind == "block" and body.items and not body.filters and body.group is None:
        body.items[-1] = tail(body.items[-1])
    return body
