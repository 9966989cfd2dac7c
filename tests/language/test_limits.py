"""Every limit of the language from both sides: a document at the limit is checked, one beyond it is a diagnostic."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chalicelib import expressions
from chalicelib.expressions.syntax.stream import MAX_SOURCE
from chalicelib.language import KnownNames, read
from chalicelib.language.limits import (
    INTEGER_RANGE,
    MAX_ADDRESSES,
    MAX_BURST,
    MAX_CONCURRENT,
    MAX_DELIVERIES,
    MAX_DESCRIPTION_CHARACTERS,
    MAX_DOCUMENT_CHARACTERS,
    MAX_DURATION_MS,
    MAX_ENTRIES,
    MAX_FAILURES,
    MAX_NAME_CHARACTERS,
    MAX_NESTING,
    MAX_REPEATS,
    MAX_RETRY_PAUSE_MS,
    MAX_STATEMENTS,
    MAX_STEPS,
    MAX_STEPS_OF_RUN,
    MAX_TOKENS,
)

Text = Callable[[int], str]


def action(more: str = "", args: str = "", name: str = "a") -> str:
    return f'action {name} addr = "http://a.test/"; {more} args = ({args}); return = (OK); action_end'


def flow(steps: str, more: str = "") -> str:
    return f"flow f {more} {steps} flow_end"


def chain(count: int) -> str:
    waits = "".join(f"wait W{n} => (DONE -> W{n + 1}) {{ for = 1s; }};" for n in range(count - 1))
    return f"{waits} wait W{count - 1} => () {{ for = 1s; }};"


TOKENS_OF_AN_ACTION = 18


def filled(size: int) -> str:
    return action().ljust(size, " ")


LIMITS: list[tuple[str, Text, int, str]] = [
    ("characters of a document", filled, MAX_DOCUMENT_CHARACTERS, "document-too-large"),
    (
        "words, signs and comments",
        lambda n: action(more="#\n" * (n - TOKENS_OF_AN_ACTION)),
        MAX_TOKENS,
        "document-too-large",
    ),
    ("statements", lambda n: "\n/\n".join(action(name=f"a{k}") for k in range(n)), MAX_STATEMENTS, "too-many"),
    ("steps of a flow", lambda n: flow(chain(n)), MAX_STEPS, "too-many"),
    ("args", lambda n: action(args=", ".join(f"str a{k}" for k in range(n))), MAX_ENTRIES, "too-many"),
    (
        "inputs",
        lambda n: flow(chain(1), "input = (" + ", ".join(f"str a{k}" for k in range(n)) + ");"),
        MAX_ENTRIES,
        "too-many",
    ),
    (
        "addresses",
        lambda n: (
            'action a addr = "' + ",".join(f"http://a{k}.test/" for k in range(n)) + '"; return = (OK); action_end'
        ),
        MAX_ADDRESSES,
        "too-many",
    ),
    ("characters of a name", lambda n: action(name="a" * n), MAX_NAME_CHARACTERS, "invalid-name"),
    (
        "brackets in brackets",
        lambda n: action(args=f"any x = {'[' * (n - 1)}{']' * (n - 1)}"),
        MAX_NESTING,
        "nested-too-deeply",
    ),
    ("an integer", lambda n: action(args=f"int x = {n}"), INTEGER_RANGE.stop - 1, "number-out-of-range"),
    ("a negative integer", lambda n: action(args=f"int x = -{n}"), -INTEGER_RANGE.start, "number-out-of-range"),
    ("a duration", lambda n: action(f"timeout = {n}ms;"), MAX_DURATION_MS, "duration-out-of-range"),
    ("a pause between deliveries", lambda n: action(f"retry = (delay = {n}ms);"), MAX_RETRY_PAUSE_MS, "out-of-range"),
    ("deliveries in a burst", lambda n: action(f"limit = (per_second = 1, burst = {n});"), MAX_BURST, "out-of-range"),
    ("failures of a breaker", lambda n: action(f"breaker = (failures = {n});"), MAX_FAILURES, "out-of-range"),
    (
        "characters of a description",
        lambda n: f'flow f description = "{"x" * n}"; set S => () {{ save = (a = 1); }}; flow_end',
        MAX_DESCRIPTION_CHARACTERS,
        "out-of-range",
    ),
    ("activations at once", lambda n: action(f"limit = (concurrent = {n});"), MAX_CONCURRENT, "out-of-range"),
    ("deliveries", lambda n: action(f"retry = (max = {n});"), MAX_DELIVERIES, "out-of-range"),
    (
        "repetitions",
        lambda n: flow(f"wait W => (DONE) {{ for = 1s; repeat = (max = {n}); }};"),
        MAX_REPEATS,
        "out-of-range",
    ),
    ("steps of a run", lambda n: flow(chain(1), f"max_steps = {n};"), MAX_STEPS_OF_RUN, "out-of-range"),
    (
        "characters of an expression",
        lambda n: flow(chain(1), f"vars = (x = ${{1+{'1'.rjust(n - 2)}}});"),
        MAX_SOURCE,
        "invalid-expression",
    ),
]


@pytest.mark.parametrize(("what", "text", "limit", "problem"), LIMITS, ids=[what for what, *_ in LIMITS])
def test_the_limit_is_checked_and_one_more_is_a_diagnostic(what: str, text: Text, limit: int, problem: str) -> None:
    def problems(size: int) -> set[str]:
        checked = read(text(size), KnownNames(), expression_problem=expressions.problem_in)
        return {found.slug for found in checked.diagnostics}

    assert problems(limit) == set()
    assert problem in problems(limit + 1)
