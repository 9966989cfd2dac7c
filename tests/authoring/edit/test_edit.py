"""Operations on a flow as patches of its text."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from chalicelib.authoring.edit.emit import Edited, edit
from chalicelib.authoring.edit.errors import EditRefused, FlowUnreadable
from chalicelib.authoring.edit.operations import Operation
from chalicelib.authoring.edit.outline import step_at
from chalicelib.authoring.edit.patch import applied
from chalicelib.language import KnownNames, parse, read

ACTIONS = """action review method = human; args = (str order); return = (AGREE | REJECT); timeout = 1d; action_end
/
action notify addr = "http://mail.example/"; return = (SENT | LOST); action_end
/
action charge addr = "http://bank.example/"; args = (str order); return = (PAID | REFUSED); action_end
/
"""
ORDER = (
    ACTIONS
    + """flow order
    input = (str order);

    # 😀 how large it is
    deci Size => (when ${ $length($input.order) > 10 } -> Review   # long
                 | else -> Charge);
    deci Review => (
          AGREE -> Charge   # good
        | REJECT, TIMEOUT -> stopped (error = "no")  # bad
        | ERROR when ${ $error.step = "Charge" } -> Charge (x = 1)
    ) {
        action = review; # who
        # more
    }; # trailing
    # the money
    step Charge => (PAID -> done | REFUSED -> stopped) { action = charge; };
    each All => (DONE -> done | FAIL -> stopped) {
        items = [1];
        step One => (PAID -> done | REFUSED -> stopped) { action = charge; args = (order = "o"); };
    };
    fork Both => () { branch a { set N => (); }; };
flow_end
"""
)


def changed(*do: dict[str, Any], text: str = ORDER, flow: str = "order", returns: Any = lambda _: None) -> Edited:
    """Return the edited text."""
    found = edit(text, flow, msgspec.convert(list(do), list[Operation]), returns)
    assert applied(text, found.edits) == found.text
    assert parse(found.text)[1] == ()
    return found


def lines(*do: dict[str, Any], **more: Any) -> list[str]:
    """Return the lines that operations add to the text, without blanks around them."""
    text = more.get("text", ORDER)
    before = text.splitlines()
    return [one.strip() for one in changed(*do, **more).text.splitlines() if one not in before]


ADD = {"op": "add", "kind": "step", "name": "Tell", "after": "Review", "on": "AGREE", "action": "notify"}


def test_a_step_is_added_between_two_others() -> None:
    found = changed(ADD)
    assert [(one.end - one.start, one.insert.strip()) for one in found.edits] == [
        (6, "Tell"),
        (0, "step Tell => (SENT -> Charge | LOST -> stopped) { action = notify; };"),
    ]
    assert "}; # trailing\n    step Tell =>" in found.text
    assert not [one for one in read(found.text, KnownNames()).diagnostics if "Tell" in one.message]


def test_several_operations_apply_in_order_to_what_the_earlier_ones_made() -> None:
    found = lines(
        ADD,
        {"op": "rename", "step": "Tell", "to": "Write"},
        {"op": "set", "step": "Write", "property": "timeout", "value": "10m"},
        {"op": "route", "step": "Write", "state": "TIMEOUT", "to": "Charge"},
        {"op": "rename", "step": "Charge", "to": "Pay"},
    )
    assert found[-2:] == [
        "step Write => (SENT -> Pay | LOST -> stopped | TIMEOUT -> Pay) { action = notify; timeout = 10m; };",
        "step Pay => (PAID -> done | REFUSED -> stopped) { action = charge; };",
    ]


@pytest.mark.parametrize(
    ("op", "line"),
    [
        ({"kind": "wait", "after": "Charge", "for": "1h"}, "wait N2 => (DONE -> done) { for = 1h; };"),
        ({"kind": "set", "before": "Charge", "save": {"x": 1}}, "set N2 => (DONE -> Charge) { save = (x = 1); };"),
        ({"kind": "deci", "into": "", "to": "Size"}, "deci N2 => (else -> Size);"),
        (
            {"kind": "each", "into": "", "items": "${ $input.a }"},
            "each N2 => (DONE -> done | FAIL -> stopped) { items = ${ $input.a }; };",
        ),
        (
            {"kind": "call", "into": "", "flow": "my-flow"},
            'call N2 => (DONE -> done | STOPPED -> stopped) { flow = "my-flow"; };',
        ),
        (
            {"kind": "start", "into": "Both/a", "flow": "report"},
            "set N => (); start N2 => (DONE -> done) { flow = report; };",
        ),
        (
            {"kind": "emit", "into": "All", "event": "order.paid"},
            'emit N2 => (DONE -> done) { event = "order.paid"; };',
        ),
        (
            {"kind": "wait", "after": "One", "events": {"PAID": "paid"}, "key": "${ $input.order }"},
            'wait N2 => (PAID -> done | TIMEOUT -> stopped) { events = (PAID = "paid"); key = ${ $input.order }; };',
        ),
        ({"kind": "step", "into": "", "action": "unknown"}, "step N2 => (else -> done) { action = unknown; };"),
    ],
)
def test_every_kind_of_step_is_added(op: dict[str, Any], line: str) -> None:
    assert line in changed({"op": "add", "name": "N2", **op}).text


def test_a_step_is_added_for_a_state_that_is_not_routed() -> None:
    add = {"op": "add", "kind": "set", "name": "N2", "after": "Charge", "on": "TIMEOUT"}
    found = changed(add).text
    assert "(PAID -> done | REFUSED -> stopped | TIMEOUT -> N2)" in found
    assert "set N2 => (DONE -> stopped);" in found
    found = changed({"op": "route", "step": "Charge", "state": "else", "to": "Size"}, add).text
    assert "(PAID -> done | REFUSED -> stopped | TIMEOUT -> N2 | else -> Size)" in found
    assert "set N2 => (DONE -> Size);" in found


def test_a_fork_is_added_with_its_branches() -> None:
    found = changed(
        {"op": "add", "kind": "fork", "name": "F", "after": "Charge", "on": "PAID"},
        {"op": "add", "kind": "branch", "name": "left", "into": "F"},
        {"op": "add", "kind": "set", "name": "L", "into": "F/left"},
    )
    assert (
        """    fork F => (DONE -> done | FAIL -> stopped) {
        branch left {
            set L => (DONE -> done);
        };
    };
"""
        in found.text
    )


def test_the_states_of_actions_of_the_namespace_are_known() -> None:
    add = {"op": "add", "kind": "step", "name": "T", "into": "", "action": "far"}
    assert "step T => (A -> done | B -> stopped) { action = far; };" in changed(add, returns=lambda _: ("A", "B")).text


def test_a_rename_reaches_routes_comparisons_and_flows_that_use_the_steps() -> None:
    text = ORDER + '/\nflow other use order as "o_"; step Last => (PAID -> o_Charge) { action = charge; }; flow_end\n'
    found = changed({"op": "rename", "step": "Charge", "to": 'Take "x"'}, text=text).text
    assert found == text.replace("o_Charge", '`o_Take "x"`').replace('"Charge"', r'"Take \"x\""').replace(
        " Charge", ' `Take "x"`'
    )


def test_a_later_rename_reaches_what_earlier_operations_wrote() -> None:
    mine = '${ $error.step = "Charge" }'
    found = lines(
        {"op": "set", "step": "One", "property": "save", "value": f"(x = {mine}, y = 1)"},
        {"op": "route", "step": "One", "state": "PAID", "when": mine, "to": "One"},
        {"op": "rename", "step": "Charge", "to": "Pay"},
        {"op": "route", "step": "One", "state": "PAID", "when": mine.replace("Charge", "Pay"), "to": "done"},
    )
    assert found[-1] == (
        'step One => (PAID when ${ $error.step = "Pay" } -> done | PAID -> done | REFUSED -> stopped) '
        '{ action = charge; args = (order = "o"); save = (x = ${ $error.step = "Pay" }, y = 1); };'
    )


def test_a_rename_by_place_changes_any_name() -> None:
    found = changed({"op": "rename", "at": ORDER.index("charge;"), "to": "pay"})
    assert found.text == ORDER.replace("charge;", "pay;").replace("action charge", "action pay")


def test_a_name_that_is_defined_elsewhere_is_not_renamed_in_one_text() -> None:
    text = "flow f step A => (OK -> done) { action = far; }; flow_end"
    with pytest.raises(EditRefused, match=r"do\[0\]: action 'far' is not defined in this text"):
        changed({"op": "rename", "at": text.index("far"), "to": "near"}, text=text)


def test_a_step_at_a_place_is_outlined_for_a_form() -> None:
    found = step_at(ORDER, ORDER.index("AGREE ->"))
    assert found is not None
    assert (found.flow, found.name, found.kind, found.into) == ("order", "Review", "deci", "")
    assert [(one.states, one.when, one.to) for one in found.routes] == [
        (("AGREE",), None, "Charge"),
        (("REJECT", "TIMEOUT"), None, "stopped"),
        (("ERROR",), '$error.step = "Charge"', "Charge"),
    ]
    assert [(one.name, one.value) for one in found.properties if one.value] == [("action", "review")]
    assert found.states == ("AGREE", "REJECT", "ERROR", "TIMEOUT")
    assert found.targets == ("Size", "Review", "Charge", "All", "Both", "done", "stopped")
    nested = [step_at(ORDER, ORDER.index(word)) for word in ("step One", "set N", "each All", "deci Size")]
    assert [(one.name, one.into, one.states) for one in nested if one] == [
        ("One", "All", ("PAID", "REFUSED", "ERROR", "TIMEOUT")),
        ("N", "Both/a", ("DONE", "ERROR")),
        ("All", "", ("DONE", "FAIL", "ERROR", "TIMEOUT")),
        ("Size", "", ("ERROR",)),
    ]
    assert step_at(ORDER, 0) is None
    assert step_at(ORDER, ORDER.index("input =")) is None


@pytest.mark.parametrize(
    ("do", "after"),
    [
        ([("Review", "ERROR", None, "done")], ["| ERROR -> done"]),
        ([("Review", "TIMEOUT", None, "Charge")], ['| REJECT -> stopped (error = "no")  # bad', "| TIMEOUT -> Charge"]),
        ([("Size", None, "$input.order = 1", "done")], ["| when ${ $input.order = 1 } -> done"]),
        ([("Size", "else", None, "DONE")], ["| else -> done);"]),
        (
            [("Both", "FAIL", None, "Size")],
            ["fork Both => (DONE -> done | FAIL -> Size) { branch a { set N => (); }; };"],
        ),
        ([("N", "DONE", None, "stopped")], ["fork Both => () { branch a { set N => (DONE -> stopped); }; };"]),
        (
            [("Charge", "PAID", None, "All"), ("Charge", "PAID", None, "Size")],
            ["step Charge => (PAID -> Size | REFUSED -> stopped) { action = charge; };"],
        ),
        (
            [("Review", "ERROR", '$error.step   = "Charge"', "stopped")],
            ['| ERROR when ${ $error.step = "Charge" } -> stopped'],
        ),
    ],
)
def test_routes_are_changed_and_added_where_they_can_be_taken(do: list[Any], after: list[str]) -> None:
    ops = [{"op": "route", "step": step, "state": state, "when": when, "to": to} for step, state, when, to in do]
    assert lines(*ops) == after


def test_a_route_of_several_states_is_changed_and_removed_as_a_whole() -> None:
    both = {"step": "Review", "state": ["TIMEOUT", "REJECT"]}
    assert lines({"op": "route", "to": "Charge", **both}) == ["| REJECT, TIMEOUT -> Charge  # bad"]
    assert "REJECT" not in "".join(changed({"op": "unroute", **both}).text.splitlines()[12:])
    assert lines({"op": "route", "step": "One", "state": ["ERROR", "TIMEOUT"], "to": "stopped"}) == [
        "step One => (PAID -> done | REFUSED -> stopped | ERROR, TIMEOUT -> stopped) "
        '{ action = charge; args = (order = "o"); };'
    ]
    with pytest.raises(EditRefused, match="has no route 'ERROR, TIMEOUT'"):
        changed({"op": "unroute", "step": "One", "state": ["ERROR", "TIMEOUT"]})


@pytest.mark.parametrize(
    ("step", "state", "after"),
    [
        ("Charge", "PAID", ["step Charge => (REFUSED -> stopped) { action = charge; };"]),
        ("Charge", "REFUSED", ["step Charge => (PAID -> done) { action = charge; };"]),
        ("Review", "REJECT", ['| TIMEOUT -> stopped (error = "no")  # bad']),
        ("Review", "TIMEOUT", ['| REJECT -> stopped (error = "no")  # bad']),
        ("Review", "ERROR", []),
        ("Review", "AGREE", ["# good", 'REJECT, TIMEOUT -> stopped (error = "no")  # bad']),
    ],
)
def test_routes_are_removed_and_comments_stay(step: str, state: str, after: list[str]) -> None:
    assert lines({"op": "unroute", "step": step, "state": state}) == after


@pytest.mark.parametrize(
    ("step", "name", "value", "after"),
    [
        ("Charge", "timeout", "10m", "{ action = charge; timeout = 10m; };"),
        ("Charge", "action", "notify", "{ action = notify; };"),
        ("Charge", "Action", "pay-it", '{ action = "pay-it"; };'),
        ("Charge", "action", None, "step Charge => (PAID -> done | REFUSED -> stopped) { };"),
        (
            "Charge",
            "args",
            {"order": "${ $input.order }", "n": [1, None, "a"]},
            'args = (order = ${ $input.order }, n = [1, null, "a"]);',
        ),
        ("Charge", "retry", {"max": 3, "delay": "1s"}, "retry = (max = 3, delay = 1s);"),
        ("Charge", "undo", "refund (order = 1) on PAID", "undo = refund (order = 1) on PAID;"),
        ("Review", "timeout", "1h", "action = review; # who\n        timeout = 1h;\n        # more"),
        ("Size", "description", "x", None),
        (None, "description", 'it says "hi"', '(str order);\n    description = `it says "hi"`;\n'),
        (None, "timeout", "2d", "\n    timeout = 2d;\n"),
        ("All", "max", 5, "items = [1];\n        max = 5;"),
        ("Both/a", "vars", {"x": 1}, "branch a { vars = (x = 1); set N => (); };"),
        ("N", "save", "(y = 2)", "set N => () { save = (y = 2); };"),
    ],
)
def test_properties_are_set_and_removed(step: str | None, name: str, value: Any, after: str | None) -> None:
    op = {"op": "set", "property": name, "value": value} | ({"step": step} if step else {})
    if after is None:
        with pytest.raises(EditRefused, match=rf"do\[0\]: deci '{step}' has no property '{name}'"):
            changed(op)
    else:
        assert after in changed(op).text


def test_a_deleted_step_is_healed() -> None:
    found = changed({"op": "delete", "step": "Charge", "heal": True}).text
    assert "else -> done);" in found
    assert "AGREE -> done   # good" in found
    assert "} -> done\n" in found  # the entries set a variable, which an end does not take
    assert "# the money\n    each All" in found


def test_a_flow_that_loses_its_first_step_begins_where_that_led() -> None:
    steps = ("# a", "set A => (DONE -> C);", "set B => (DONE -> done);", "set C => (DONE -> B);  # c")
    text = "\n    ".join(("flow f", *steps)) + "\nflow_end"
    found = changed({"op": "delete", "step": "A", "heal": True}, text=text, flow="")
    assert found.text == ("flow f\n    # a\n    set C => (DONE -> B);\n    set B => (DONE -> done);\n    # c\nflow_end")


def test_without_healing_routes_stay_and_lead_to_no_step() -> None:
    assert "AGREE -> Charge" in changed({"op": "delete", "step": "Charge"}).text


@pytest.mark.parametrize(
    ("op", "problem"),
    [
        ({"op": "rename", "step": "Chrge", "to": "X"}, "flow 'order' has no step 'Chrge': did you mean 'Charge'?"),
        ({"op": "rename", "step": "Charge", "to": "Review"}, "there is already a step 'Review'"),
        ({"op": "rename", "step": "Charge", "to": "Done"}, "'Done' is a reserved name"),
        ({"op": "rename", "step": "Charge", "to": "a\n"}, "a name has 1 to 128 characters"),
        ({"op": "rename", "step": "Charge", "to": '"`'}, "an FSL string cannot contain both"),
        ({"op": "rename", "to": "X"}, "a rename names its `step`"),
        ({"op": "rename", "at": 0, "step": "Q", "to": "X"}, "flow 'order' has no step 'Q'"),
        ({**ADD, "name": "Charge"}, "there is already a step 'Charge'"),
        ({**ADD, "after": "Reviw"}, "has no step 'Reviw': did you mean 'Review'?"),
        ({**ADD, "on": "AGRE"}, "deci 'Review' has no route 'AGRE': did you mean 'AGREE'?"),
        ({**ADD, "before": "Size"}, "only one of them"),
        ({"op": "add", "kind": "set", "name": "X", "on": "A"}, "`on` and `when` name the route"),
        ({**ADD, "properties": {"actoin": "x"}}, "has no property 'actoin': did you mean 'action'?"),
        (
            {"op": "add", "kind": "set", "name": "X", "into": "Both"},
            "has no steps of its own: name one of its branches",
        ),
        ({"op": "add", "kind": "set", "name": "X", "into": "Size"}, "has no steps of its own"),
        ({"op": "add", "kind": "branch", "name": "X", "into": "All"}, "is no fork"),
        ({"op": "add", "kind": "branch", "name": "a", "into": "Both"}, "has a branch 'a' already"),
        ({"op": "add", "kind": "branch", "name": "a", "after": "Both"}, "a branch is added `into` a fork"),
        ({"op": "route", "step": "Size", "state": "OK", "to": "done"}, "deci 'Size' has no state 'OK'"),
        ({"op": "route", "step": "Charge", "state": "PIAD", "to": "done"}, "did you mean 'PAID'?"),
        ({"op": "route", "step": "Charge", "state": "PAID", "to": "One"}, "has no step 'One'"),
        ({"op": "route", "step": "One", "state": "PAID", "to": "Charge"}, "has no step 'Charge'"),
        ({"op": "route", "step": "Charge", "to": "done"}, "a route has a `state`"),
        (
            {"op": "route", "step": "Charge", "state": "else", "when": "true", "to": "done"},
            "`else` stands alone, without a condition",
        ),
        ({"op": "route", "step": "Charge", "when": "$inptu.x", "to": "done"}, "invalid expression"),
        ({"op": "route", "step": "Charge", "when": "1 }; {", "to": "done"}, "would not end the expression"),
        ({"op": "unroute", "step": "Charge", "state": "ERROR"}, "has no route 'ERROR'"),
        ({"op": "unroute", "step": "One", "state": "X"}, "there is 'PAID', 'REFUSED'"),
        ({"op": "unroute", "step": "N", "state": "DONE"}, "has no other route"),
        ({"op": "set", "step": "Charge", "property": "args", "value": "(a = "}, "cannot be read"),
        ({"op": "set", "step": "Charge", "property": "args", "value": "(a = ${ $nope })"}, "invalid expression"),
        ({"op": "delete", "step": "N"}, "set 'N' is the only one of branch 'a'"),
        ({"op": "delete", "step": "Both/a"}, "is the only one of fork 'Both'"),
        ({"op": "delete", "step": "Nothing at all"}, "there is 'Size', 'Review'"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_number(op: dict[str, Any], problem: str) -> None:
    fine = {"op": "set", "step": "Charge", "property": "timeout", "value": "1m"}
    with pytest.raises(EditRefused) as found:
        changed(fine, op)
    assert str(found.value).startswith("do[1]: ")
    assert problem in str(found.value)


def test_a_value_never_ends_its_property() -> None:
    found = changed({"op": "set", "step": "Charge", "property": "undo", "value": "10m; }; step Evil => ("}).text
    assert '{ action = charge; undo = "10m; }; step Evil => ("; };' in found


def test_a_flow_is_named_unless_there_is_only_one() -> None:
    op = {"op": "delete", "step": "A", "heal": True}
    text = "flow_run r set A => (DONE -> B); set B => (DONE -> done); flow_run_end"
    assert changed(op, text=text, flow="").text == "flow_run r set B => (DONE -> done); flow_run_end"
    with pytest.raises(EditRefused, match="the text has 2 flows"):
        changed(op, text=f"{text}\n/\n{text.replace('flow_run', 'flow').replace(' r ', ' s ')}", flow="")
    with pytest.raises(EditRefused, match="the text has no flow 'ordr': did you mean 'order'"):
        changed(op, flow="ordr")


def test_only_syntax_errors_of_the_flow_itself_hinder() -> None:
    op = {"op": "rename", "step": "Charge", "to": "Pay"}
    broken = ORDER.replace("=> (PAID -> done", "=> PAID -> done", 1)
    with pytest.raises(FlowUnreadable, match="line 22, column 20") as found:
        edit(broken, "order", msgspec.convert([op], list[Operation]))
    assert found.value.diagnostics[0].line == 22
    other = ORDER + "/\nflow other step => flow_end"
    assert edit(other, "order", msgspec.convert([op], list[Operation])).text.startswith(changed(op).text)
    with pytest.raises(FlowUnreadable):
        edit("flow", "order", msgspec.convert([op], list[Operation]))


def test_lines_end_as_they_do_in_the_text() -> None:
    found = changed(ADD, text=ORDER.replace("\n", "\r\n")).text
    assert found == changed(ADD).text.replace("\n", "\r\n")


def many(count: int) -> str:
    """Return a flow of so many steps."""
    steps = (f"    step S{n} => (SENT -> S{n + 1} | LOST -> stopped) {{ action = notify; }};\n" for n in range(count))
    return f"{ACTIONS}flow f\n{''.join(steps)}    step S{count} => (SENT -> done) {{ action = notify; }};\nflow_end\n"


def test_many_changes_of_one_name_take_no_longer_than_others() -> None:
    text = many(1_000).replace("LOST -> stopped", "LOST -> S7")
    value = {"op": "set", "step": "S9", "property": "save", "value": '(x = ${ $error.step = "S7" })'}
    there, back = {"op": "rename", "step": "S7", "to": "T"}, {"op": "rename", "step": "T", "to": "S7"}
    began = time.process_time()
    found = changed(*[value, there, back] * 333, text=text, flow="f")
    assert time.process_time() - began < 5
    assert len(found.edits) == 1


def test_many_operations_on_many_steps_take_seconds() -> None:
    text = many(1_000)
    ops: list[dict[str, Any]] = [
        {"op": "rename", "step": "S500", "to": "Middle"},
        *({"op": "add", "kind": "set", "name": f"A{n}", "after": f"S{n}"} for n in range(0, 400, 2)),
        *({"op": "route", "step": f"S{n}", "state": "LOST", "to": "Middle"} for n in range(0, 400, 2)),
        *({"op": "delete", "step": f"S{n}", "heal": True} for n in range(1, 400, 2)),
    ]
    began = time.process_time()
    found = changed(*ops, text=text, flow="f")
    assert time.process_time() - began < 5
    assert found.text.count("set A") == 200
