"""The same steps for every item of a list, with a maximum of concurrent items.

Each item in flight is a token, and the each's token waits for them (`model.waits.EachWait`). The head holds what is in
flight; items and results are stored as blobs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec.structs import replace

from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.scopes import child_id
from chalicelib.engine.step_result import StepResult
from chalicelib.engine.transition import JOIN_TIMEOUT_MS, Transition
from chalicelib.engine.values.evaluation import Names, OnNothing, evaluate, resolve
from chalicelib.engine.values.options import duration_of, share_of, whole_number
from chalicelib.engine.values.size_limits import fit
from chalicelib.expressions import NOTHING
from chalicelib.model.flow import DEFAULT_STATE, FAIL, MAX_EACH_ITEMS, EachStep
from chalicelib.model.json_values import Json
from chalicelib.model.run import Activation, Token
from chalicelib.model.run_error import ErrorName, StepError
from chalicelib.model.templates import source_of
from chalicelib.model.times import Milliseconds
from chalicelib.model.waits import CHUNK_FAILURES, CHUNK_ITEMS, EachWait, Wait

MAX_ITEMS: Final = MAX_EACH_ITEMS
MAX_CONCURRENT_ITEMS: Final = 100
"""How many items are in flight at the same time if the step has no `max`, and the highest `max` that has an effect."""
MAX_TOKENS: Final = 1_000
"""From this many tokens of a run on, its eaches start one item at a time: nested ones would multiply."""
MAX_STEPS_PER_TRANSITION: Final = 1_000
"""From this many steps in one transition on, items that have not started are deferred to the next transition.

So a list of items that wait for nothing makes neither a transition nor its history as long as the list.
"""
MAX_BUFFERED_RESULTS: Final = 50
"""How many results a head holds before they are stored as a blob."""
MAX_BUFFERED_BYTES: Final = 2_000


def enter(transition: Transition, token: Token, step: EachStep, names: Names, before: Wait | None) -> StepResult | None:
    """Start the first items; an empty list returns immediately. Raises ExpressionFailed.

    After a retry, `before` is the wait as it was. Items that were interrupted are resumed where they were, and those
    whose failure was tolerated start again. If the each had finished, it returns immediately.
    """
    if isinstance(before, EachWait):
        return _restart(transition, token, step, names, before)
    items = _items(step, names)
    if len(items) > MAX_ITEMS:
        raise ExpressionFailed(f"`items` holds {len(items)} items; {MAX_ITEMS} are the limit")
    if not items:
        return StepResult(state=DEFAULT_STATE, data=[])
    wait = _first_wait(step, names, len(items))
    if wait.batch is not None:
        items = [items[start : start + wait.batch] for start in range(0, len(items), wait.batch)]
    token = transition.activate(token, _time_limit(step, names))
    wait = replace(wait, id=token.activation.uuid if token.activation else "")
    for start in range(0, len(items), CHUNK_ITEMS):
        transition.store_blob(wait.item_key(start), list(items[start : start + CHUNK_ITEMS]))
    _begin(transition, transition.set_wait(token, wait), step)
    return None


def _first_wait(step: EachStep, names: Names, items: int) -> EachWait:
    """Return the wait for that many items, of which none has started. Raises ExpressionFailed."""
    batch = None if step.batch is None else whole_number("batch", step.batch, names, least=1, most=MAX_ITEMS)
    return EachWait(
        id="",
        count=items if batch is None else -(-items // batch),
        next=0,
        again=(),
        finished=0,
        failed=(),
        results=(),
        stored_chunks=0,
        max=whole_number("max", step.max, names, least=1) if isinstance(step.max, dict) else None,
        tolerated=share_of("tolerate", step.tolerate, names, items) if isinstance(step.tolerate, dict) else None,
        batch=batch,
        items=0 if batch is None else items,
    )


def _time_limit(step: EachStep, names: Names) -> Milliseconds:
    """Return how long the each may take. Raises ExpressionFailed."""
    return JOIN_TIMEOUT_MS if step.timeout is None else duration_of("timeout", step.timeout, names)


def _items(step: EachStep, names: Names) -> list[Json]:
    """Return the items: a list as it is, none for nothing, and any other value as the only item."""
    source = source_of(step.items)
    value = resolve(step.items, names, OnNothing.NULL) if source is None else evaluate(source, names)
    if value is NOTHING:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def child_ended(
    transition: Transition, token: Token, step: EachStep, child: Token, error: StepError | None
) -> StepResult | None:
    """Count the item of `child`, which failed if there is an error. Raises ExpressionFailed.

    Return what the each returns if that decides it.
    """
    wait = _count_item(transition, token, child, ok=error is None)
    token = transition.set_wait(token, wait)
    if wait.failed_items > tolerated(step, wait):
        return StepResult(state=FAIL, error=_error(step, wait, error), event="StepJoined")
    if wait.finished + wait.failures == wait.count:
        return StepResult(state=DEFAULT_STATE, data=results(transition, wait), event="StepJoined")
    _begin(transition, token, step)
    return None


def _error(step: EachStep, wait: EachWait, error: StepError | None) -> StepError | None:
    """Return the error of the item, or of all that failed if the each says how many may."""
    if step.tolerate is None and step.tolerate_percent is None:
        return error
    cause = f"{wait.failed_items} of {wait.total} items failed"
    return StepError(ErrorName.ITEMS_FAILED, cause + (f", the last: {error.text}" if error else ""))


def interrupted(wait: EachWait, children: Iterable[Token]) -> EachWait:
    """Return the wait with the items of these tokens to be started again: they are removed before they ended."""
    return replace(wait, again=tuple(dict.fromkeys((*wait.again, *map(_index, children)))))


def start_deferred(transition: Transition, token: Token, step: EachStep) -> None:
    """Start the items that were deferred to this transition."""
    wait, activation = _wait_of(token), token.activation
    if activation:
        left = JOIN_TIMEOUT_MS if wait.remaining is None else wait.remaining
        activation = replace(activation, deadline=transition.at + left, wait=replace(wait, remaining=None))
        _begin(transition, transition.put(replace(token, activation=activation)), step)


def is_deferred(step: EachStep, activation: Activation) -> bool:
    """Return whether the activation's deadline is the moment to start deferred items.

    In heads of version 0.1.0, which had no timeout of an each, only the deadline says so.
    """
    wait = activation.wait
    if not isinstance(wait, EachWait) or wait.decided:
        return False
    is_early = step.timeout is None and activation.deadline < activation.since + JOIN_TIMEOUT_MS
    return wait.remaining is not None or is_early


def tolerated(step: EachStep, wait: EachWait) -> int:
    """Return how many of the items may fail."""
    if step.tolerate_percent is not None:
        return int(wait.total * step.tolerate_percent / 100)
    return step.tolerate if isinstance(step.tolerate, int) else wait.tolerated or 0


def _restart(transition: Transition, token: Token, step: EachStep, names: Names, before: EachWait) -> StepResult | None:
    ended = before.finished + before.failures
    if ended == before.count and before.failed_items <= tolerated(step, before):
        return StepResult(state=DEFAULT_STATE, data=results(transition, before))
    interrupted = [_index(child) for child in transition.run.interrupted if child.parent == token.id]
    again = tuple(dict.fromkeys((*before.failed, *before.again, *interrupted)))
    wait = replace(
        before,
        failed=(),
        failed_from=before.failed_to,
        short_failed=False,
        again=again,
        decided=None,
        remaining=None,
    )
    _begin(transition, transition.activate(token, _time_limit(step, names), wait=wait), step)
    return None


def _begin(transition: Transition, token: Token, step: EachStep) -> None:
    """Start as many items as may be in flight; defer the rest if this transition passed many steps already."""
    wait = _wait_of(token)
    in_flight = len(transition.children_of(token))
    most = step.max if isinstance(step.max, int) else wait.max
    allowed = min(most or MAX_CONCURRENT_ITEMS, MAX_CONCURRENT_ITEMS) - in_flight
    room = min(allowed, max(MAX_TOKENS - len(transition.tokens), 1 - in_flight))
    started: list[int] = []
    while len(started) < room and _is_left(wait) and transition.passed < MAX_STEPS_PER_TRANSITION:
        index, wait = _next(transition, wait)
        started.append(index)
    token = transition.set_wait(token, wait)
    if token.activation and len(started) < room and _is_left(wait):
        _defer(transition, token, token.activation)
    for index in started:
        item_id = child_id(token.id, index)
        if not transition.resume(item_id):
            transition.arrive(Token(id=item_id, parent=token.id, index=index, step=step.steps[0].name))


def _is_left(wait: EachWait) -> bool:
    """Return whether an item has not started, or not again."""
    return bool(wait.again) or wait.again_from < wait.failed_from or wait.next < wait.count


def _next(transition: Transition, wait: EachWait) -> tuple[int, EachWait]:
    """Return the index of the item that starts next, and the wait without it."""
    if not wait.again and wait.again_from < wait.failed_from:
        stored = transition.read(wait.failures_key(wait.again_from))
        wait = replace(wait, again=tuple(stored), again_from=wait.again_from + 1)
    if wait.again:
        return wait.again[0], replace(wait, again=wait.again[1:])
    return wait.next, replace(wait, next=wait.next + 1)


def _defer(transition: Transition, token: Token, activation: Activation) -> None:
    """Start the other items when the run's timer fires, which is immediately."""
    wait = _wait_of(token)
    if wait.remaining is None:
        wait = replace(wait, remaining=activation.deadline - transition.at)
    transition.put(replace(token, activation=replace(activation, deadline=transition.at, wait=wait)))


def _count_item(transition: Transition, token: Token, child: Token, *, ok: bool) -> EachWait:
    """Return the wait with the item of `child` counted; full buffers of what is committed become blobs."""
    wait = _wait_of(token)
    if not transition.is_new(token):
        if _is_full(wait.results):
            transition.store_blob(wait.results_key(wait.stored_chunks), wait.results)
            wait = replace(wait, results=(), stored_chunks=wait.stored_chunks + 1)
        while len(wait.failed) >= CHUNK_FAILURES:
            wait = _store_failures(transition, wait)
    if not ok:
        return replace(wait, failed=(*wait.failed, _index(child)))
    return replace(wait, finished=wait.finished + 1, results=(*wait.results, (_index(child), child.result)))


def _store_failures(transition: Transition, wait: EachWait) -> EachWait:
    """Store the failures that came first as a chunk, and return the wait without them."""
    stored = wait.failed[:CHUNK_FAILURES]
    transition.store_blob(wait.failures_key(wait.failed_to), stored)
    is_short = wait.short_failed or wait.count - 1 in stored
    failed = wait.failed[CHUNK_FAILURES:]
    return replace(wait, failed=failed, failed_to=wait.failed_to + 1, short_failed=is_short)


def _is_full(results: tuple[tuple[int, Json], ...]) -> bool:
    return len(results) >= MAX_BUFFERED_RESULTS or len(msgspec.json.encode(results)) > MAX_BUFFERED_BYTES


def results(transition: Transition, wait: EachWait) -> list[Json]:
    """Return the outputs in the order of the items, None where an item failed. Raises ExpressionFailed."""
    found: list[Json] = [None] * wait.count
    for chunk in range(wait.stored_chunks):
        for index, output in transition.read(wait.results_key(chunk)):
            found[index] = output
    for index, output in wait.results:
        found[index] = output
    fit("what its items return", found)
    return found


def _wait_of(token: Token) -> EachWait:
    wait = token.activation.wait if token.activation else None
    if not isinstance(wait, EachWait):
        raise TypeError(f"token {token.id} does not wait for items")
    return wait


def _index(child: Token) -> int:
    if child.index is None:
        raise LookupError(f"token {child.id} does not work on an item")
    return child.index
