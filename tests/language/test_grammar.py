"""The grammar: no conflicts, no unused rules, no written files, keywords as names, concurrent threads."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import chalicelib.language
from chalicelib.language import KnownNames, parse, read, references
from chalicelib.language.problems import Findings
from chalicelib.language.source import Source
from chalicelib.language.syntax.grammar import tables
from chalicelib.language.syntax.tokens import SyntaxToken, scan, tokens
from chalicelib.language.syntax.tree import Assignment, Declaration, Group, Property
from chalicelib.model.actions import Action, ArgType, Parameter

HERE = Path(__file__).parent
KEYWORDS = re.findall(
    r"\w+",
    """
    action action_end flow flow_end flow_run flow_run_end step deci wait fork each call set branch when else
    return args addr method secret capem http https grpc human queue lambda int str float bool list map any
    true false null required timeout retry limit headers approval undo save input vars output labels join
    items max tolerate all events key condition until data callback signed open
    """,
)


class Heard:
    """A log that records ply's warnings."""

    def __init__(self) -> None:
        self.complaints: list[str] = []

    def warning(self, message: str, *words: object) -> None:
        self.complaints.append(message % words)

    error = critical = warning

    def info(self, message: str, *words: object) -> None:
        pass

    debug = info


def test_the_grammar_has_no_conflicts_and_nothing_unused() -> None:
    heard, log = Heard(), Heard()
    tables(debug=True, optimize=False, debuglog=log, errorlog=heard)
    assert heard.complaints == []
    assert [one for one in log.complaints if "conflict" in one or "unused" in one.lower()] == []


def test_the_lexer_yields_every_kind_of_token_and_no_other() -> None:
    text = 'a "b" 1 1.5 2s ${ x } flow_end when -> => = ; | , : . / ( ) [ ] { }'
    assert {token.kind for token in _tokens(text)} == set(tokens)


def test_nothing_is_written_into_the_package() -> None:
    parse("action a return = (OK); action_end")
    folder = Path(chalicelib.language.__file__).parent
    assert [path.name for path in folder.iterdir() if "tab" in path.stem or path.suffix == ".out"] == []


@pytest.mark.parametrize("word", KEYWORDS)
def test_every_keyword_can_be_a_name(word: str) -> None:
    text = """
        action WORD addr = WORD; args = (any WORD, str other); return = (A | WORD -> WORD); action_end /
        flow WORD
            vars = (WORD = 1);
            step WORD => (A when ${ 1 } -> WORD | A -> done | WORD -> done) {
                action = WORD; args = (WORD = 1 other = "x");
                save = (WORD = { WORD: 1 }); undo = WORD (WORD = 2, other = "") on A | WORD;
            };
        flow_end /
        flow_run WORD flow = WORD; labels = (WORD = "WORD"); flow_run_end
    """.replace("WORD", word)
    checked = read(text, KnownNames())
    assert checked.diagnostics == ()
    assert [(one.kind, one.name) for one in checked.statements] == [
        ("action", word),
        ("flow", word),
        ("flow_run", word),
    ]


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("(str secret str token)", [("", "str", "secret"), ("", "str", "token")]),
        ("(secret str token secret str secret)", [("secret", "str", "token"), ("secret", "str", "secret")]),
        ("(str a = 1 SECRET int b = 2)", [("", "str", "a"), ("SECRET", "int", "b")]),
        ("(secret token = 1, secret when = 2)", [("", "secret", "token"), ("", "secret", "when")]),
        ("(secret = 1 secret = 2)", ["secret", "secret"]),
        ("(a = secret b = 1)", ["a", "b"]),
        ("(a = secret, b = [secret b], c = secret c d = 1)", ["a", "b", "c", "d"]),
        ("(a = `secret` b = 1)", ["a", "b"]),
    ],
)
def test_secret_is_a_word_of_its_own_only_where_it_can_be_no_name(group: str, expected: list[object]) -> None:
    document, found = parse(f"flow f x = {group}; flow_end")
    assert found == ()
    [member] = document.statements[0].members
    assert isinstance(member, Property)
    assert isinstance(member.value, Group)
    assert [_shape(one) for one in member.value.items] == expected


def _shape(entry: object) -> object:
    if isinstance(entry, Declaration):
        return (entry.secret.text if entry.secret else "", entry.type.text, entry.name.text)
    return entry.name.text if isinstance(entry, Assignment) else None


@pytest.mark.parametrize("case", [str.upper, str.title, str.lower])
def test_keywords_are_caseless_and_names_are_not(case: Callable[[str], str]) -> None:
    words = {
        "AC": "action",
        "ME": "method",
        "HT": "http",
        "AR": "args",
        "IN": "int",
        "RE": "return",
        "EN": "action_end",
    }
    text = "AC Name ME = HT; AR = (IN Arg); RE = (Ok); EN"
    for short, word in words.items():
        text = text.replace(short, case(word))
    [action] = read(text, KnownNames()).statements
    assert action.value == Action(name="Name", returns=("Ok",), parameters=(Parameter(name="Arg", type=ArgType.INT),))


def test_threads_parse_side_by_side() -> None:
    texts = [path.read_text(encoding="utf-8") for path in sorted(HERE.glob("*valid/*.fsl"))] * 3
    alone = [parse(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(parse, texts)) == alone


def test_a_statement_keeps_its_own_text() -> None:
    action, run = "action a addr = b; return = (OK); action_end", "flow_run r wait W => () { for = 1s; }; flow_run_end"
    text = f"/ # one\n{action} /* two */ / {run}"
    found = [one.text for one in read(text, KnownNames()).statements]
    assert found == [action, run]


def test_comments_are_kept_with_their_places() -> None:
    text = "# one\naction a /* two */ return = (OK); action_end"
    document, _ = parse(text)
    assert [(one.text, text[one.span.start : one.span.end]) for one in document.comments] == [
        ("# one", "# one"),
        ("/* two */", "/* two */"),
    ]


def test_references_are_what_the_document_does_not_define() -> None:
    text = """
        action own return = (OK); undo = far; action_end /
        flow f
            step A => (OK) { action = own; undo = away (x = 1); };
            deci B => (OK) { action = "else where"; };
            call C => () { flow = g; };
        flow_end /
        flow_run r flow = f; flow_run_end / flow_run q flow = h; flow_run_end
    """
    found = references(parse(text)[0])
    assert found.actions == {"far", "away", "else where"}
    assert found.flows == {"g", "h", "far", "away"}


def _tokens(text: str) -> tuple[SyntaxToken, ...]:
    return scan(text, Findings(Source(text))).tokens
