"""The same steps for every item of a list, at most so many at once.

The head holds what is in flight; items and results lie beside it, in chunks. The waiting token remembers:

    id     under what the chunks lie        n     how many items there are
    next   the first that has not begun     more  items to begin again, after a retry
    ok     how many finished                bad   the places of those that failed
    buf    results not yet put away         put   how many chunks of results have been put away

Results are put away once a write has committed them: a chunk then holds the same whoever writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.evaluation import Names, resolve
from chalicelib.engine.items import CHUNK, item_key
from chalicelib.engine.size_limits import fit
from chalicelib.engine.transition import FOREVER, StepResult, Transition
from chalicelib.model.flow import DEFAULT_STATE, FAIL, EachStep
from chalicelib.model.json_values import Json
from chalicelib.model.run import Token

MAX_ITEMS: Final = 100_000
AT_ONCE: Final = 100
"""How many items are worked on at once where nothing is said, and at most."""
TOKENS: Final = 1_000
"""At how many tokens of a run its eaches begin no more than one item each: nested ones would multiply."""
IN_A_MOVE: Final = 1_000
"""How many steps one event may lead through before the items that have not begun are put off to the next move: so
items that wait for nothing do not make a move, and what it adds to the history, as long as their list."""
BUFFERED: Final = 50
"""How many results a head holds before they are put away."""
BUFFERED_BYTES: Final = 2_000


def enter(transition: Transition, token: Token, step: EachStep, names: Names, before: Json) -> StepResult | None:
    """The first items begin; an empty list is done at once. Raises ExpressionFailed.

    After a retry (`before` is what was remembered) the items that failed or were cut off begin again.
    """
    if isinstance(before, Mapping):
        cut_off = [child.index for child in transition.run.tokens if child.parent == token.id]
        again = [*before["bad"], *before["more"], *cut_off]
        _begin(transition, transition.activate(token, FOREVER, memo={**before, "bad": [], "more": again}), step)
        return None
    items = resolve(step.items, names)
    if not isinstance(items, (list, tuple)):
        raise ExpressionFailed(f"`items` must be a list, and is {items!r:.60}")
    if len(items) > MAX_ITEMS:
        raise ExpressionFailed(f"`items` holds {len(items)} items; {MAX_ITEMS} are the limit")
    if not items:
        return StepResult(state=DEFAULT_STATE, data=[])
    memo = {"n": len(items), "next": 0, "more": [], "ok": 0, "bad": [], "buf": [], "put": 0}
    token = transition.activate(token, FOREVER)
    home = token.activation.uuid if token.activation else ""
    for start in range(0, len(items), CHUNK):
        transition.store_blob(item_key(home, start // CHUNK), list(items[start : start + CHUNK]))
    _begin(transition, transition.remember(token, {**memo, "id": home}), step)
    return None


def child_ended(
    transition: Transition, token: Token, step: EachStep, child: Token, *, ok: bool, error: str
) -> StepResult | None:
    """The item of `child` has ended; what the each returns if that decides it. Raises ExpressionFailed."""
    memo = dict(token.activation.memo) if token.activation else {}
    if _is_full(memo["buf"]) and not transition.is_new(token):
        transition.store_blob(_out_key(memo["id"], memo["put"]), memo["buf"])
        memo.update(buf=[], put=memo["put"] + 1)
    if ok:
        memo.update(ok=memo["ok"] + 1, buf=[*memo["buf"], [child.index, child.result]])
    else:
        memo["bad"] = [*memo["bad"], child.index]
    token = transition.remember(token, memo)
    if len(memo["bad"]) > tolerated(step, memo["n"]):
        in_flight = [other.index for other in transition.children_of(token) if other.id != child.id]
        transition.remember(token, {**memo, "more": [*memo["more"], *in_flight]})
        why = f"{len(memo['bad'])} of {memo['n']} items failed" + (f", the last: {error}" if error else "")
        return StepResult(state=FAIL, error=why, event="StepJoined")
    if memo["ok"] + len(memo["bad"]) == memo["n"]:
        return StepResult(state=DEFAULT_STATE, data=_results(transition, memo), event="StepJoined")
    _begin(transition, token, step)
    return None


def go_on(transition: Transition, token: Token, step: EachStep) -> None:
    """The items begin that were put off."""
    if token.activation:
        activation = replace(token.activation, deadline=transition.at + FOREVER)
        _begin(transition, transition.put(replace(token, activation=activation)), step)


def _is_full(results: list[Json]) -> bool:
    return len(results) >= BUFFERED or len(msgspec.json.encode(results)) > BUFFERED_BYTES


def tolerated(step: EachStep, items: int) -> int:
    """How many of the items may fail."""
    if step.tolerate_percent is not None:
        return int(items * step.tolerate_percent / 100)
    return step.tolerate


def _begin(transition: Transition, token: Token, step: EachStep) -> None:
    """As many items begin as may be worked on at once; some of them at the next move, if this one was long."""
    memo = dict(token.activation.memo) if token.activation else {}
    in_flight = len(transition.children_of(token))
    room = min(min(step.max or AT_ONCE, AT_ONCE) - in_flight, max(TOKENS - len(transition.tokens), 1 - in_flight))
    more, after = list(memo["more"]), memo["next"]
    begun: list[int] = []
    while len(begun) < room and (more or after < memo["n"]) and transition.passed < IN_A_MOVE:
        if more:
            begun.append(more.pop(0))
        else:
            begun.append(after)
            after += 1
    token = transition.remember(token, {**memo, "more": more, "next": after})
    if token.activation and len(begun) < room and (more or after < memo["n"]):
        transition.put(replace(token, activation=replace(token.activation, deadline=transition.at)))
    for index in begun:
        child = Token(id=f"{token.id}.{index}", parent=token.id, index=index, step=step.steps[0].name)
        transition.arrive(child)


def _results(transition: Transition, memo: Mapping[str, Json]) -> list[Json]:
    """The outputs in the order of the items; None where an item failed."""
    results: list[Json] = [None] * memo["n"]
    for number in range(memo["put"]):
        for index, output in transition.read(_out_key(memo["id"], number)):
            results[index] = output
    for index, output in memo["buf"]:
        results[index] = output
    fit("what its items return", results)
    return results


def _out_key(each: str, number: int) -> str:
    return f"{each}/out/{number}"
