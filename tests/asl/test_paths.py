"""Paths of Step Functions: what they are made of, and what is wrong with them."""

from __future__ import annotations

import pytest

from chalicelib.asl.path_tree import (
    AllOf,
    AnyOf,
    Compare,
    Descent,
    Exists,
    Field,
    Fields,
    Filter,
    Function,
    Index,
    Indexes,
    Literal,
    LiteralList,
    Not,
    NotReadable,
    Path,
    Regex,
    Root,
    Script,
    Slice,
    Step,
    Wildcard,
)
from chalicelib.asl.paths import parse_path, parse_reference_path
from chalicelib.asl.scanner import MAX_DEPTH


def current(*names: str) -> Path:
    """Return a path of a filter's node."""
    return Path(Root.CURRENT, "", tuple(Field(name) for name in names))


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("$", ()),
        ("$.a", (Field("a"),)),
        ("$.a.b-c.d_e", (Field("a"), Field("b-c"), Field("d_e"))),
        ("$.a ", (Field("a"),)),
        ("$['a b']", (Field("a b"),)),
        ('$["a"]', (Field("a"),)),
        (r"$['it\'s']", (Field("it's"),)),
        (r"$['a\\b']", (Field("a\\b"),)),
        ('$[\'Test\\""Name"\']', (Field('Test\\""Name"'),)),
        ("$.['a'][0]", (Field("a"), Index(0))),
        ("$[ 0 ]", (Index(0),)),
        ("$[-1]", (Index(-1),)),
        ("$[0,2]", (Indexes((0, 2)),)),
        ("$['a', 'b']", (Fields(("a", "b")),)),
        ("$[1:]", (Slice(1, None, None),)),
        ("$[:2]", (Slice(None, 2, None),)),
        ("$[1:-3:2]", (Slice(1, -3, 2),)),
        ("$.*", (Wildcard(),)),
        ("$[*].a", (Wildcard(), Field("a"))),
        ("$..a", (Descent(), Field("a"))),
        ("$..['a']", (Descent(), Field("a"))),
        ("$..*", (Descent(), Wildcard())),
        ("$..[0]", (Descent(), Index(0))),
        (r"$.store\.book", (Field("store.book"),)),
        (r"$.foo\@bar.baz\[\[.\?pretty", (Field("foo@bar"), Field("baz[["), Field("?pretty"))),
        ("$.&Ж中", (Field("&Ж中"),)),
        ("$.${Table}", (Field("${Table}"),)),
        ("$.a.length()", (Field("a"), Function("length", ()))),
        ("$.concat($.a, 'x')", (Function("concat", (Path(Root.INPUT, "", (Field("a"),)), Literal("x"))),)),
        ("$[(@.length-1)].b", (Script("@.length-1"), Field("b"))),
    ],
)
def test_a_path_is_read_into_its_steps(text: str, steps: tuple[Step, ...]) -> None:
    assert parse_path(text) == Path(Root.INPUT, "", steps)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("$$", Path(Root.CONTEXT)),
        ("$$.Execution.Id", Path(Root.CONTEXT, "", (Field("Execution"), Field("Id")))),
        ("$name", Path(Root.VARIABLE, "name")),
        ("$größe_2[0].a", Path(Root.VARIABLE, "größe_2", (Index(0), Field("a")))),
    ],
)
def test_a_path_may_begin_at_the_context_or_a_variable(text: str, path: Path) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize(
    ("condition", "tree"),
    [
        ("@.a", Exists(current("a"))),
        ("!@.a", Not(Exists(current("a")))),
        ("@.a == 'x'", Compare("==", current("a"), Literal("x"))),
        ("@.a==es", Compare("==", current("a"), Literal("es", bare=True))),
        ("@.a != 1.5", Compare("!=", current("a"), Literal(1.5))),
        ("@.a <= -3", Compare("<=", current("a"), Literal(-3))),
        ("@.a >= true", Compare(">=", current("a"), Literal(True))),
        ("@.a == null", Compare("==", current("a"), Literal(None))),
        ("1 < @.a", Compare("<", Literal(1), current("a"))),
        ("@.a in ['x', 2]", Compare("in", current("a"), LiteralList((Literal("x"), Literal(2))))),
        ("@.a NIN []", Compare("nin", current("a"), LiteralList(()))),
        (r"@.a =~ /a\/b.*/i", Compare("=~", current("a"), Regex(r"a\/b.*", "i"))),
        ("@.a == $.b", Compare("==", current("a"), Path(Root.INPUT, "", (Field("b"),)))),
        ("@.a && @.b || @.c", AnyOf((AllOf((Exists(current("a")), Exists(current("b")))), Exists(current("c"))))),
        ("@.a && (@.b || @.c)", AllOf((Exists(current("a")), AnyOf((Exists(current("b")), Exists(current("c"))))))),
    ],
)
def test_a_filter_is_read_into_its_condition(condition: str, tree: object) -> None:
    assert parse_path(f"$.x[?({condition})].y").steps == (Field("x"), Filter(tree), Field("y"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 1, "must begin with `$`"),
        ("a.b", 1, "must begin with `$`"),
        (" $.a", 1, "must begin with `$`"),
        ("$.", 3, "a name is missing"),
        ("$..", 4, "a name is missing"),
        ("$...", 4, "no step"),
        ("$.a b", 4, "cannot follow"),
        ("$-a", 2, "cannot follow"),
        ("$.a[", 5, "no index"),
        ("$[a]", 3, "no index"),
        ("$[]", 3, "no index"),
        ("$[0", 4, "`]` is missing"),
        ("$['a", 3, "quote is not closed"),
        ("$['a',]", 7, "name in quotes is missing"),
        ("$[1,]", 5, "index is missing"),
        ("$[::]", 5, "needs a number"),
        ("$[1:2:0]", 8, "1 or more"),
        ("$.a\\", 5, "missing behind `\\`"),
        ("$.a.foo()", 5, "no function"),
        ("$.length().a", 11, "last step"),
        ("$[?@.a]", 4, "`(` is missing"),
        ("$[?(@.a]", 8, "`)` is missing"),
        ("$[?(@.a ~~ 1)]", 9, "`)` is missing"),
        ("$[?(@.a like 1)]", 9, "no operator"),
        ("$[?('a')]", 8, "operator is missing"),
        ("$[?(@.a == )]", 12, "value is missing"),
        ("$[?(@.a =~ /x)]", 12, "not closed"),
        ("$[()]", 4, "computed index is missing"),
        ("$" + "v" * 81, 2, "80 characters"),
        ("$[" + "9" * 301 + "]", 3, "too many digits"),
        ("$[?(@.a == 1e999)]", 12, "too large"),
    ],
)
def test_what_is_wrong_is_reported_with_its_column(text: str, column: int, words: str) -> None:
    with pytest.raises(NotReadable) as failed:
        parse_path(text)
    assert failed.value.column == column
    assert words in failed.value.reason


@pytest.mark.parametrize("text", ["$", "$.a.b", "$['a'][0].b", "$$.Map.Item.Value", "$x.y"])
def test_a_reference_path_names_one_place(text: str) -> None:
    assert parse_reference_path(text) == parse_path(text)


@pytest.mark.parametrize(
    "text", ["$..a", "$[*]", "$[1:2]", "$['a','b']", "$[0,1]", "$[?(@.a)]", "$.length()", "$[(1)]"]
)
def test_a_reference_path_has_no_step_that_finds_many(text: str) -> None:
    with pytest.raises(NotReadable, match="only names and indexes"):
        parse_reference_path(text)


@pytest.mark.parametrize(
    "text", ["$" + "[?(@.a" * 5000, "$[?(" + "(" * 5000, "$[?(" + "!" * 5000, "$[?(@ in " + "[" * 5000]
)
def test_parts_are_nested_to_a_limit(text: str) -> None:
    assert parse_path("$[?(" + "(" * (MAX_DEPTH - 3) + "@" + ")" * (MAX_DEPTH - 3) + ")]").steps
    with pytest.raises(NotReadable, match="nested"):
        parse_path(text)
