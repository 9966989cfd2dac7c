"""The names that expressions read (`$input`, `$vars`, ...), bound to the values of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from chalicelib.engine.errors import StepError
from chalicelib.engine.evaluation import Names
from chalicelib.engine.secret_values import holds_secret
from chalicelib.engine.transition import Transition
from chalicelib.model.definition import Definition
from chalicelib.model.json_values import Json, is_shallow
from chalicelib.model.run import Run, Token
from chalicelib.model.times import Instant, rfc3339
from chalicelib.model.waits import CHUNK_ITEMS, EachWait

NO_NAMES: Final = Names()


def step_names(transition: Transition, token: Token, *, error: StepError | None = None, event: Json = None) -> Names:
    """Return the names that the expressions of the token's step may read."""
    needed = transition.definition.steps[token.step].names
    if not needed:
        return NO_NAMES
    item = item_of(token, transition.tokens, transition.read) if "item" in needed else None
    return names_for(transition.definition, transition.run, token, transition.at, item=item, error=error, event=event)


def names_for(
    definition: Definition,
    run: Run,
    token: Token,
    at: Instant,
    *,
    item: Json = None,
    error: StepError | None = None,
    event: Json = None,
) -> Names:
    """Return all names at `token`. `item` is the value of the innermost `each` around it."""
    return Names(
        input=run.input,
        vars=run.vars,
        result=token.result,
        state=token.state,
        error=_error_value(error) if error else None,
        event=event,
        item=item,
        index=token.index,
        run=_run_value(definition, run),
        now=rfc3339(at),
    )


def _error_value(error: StepError) -> dict[str, Json]:
    """Return what `$error` is."""
    value: dict[str, Json] = {"name": error.name, "cause": error.cause, "step": error.step, "state": error.state}
    if error.status is not None:
        value["status"] = error.status
    return value if error.data is None else {**value, "data": error.data}


def _run_value(definition: Definition, run: Run) -> dict[str, Json]:
    """Return what `$run` is."""
    return {
        "name": run.name,
        "id": run.id,
        "flow": definition.flow.name,
        "version": run.definition.version,
        "namespace": run.namespace,
        "labels": run.labels,
        "started_at": rfc3339(run.created_at),
    }


def result_of(data: Json) -> Json:
    """Return what `$result` is: the data that an action answered; if that is text that holds JSON, the JSON's value.

    JSON that is nested too deeply for other readers stays text, as does JSON that looks like an encrypted value.
    """
    if not isinstance(data, str):
        return data
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return data
    return data if holds_secret(found) or not is_shallow(found) else found


def item_of(token: Token, tokens: Mapping[str, Token], read: Callable[[str], Json]) -> Json:
    """Return the value of the innermost item that the token works on; None outside of an `each`."""
    at: Token | None = token
    while at is not None and at.index is None:
        at = tokens.get(at.parent)
    parent = tokens.get(at.parent) if at else None
    wait = parent.activation.wait if parent and parent.activation else None
    if at is None or at.index is None or not isinstance(wait, EachWait):
        return None
    return read(wait.item_key(at.index))[at.index % CHUNK_ITEMS]
