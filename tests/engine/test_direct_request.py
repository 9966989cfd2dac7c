"""The request of an action without callback, as the args make it."""

from __future__ import annotations

import pytest

from chalicelib.engine.direct_request import direct_request
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.model.actions import Action, Method, Verb
from chalicelib.model.json_values import Json


def address_of(address: str, **args: Json) -> str:
    action = Action(name="a", returns=("OK",), addresses=(address,), direct=True, verb=Verb.GET)
    return direct_request(action, args).addresses[0]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://h", "http://h?q=1"),
        ("http://h/x?", "http://h/x?q=1"),
        ("http://h/x?a=b", "http://h/x?a=b&q=1"),
        ("http://h/x?a=b&", "http://h/x?a=b&q=1"),
        ("http://h/x#top", "http://h/x?q=1"),
        ("http://h/x?a=b#top", "http://h/x?a=b&q=1"),
        ("http://h/x?a={q}", "http://h/x?a=1"),
    ],
)
def test_a_query_is_added_to_what_the_address_has(address: str, expected: str) -> None:
    assert address_of(address, q=1) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(7, "7"), (7.0, "7"), (2.5, "2.5"), (2**60, str(2**60)), (True, "true"), ("", "")]
)
def test_numbers_and_truth_are_written_as_json_writes_them(value: Json, expected: str) -> None:
    assert address_of("http://h/v{x}?x={x}&y", x=value) == f"http://h/v{expected}?x={expected}&y"


@pytest.mark.parametrize("value", [[], {}, None])
def test_lists_that_are_empty_and_null_are_no_fields(value: Json) -> None:
    assert address_of("http://h/x", q=value) == ("http://h/x" if value != {} else "http://h/x?q=%7B%7D")


@pytest.mark.parametrize("method", [Method.HTTP, Method.LAMBDA])
@pytest.mark.parametrize("verb", [Verb.GET, Verb.POST])
def test_text_that_is_not_valid_unicode_is_refused(method: Method, verb: Verb) -> None:
    action = Action(name="a", returns=("OK",), addresses=("http://h/x",), direct=True, verb=verb, method=method)
    with pytest.raises(ExpressionFailed, match="not valid Unicode"):
        direct_request(action, {"x": "\ud800"})
