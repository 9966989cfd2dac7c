"""Keys of `save` as paths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model.variable_paths import join_path, split_path


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("a", ("a",)),
        ("a.b.c", ("a", "b", "c")),
        (r"a\.b.c", ("a.b", "c")),
        (r"a\\.b", ("a\\", "b")),
        (r"\.", (".",)),
    ],
)
def test_split_path(key: str, names: tuple[str, ...]) -> None:
    assert split_path(key) == names
    assert join_path(names) == key


@given(st.lists(st.text(alphabet="a.\\ü", min_size=1), min_size=1).map(tuple))
def test_split_path_reverses_join_path(names: tuple[str, ...]) -> None:
    assert split_path(join_path(names)) == names
