"""Intrinsic functions: what they are made of, and what is wrong with them."""

from __future__ import annotations

import pytest

from chalicelib.asl.intrinsics import ARITIES, MAX_NESTED, Argument, Call, Constant, Text, parse_intrinsic, parse_value
from chalicelib.asl.path_tree import Field, Index, NotReadable, Path, Root, Slice

NAME = Path(Root.INPUT, "", (Field("name"),))


def text(*pieces: str) -> Text:
    """Return a text that is cut at its `{}`."""
    return Text("{}".join(pieces), pieces)


@pytest.mark.parametrize(
    ("written", "args"),
    [
        ("", ()),
        ("'a'", (text("a"),)),
        ("1, -2.5, 1e3", (Constant(1), Constant(-2.5), Constant(1000.0))),
        ("true,false ,null", (Constant(True), Constant(False), Constant(None))),
        ("$.name", (NAME,)),
        (
            " $.name , $$.x, $v[0] ",
            (NAME, Path(Root.CONTEXT, "", (Field("x"),)), Path(Root.VARIABLE, "v", (Index(0),))),
        ),
        (
            "$['a, (b)'], $.c[1:]",
            (Path(Root.INPUT, "", (Field("a, (b)"),)), Path(Root.INPUT, "", (Field("c"), Slice(1, None, None)))),
        ),
        (r"'it\'s \\ \{\} {} \n'", (text("it's \\ {} ", " \\n"),)),
        ("'{}{}'", (text("", "", ""),)),
        ("'\n{ }'", (text("\n{ }"),)),
        ("States.UUID()", (Call("States.UUID", ()),)),
        ("States.Array(States.Array($.name))", (Call("States.Array", (Call("States.Array", (NAME,)),)),)),
    ],
)
def test_a_call_is_read_into_its_arguments(written: str, args: tuple[Argument, ...]) -> None:
    assert parse_intrinsic(f"States.Array({written})") == Call("States.Array", args)


def test_an_escaped_place_of_a_template_is_plain_text() -> None:
    assert parse_intrinsic(r"States.Format('\{{}\}', 1)").args[0] == Text("{{}}", ("{", "}"))


@pytest.mark.parametrize(("name", "limits"), ARITIES.items())
def test_a_function_takes_so_many_arguments(name: str, limits: tuple[int, int | None]) -> None:
    least, most = limits
    for count in range(6):
        call = f"{name}({', '.join(['1'] * count)})"
        if least <= count and (most is None or count <= most):
            assert len(parse_intrinsic(call).args) == count
        else:
            with pytest.raises(NotReadable, match="takes"):
                parse_intrinsic(call)


@pytest.mark.parametrize(
    ("written", "column", "words"),
    [
        ("States.Foo(1)", 1, "no intrinsic function"),
        ("States.format('a')", 1, "no intrinsic function"),
        ("States.Array", 13, "`(` is missing"),
        ("States.Array(", 14, "is no argument"),
        ("States.Array('a'", 17, "`,` or `)` is missing"),
        ("States.Array('a' 'b')", 18, "`,` or `)` is missing"),
        ("States.Array('a)", 14, "quote is not closed"),
        ('States.Array("a")', 14, "is no argument"),
        ("States.Array(1,)", 16, "is no argument"),
        ("States.Array(yes)", 14, "is no argument"),
        ("States.Array($.)", 16, "a name is missing"),
        ("States.Array() x", 15, "cannot follow"),
        ("States.Array(States.Nope())", 14, "no intrinsic function"),
        ("States.MathAdd(1)", 1, "takes 2 arguments, and not 1"),
        ("States.MathRandom(1)", 1, "takes 2 to 3 arguments"),
        ("States.Format()", 1, "takes 1 or more"),
        ("States.Array(" * 11 + ")" * 11, 131, "more than 10"),
    ],
)
def test_what_is_wrong_is_reported_with_its_column(written: str, column: int, words: str) -> None:
    with pytest.raises(NotReadable) as failed:
        parse_intrinsic(written)
    assert failed.value.column == column
    assert words in failed.value.reason


def test_a_value_of_a_template_is_a_path_or_a_call() -> None:
    assert parse_value("$.name") == NAME
    assert parse_value("States.UUID()") == Call("States.UUID", ())
    with pytest.raises(NotReadable, match="neither a path"):
        parse_value(" States.UUID()")


def test_functions_are_nested_to_a_limit() -> None:
    assert parse_intrinsic("States.Array(" * MAX_NESTED + ")" * MAX_NESTED).name == "States.Array"
    with pytest.raises(NotReadable, match="more than 10 intrinsic functions"):
        parse_intrinsic("States.Array(" * (MAX_NESTED + 1) + ")" * (MAX_NESTED + 1))
