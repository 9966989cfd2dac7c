"""Tokens of many items are stored in columns, and read as they were."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import msgspec
import pytest
from msgspec.structs import replace

from chalicelib.model.json_values import Json
from chalicelib.model.run import Activation, DefinitionRef, Pinned, Run, Token, decode_run, encode
from chalicelib.model.run_error import StepError
from chalicelib.model.token_groups import LEAST, MAX_GROUPS, grouped, ungrouped
from chalicelib.model.waits import EachWait, RepeatWait

PARENT = Token(step="All")


def uuid_of(number: int) -> str:
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def item(index: int, **changed: Json) -> Token:
    activation = Activation(uuid=uuid_of(index), since=1_000 + index, deadline=9_000 + index, args={"id": index})
    return Token(id=f"0.{index}", step="One", parent="0", index=index, activation=replace(activation, **changed))


def run_of(*tokens: Token) -> Run:
    return Run(
        namespace="n", name="r", id="i", definition=DefinitionRef(flow="f"), created_at=0, updated_at=0, tokens=tokens
    )


def stored(run: Run) -> dict[str, Json]:
    head: dict[str, Json] = msgspec.json.decode(encode(run))
    return head


def assert_kept(*tokens: Token) -> dict[str, Json]:
    """Store a head with these tokens, compare what is read, also by type, and return the JSON."""
    run = run_of(*tokens)
    read = decode_run(encode(run))
    assert read == run
    assert repr(read) == repr(run)
    assert encode(read) == encode(run)
    return stored(run)


def test_items_that_wait_for_an_action_are_a_group() -> None:
    head = assert_kept(PARENT, *map(item, range(100)))
    assert len(head["tk"]) == len(head["tg"]) == 1
    assert len(encode(run_of(*map(item, range(100))))) < 6_000


def test_few_tokens_are_stored_as_they_are() -> None:
    head = assert_kept(*map(item, range(LEAST - 1)))
    assert (len(head["tk"]), "tg" in head) == (LEAST - 1, False)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"wait": RepeatWait(rule=0, state="OK")}, id="waits for something else"),
        pytest.param({"data": {"done": 1}}, id="has reported"),
        pytest.param({"old_vars": {"n": 1}}, id="sees old variables"),
        pytest.param({"pinned": Pinned(step="One")}, id="is pinned"),
        pytest.param({"uuid": "no uuid"}, id="no uuid"),
        pytest.param({"uuid": uuid_of(7).replace("-", ":")}, id="other separators"),
    ],
)
def test_a_token_with_other_values_is_stored_as_it_is(change: dict[str, Json]) -> None:
    head = assert_kept(*map(item, range(10)), item(10, **change), *map(item, range(11, 20)))
    (kept,) = head["tk"]
    assert kept["i"] == "0.10"
    assert head["tg"][0][1] == [place for place in range(20) if place != 10]


@pytest.mark.parametrize("spelled", [str.upper, lambda text: f"{text[:-1]}z"], ids=["capitals", "no digits"])
def test_a_group_with_a_uuid_that_is_spelled_otherwise_is_none(spelled: Callable[[str], str]) -> None:
    head = assert_kept(*map(item, range(20)), item(0xABC, uuid=spelled(uuid_of(0xABC))))
    assert (len(head["tk"]), "tg" in head) == (21, False)


@pytest.mark.parametrize("values", [(1, True), (0, False), (1, 1.0), (None, 0), ({}, None), ([], "")])
def test_values_that_python_takes_for_equal_stay_different(values: tuple[Json, Json]) -> None:
    tokens = [
        replace(item(index, args={"id": values[index % 2]}), result=values[index % 2], vars={"v": values[index % 2]})
        for index in range(20)
    ]
    assert len(assert_kept(*tokens)["tg"]) == 1


def test_tokens_that_wait_alike_are_a_group_each() -> None:
    kinds: list[dict[str, Json]] = [
        {},
        {"heartbeat": 5_000},
        {"is_taken": True},
        {"attempt": 1, "retry_at": 7},
        {"held": True},
        {"settled": 1},
    ]
    tokens = [item(index, **kinds[index % len(kinds)]) for index in range(len(kinds) * LEAST)]
    head = assert_kept(*tokens)
    assert (len(head["tg"]), len(head["tk"])) == (MAX_GROUPS, 2 * LEAST)


def test_what_differs_by_item_is_in_columns() -> None:
    tokens = [
        replace(item(index, held_by=f"{index:08}", args=None), state=f"S{index}", step=f"T{index}")
        for index in range(9)
    ]
    assert len(assert_kept(*tokens)["tg"]) == 1


def test_inner_eaches_have_groups_of_their_own_and_tokens_keep_their_order() -> None:
    wait = EachWait(id="e", count=9, next=9, again=(), finished=0, failed=(), results=(), stored_chunks=0)
    tokens = [PARENT]
    for outer in range(3):
        tokens.append(item(outer, wait=wait))
        for index in range(10):
            inner = item(index, uuid=uuid_of(100 * outer + index))
            tokens.append(replace(inner, id=f"0.{outer}.{index}", parent=f"0.{outer}"))
    Random(1).shuffle(tokens)  # noqa: S311 - it draws an order
    assert len(assert_kept(*tokens)["tg"]) == 3


@dataclass(frozen=True)
class Drawn:
    """Draws tokens of all kinds."""

    random: Random

    def one(self, *values: Json) -> Json:
        return self.random.choice(values)

    def token(self, index: int) -> Token:
        activation = Activation(
            uuid=uuid_of(self.random.getrandbits(128)),
            since=self.random.randrange(10_000),
            deadline=self.random.randrange(10_000),
            args=self.one(None, {}, {"id": index}, {"id": 1.5, "name": "x" * 200}),
            heartbeat=self.one(None, None, 500),
            attempt=self.one(0, 0, 0, 1),
            data=self.one(None, None, None, {"n": index}),
            held_by=self.one("", "", "abc"),
        )
        return Token(
            id=f"0.{index}" if self.random.random() < 0.9 else "0.a.b",
            parent=self.one("0", "0", "0", "0.1"),
            index=self.one(index, index, None),
            scope=self.one("", "", "", "b"),
            step=self.one("One", "Two"),
            state=self.one("", "OK"),
            result=self.one(None, None, {"n": index}),
            error=self.one(None, None, None, StepError("Broken", "why")),
            vars=self.one(None, {"seen": index}),
            passes=self.one(0, 0, 0, 1),
            repeats=self.one({}, {}, {"0": 2}),
            activation=self.one(None, activation, activation, activation, activation),
        )


@pytest.mark.parametrize("seed", range(50))
def test_all_tokens_are_read_as_they_were(seed: int) -> None:
    drawn = Drawn(Random(seed))  # noqa: S311 - a test
    tokens = tuple(drawn.token(index) for index in range(drawn.one(0, 8, 30, 100)))
    assert_kept(*tokens)
    assert ungrouped(*grouped(tokens)) == tokens


def test_a_head_of_a_version_without_groups_is_read() -> None:
    run = run_of(PARENT, *map(item, range(20)))
    old = {**msgspec.to_builtins(run), "f": 2}
    assert decode_run(msgspec.json.encode(old)) == run
