"""The places in heads and history pages at which values may be large, and the references that take their place. Pure.

A walk that changes nothing returns the same objects, so it costs little for the many tokens of an each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import is_not
from typing import Any, Final, TypeAlias, TypeVar

import msgspec
from msgspec.structs import replace

from chalicelib.model.history import Entries, Entry
from chalicelib.model.json_values import Json
from chalicelib.model.pending_undo import PendingUndo
from chalicelib.model.run import Activation, Run, Token
from chalicelib.model.waits import REFERENCE_KEY, wait_from_json, wait_to_json

_PLAIN: Final = (type(None), bool, int, float)
"""The types of values that are never large."""

_SHORT: Final = 100
"""Characters of a text that is not large."""

Change: TypeAlias = Callable[[Json], Json]
"""Returns a value or what takes its place. It is not asked about null, truth values and numbers, and must not change
short texts: of tokens it is not asked about them either."""

_S = TypeVar("_S", bound=msgspec.Struct)


def key_in(value: Json) -> str | None:
    """Return the key in a reference; None for any other value."""
    if type(value) is dict:  # all but few values: the other test is slow
        return str(value[REFERENCE_KEY]) if len(value) == 1 and REFERENCE_KEY in value else None
    if isinstance(value, Mapping) and value.keys() == {REFERENCE_KEY}:
        return str(value[REFERENCE_KEY])
    return None


def in_run(run: Run, change: Change) -> Run:
    """Return the run with every value that may be large changed."""
    return _with(
        run,
        input=in_value(run.input, change),
        vars=_in_values(run.vars, change),
        output=_in_one(run.output, change),
        tokens=_in_all(run.tokens, _in_token, change),
        interrupted=_in_all(run.interrupted, _in_token, change),
        undos=_in_all(run.undos, _in_undo, change),
        stopping=_in_all(run.stopping, lambda child, _: _with(child, vars=_in_values(child.vars, change)), change),
        notices=_in_all(run.notices, _in_token, change),
        stored_tail=in_entries(run.stored_tail, change),
    )


def in_value(value: Json, change: Change) -> Json:
    """Return the value changed; the values in a map are changed one by one, unless it is a reference."""
    return _in_values(value, change) if isinstance(value, Mapping) and key_in(value) is None else _in_one(value, change)


def in_entries(entries: Entries, change: Change) -> Entries:
    """Return the entries with every value that may be large changed. They stay packed."""
    return entries.changed(lambda value: _in_one(value, change))


def in_entry(entry: Entry, change: Change) -> Entry:
    """Return the entry with every value that may be large changed."""
    return _with(entry, data=_in_one(entry.data, change), vars=_in_values(entry.vars, change))


def _in_token(token: Token, change: Change) -> Token:
    """Return the token with every value that may be large changed: itself if none was."""
    if _is_small(token):
        return token
    before, error = token.activation, token.error
    activation = before if before is None else _in_activation(before, change)
    result = _in_one(token.result, change)
    data = None if error is None else _in_one(error.data, change)
    own = token.vars and _in_values(token.vars, change)
    of_fork = token.fork_vars and _in_values(token.fork_vars, change)
    if (
        activation is before
        and result is token.result
        and (error is None or data is error.data)
        and own is token.vars
        and of_fork is token.fork_vars
    ):
        return token
    error = None if error is None else replace(error, data=data)
    return replace(token, activation=activation, result=result, error=error, vars=own, fork_vars=of_fork)


def _is_small(token: Token) -> bool:
    """Return whether the token has no value that may be large: most items have none, and are not walked through."""
    activation = token.activation
    if token.vars or token.fork_vars or token.error is not None or type(token.result) not in _PLAIN:
        return False
    if activation is None:
        return True
    if activation.wait is not None or activation.old_vars or type(activation.data) not in _PLAIN:
        return False
    for value in activation.args.values() if activation.args else ():
        kind = type(value)
        if kind not in _PLAIN and not (kind is str and len(value) <= _SHORT):
            return False
    return True


def _in_activation(activation: Activation, change: Change) -> Activation:
    data, wait = _in_one(activation.data, change), activation.wait
    if wait is not None:
        before = wait_to_json(wait)
        after = change(before)
        wait = wait if after is before else wait_from_json(after)
    args = activation.args and _in_values(activation.args, change)
    old_vars = _in_values(activation.old_vars, change)
    if (
        data is activation.data
        and wait is activation.wait
        and args is activation.args
        and old_vars is activation.old_vars
    ):
        return activation
    return replace(activation, data=data, wait=wait, args=args, old_vars=old_vars)


def _in_undo(undo: PendingUndo, change: Change) -> PendingUndo:
    args = _in_values(undo.args, change)
    return undo if args is undo.args else replace(undo, args=args)


def _in_one(value: Json, change: Change) -> Json:
    return value if type(value) in _PLAIN else change(value)


def _in_values(values: Mapping[str, Json], change: Change) -> Any:
    """Return the map with its values changed: itself if none was."""
    changed: dict[str, Json] | None = None
    for name, value in values.items():
        if type(value) not in _PLAIN and (after := change(value)) is not value:
            changed = changed or dict(values)
            changed[name] = after
    return values if changed is None else changed


def _in_all(parts: tuple[_S, ...], in_part: Callable[[_S, Change], _S], change: Change) -> tuple[_S, ...]:
    changed = tuple([in_part(part, change) for part in parts])
    return changed if any(map(is_not, changed, parts)) else parts


def _with(part: _S, **fields: Any) -> _S:
    """Return the struct with these fields: itself if it has them already."""
    changed = {name: value for name, value in fields.items() if value is not getattr(part, name)}
    return replace(part, **changed) if changed else part
