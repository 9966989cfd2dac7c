"""What lists show of a run, from its head as it is stored: no blob is read. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.service.runs.references import offloaded_fields, size_in
from chalicelib.service.runs.value_places import key_in


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """A run in brief. A number is None if an earlier version of Echoer stored the head without it."""

    step: str
    """The step of its first token; empty if it has none."""
    tokens: int | None
    next_deadline: Instant | None
    """The earliest deadline of its tokens and of the run, or the time of its timer if the tokens are not in the head.
    """
    parent: str
    """The run that waits for its end; empty: none does."""
    parent_step: str
    input_bytes: int | None
    vars_bytes: int | None
    output_bytes: int | None


def brief_of(stored: Run) -> Brief:
    """Return the run in brief. `stored` is its head, as it is stored or with all that it refers to."""
    fields = offloaded_fields(stored.stored_tail)
    parent, parent_step = parent_of(stored)
    if fields:
        return Brief(
            step=stored.tail[0].step,
            tokens=stored.tail[0].rule,
            next_deadline=stored.timer_at,
            parent=parent,
            parent_step=parent_step,
            input_bytes=_size(fields.get("in", {})),
            vars_bytes=_size(fields.get("vr", {})),
            output_bytes=_size(stored.output),
        )
    deadlines = [token.activation.deadline for token in stored.tokens if token.activation]
    return Brief(
        step=stored.tokens[0].step if stored.tokens else "",
        tokens=len(stored.tokens),
        next_deadline=min([*deadlines, *([stored.deadline] if stored.deadline else [])], default=None),
        parent=parent,
        parent_step=parent_step,
        input_bytes=_size_of_map(stored.input),
        vars_bytes=_size_of_map(stored.vars),
        output_bytes=_size(stored.output),
    )


def _size_of_map(value: Json) -> int | None:
    """Return the bytes of a value of which each entry may be a reference."""
    if not isinstance(value, Mapping) or key_in(value) is not None:
        return _size(value)
    total = 2
    for name, inner in value.items():
        size = _size(inner)
        if size is None:
            return None
        total += len(msgspec.json.encode(name)) + size + 2
    return total - 1 if value else total


def _size(value: Json) -> int | None:
    """Return the bytes of a value as JSON; 0 for null."""
    if value is None:
        return 0
    key = key_in(value)
    return size_in(key) if key is not None else len(msgspec.json.encode(value))


def parent_of(run: Run) -> tuple[str, str]:
    """Return the run that waits for this one, and its step: a child's name ends in both (`engine.steps.call`)."""
    if run.parent is None:
        return "", ""
    rest = run.name.removesuffix(f".{run.parent.uuid}")
    return run.parent.run, rest.rpartition(".")[2] if rest != run.name else ""
