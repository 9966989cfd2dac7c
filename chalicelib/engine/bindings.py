"""Bindings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chalicelib.engine.evaluation import Names
from chalicelib.engine.items import each_item
from chalicelib.model.definition import Definition
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, Token
from chalicelib.model.times import Instant, rfc3339


def names_for(
    definition: Definition,
    run: Run,
    token: Token,
    at: Instant,
    *,
    item: Json = None,
    error: str = "",
    event: Json = None,
) -> Names:
    """The names at `token`. `item` is the value of the innermost `each` around it."""
    return Names(
        input=run.input,
        vars=run.vars,
        result=token.result,
        state=token.state,
        error=error,
        event=event,
        item=item,
        index=token.index,
        run={
            "name": run.name,
            "id": run.id,
            "flow": definition.flow.name,
            "version": run.definition.version,
            "namespace": run.namespace,
            "labels": run.labels,
            "started_at": rfc3339(run.created_at),
        },
        now=rfc3339(at),
    )


def item_of(token: Token, tokens: Mapping[str, Token], read: Callable[[str], Json]) -> Json:
    """The value of the innermost item that the token works on; None outside of an `each`."""
    at: Token | None = token
    while at is not None and at.index is None:
        at = tokens.get(at.parent)
    parent = tokens.get(at.parent) if at else None
    if at is None or at.index is None or parent is None or parent.activation is None:
        return None
    return each_item(parent.activation.memo, at.index, read)
