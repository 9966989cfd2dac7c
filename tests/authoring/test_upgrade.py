"""`fsl upgrade`: what 0.3 meant is written for 0.4, and the rest is noted."""

from __future__ import annotations

import pytest

from chalicelib.authoring.analyze import source_file
from chalicelib.authoring.upgrade import upgrade_all
from chalicelib.language import KnownNames, read

ACTIONS = """
action pay addr = "p"; args = (str card = ""); return = (PAID | PARTLY | DECLINED); action_end /
action one addr = "o"; return = (OK); action_end /
action refund addr = "r"; args = (str card = ""); return = (OK); action_end /
"""


def upgraded(flow: str, actions: str = ACTIONS) -> tuple[str, list[str]]:
    text = actions + flow
    [found] = upgrade_all([source_file("a.fsl", text)])
    assert found.text.startswith(actions)
    notes = [f"{note.line - actions.count(chr(10))}:{note.column} {note.message}" for note in found.notes]
    return found.text.removeprefix(actions), notes


def test_an_undo_gets_the_states_that_lead_on() -> None:
    """Comments, the layout and the rest of the text stay as they are."""
    flow = """flow f
  step A=>(PAID->B|PARTLY->A|DECLINED->stopped) { action = pay; undo = refund ( card = "1" ) /* why */ ; }; # first
  step B => (PAID -> done | else -> C) { action = "pay"; undo = refund; };
  step C => (OK -> done) { action = one; undo = refund; };
flow_end"""
    text, notes = upgraded(flow)
    assert text == flow.replace('"1" )', '"1" ) on PAID').replace(
        '"pay"; undo = refund', '"pay"; undo = refund on PAID | PARTLY | DECLINED'
    )
    assert notes == []
    assert read(ACTIONS + text, KnownNames()).statements


def test_upgrading_twice_changes_nothing_more() -> None:
    flow = "flow f step A => (PAID -> B | else -> stopped) { action = pay; undo = refund; };\n"
    flow += 'step B => (OK -> done | ERROR when ${ $error = "x" } -> done) { action = one; save = (a = ${ $error }); };'
    flow += "flow_end"
    once, _ = upgraded(flow)
    assert once.count("$error.cause") == 2
    assert upgraded(once) == (once, [])


def test_an_error_is_read_from_its_cause() -> None:
    """Strings, quoted names and the members of an object are no variables."""
    expression = '${ $error & "$error" & $errors & `$error` & $exists($error) & {"a": [$error]} }'
    text, _ = upgraded(
        f"flow f set S => (DONE when {expression} -> done | else -> S) {{ save = (a = {expression}); }}; flow_end"
    )
    changed = '${ $error.cause & "$error" & $errors & `$error` & $exists($error.cause) & {"a": [$error.cause]} }'
    assert text.count(changed) == 2


def test_a_document_with_words_of_0_4_keeps_its_errors() -> None:
    flow = "flow f max_steps = 5; set S => (DONE) { save = (a = ${ $error }); }; flow_end"
    assert upgraded(flow) == (flow, [])


@pytest.mark.parametrize(
    ("flow", "note"),
    [
        (
            "flow f step A => (PAID when ${ 1 } -> B | else -> stopped) { action = pay; undo = refund; };"
            " step B => (OK) { action = one; }; flow_end",
            "0.4 undoes step 'A' after a state whatever route it takes; in 0.3, step 'A' was undone only on some of the"
            " routes of PAID",
        ),
        (
            "flow f step A => (PAID, PARTLY -> stopped | DECLINED -> A) { action = pay; undo = refund; }; flow_end",
            "step 'A' never led on, so 0.3 never undid it: remove the undo or write 'on'",
        ),
        (
            "flow f step A => (OK) { action = other; undo = refund; }; flow_end",
            "the states of action 'other' are unknown: give the file that defines it too",
        ),
    ],
)
def test_what_a_person_must_decide_is_noted(flow: str, note: str) -> None:
    _, notes = upgraded(flow)
    assert [one.split(" ", 1)[1] for one in notes] == [note]


@pytest.mark.parametrize(
    ("flow", "states", "note"),
    [
        (
            "flow f step A => (PAID | PARTLY | DECLINED -> stopped) { action = sell; }; flow_end",
            " on PAID | PARTLY",
            None,
        ),
        (
            "flow f step A => (PAID -> B | else -> stopped) { action = sell; };"
            " step B => (PAID | PARTLY -> done | DECLINED -> stopped) { action = sell; }; flow_end",
            "",
            "its steps differ in the states that lead on",
        ),
        ("flow f step A => (OK) { action = one; }; flow_end", "", "no step of these files sends it"),
    ],
)
def test_the_undo_of_an_action_gets_what_its_steps_agree_on(flow: str, states: str, note: str | None) -> None:
    sell = 'action sell addr = "s"; return = (PAID | PARTLY | DECLINED); undo = refund; action_end /\n'
    text, notes = upgraded(sell + flow)
    assert text == sell.replace("undo = refund", f"undo = refund{states}") + flow
    assert [one.rsplit(": ", 1)[1] for one in notes] == ([note] if note else [])


def test_documents_know_each_others_actions() -> None:
    flow = "flow f step A => (PAID -> done | else -> stopped) { action = pay; undo = refund; }; flow_end"
    found = upgrade_all([source_file("flow.fsl", flow), source_file("actions.fsl", ACTIONS.rstrip("/\n"))])
    assert found[0].text == flow.replace("undo = refund", "undo = refund on PAID")
    assert found[0].notes == ()
