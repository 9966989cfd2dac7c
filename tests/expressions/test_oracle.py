"""Hypothesis against jlens, a JSONata in Rust: no crash, and the same value, or an error from both."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.expressions import NOTHING, Draw, ExpressionFailed
from chalicelib.expressions.compiled import Compiled
from tests.expressions.comparison import same
from tests.expressions.generated import Grammar

jlens = pytest.importorskip("jlens")

_UNLIKE: Final = (
    *(
        "$parseInteger",
        "$fromMillis",
        "$toMillis",
        "$formatNumber",
        "$formatInteger",
        "$formatBase",
        "@",
        "#",
        "%",
        "😀",
    ),
    *("$string", "$match", "~> |", "(?", "$base64", "$encode", "$decode", "$spread", "**", "].", ")[", "/", "^("),
)
"""Where jlens is known to differ from npm jsonata, or has limits of its own; the other tests cover these."""

NAMES = st.sampled_from(["name", "age", "items", "price", "tags", "words", "numbers", "map", "none", "a", "b", "id"])
DOCUMENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1000, 1000)
    | st.sampled_from([0.5, 1.25, -3.75])
    | st.text("abc ", max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=25,
)


def _theirs(source: str, document: Any) -> Any:
    try:
        return jlens.Expression(source).evaluate(document, timeout=5)
    except (jlens.JlensError, ValueError, TypeError, OverflowError):
        return ExpressionFailed


def _ours(source: str, document: Any) -> Any:
    try:
        value = Compiled(source).evaluate({}, Draw(), document)
    except ExpressionFailed as failed:
        return failed
    return None if value is NOTHING else value


@settings(max_examples=1_500, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32), document=st.dictionaries(NAMES, DOCUMENTS, max_size=6))
def test_the_same_value_or_an_error_from_both(seed: int, document: dict[str, Any]) -> None:
    """jlens calls nothing null, so both count as one here."""
    source = Grammar(seed).expression(2)
    if any(mark in source for mark in _UNLIKE):
        return
    ours, theirs = _ours(source, document), _theirs(source, document)
    if isinstance(ours, ExpressionFailed):
        assert theirs is ExpressionFailed or ours.code in ("D1001", "L0055", "L0054", "D3012", "T0410", "L0050")
    else:
        assert theirs is not ExpressionFailed
        assert same(ours, theirs)
