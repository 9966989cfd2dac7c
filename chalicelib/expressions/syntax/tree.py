"""The tree of an expression."""

from __future__ import annotations

from typing import Any


class Slot:
    """What a `%` refers to: the input of the step `level` steps up, bound as `label` while the path runs."""

    __slots__ = ("label", "level")

    def __init__(self, label: str) -> None:
        self.label, self.level = label, 1


class Node:
    """One part of an expression: `kind` is the name of its rule, `at` its offset in the source.

    `left`, `right` and `items` are the parts of it, and `value` is its name, literal or operator.
    Of any part: `filters` follow it (`x[...]`), `group` groups it (`x{...}`), `keep` retains arrays of one (`x[]`).
    Of a step of a path: `stages` are its filters and positions; `focus` (`@$x`), `position` (`#$x`) and `ancestor` are
    the names that it binds; `tuples` says that it binds any.
    """

    __slots__ = (
        "ancestor",
        "at",
        "constructs",
        "filters",
        "focus",
        "group",
        "height",
        "items",
        "keep",
        "keep_singleton",
        "kind",
        "left",
        "plain",
        "position",
        "right",
        "seeking",
        "stages",
        "tuples",
        "value",
    )

    def __init__(
        self, kind: str, at: int, value: Any = None, *, left: Any = None, right: Any = None, items: Any = None
    ) -> None:
        self.kind, self.at, self.value = kind, at, value
        self.left, self.right, self.items = left, right, items
        self.filters: list[Node] | None = None
        self.stages: list[tuple[str, Any]] | None = None
        self.group: list[tuple[Node, Node]] | None = None
        self.keep = self.keep_singleton = self.constructs = self.tuples = self.plain = False
        self.focus: str | None = None
        self.position: str | None = None
        self.ancestor: Slot | None = None
        self.seeking: list[Slot] | None = None
        self.height = 1

    def __repr__(self) -> str:
        return f"<{self.kind} {self.value!r} at {self.at}>"
