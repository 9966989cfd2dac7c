"""No text raises an exception, time is proportional to length, and limits are diagnostics."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.language import KnownNames, Problem, parse, read, references, render
from chalicelib.language.limits import MAX_DIAGNOSTICS, MAX_DOCUMENT_CHARACTERS, MAX_ENTRIES, MAX_STATEMENTS, MAX_STEPS
from chalicelib.language.syntax import recovery as recovering

PROGRAMS = [path.read_bytes().decode("utf-8") for path in sorted(Path(__file__).parent.glob("valid/*.fsl"))]
PIECES = [
    "action", "flow", "flow_run", "step", "fork", "branch", "each", "wait", "when", "else",
    "action_end", "flow_end", "flow_run_end", "args = ", "return = ", "addr = ", "done", " a ", ' "b" ',
    "=", "=>", "->", "(", ")", "{", "}", "[", "]", ";", ",", "|", ":", "/", "-", "1", "1.5", "30s", "9" * 30,
    " secret ", "vars = (", "${ $x }", "${", '"', "`", "#", "\n", "/*", "*/", "'", "é", "\ud800", "\x00", "\ufeff",
]  # fmt: skip


def never_raises(text: str) -> None:
    checked = read(text, KnownNames(), expression_problem=lambda source: (len(source), "no") if "!" in source else None)
    document, _ = parse(text)
    references(document)
    failed = any(one.severity == "error" for one in checked.diagnostics)
    assert failed or checked.statements
    assert not (failed and checked.statements)
    assert len(checked.diagnostics) <= MAX_DIAGNOSTICS + 1
    assert list(checked.diagnostics) == sorted(checked.diagnostics, key=lambda one: (one.line, one.column))
    for one in checked.diagnostics:
        assert (one.line, one.column) <= (one.end_line, one.end_column)
        assert one.line >= 1
        assert one.column >= 1
        assert len(render(one, text, "x.fsl").split("\n")) == 3


@given(st.text())
def test_any_text_is_answered(text: str) -> None:
    never_raises(text)


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_any_pieces_are_answered(text: str) -> None:
    never_raises(text)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PROGRAMS), st.data())
def test_any_mutation_of_a_program_is_answered(program: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(program)))
        end = min(len(program), start + data.draw(st.integers(0, 12)))
        program = program[:start] + data.draw(st.sampled_from(["", *PIECES])) + program[end:]
    never_raises(program)


@pytest.mark.parametrize(
    "piece", [*PIECES, "[[", "{{", "step a => (", "step a => () {", "{ a: ", "(a = ", "action a ", "@ "]
)
def test_masses_of_anything_are_answered(piece: str) -> None:
    never_raises(piece * (40_000 // len(piece)))


@pytest.mark.parametrize("brackets", ["[]", "()", "{}"])
def test_deep_nesting_is_a_diagnostic(brackets: str) -> None:
    deep = brackets[0] * 50_000 + brackets[1] * 50_000
    found = parse(f"action a args = (any x = {deep}); return = (OK); action_end")[1]
    assert "nested-too-deeply" in [one.slug for one in found]


def test_steps_of_work_grow_with_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count the requested tokens and the repaired errors, with one error in each step."""

    def work(steps: int) -> int:
        count = 0
        original = recovering.Recovery.next

        def counted(self: recovering.Recovery) -> object:
            nonlocal count
            count += 1
            return original(self)

        with monkeypatch.context() as patch:
            patch.setattr(recovering.Recovery, "next", counted)
            parse("flow f\n" + "step a => (OK -> done | ) { action = b args = (c = ); };\n" * steps + "flow_end")
        return count

    assert work(400) <= 4.2 * work(100)


def test_a_document_that_is_too_large_is_not_read() -> None:
    checked = read(" " * (MAX_DOCUMENT_CHARACTERS + 1), KnownNames())
    assert [one.slug for one in checked.diagnostics] == [Problem.DOCUMENT_TOO_LARGE.slug]


def test_too_much_of_anything_is_one_diagnostic() -> None:
    statements = "action a return = (OK); action_end /" * (MAX_STATEMENTS + 1)
    steps = "".join(f"wait W{number} => () {{ for = 1s; }};" for number in range(MAX_STEPS + 1))
    args = ",".join(f"str a{number}" for number in range(MAX_ENTRIES + 1))
    for text in (statements, f"flow f {steps} flow_end", f"action a args = ({args}); return = (OK); action_end"):
        assert "too-many" in [one.slug for one in read(text, KnownNames()).diagnostics]


def test_as_many_steps_as_are_allowed_are_checked() -> None:
    steps = "".join(f"wait W{number} => (DONE -> W{number + 1}) {{ for = 1s; }};" for number in range(MAX_STEPS - 1))
    text = f"flow f {steps} wait W{MAX_STEPS - 1} => () {{ for = 1s; }}; flow_end"
    assert read(text, KnownNames()).diagnostics == ()


def test_a_long_chain_of_flows_that_call_each_other_is_checked() -> None:
    calls = "".join(f"flow f{number} call A => () {{ flow = f{number + 1}; }}; flow_end /" for number in range(1_500))
    checked = read(calls + "flow f1500 wait W => () { for = 1s; }; flow_end", KnownNames())
    assert checked.diagnostics == ()
    assert len(checked.statements) == 1_501
