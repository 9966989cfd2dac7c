from __future__ import annotations

from typing import Any

import msgspec
import pytest

from chalicelib.model.formats import Format, NewerFormat
from chalicelib.model.json_values import FrozenValue


class Order(FrozenValue, frozen=True, kw_only=True):
    name: str = ""
    parts: list[str] = []  # noqa: RUF012 - msgspec copies it


def _rename(order: dict[str, Any]) -> dict[str, Any]:
    return {("name" if key == "title" else key): value for key, value in order.items()}


def _split(order: dict[str, Any]) -> dict[str, Any]:
    return {**order, "parts": order["parts"].split(",")} if "parts" in order else order


FIRST = Format("order")
THIRD = Format("order", (_rename, _split))


def test_the_first_format_is_not_written() -> None:
    assert FIRST.encode(Order(name="a")) == b'{"name":"a"}'
    assert FIRST.decode(b'{"name":"a"}', Order) == Order(name="a")


def test_later_formats_are_a_member_of_the_object() -> None:
    assert THIRD.encode(Order(name="a")) == b'{"name":"a","f":3}'
    assert THIRD.encode(Order()) == b'{"f":3}'
    assert THIRD.decode(THIRD.encode(Order(name="a", parts=["x"])), Order) == Order(name="a", parts=["x"])


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ('{"title":"a","parts":"x,y"}', Order(name="a", parts=["x", "y"])),
        ('{"title":"a"}', Order(name="a")),
        ('{"name":"a","parts":"x","f":2}', Order(name="a", parts=["x"])),
    ],
)
def test_older_values_are_upgraded_one_format_after_the_other(text: str, order: Order) -> None:
    assert THIRD.decode(text, Order) == order
    assert THIRD.encode(THIRD.decode(text, Order)).endswith(b'"f":3}')


@pytest.mark.parametrize("written", [4, 99, 0, -1])
def test_values_of_unknown_formats_are_refused(written: int) -> None:
    with pytest.raises(NewerFormat, match=f"cannot read a order of format {written}: .* reads formats up to 3"):
        THIRD.decode(f'{{"name":"a","f":{written}}}', Order)
    with pytest.raises(NewerFormat):
        THIRD.upgrade({"name": "a"}, written)


def test_members_of_a_large_value_are_upgraded_by_themselves() -> None:
    assert THIRD.upgrade({"parts": "x,y"}, 1) == {"parts": ["x", "y"]}
    assert THIRD.upgrade({"parts": ["x"]}, 3) == {"parts": ["x"]}


def test_what_holds_no_such_value_is_refused() -> None:
    for text in ("[]", "{", '{"name": 1}', '{"f": "x"}', '{"title": 1}'):
        with pytest.raises(msgspec.DecodeError):
            THIRD.decode(text, Order)
