"""Parallel and Map: states with scopes of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from chalicelib.asl.convert.flow.steps import Block, Entry, Plain, Sent, Step
from chalicelib.asl.convert.jsonata.documents import (
    Document,
    Kind,
    Lst,
    Obj,
    Shape,
    as_expression,
    expressions_in,
    is_place,
)
from chalicelib.asl.convert.jsonata.expressions import (
    RESULT,
    Array,
    Expr,
    Func,
    Literal,
    Op,
    Text,
    Var,
    Word,
    bare,
    replaced,
)
from chalicelib.asl.convert.jsonata.names import Names, step_word
from chalicelib.asl.convert.jsonata.unsayable import Unsayable
from chalicelib.asl.convert.states.drafts import Draft, Exit
from chalicelib.asl.convert.states.failures import Failures
from chalicelib.asl.convert.states.reader import Reader
from chalicelib.asl.convert.states.stored_items import items_reader, results_writer
from chalicelib.asl.convert.states.values import Values
from chalicelib.asl.problems import Level
from chalicelib.model.flow import DEFAULT_STATE

_PERCENT: Final = "%"
_IN_FUNCTION: Final = 1_000_000
"""The number of no each: `$item` and `$index` are then arguments of a function of JSONata."""

MAX_AT_ONCE: Final = 100
"""Items of an each that run at once."""


# ── Parallel ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def read_parallel(reader: Reader) -> Draft:
    """Return a Parallel as a `fork`."""
    branches = reader.state.get("Branches")
    if not isinstance(branches, list) or not branches:
        raise Unsayable("a Parallel needs Branches", "Branches")
    names = Names()
    words = tuple(names.take(step_word(str(_start(branch)))) for branch in branches)
    given = _given(reader)
    step = Step("fork", reader.name)
    if not all(map(is_place, expressions_in(given))):
        # It is made once, and fails before a branch begins.
        variable = reader.scope.keeper((), f"{reader.name} input", own=True)
        step.variables.append(Entry(variable, given))
        given = Var(variable)

    def blocks() -> list[Block]:
        return [
            _block(reader, branch, ("Branches", number), word, given)
            for number, (branch, word) in enumerate(zip(branches, words, strict=True))
        ]

    failures = Failures(nested=True, evaluates=reader.is_jsonata)
    reader.repeated(step, failures)
    result = Shape(Kind.BRANCHES, RESULT, reader.pointer, words)
    return Draft(step, [reader.succeeded((DEFAULT_STATE,), result), *reader.caught(failures)], blocks)


def _start(branch: Any) -> Any:
    start = branch.get("StartAt") if isinstance(branch, dict) else None
    if not isinstance(start, str) or not isinstance(branch.get("States"), dict) or start not in branch["States"]:
        raise Unsayable("a branch needs States, and StartAt that is one of them")
    return start


def _given(reader: Reader) -> Document:
    name = "Arguments" if reader.is_jsonata else "Parameters"
    return reader.input.field(reader.state, name) if name in reader.state else reader.input.document


def _block(reader: Reader, branch: Mapping[str, Any], keys: tuple[str | int, ...], word: str, given: Document) -> Block:
    language = "JSONata" if reader.is_jsonata else "JSONPath"
    scope = reader.machine.open_scope(reader, branch, keys, language, reader.scope.each)
    scope.document = given
    return reader.machine.block(word, scope)


# ── Map ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def read_map(reader: Reader) -> Draft:
    """Return a Map as an `each`."""
    processor, key = _processor(reader)
    step = Step("each", reader.name)
    before, after = None, None
    exits: list[Exit] = []
    batch = _batch(reader)
    if "ItemReader" in reader.state:
        before, items, exits = items_reader(reader)
    else:
        items = _items(reader)
    if batch is not None:
        items = Func("$partition", (_selected(reader, _listed(items)), batch))
    step.properties["items"] = Sent(items if batch is not None else _list_document(items))
    _limits(reader, step)
    failures = Failures(nested=True, evaluates=reader.is_jsonata)
    reader.repeated(step, failures)
    result: Document = RESULT
    if "ResultWriter" in reader.state and "Resource" in _object(reader.state["ResultWriter"]):
        after, result = results_writer(reader)
    exits += [reader.succeeded((DEFAULT_STATE,), result), *reader.caught(failures)]
    made = Draft(step, exits, lambda: [_items_block(reader, processor, key, batched=batch is not None)])
    made.before, made.after = before, after
    return made


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _processor(reader: Reader) -> tuple[Mapping[str, Any], str]:
    key = "ItemProcessor" if "ItemProcessor" in reader.state else "Iterator"
    processor = reader.state.get(key)
    if not isinstance(processor, dict):
        raise Unsayable("a Map needs an ItemProcessor")
    try:
        _start(processor)
    except Unsayable as problem:
        raise problem.at(key) from None
    return processor, key


def _items(reader: Reader) -> Document:
    state = reader.state
    if reader.is_jsonata:
        return reader.values.field(state, "Items") if "Items" in state else reader.document
    if state.get("ItemsPath") is None:
        return reader.input.document
    try:
        return reader.input.path(state["ItemsPath"])
    except Unsayable as problem:
        raise problem.at("ItemsPath") from None


def _list_document(document: Document) -> Document:
    if isinstance(document, Literal) and not isinstance(document.value, list):
        raise Unsayable("the items must be a list")
    return document if isinstance(document, (Lst, Literal)) else _listed(document)


def _listed(document: Document) -> Expr:
    expr = bare(as_expression(document))
    is_list = isinstance(expr, Literal) and isinstance(expr.value, list)
    return expr if is_list else Func("$need", (expr, Literal("array")))


def _selector(reader: Reader) -> str | None:
    return next((name for name in ("ItemSelector", "Parameters") if name in reader.state), None)


def _selected(reader: Reader, items: Expr) -> Expr:
    """Return the items as the ItemSelector makes them, which comes before they are put into batches."""
    selector = _selector(reader)
    if selector is None:
        return items
    scope = replace(reader.scope, each=_IN_FUNCTION)
    made = as_expression(replace(reader.input, scope=scope).field(reader.state, selector))
    names = {Word("$item", _IN_FUNCTION): Word("$value"), Word("$index", _IN_FUNCTION): Word("$number")}
    body = replaced(made, lambda one: names.get(one) if isinstance(one, Word) else None)
    return Array((Func("$map", (items, Text(("function($value, $number) { ", body, " }"), 100))),))


def _limits(reader: Reader, step: Step) -> None:
    most = reader.number("MaxConcurrency")
    if isinstance(most, Literal) and isinstance(most.value, (int, float)):
        wanted = int(most.value)
        if wanted > MAX_AT_ONCE:
            reader.tell(Level.NOTE, f"at most {MAX_AT_ONCE} items run at once", "MaxConcurrency")
        elif wanted > 0:
            step.properties["max"] = Plain(str(wanted))
    elif most is not None:
        number = _as_number(most)
        step.properties["max"] = Sent(Text((number, f" = 0 ? {MAX_AT_ONCE} : ", number), 5))
    tolerated = _tolerated(reader)
    if tolerated is not None:
        step.properties["tolerate"] = tolerated


def _as_number(document: Document) -> Expr:
    """Return a number, also where a text says it."""
    return Func("$number", (bare(as_expression(document)),))


def _tolerated(reader: Reader) -> Plain | Sent | None:
    count = reader.number("ToleratedFailureCount")
    percentage = reader.number("ToleratedFailurePercentage")
    if count is not None and percentage is not None:
        reader.tell(Level.WARNING, "only the tolerated percentage is imported", "ToleratedFailureCount")
    if isinstance(percentage, Literal):
        return Plain(f'"{percentage.value}%"')
    if percentage is not None:
        return Sent(Op("&", (bare(as_expression(percentage)), Literal(_PERCENT))))
    if isinstance(count, Literal):
        return Plain(str(count.value))
    if count is not None:
        return Sent(_as_number(count))
    processor, _ = _processor(reader)
    config = processor.get("ProcessorConfig")
    is_distributed = isinstance(config, dict) and config.get("Mode") == "DISTRIBUTED"
    return Plain("0") if is_distributed else None


def _batch(reader: Reader) -> Expr | None:
    """Return how many items are in a batch; None where there are no batches."""
    batcher = reader.state.get("ItemBatcher")
    if batcher is None:
        return None
    if not isinstance(batcher, dict):
        raise Unsayable("ItemBatcher must be an object", "ItemBatcher")
    if any(name.startswith("MaxInputBytesPerBatch") for name in batcher):
        reader.tell(Level.WARNING, "batches are not bounded by their bytes", "ItemBatcher", "MaxInputBytesPerBatch")
    try:
        if "MaxItemsPerBatch" in batcher:
            return as_expression(reader.values.field(batcher, "MaxItemsPerBatch"))
        if not reader.is_jsonata and "MaxItemsPerBatchPath" in batcher:
            return _as_number(reader.input.path(batcher["MaxItemsPerBatchPath"]))
    except Unsayable as problem:
        raise problem.at("ItemBatcher") from None
    raise Unsayable("an ItemBatcher without MaxItemsPerBatch cannot be expressed in FSL", "ItemBatcher")


def _items_block(reader: Reader, processor: Mapping[str, Any], key: str, *, batched: bool) -> Block:
    language = "JSONata" if reader.is_jsonata else "JSONPath"
    scope = reader.machine.open_scope(reader, processor, (key,), language, None)
    item = Word("$item", scope.number)
    within = replace(reader.input, scope=scope)
    try:
        scope.document = _item_document(reader, within, item, batched=batched)
    except Unsayable as problem:
        # The steps of the items are converted when the step of the Map is there already.
        reader.tell(Level.ERROR, problem.reason, *problem.keys)
        scope.document = item
    return reader.machine.block("", scope)


def _item_document(reader: Reader, within: Values, item: Document, *, batched: bool) -> Document:
    """Return the document of an item: the item, what ItemSelector makes of it, or a batch."""
    if batched:
        batcher = reader.state["ItemBatcher"]
        try:
            shared = {"BatchInput": within.field(batcher, "BatchInput")} if "BatchInput" in batcher else {}
        except Unsayable as problem:
            raise problem.at("ItemBatcher") from None
        return Obj(None, {**shared, "Items": item})
    selector = _selector(reader)
    return item if selector is None else within.field(reader.state, selector)
