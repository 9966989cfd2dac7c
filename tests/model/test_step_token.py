"""The text of `$step.token`."""

from __future__ import annotations

import re

import pytest

from chalicelib.engine.steps.call import MAX_CHILD_NAME
from chalicelib.model.step_token import MAX_TOKEN_CHARACTERS, StepToken, decode

UUID = "6e4b2f0a-9c1d-8a3b-8f00-0123456789ab"
TOKEN = StepToken("default", "o-1", UUID)


@pytest.mark.parametrize("run", ["o-1", "a/b", "Grüße 🙂", "nightly@2026-11-26T02:00:00+01:00", "-", "x" * 128])
def test_a_token_names_its_activation(run: str) -> None:
    token = StepToken("team-a", run, UUID)
    assert decode(token.encode()) == token


def test_a_token_is_safe_in_a_path_and_as_a_word_of_a_command() -> None:
    texts = [StepToken("default", f"run-{n}🙂", UUID).encode() for n in range(50)]
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", text) for text in texts)


def test_the_longest_names_make_a_token_that_is_one() -> None:
    for token in (StepToken("n" * 63, "🙂" * MAX_CHILD_NAME, UUID), StepToken("n" * 63, "r" * 128, UUID)):
        assert decode(token.encode()) == token


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "o-1",
        UUID,
        TOKEN.encode() + "=",
        TOKEN.encode() + "AA==",
        TOKEN.encode()[1:],
        TOKEN.encode() + "\n",
        "B" + TOKEN.encode()[1:],
        StepToken("default", "", UUID).encode(),
        StepToken("", "o-1", UUID).encode(),
        "ü" + TOKEN.encode()[1:],
        "A" * (MAX_TOKEN_CHARACTERS + 1),
    ],
)
def test_other_texts_are_no_tokens(text: str) -> None:
    assert decode(text) is None


def test_there_is_one_text_for_each_token() -> None:
    text = TOKEN.encode()
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert [decode(text[:-1] + one) for one in last].count(TOKEN) == 1
