"""How the tokens of many items are stored: in columns, because those of one each differ in little.

A token that waits for an action takes about 140 bytes, and a head has up to a hundred of them per each. In a group,
what they have in common is stored once, and each takes about 40. Tokens that wait for anything else are stored as they
are. All keep their places, because the order of tokens is the order in which they are moved.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from chalicelib.model.json_values import FrozenValue, Json
from chalicelib.model.times import Instant, Milliseconds
from chalicelib.model.tokens import Token

LEAST: Final = 8
"""Fewer tokens are no group: they would save little, and take longer to read."""

MAX_GROUPS: Final = 4
"""Tokens that are like none of the first in so many groups are stored as they are."""

_T = TypeVar("_T")


class TokenGroup(FrozenValue, frozen=True, array_like=True):
    """Tokens of items. A column has a value for each of them; only one if all have the same; none if all are empty."""

    like: Token
    """What they have in common; the fields that are in columns are empty."""
    places: list[int]
    """Their places among all tokens of the run; only the first if they follow one another."""
    indexes: list[int]
    uuids: str
    """Base64 of the 16 bytes of each uuid."""
    since: Instant
    """When the first began to wait."""
    lapses: list[Milliseconds]
    """How much later than that each began to wait."""
    timeouts: list[Milliseconds]
    """How long after that the deadline of each is."""
    steps: list[str]
    args: list[dict[str, Json] | None] = []
    states: list[str] = []
    held_by: list[str] = []
    results: list[Json] = []
    vars: list[dict[str, Json] | None] = []


def grouped(tokens: tuple[Token, ...]) -> tuple[tuple[Token, ...], tuple[TokenGroup, ...]]:
    """Return the tokens that are stored as they are, and the groups of the others."""
    found: list[tuple[Token, list[int]]] = []
    for place, token in enumerate(tokens):
        common = _common(token)
        if common is None:
            continue
        for like, places in found:
            if like == common:
                places.append(place)
                break
        else:
            if len(found) < MAX_GROUPS:
                found.append((common, [place]))
    groups = [group for like, places in found if len(places) >= LEAST and (group := _group(like, places, tokens))]
    if not groups:
        return tokens, ()
    taken = {place for group in groups for place in _places(group)}
    return tuple([token for place, token in enumerate(tokens) if place not in taken]), tuple(groups)


def ungrouped(tokens: tuple[Token, ...], groups: Iterable[TokenGroup]) -> tuple[Token, ...]:
    """Return all tokens in their order: what `grouped` made two parts of."""
    placed: dict[int, Token] = {}
    for group in groups:
        placed.update(zip(_places(group), _tokens(group), strict=True))
    others = iter(tokens)
    return tuple([placed.get(place) or next(others) for place in range(len(tokens) + len(placed))])


def _common(token: Token) -> Token | None:
    """Return the token without what is in columns; None if it has other values, or is no item that waits."""
    activation = token.activation
    if (
        activation is None
        or activation.wait is not None
        or token.index is None
        or token.id != f"{token.parent}.{token.index}"
        or not (activation.data is None and activation.pinned is None and not activation.old_vars)
        or not (token.response is None and token.error is None and token.fork_vars is None)
        or len(activation.uuid) != _UUID_LENGTH
        or activation.uuid[8:24:5] != "----"
    ):
        return None
    common = replace(activation, uuid="", since=0, deadline=0, args=None, held_by="")
    return replace(token, id="", step="", index=None, state="", result=None, vars=None, activation=common)


_UUID_LENGTH: Final = 36


def _group(like: Token, places: list[int], tokens: Sequence[Token]) -> TokenGroup | None:
    """Return the group of the tokens at these places; None if one of their uuids is spelled otherwise."""
    members = [tokens[place] for place in places]
    waits = [token.activation for token in members if token.activation is not None]
    digits = "".join([one.uuid for one in waits]).replace("-", "")
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        return None
    if raw.hex() != digits:
        return None
    since = waits[0].since
    follow = places[-1] - places[0] == len(places) - 1
    return TokenGroup(
        like=like,
        places=places[:1] if follow else places,
        indexes=[token.index or 0 for token in members],
        uuids=b2a_base64(raw, newline=False).decode(),
        since=since,
        lapses=_column([one.since - since for one in waits]),
        timeouts=_column([one.deadline - one.since for one in waits]),
        steps=_column([token.step for token in members]),
        args=_unless_empty([one.args for one in waits]),
        states=_column([token.state for token in members]),
        held_by=_column([one.held_by for one in waits]),
        results=_unless_empty([token.result for token in members]),
        vars=_unless_empty([token.vars for token in members]),
    )


def _column(values: list[_T]) -> list[_T]:
    """Return the values; only the first if all are equal. They are texts or integers."""
    return values[:1] if values.count(values[0]) == len(values) else values


def _unless_empty(values: list[Any]) -> list[Any]:
    """Return the values; none if all are None. JSON values that Python takes for equal may differ."""
    return [] if values.count(None) == len(values) else values


def _places(group: TokenGroup) -> Sequence[int]:
    first, count = group.places[0], len(group.indexes)
    return group.places if len(group.places) > 1 else range(first, first + count)


def _tokens(group: TokenGroup) -> Iterator[Token]:
    like, common, count = group.like, group.like.activation, len(group.indexes)
    if common is None:
        return
    digits, parent, began = a2b_base64(group.uuids).hex(), like.parent, group.since
    columns: tuple[list[Any], ...] = (group.steps, group.lapses, group.timeouts, group.states, group.held_by)
    optional = (group.args, group.results, group.vars)
    filled = [column if len(column) == count else column * count for column in columns]
    filled += [column or [None] * count for column in optional]
    for at, (index, step, lapse, timeout, state, held_by, args, result, own) in enumerate(
        zip(group.indexes, *filled, strict=True)
    ):
        text, since = digits[32 * at : 32 * at + 32], began + lapse
        uuid = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
        activation = replace(common, uuid=uuid, since=since, deadline=since + timeout, args=args, held_by=held_by)
        yield replace(
            like,
            id=f"{parent}.{index}",
            step=step,
            index=index,
            state=state,
            result=result,
            vars=own,
            activation=activation,
        )
