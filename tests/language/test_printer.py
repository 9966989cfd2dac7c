"""The canonical layout: its form, that it keeps the meaning, and that formatting twice changes nothing."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.language import KnownNames, Unreadable, format_text, parse, read
from chalicelib.language.format.layout import WIDTH
from chalicelib.language.problems import Findings
from chalicelib.language.source import Source
from chalicelib.language.syntax.tokens import scan

HERE = Path(__file__).parent
VALID = sorted((HERE / "valid").glob("*.fsl"))
FORMATTED = HERE / "formatted"
TEXTS = [path.read_bytes().decode("utf-8") for path in VALID]
READABLE = [
    text
    for path in sorted((HERE / "invalid").glob("*.fsl"))
    if len(text := path.read_bytes().decode("utf-8")) < 5_000 and not parse(text)[0].damaged
]
"""Documents that can be parsed but are invalid: they are formatted too."""
PIECES = [
    "", " ", "\n", "\n\n\n", " # why\n", "# why", "/* c */", "/* c\n  d */", "\t", ";", ",", "|", "/", "(", ")", "{",
    "}", "DONE", "when", "${ 1 }", "${\n 1\n}", '"s"', "7", "true", "[1, 2]", "x = 1;", "step S => () { };", "\r\n",
    "\x0c", " secret ",
]  # fmt: skip


def meaning(text: str) -> tuple[object, Counter[tuple[str, str]]]:
    checked = read(text, KnownNames())
    values = [(one.kind, one.name, one.value) for one in checked.statements]
    return values, Counter((one.code, one.message.lower()) for one in checked.diagnostics)


def comments(text: str) -> Counter[str]:
    found = scan(text, Findings(Source(text))).comments
    return Counter("".join(comment.text.split()) for comment in found)


def holds(text: str) -> str:
    """Format the text, check all guarantees of the formatter, and return the result."""
    formatted = format_text(text)
    assert format_text(formatted) == formatted
    assert meaning(formatted) == meaning(text)
    assert comments(formatted) == comments(text)
    return formatted


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_golden_document_looks_as_it_should(path: Path) -> None:
    found = holds(path.read_bytes().decode("utf-8"))
    expected = FORMATTED / path.name
    if os.environ.get("ECHOER_REGENERATE") == "1":
        expected.write_bytes(found.encode())
    assert found == expected.read_bytes().decode("utf-8")


@pytest.mark.parametrize("text", READABLE)
def test_a_document_that_is_wrong_but_readable_is_formatted(text: str) -> None:
    holds(text)


def test_a_text_with_syntax_errors_is_not_formatted() -> None:
    with pytest.raises(Unreadable) as caught:
        format_text("action a return = (OK action_end")
    assert [one.slug for one in caught.value.diagnostics] == ["unclosed-bracket"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a # why\n = 1;", "    # why\n    a = 1;\n"),
        ("a = 1; # why", "    a = 1;  # why\n"),
        ("a = 1; # why\n bb = 2; # how", "    a  = 1;  # why\n    bb = 2;  # how\n"),
        ("a = /* 1 */ 1 /* 2 */ ;", "    a = /* 1 */ 1 /* 2 */;\n"),
        ("a = 1; /* b */ b = 1;", "    a = 1;\n    /* b */ b = 1;\n"),
        ("a = (x = 1 /* x */, /* y */ y = 2);", "    a = (x = 1 /* x */, /* y */ y = 2);\n"),
        ("a = (x = 1, # x\n y = 2\n# z\n);", "    a = (\n        x = 1,  # x\n        y = 2\n        # z\n    );\n"),
        ("a = (A # 1\n | B);", "    a = (\n          A  # 1\n        | B\n    );\n"),
        ("\n\n# 1\n\n\n# 2\na = 1;\n\n\n\nb = 1;\n\n", "    # 1\n\n    # 2\n    a = 1;\n\n    b = 1;\n"),
        ("\n\t/* 1\n\t   2\n\t*/\n a = 1;", "    /* 1\n       2\n    */\n    a = 1;\n"),
        ("a = ${\n  1 };", "    a = ${\n  1 };\n"),
        ("A = TRUE; METHOD = HTTP;", "    a      = TRUE;\n    method = http;\n"),
        ("args = (a = TRUE b = [NULL]);", "    args = (a = true, b = [null]);\n"),
        ("Vars = (SECRET a = 1 b = Secret x);", "    vars = (secret a = 1, b = secret x);\n"),
        ("args = (SECRET /* 1 */ STR /* 2 */ a);", "    args = (secret /* 1 */ str /* 2 */ a);\n"),
        ("a = (x = secret # 1\n y);", "    a = (\n        # 1\n        x = secret y\n    );\n"),
        ("Data = SECRET; CALLBACK = Signed;", "    data     = secret;\n    callback = signed;\n"),
        ("Deci X=>(else->DONE){};", "    deci X => (else -> done);\n"),
    ],
)
def test_details(text: str, expected: str) -> None:
    assert holds(f"flow f {text}\nflow_end") == f"flow f\n{expected}flow_end\n"


def test_comments_around_statements_stay_on_their_side_of_the_slash() -> None:
    text = "\n# 1\naction a return=(); action_end # 2\n# 3\n/ # 4\n\n# 5\naction b return=(); action_end / # 6\n# 7"
    assert holds(text) == (
        "# 1\naction a\n    return = ();\naction_end  # 2\n# 3\n/  # 4\n\n# 5\n"
        "action b\n    return = ();\naction_end  # 6\n# 7\n"
    )


def test_lines_stay_within_the_width_where_they_can_be_broken() -> None:
    routes = " | ".join(f"STATE_{n} -> STEP_{n}" for n in range(9))
    args = ", ".join(f"arg_{n} = [{', '.join(['123456789'] * n)}]" for n in range(12))
    text = holds(f"flow f step A => ({routes}) {{ action = a; args = ({args}); }}; flow_end")
    assert max(map(len, text.splitlines())) <= WIDTH


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(TEXTS + READABLE), st.data())
def test_comments_and_blanks_between_any_two_tokens(text: str, data: st.DataObject) -> None:
    tokens = scan(text, Findings(Source(text))).tokens
    between = st.sampled_from([" ", "\n", "\n\n\n", " # why\n", "\n  # how\n", " /* c */ ", "\n/* a\n b */", "\r\n"])
    parts = [data.draw(between) + text[token.span.start : token.span.end] for token in tokens]
    holds("".join(parts) + data.draw(between))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(TEXTS), st.data())
def test_any_mutation_that_can_be_read_is_formatted(text: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(text)))
        text = text[:start] + data.draw(st.sampled_from(PIECES)) + text[start:]
    if not parse(text)[0].damaged:
        holds(text)


names = st.sampled_from(["a", "secret", "step", "when", "DONE", "else", '"x y"', '`q"q`', "flow_end", "METHOD", "True"])
leaves = names | st.sampled_from(
    ["1", "-2.50", "1e3", "30s", "${ $a }", "${ {\n} }", '"\n"', "()", "[]", "{}", "SECRET x"]
)


def _lists(value: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def listed(entry: st.SearchStrategy[str], divider: str, brackets: str) -> st.SearchStrategy[str]:
        inside = st.lists(entry, min_size=1, max_size=5).map(divider.join)
        return inside.map(lambda text: brackets[0] + text + brackets[1])

    pairs = st.tuples(names, value).map(lambda pair: f"{pair[0]}:{pair[1]}")
    given_ = st.tuples(names, value).map(lambda pair: f"{pair[0]}={pair[1]}")
    declared = st.tuples(st.sampled_from(["", "secret "]), names, names, value).map(
        lambda found: f"{found[0]}{found[1]} {found[2]} = {found[3]}"
    )
    group = listed(given_ | declared, ",", "()")
    return listed(value, ",", "[]") | listed(pairs, ",", "{}") | group | st.tuples(names, group).map(" ".join)


values = st.recursive(leaves, _lists, max_leaves=25)
routes = st.lists(
    st.sampled_from(["A", "A -> B", "else->DONE", "when ${x}->Stopped", 'A WHEN ${ y } -> "b c"']), max_size=6
).map(lambda found: f"({' | '.join(found)})")
properties = st.tuples(names.filter(lambda name: name[0] not in '"`flow_end'), values).map(lambda p: f"{p[0]}={p[1]};")
gaps = st.sampled_from([" ", "\n", "\n\n", " # c\n", "\n# d\n", "/* e */"])


def _bodies(member: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(st.tuples(gaps, member).map("".join), max_size=4).map(lambda found: f"{{{' '.join(found)}}}")


def _headed(kinds: str, body: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    found = st.tuples(st.sampled_from(kinds.split()), names, routes, body | st.just(""))
    return found.map(lambda step: f"{step[0]} {step[1]}=>{step[2]}{step[3]};")


def _steps(member: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    branch = st.tuples(names, _bodies(member)).map(lambda found: f"branch {found[0]} {found[1]};")
    return _headed("step DECI wait", _bodies(properties)) | _headed("fork Each", _bodies(member)) | branch


programs = st.lists(st.tuples(gaps, st.recursive(properties, _steps, max_leaves=12)).map("".join), max_size=6).map(
    lambda members: f"flow f {' '.join(members)} flow_end"
)


@settings(max_examples=100, deadline=None)
@given(programs)
def test_any_program_of_the_grammar_is_formatted(text: str) -> None:
    assert not parse(text)[0].damaged
    holds(text)


def test_a_large_document_is_formatted_in_proportion_to_its_length() -> None:
    deep = "[" * 25 + "1" + "]" * 25
    nested = "each E => () { items = [1]; " * 10 + "wait W => () { for = 1s; };" + "};" * 10
    assert holds(f"flow f vars = (a = {deep}); {nested} flow_end").count("each") == 10


def test_the_formatted_goldens_are_those_of_the_valid_documents() -> None:
    assert sorted(path.name for path in FORMATTED.glob("*.fsl")) == [path.name for path in VALID]
