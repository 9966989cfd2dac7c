"""Walk over steps: their expressions, the variables that they read and set, and changes of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from chalicelib.asl.convert.flow.steps import Block, Entry, Kept, Plain, Route, Rule, Sent, Step
from chalicelib.asl.convert.jsonata.documents import Document, changed, expressions_in
from chalicelib.asl.convert.jsonata.expressions import Expr, Var, Variable, leaves, replaced

Change = Callable[[Expr], Expr | None]


def blocks_within(block: Block) -> Iterator[Block]:
    """Yield the block and all blocks within it."""
    yield block
    for step in block.steps:
        for inner in step.blocks:
            yield from blocks_within(inner)


def steps_within(block: Block) -> Iterator[Step]:
    """Yield all steps of the block, at any depth."""
    for one in blocks_within(block):
        yield from one.steps


def documents_of(step: Step) -> Iterator[Document]:
    """Yield the values of a step, without those of the blocks within it; `when` and rules too."""
    for value in step.properties.values():
        if not isinstance(value, Plain):
            yield value.document
    for rule in step.repeat:
        if rule.when is not None:
            yield rule.when
    yield from (entry.value for entry in (*step.variables, *step.save))
    for route in step.routes:
        yield from documents_of_route(route)
    for block in step.blocks:
        yield from (entry.value for entry in block.variables)


def documents_of_route(route: Route) -> Iterator[Document]:
    """Yield the values of a route."""
    if route.when is not None:
        yield route.when
    yield from (entry.value for entry in route.entries)
    yield from route.given.values()


def variables_read(document: Document) -> Iterator[Variable]:
    """Yield the variables that a value reads, once for each time."""
    for expr in expressions_in(document):
        for leaf in leaves(expr):
            if isinstance(leaf, Var):
                yield leaf.variable


def change_step(step: Step, change: Change) -> None:
    """Change the expressions of a step, without those within its blocks."""
    for name, value in step.properties.items():
        if isinstance(value, Sent):
            step.properties[name] = Sent(changed(value.document, change), value.group)
        elif isinstance(value, Kept):
            step.properties[name] = Kept(changed(value.document, change))
    step.repeat = [
        Rule(rule.states, None if rule.when is None else replaced(rule.when, change), rule.settings)
        for rule in step.repeat
    ]
    change_entries(step.variables, change)
    change_entries(step.save, change)
    for route in step.routes:
        if route.when is not None:
            route.when = replaced(route.when, change)
        change_entries(route.entries, change)
        route.given = {name: changed(value, change) for name, value in route.given.items()}


def change_entries(entries: list[Entry], change: Change) -> None:
    """Change the values of entries."""
    for entry in entries:
        entry.value = changed(entry.value, change)


def entries_of(step: Step) -> Iterator[Entry]:
    """Yield what a step saves, on any route."""
    yield from step.save
    for route in step.routes:
        yield from route.entries
