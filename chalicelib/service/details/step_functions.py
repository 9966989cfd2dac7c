"""What AWS Step Functions would ask for a run, or for any run of a flow. Pure.

Each step counts as one state: that is how `fsl import` writes machines. Counted for a Standard workflow are, as on its
bill, the states that are entered: in loops each time, in branches and for each item, and once more for each retry. For
an Express workflow these are one request, and the duration in steps of 100 ms times the memory in chunks of 64 MB.

What the workflow calls (functions, queues) is not counted: it costs the same from here. A called flow is an execution
of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from chalicelib.model.flow import ENDS, ActionStep, ChoiceStep, EachStep, ForkStep, SetStep, Step, walk
from chalicelib.model.history import Entry
from chalicelib.model.run import Run
from chalicelib.model.times import Instant, Milliseconds
from chalicelib.service.observability.prices import (
    EXPRESS_BASE_MB,
    EXPRESS_CHUNK_MB,
    EXPRESS_MAX_MS,
    EXPRESS_STEP_MS,
    LIST_PRICES,
    Prices,
)


class Standard(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of a Standard workflow. `complete`: whether the whole history was counted; otherwise it is a minimum."""

    transitions: int
    usd: float
    complete: bool


class Express(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of an Express workflow. `fits`: whether the run is short enough for one."""

    requests: int
    duration_ms: Milliseconds
    memory_mb: int
    gb_seconds: float
    usd: float
    fits: bool


class StepFunctionsCost(msgspec.Struct, frozen=True, kw_only=True):
    """What Step Functions asks, by the kind of workflow."""

    standard: Standard
    express: Express


def cost_of_run(
    run: Run, entries: Sequence[Entry], size: int, now: Instant, prices: Prices = LIST_PRICES
) -> StepFunctionsCost:
    """Return what Step Functions would have asked for the run so far.

    `entries` are those of its newest history that were read; `size` is that of its head in bytes.
    """
    is_whole = bool(entries) and entries[0].seq == 1
    ended = now if run.ended_at is None else run.ended_at
    return StepFunctionsCost(
        standard=standard(run.steps + retries_in(entries), prices, complete=is_whole),
        express=express(ended - run.created_at, size, prices),
    )


def standard(transitions: int, prices: Prices = LIST_PRICES, *, complete: bool = True) -> Standard:
    """Return the cost of so many state transitions."""
    usd = round(transitions * prices.state_transition, 9)
    return Standard(transitions=transitions, usd=usd, complete=complete)


def express(duration: Milliseconds, size: int, prices: Prices = LIST_PRICES) -> Express:
    """Return the cost of an execution of this duration; `size` is that of its data in bytes."""
    billed = max(EXPRESS_STEP_MS, math.ceil(duration / EXPRESS_STEP_MS) * EXPRESS_STEP_MS)
    memory = math.ceil((EXPRESS_BASE_MB + size / 2**20) / EXPRESS_CHUNK_MB) * EXPRESS_CHUNK_MB
    gb_seconds = memory / 1024 * billed / 1000
    return Express(
        requests=1,
        duration_ms=billed,
        memory_mb=memory,
        gb_seconds=round(gb_seconds, 6),
        usd=round(prices.express_request + gb_seconds * prices.express_gb_second, 9),
        fits=duration <= EXPRESS_MAX_MS,
    )


def retries_in(entries: Iterable[Entry]) -> int:
    """Return how many deliveries of steps failed and were made again: each would be a retry of its state."""
    return sum(entry.event == "DeliveryFailed" and not entry.target and bool(entry.step) for entry in entries)


# ── flows ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Transitions(msgspec.Struct, frozen=True, kw_only=True):
    """How many states an execution of a flow enters.

    Attributes:
        least: On the shortest way to an end, if nothing is repeated or retried.
        most: On the longest way on which no step is entered twice by a route, if everything is repeated and retried as
            often as possible.
        loops: Whether routes make loops: then there may be more.
        eaches: The eaches; each counts as many items as were assumed.
    """

    least: int
    most: int
    loops: bool
    eaches: tuple[str, ...]


def transitions_of(steps: Sequence[Step], items: int = 1) -> Transitions:
    """Return how many states an execution of these steps enters, with so many items of each `each`."""
    components = _components(steps)
    return Transitions(
        least=_least(steps, items),
        most=_most(steps, components, items),
        loops=_has_loop(steps, components) or _loops_within(steps),
        eaches=tuple(step.name for step in walk(tuple(steps)) if isinstance(step, EachStep)),
    )


def _least(steps: Sequence[Step], items: int) -> int:
    """Return the states on the shortest way from the first step to an end."""
    weights = {step.name: _weight(step, lambda inner: _least(inner, items), items) for step in steps}
    best = {steps[0].name: weights[steps[0].name]}
    ends: list[int] = []
    waiting = set(best)
    by_name = {step.name: step for step in steps}
    while waiting:
        name = min(waiting, key=lambda one: best[one])
        waiting.discard(name)
        for target in _targets(by_name[name]):
            if target not in by_name:
                ends.append(best[name])
            elif best[name] + weights[target] < best.get(target, math.inf):
                best[target] = best[name] + weights[target]
                waiting.add(target)
    return min(ends, default=max(best.values()))


def _most(steps: Sequence[Step], components: Mapping[str, int], items: int) -> int:
    """Return the states on the longest way; the steps of a loop are all entered once."""
    weights = dict.fromkeys(components.values(), 0)
    after: dict[int, set[int]] = {number: set() for number in components.values()}
    for step in steps:
        own = components[step.name]
        once = _weight(step, lambda inner: _most(inner, _components(inner), items), items)
        weights[own] += once * (1 + _repeats(step)) + _deliveries(step)
        after[own] |= {components[one] for one in _targets(step) if one in components} - {own}
    longest: dict[int, int] = {}
    for number in sorted(after):  # a component is numbered after all that it leads to
        longest[number] = weights[number] + max((longest[one] for one in after[number]), default=0)
    return longest[components[steps[0].name]]


def _weight(step: Step, count: Callable[[tuple[Step, ...]], int], items: int) -> int:
    """Return the states that a step enters once: itself, and those within it."""
    match step:
        case ForkStep():
            return 1 + sum(count(branch.steps) for branch in step.branches)
        case EachStep():
            return 1 + items * count(step.steps)
        case _:
            return 1


def _repeats(step: Step) -> int:
    if isinstance(step, (ChoiceStep, SetStep)):
        return 0
    return sum(rule.max for rule in step.repeat if isinstance(rule.max, int))


def _deliveries(step: Step) -> int:
    """Return how often a delivery is made again, as far as the step itself says."""
    return step.options.retry.max - 1 if isinstance(step, ActionStep) and step.options.retry else 0


def _targets(step: Step) -> list[str]:
    return [route.target for route in step.routes]


def _components(steps: Sequence[Step]) -> dict[str, int]:
    """Return the loop of each step by number: steps that lead to each other have the same (Tarjan's algorithm).

    A component has a higher number than all that it leads to.
    """
    targets = {step.name: [one for one in _targets(step) if one not in ENDS] for step in steps}
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: dict[str, int] = {}
    for root in targets:
        waiting = [(root, iter(targets[root]))] if root not in order else []
        while waiting:
            name, following = waiting[-1]
            if name not in order:
                order[name] = low[name] = len(order)
                stack.append(name)
            target = next((one for one in following if one in targets and one not in found), None)
            if target is None:
                waiting.pop()
                if low[name] == order[name]:
                    _close(stack, name, found)
                if waiting:
                    above = waiting[-1][0]
                    low[above] = min(low[above], low[name])
            elif target not in order:
                waiting.append((target, iter(targets[target])))
            else:
                low[name] = min(low[name], order[target])
    return found


def _close(stack: list[str], name: str, found: dict[str, int]) -> None:
    number = next(reversed(found.values()), -1) + 1
    while True:
        member = stack.pop()
        found[member] = number
        if member == name:
            return


def _has_loop(steps: Sequence[Step], components: Mapping[str, int]) -> bool:
    return len(set(components.values())) < len(steps) or any(step.name in _targets(step) for step in steps)


def _loops_within(steps: Sequence[Step]) -> bool:
    inner = [step.steps for step in steps if isinstance(step, EachStep)]
    inner += [branch.steps for step in steps if isinstance(step, ForkStep) for branch in step.branches]
    return any(transitions_of(one).loops for one in inner)
