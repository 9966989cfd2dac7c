"""Plays as tests: what `POST /play?format=test` gives passes in `fsl test`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fsl
from chalicelib.play.case import NoTest
from chalicelib.play.case_text import case_text
from chalicelib.play.moves import Move
from chalicelib.play.session import Play
from chalicelib.play.yaml_text import yaml_text
from chalicelib.service.documents.results import FslRefused
from fsl.testing.coverage import Coverage
from fsl.testing.document import Document
from fsl.testing.execute import start_of
from fsl.testing.report import describe
from fsl.testing.suite import Suite
from tests.hosts import NS, Host
from tests.play.test_play import NEXT, TEXT, answer

PROGRAMS = sorted((Path(fsl.__file__).parent / "programs").glob("*.test.yaml"))


def moves_of(*moves: Any) -> tuple[Move, ...]:
    return tuple(msgspec.convert(move, Move) for move in moves)


def outcome(folder: Path, program: str, case: str) -> str:
    """Return what `fsl test` says of the case; empty if it passes."""
    (folder / "it.fsl").write_text(program)
    path = folder / "it.test.yaml"
    path.write_text(case)
    results = list(Suite(path).run(Coverage()))
    assert len(results) == 1
    return "" if results[0].ok else f"{describe(results[0])}\n{case}"


def test_a_play_with_an_event_and_a_deadline_passes_as_a_test(tmp_path: Path) -> None:
    moves = moves_of(
        answer("Size", "BIG"),
        answer("Review", "AGREE", {"note": "fine"}),
        NEXT,
        {"event": {"name": "paid", "key": 7}},
    )
    case = case_text(Host().services, NS, Play(text=TEXT, input={"n": 7}, script=moves), name="paid: yes")
    assert not outcome(tmp_path, TEXT, case)
    (written,) = yaml.safe_load(case)["tests"]
    assert written["name"] == "paid: yes"
    assert written["expect"]["status"] == "succeeded"
    assert written["expect"]["takes"] == "30d"
    assert written["events"] == [{"at": "30d", "name": "paid", "key": "7"}]


def test_commands_at_the_moment_of_an_answer_keep_their_order(tmp_path: Path) -> None:
    stop, retry = {"command": {"do": "stop", "reason": "no: more"}}, {"command": {"do": "retry"}}
    moves = moves_of(
        {"fail": {"step": "Size", "status": 503}}, NEXT, answer("Size", "BIG"), stop, retry, answer("Review", "REJECT")
    )
    case = case_text(Host().services, NS, Play(text=TEXT, input={"n": 7}, script=moves))
    assert not outcome(tmp_path, TEXT, case)
    assert "order: stop" in case


def test_a_play_that_has_not_ended_is_looked_at_when_it_ends(tmp_path: Path) -> None:
    moves = moves_of(answer("Size", "BIG"), {"clock": {"by": "3h"}})
    case = case_text(Host().services, NS, Play(text=TEXT, input={"n": 7}, script=moves))
    assert not outcome(tmp_path, TEXT, case)
    (written,) = yaml.safe_load(case)["tests"]
    assert (written["until"], written["expect"]["at"]) == ("3h", ["Review"])


def test_values_that_are_drawn_are_not_expected(tmp_path: Path) -> None:
    text = """
    action a addr = "http://a.test/"; return = (OK); action_end
    /
    flow f
        step A => (OK -> done) { action = a; save = (id = ${ $uuid() }, at = ${ $now() }); };
    flow_end
    """
    case = case_text(Host().services, NS, Play(text=text, script=moves_of(answer("A", "OK"))))
    assert not outcome(tmp_path, text, case)
    assert yaml.safe_load(case)["tests"][0]["expect"]["vars"].keys() == {"at"}


def test_what_no_test_can_repeat_is_refused() -> None:
    final = {"fail": {"step": "Size", "error": "gone", "final": True}}
    with pytest.raises(NoTest):
        case_text(Host().services, NS, Play(text=TEXT, input={"n": 7}, script=moves_of(final)))


MOVES = st.one_of(
    st.just({"auto": {}}),
    st.just({"clock": {"next": True}}),
    st.sampled_from(["1ms", "5s", "2h", "26h", "40d"]).map(lambda by: {"clock": {"by": by}}),
    st.tuples(
        st.sampled_from(["Size", "Review"]),
        st.sampled_from(["BIG", "SMALL", "AGREE", "REJECT", "ERROR"]),
        st.sampled_from([None, {"note": "a: b"}, {"note": [1, "x"]}, 7, "text"]),
    ).map(lambda given: answer(*given)),
    st.tuples(st.sampled_from(["Size", "Review"]), st.sampled_from([None, 404, 429, 503])).map(
        lambda given: {"fail": {"step": given[0], "status": given[1]}}
    ),
    st.just({"answer": {"step": "Size", "state": "", "data": {"at": 1}, "done": False}}),
    st.sampled_from([7, "8", ""]).map(lambda key: {"event": {"name": "paid", "key": key, "data": {"x": None}}}),
    st.just({"event": {"name": "paid", "run": "run"}}),
    st.sampled_from(["pause", "continue", "stop", "retry"]).map(lambda do: {"command": {"do": do}}),
    st.just({"command": {"do": "vars", "set": {"note": "set"}, "remove": ["other"]}}),
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(MOVES, max_size=9))
def test_a_drawn_session_passes_as_a_test(tmp_path: Path, moves: list[Any]) -> None:
    wanted = Play(text=TEXT, input={"n": 7}, script=moves_of(*moves))
    try:
        case = case_text(Host().services, NS, wanted)
    except NoTest:
        return
    assert not outcome(tmp_path, TEXT, case)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(-1e20, 1e20) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(min_size=1), VALUES, min_size=1, max_size=4))
def test_yaml_is_read_as_the_value_that_was_written(value: dict[str, Any]) -> None:
    found = Document("x", yaml_text(value)).value
    assert found == value
    assert msgspec.json.encode(found) == msgspec.json.encode(value) or repr(found) == repr(value)


UNWRITTEN = {
    "direct": "a call that is under way",
    "catalog": "a call that is under way",
    "limit": "a play does not wait for limits of actions",
    "schedule": "a schedule that is over when plays begin",
}
"""The programs of which not every session can be written as a test, and why."""


def steps_of_a_session() -> tuple[Move, ...]:
    """Answer everything and let time pass, ten times."""
    return moves_of(*[{"auto": {}}, NEXT] * 10)


def sessions(suite: Suite) -> list[tuple[str, Play]]:
    """Return a play for each test of the program: its input, and every first answer."""
    program = "\n/\n".join(path.read_text() for path in suite.program_files)
    found = []
    for number, case in enumerate(suite.tests.tests[:8]):
        if case.schedule is not None or case.runs:
            continue
        flow, given_input, labels, _ = start_of(suite.program, suite.tests, case)
        if flow in suite.program.flow_runs:
            continue
        for count in (3, 20) if number < 2 else (20,):
            script = steps_of_a_session()[:count]
            found.append((program, Play(text=program, flow=flow, input=given_input, labels=labels, script=script)))
    return found


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name.partition(".")[0])
def test_a_session_on_a_program_passes_as_a_test(path: Path, tmp_path: Path) -> None:
    for program, wanted in sessions(Suite(path)):
        allowed = (NoTest, FslRefused) if path.name.partition(".")[0] in UNWRITTEN else ()
        with suppress(*allowed):
            case = case_text(Host().services, NS, wanted)
            assert not outcome(tmp_path, program, case)
