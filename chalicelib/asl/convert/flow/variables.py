"""The variables of a flow: those of items that inner items read, which are declared where, and what they are called."""

from __future__ import annotations

from collections import Counter
from typing import Final

from chalicelib.asl.convert.flow import walk
from chalicelib.asl.convert.flow.scopes import FIELD
from chalicelib.asl.convert.flow.steps import Block, Entry
from chalicelib.asl.convert.jsonata.expressions import Expr, Literal, Var, Variable, Word
from chalicelib.asl.convert.jsonata.names import Names

_WISHES: Final = {"$item": "item", "$index": "index"}


class _Captured:
    """The items of eaches that eaches within them read."""

    def __init__(self) -> None:
        self.variables: dict[tuple[str, int], Variable] = {}

    def change(self, each: int) -> walk.Change:
        """Return what puts variables in the place of the items of other eaches than this one."""

        def changed(expr: Expr) -> Expr | None:
            if not isinstance(expr, Word) or expr.scope < 0 or expr.scope == each:
                return None
            key = (expr.text, expr.scope)
            if key not in self.variables:
                self.variables[key] = Variable(_WISHES[expr.text], expr.scope, FIELD)
            return Var(self.variables[key])

        return changed

    def within(self, block: Block, each: int) -> None:
        """Change the steps of a block of which this is the innermost each."""
        for step in block.steps:
            walk.change_step(step, self.change(each))
            for inner in step.blocks:
                place = inner.scope if step.kind == "each" else each
                walk.change_entries(inner.variables, self.change(place))
                self.within(inner, place)


def capture_items(block: Block) -> None:
    """Keep the item of an each, where an each within it reads it, in a variable: `$item` means the innermost one."""
    captured = _Captured()
    captured.within(block, -1)
    scopes = {inner.scope: inner for inner in walk.blocks_within(block)}
    for (text, scope), variable in captured.variables.items():
        scopes[scope].variables.insert(0, Entry(variable, Word(text, scope)))


def declare(block: Block) -> None:
    """Declare in branches and items the variables that are set there: each has its own."""
    for inner in walk.blocks_within(block):
        if inner is block:
            continue
        declared = {entry.variable for entry in inner.variables}
        for step in inner.steps:
            for entry in walk.entries_of(step):
                if entry.variable.scope == inner.scope and entry.variable not in declared:
                    declared.add(entry.variable)
                    inner.variables.append(Entry(entry.variable, Literal(None)))


def name_all(block: Block) -> None:
    """Give each variable its name. Variables of scopes beside each other may share one."""
    order: dict[Variable, None] = {}
    for one in walk.blocks_within(block):
        order.update(dict.fromkeys(entry.variable for entry in one.variables))
        for step in one.steps:
            order.update(dict.fromkeys(entry.variable for entry in (*step.variables, *walk.entries_of(step))))
            for document in walk.documents_of(step):
                order.update(dict.fromkeys(walk.variables_read(document)))
    names: dict[int, Names] = {}
    wishes = Counter(variable.wish for variable in order)
    shared = Names()
    for variable in sorted(order, key=lambda one: one.rank):
        own = names.setdefault(variable.scope, Names())
        variable.name = shared.take(variable.wish) if wishes[variable.wish] > 1 else own.take(variable.wish)
