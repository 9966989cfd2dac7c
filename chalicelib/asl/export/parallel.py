"""Parallel and Map states, with the states within them."""

from __future__ import annotations

import re
from typing import Final

from chalicelib.asl.export.graph import reads_input, variables_within
from chalicelib.asl.export.scope import Inner, Scope
from chalicelib.asl.export.values.names import RESULT, Inexpressible, Meaning
from chalicelib.asl.export.values.shapes import is_list
from chalicelib.asl.export.values.templates import Missing, Writer, quoted, wrapped
from chalicelib.asl.problems import Level, pointer
from chalicelib.model.flow import EachStep, ForkStep
from chalicelib.model.json_values import Json
from chalicelib.model.templates import Template, expression, source_of

_ITEM: Final = "$states.context.Map.Item"
_PERCENT: Final = re.compile(r'(?P<number>[^&]*\S)\s*&\s*"%"\s*', re.DOTALL)
"""A percentage that is computed: text that ends in `%`."""


def parallel_state(scope: Scope, step: ForkStep, place: str) -> tuple[dict[str, Json], Meaning, Json]:
    """Return the Parallel state of a fork, what `$result` is in it, and the output that hands it on."""
    branches: list[Json] = []
    for index, branch in enumerate(step.branches):
        inner = Inner(
            steps=branch.steps,
            pointer=scope.pointer + pointer(place, "branches", index, "steps"),
            variables=branch.vars,
            label=branch.name,
        )
        branches.append(scope.around.inner(scope, inner))
    members = {branch.name: f"{RESULT}[{index}]" for index, branch in enumerate(step.branches)}
    whole = "{" + ", ".join(f"{quoted(name)}: {text}" for name, text in members.items()) + "}"
    carried = {name: wrapped(text) for name, text in members.items()}
    return {"Type": "Parallel", "Branches": branches}, Meaning(whole=whole, members=members), carried


def map_state(scope: Scope, step: EachStep, place: str) -> dict[str, Json]:
    """Return the Map state of an each. Raises Inexpressible."""
    writer = scope.entering(step)
    inner = Inner(
        steps=step.steps,
        pointer=scope.pointer + pointer(place, "steps"),
        variables=step.vars,
        label=step.name,
        is_item=True,
    )
    state: dict[str, Json] = {"Type": "Map", "Items": _items(step, writer)}
    state["ItemSelector"] = {"item": wrapped(f"{_ITEM}.Value"), "index": wrapped(f"{_ITEM}.Index")}
    if step.max:
        state["MaxConcurrency"] = _number(step.max, writer)
    tolerated = _tolerated(step, writer)
    config: dict[str, Json] = {"Mode": "INLINE"}
    if tolerated:
        _check_distributed(scope, step)
        text = (
            "a distributed Map state: each item is an execution of its own, and failed ones leave no null in the output"
        )
        scope.problem(place, f"step {step.name}: tolerate: {text}", Level.WARNING)
        config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    states = scope.around.inner(scope, inner)
    return {**state, **tolerated, "ItemProcessor": {"ProcessorConfig": config, **states}}


def _items(step: EachStep, writer: Writer) -> Json:
    source = source_of(step.items)
    if step.batch is None:
        if source is None:
            found = writer.value(step.items, Missing.NULL)
            return found if isinstance(found, list) else [found]
        text = writer.text(step.items, Missing.FAIL)
        return wrapped(text if is_list(source) else f"[{text}]")
    if step.tolerate or step.tolerate_percent:
        raise Inexpressible("batch with tolerate: a Map state counts failed batches, and not their items")
    text = writer.text(step.items, Missing.NULL if source is None else Missing.FAIL)
    text = text if source is None or is_list(source) else f"[{text}]"
    return wrapped(f"$partition({text}, {writer.text(step.batch, Missing.FAIL)})")


def _number(option: Template, writer: Writer) -> Json:
    return wrapped(f"$number({writer.text(option, Missing.FAIL)})") if source_of(option) is not None else option


def _tolerated(step: EachStep, writer: Writer) -> dict[str, Json]:
    if step.tolerate_percent is not None:
        percent = step.tolerate_percent
        return {"ToleratedFailurePercentage": int(percent) if percent == int(percent) else percent}
    if not step.tolerate:
        return {}
    source = source_of(step.tolerate)
    if source is None:
        return {"ToleratedFailureCount": step.tolerate}
    found = _PERCENT.fullmatch(source)
    if found:
        text = writer.text(expression(found["number"]), Missing.FAIL)
        return {"ToleratedFailurePercentage": wrapped(f"$number({text})")}
    return {"ToleratedFailureCount": wrapped(f"$number({writer.text(step.tolerate, Missing.FAIL)})")}


def _check_distributed(scope: Scope, step: EachStep) -> None:
    """Raise Inexpressible if the items read what a distributed Map state does not hand them."""
    names = sorted(variables_within(step) & scope.variables.keys())
    if names or reads_input(step.steps, step.vars):
        what = f"variable {names[0]}" if names else "$input"
        raise Inexpressible(
            f"tolerate: the Map state is a distributed one, and its items do not see {what}; put it into `items`"
        )
