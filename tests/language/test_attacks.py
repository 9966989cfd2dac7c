"""Texts of the largest size that a parser could take very long for are read, or refused, in a bounded time.

Before the tokens of a document were bounded, 1 MB of `/` took 8 s, of `)` 5 s, of `$` and of `"\\"` in an expression
minutes, and so did a route of very many states. Units are those of `tests.cpu`, about 5 ms.
"""

from __future__ import annotations

import pytest

from chalicelib import expressions
from chalicelib.authoring.analyze import analyze
from chalicelib.language import KnownNames
from chalicelib.language.limits import MAX_DOCUMENT_CHARACTERS
from tests.cpu import units

SIZE = MAX_DOCUMENT_CHARACTERS - 200
ENOUGH = 400
"""About 2 s; most take a fifth of that, and what is not bounded takes minutes."""

PIECES = [
    *"({-$\"'a0\n",
    *("a ", "a.", "a|", "${", '"\n', "/*", "/**/", "#\n", "1.1h", "1h", "\u20ac ", "9" * 20 + ";", "flow a flow_end /"),
    *("step a => (A -> b);", "a={", '"\\', "'a'", "secret "),
]
FLOWS = {
    "states of a route": ("step a => (", "A,", "B -> c);"),
    "states of an undo": ("step a => (A -> b) { undo = x on ", "A|", "B; };"),
    "statuses": ("step a => (A on ", "400,", "401);"),
    "members of a path": ("set a => (DONE -> b) { x = (", "a.", "b = 1); };"),
    "routes": ("step a => (", "A -> b | ", "B -> c);"),
    "figures": ("timeout = ", "9", ";"),
    "figures of a duration": ("timeout = ", "1.1h", "x;"),
    "braces in an expression": ("vars = (a = ${", "{", " });"),
    "slashes in an expression": ("vars = (a = ${ ", "/", " });"),
    "escaped slashes in an expression": ("vars = (a = ${ ", "+/\\/", " });"),
    "brackets in an expression": ("vars = (a = ${ ", ")", " });"),
    "open comments in an expression": ("vars = (a = ${ ", "/*", " });"),
    "escaped quotes in an expression": ("vars = (a = ${ ", '"\\', " });"),
    "open quotes in an expression": ("vars = (a = ${ ", "'}", " });"),
    "operands with blanks": ("vars = (a = ${ ", "a . ", "b });"),
}


def told(text: str, enough: float = ENOUGH) -> str:
    """Return the codes of what is wrong with the text, which must not take more units than `enough`."""
    found = [""]

    def read() -> None:
        found[0] = " ".join(one.code for one in analyze(text, KnownNames()).diagnostics)

    assert units(read, enough) <= enough
    return found[0]


@pytest.mark.parametrize("piece", ["/", ")"])
def test_a_megabyte_of_signs_is_refused_before_it_is_parsed(piece: str) -> None:
    assert told(piece * SIZE, 200) == "FSL108"


@pytest.mark.parametrize("piece", PIECES)
def test_a_megabyte_of_anything_is_read_quickly(piece: str) -> None:
    text = (piece * (SIZE // len(piece) + 1))[:SIZE]
    assert told(text)


@pytest.mark.parametrize(("before", "piece", "after"), FLOWS.values(), ids=FLOWS)
def test_a_megabyte_in_a_flow_is_read_quickly(before: str, piece: str, after: str) -> None:
    text = f"flow f {before}{piece * ((SIZE - 100) // len(piece))}{after} flow_end"
    assert told(text)


def test_suggestions_are_bounded() -> None:
    """Names of more than a hundred characters that are all alike, and unknown names in very many expressions."""
    name = "x" * 110
    steps = "".join(f"step {name}{n} => (A -> {name}{n}y);\n" for n in range(2_000))
    assert told(f"flow f {steps} flow_end")
    entries = ", ".join(f"a{n} = ${{ $unknown{n} }}" for n in range(10_000))
    assert "FSL116" in told(f"flow f vars = ({entries}); flow_end")


@pytest.mark.parametrize("pattern", [r"\pL{50}", r"(?:\pL{9}){9}", r"[^\pL]{9}", "((((a?){9}){9}){9})"])
def test_regular_expressions_of_a_document_are_compiled_within_a_budget(pattern: str) -> None:
    """30,000 characters of regular expressions, each different from the others, in one expression or in many."""
    written = [f"/{pattern}{n}/" for n in range(30_000 // (len(pattern) + 8))]
    each = ", ".join(f"a{n} = ${{ {one} }}" for n, one in enumerate(written))
    both = [f"${{ ({'; '.join(half)}) }}" for half in (written[::2], written[1::2])]
    for entries in (each, f"a = {both[0]}, b = {both[1]}"):
        assert "FSL116" in told(f"flow f vars = ({entries}); flow_end", ENOUGH // 2)


@pytest.mark.parametrize("piece", "/)([{'\"-")
def test_a_megabyte_in_an_expression_is_refused_at_once(piece: str) -> None:
    assert units(lambda: expressions.problem_in(piece * SIZE), 10) <= 10
    assert expressions.problem_in(piece * SIZE)
