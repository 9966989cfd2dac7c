from __future__ import annotations

import pytest

from chalicelib.model.json_values import Json, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (7.0, "7.0"),
        ("it's", '"it\'s"'),
        ({"a": [1]}, '{"a":[1]}'),
        ("x" * 60, '"' + "x" * 59 + "..."),
    ],
)
def test_values_are_shown_in_messages_as_json(value: Json, text: str) -> None:
    assert shown(value) == text
