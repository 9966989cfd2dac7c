"""Variables of scopes: of a fork, of its branches, and of each item."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.adapters.virtual import Script
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.service.ports.actions import NotTaken, Reply, Taken
from chalicelib.service.runs.references import offload_head
from tests.hosts import NS, Host, accept, answer_at_once

WORK = """
action work addr = "http://work.test/"; args = (any x = null); return = (OK | BAD); action_end
/
action back addr = "http://back.test/"; args = (any x = null, any v = null); return = (OK); action_end
/
action safe addr = "http://safe.test/"; args = (secret any x = null); return = (OK | BAD); action_end
/
"""


def begun(flow: str, script: Script = answer_at_once, **given: Json) -> Host:
    host = Host(script)
    host.submit(WORK + flow)
    host.start("f", **given)
    host.settle()
    return host


def ended(flow: str, script: Script = answer_at_once, **given: Json) -> Run:
    return begun(flow, script, **given).run()


def always(state: str) -> Script:
    return lambda _: Taken({"ackState": state})


TRIES = """flow f input = any; vars = (tries = 100);
    each E => (DONE -> done | FAIL -> stopped) {
        items = ["a", "b", "c"]; tolerate = 3; vars = (tries = 0);
        step S => (OK -> done | BAD when ${ $vars.tries < 3 } -> S | BAD -> stopped) {
            action = work; args = (x = ${ $item }); save = (tries = ${ $vars.tries + 1 });
        };
    };
flow_end"""


def test_every_item_counts_its_own_tries() -> None:
    host = begun(TRIES, always("BAD"))
    sent = [request["x"] for request in host.actions.requests]
    assert {item: sent.count(item) for item in "abc"} == {"a": 3, "b": 3, "c": 3}
    assert host.run().vars == {"tries": 100}


@pytest.mark.parametrize("first", ["a", "b"])
def test_the_branches_of_a_fork_share_its_variables_and_have_their_own(first: str) -> None:
    other = {"a": "b", "b": "a"}[first]
    flow = f"""flow f input = any; vars = (n = 1, own = "run");
        fork F => (DONE -> done) {{
            vars = (n = ${{ $vars.n * 10 }}); save = (total = ${{ $vars.n }}, out = ${{ $result }});
            branch {first} {{ vars = (own = ${{ "of " & $vars.n }});
                step A => (OK -> done (output = ${{ $vars.own }})) {{
                    action = work; save = (n = ${{ $vars.n + 1 }}); }}; }};
            branch {other} {{
                step B => (OK -> done (output = ${{ $vars.own }})) {{
                    action = work; save = (n = ${{ $vars.n + 1 }}); }}; }};
        }};
    flow_end"""
    run = ended(flow)
    assert run.vars == {"n": 1, "own": "run", "total": 12, "out": {first: "of 10", other: "run"}}


def test_a_fork_begins_anew_each_time_it_is_entered() -> None:
    flow = """flow f input = any; vars = (rounds = 0, seen = []);
        fork F => (DONE when ${ $vars.rounds < 3 } -> F | DONE -> done) {
            vars = (n = 0);
            save = (rounds = ${ $vars.rounds + 1 }, seen = ${ $append($vars.seen, $vars.n) });
            branch a { step A => (OK -> done) { action = work; save = (n = ${ $vars.n + 1 }); }; };
            branch b { step B => (OK -> done) { action = work; save = (n = ${ $vars.n + 1 }); }; };
        };
    flow_end"""
    assert ended(flow).vars == {"rounds": 3, "seen": [2, 2, 2]}


def test_a_fork_that_is_repeated_begins_anew() -> None:
    flow = """flow f input = any; vars = (times = 0, seen = null);
        fork F => (DONE -> done | FAIL -> done) {
            vars = (n = 0); repeat = (FAIL -> (max = 2, delay = 1s)); save = (seen = ${ $vars.n });
            branch a { step A => (OK -> done | BAD -> stopped) { action = work;
                save = (n = ${ $vars.n + 1 }, times = ${ $vars.times + 1 }); }; };
        };
    flow_end"""
    host = begun(flow, always("BAD"))
    host.pass_time(60_000)
    assert host.run().vars == {"times": 3, "seen": 1}


def test_what_a_fork_sets_when_it_returns_belongs_to_the_scope_around() -> None:
    flow = """flow f input = any; vars = (x = "outer");
        fork F => (DONE -> Next (y = ${ $vars.x & "!" })) {
            vars = (x = "inner"); save = (x = ${ $vars.x & "?" });
            branch a { set A => (DONE -> done) { save = (x = ${ $vars.x & "+" }); }; };
        };
        set Next => (DONE -> done) { save = (z = ${ $vars.x }); };
    flow_end"""
    assert ended(flow).vars == {"x": "inner+?", "y": "inner+!", "z": "inner+?"}


def test_the_innermost_scope_that_declares_a_variable_is_meant() -> None:
    flow = """flow f input = any; vars = (n = 0, out = null);
        each Outer => (DONE -> done) {
            items = [1, 2]; max = 1; vars = (n = ${ $item * 100 }, m = ${ $index }); save = (out = ${ $result });
            each Inner => (DONE -> done (output = ${ { "n": $vars.n, "m": $vars.m, "in": $result } })) {
                items = [7, 8]; max = 1; vars = (n = ${ $vars.n + $item });
                step S => (OK -> done (output = ${ $vars.n })) {
                    action = work; save = (n = ${ $vars.n + 1000 }, m = ${ $vars.m + 10 }, free = ${ $vars.n });
                };
            };
        };
    flow_end"""
    run = ended(flow)
    assert run.vars["out"] == [{"n": 100, "m": 20, "in": [1107, 1108]}, {"n": 200, "m": 21, "in": [1207, 1208]}]
    assert (run.vars["n"], run.vars["free"]) == (0, 208)


def test_a_branch_in_an_item_sees_both_scopes_and_members_are_set_where_the_variable_is() -> None:
    flow = """flow f input = any; vars = (seen = null);
        each E => (DONE -> done) {
            items = ["p", "q"]; vars = (log = {}); save = (seen = ${ $result });
            fork F => (DONE -> done (output = ${ $vars.log })) {
                branch a { set A => (DONE -> done) { save = (log.a.item = ${ $item }); }; };
                branch b { set B => (DONE -> done) { save = (log.b.index = ${ $index }); }; };
            };
        };
    flow_end"""
    logs = ended(flow).vars["seen"]
    assert logs == [{"a": {"item": "p"}, "b": {"index": 0}}, {"a": {"item": "q"}, "b": {"index": 1}}]


def test_an_answer_writes_the_innermost_scope_and_a_person_the_run() -> None:
    flow = """flow f input = any; vars = (n = "run");
        fork F => (DONE -> done) { save = (got = ${ $result });
            branch a { vars = (n = "branch");
                step A => (OK -> B) { action = work; };
                step B => (OK -> done (output = ${ $vars })) { action = work; }; };
        };
    flow_end"""
    host = begun(flow, accept)
    host.services.operator.set_vars(NS, "r", {"n": "person"}, by="p")
    host.actions.script = lambda _: Taken({"ackState": "OK", "globalVariables": {"n": "answer", "new": 1}})
    host.answer("A", "OK")
    host.settle()
    run = host.run()
    assert run.vars["got"] == {"a": {"n": "answer", "new": 1}}
    assert (run.vars["n"], run.vars["new"]) == ("person", 1)


def test_a_service_receives_the_variables_that_the_token_sees_and_every_delivery_the_same() -> None:
    failing: list[Any] = []

    def script(request: dict[str, Any]) -> Reply:
        if request["stepName"] == "Slow" and len(failing) < 2:
            failing.append(request)
            return NotTaken("503", final=False)
        if request["stepName"] == "Slow":
            failing.append(request)
        return answer_at_once(request)

    flow = """flow f input = any; vars = (n = 0, m = 0, only = "run");
        fork F => (DONE -> done) {
            vars = (m = 5);
            branch slow { vars = (n = 7);
                step Slow => (OK -> done) { action = work; retry = (max = 5, delay = 10s); }; };
            branch fast {
                step Fast => (OK -> Wait) { action = work; save = (n = 1, m = 6, only = "changed", late = 1); };
                wait Wait => (DONE -> Again) { for = 1s; };
                step Again => (OK -> done) { action = work; save = (m = 9); };
            };
        };
    flow_end"""
    host = begun(flow, script)
    host.pass_time(120_000)
    sent = [request["globalVariables"] for request in failing]
    assert sent == [{"n": 7, "m": 5, "only": "run"}] * 3
    assert host.run().vars == {"n": 1, "m": 0, "only": "changed", "late": 1}


def test_variables_that_hide_each_other_stay_apart_when_the_outer_one_changes() -> None:
    """The outer `n` changes while a request was sent that saw the inner one."""
    flow = """flow f input = any; vars = (n = "outer");
        fork F => (DONE -> done) {
            branch a { vars = (n = "inner"); step A => (OK -> done) { action = work; args = (x = ${ $vars.n }); }; };
        };
    flow_end"""
    host = begun(flow, lambda _: NotTaken("503", final=False))
    host.services.operator.set_vars(NS, "r", {"n": "changed"}, by="p")
    host.pass_time(600_000)
    assert {request["globalVariables"]["n"] for request in host.actions.requests} == {"inner"}


def test_a_condition_in_a_branch_reads_its_variables() -> None:
    flow = """flow f input = any;
        fork F => (DONE -> done) {
            vars = (ready = false);
            branch a { wait W => (DONE -> done) { condition = ${ $vars.ready }; }; };
            branch b { step B => (OK -> done) { action = work; save = (ready = true); }; };
        };
    flow_end"""
    assert ended(flow).status is Status.SUCCEEDED


# ── when a scope begins and ends ─────────────────────────────────────────────────────────────────────────────────────


def test_an_item_whose_variables_cannot_be_made_fails_and_may_be_tolerated() -> None:
    flow = """flow f input = any; vars = (why = null);
        each E => (DONE -> done) {
            items = [1, "two", 3]; tolerate = 1; save = (out = ${ $result });
            vars = (n = ${ $need($item, "number") * 2 });
            set S => (DONE -> T);
            step T => (OK -> done (output = ${ $vars.n })) { action = work; };
        };
    flow_end"""
    host = begun(flow)
    assert (host.run().status, host.run().vars["out"]) == (Status.SUCCEEDED, [2, None, 6])
    failed = [entry for entry in host.services.reader.history(NS, "r", 0, 100) if entry.event == "StepFailed"]
    assert [(entry.step, entry.error_name) for entry in failed] == [("S", "ExpressionFailed")]
    assert "the variables of item 1 could not be made" in failed[0].error


def test_a_branch_whose_variables_cannot_be_made_fails() -> None:
    flow = """flow f input = any; vars = (why = null);
        fork F => (DONE -> done | FAIL -> done (output = ${ $error })) {
            branch a { vars = (n = ${ $need($input.gone) }); step A => (OK -> done) { action = work; }; };
        };
    flow_end"""
    run = ended(flow)
    assert (run.output["name"], run.output["step"]) == ("ExpressionFailed", "A")
    assert "the variables of branch 'a'" in run.output["cause"]


def test_a_fork_whose_variables_cannot_be_made_returns_error() -> None:
    flow = """flow f input = any; vars = (why = null);
        fork F => (DONE -> done | ERROR -> done (output = ${ $error.name })) {
            vars = (n = ${ $need($input.gone) });
            branch a { step A => (OK -> done) { action = work; }; };
        };
    flow_end"""
    assert ended(flow).output == "ExpressionFailed"


def test_what_is_saved_in_a_scope_is_taken_back_if_the_return_fails() -> None:
    flow = """flow f input = any;
        fork F => (DONE -> done (output = ${ $result })) {
            branch a { vars = (n = 1);
                step A => (OK when ${ $need($vars.gone) } -> done | ERROR -> B) { action = work; save = (n = 2); };
                step B => (OK -> done (output = ${ $vars.n })) { action = work; };
            };
        };
    flow_end"""
    assert ended(flow).output == {"a": 1}


def test_undo_args_read_the_variables_of_the_scope() -> None:
    flow = """flow f input = any;
        each E => (DONE -> Fail) {
            items = ["a", "b"]; vars = (mark = ${ "m-" & $item });
            step S => (OK -> done) { action = work; undo = back (x = ${ $vars.mark }) on OK; };
        };
        set Fail => (DONE -> stopped);
    flow_end"""
    host = begun(flow)
    assert sorted(request["x"] for request in host.actions.requests if "v" in request) == ["m-a", "m-b"]


def test_scopes_survive_a_pause() -> None:
    flow = """flow f input = any;
        each E => (DONE -> done (output = ${ $result })) {
            items = [1]; vars = (n = 0);
            step A => (OK -> B) { action = work; save = (n = ${ $vars.n + 1 }); };
            step B => (OK -> done (output = ${ $vars.n })) { action = work; save = (n = ${ $vars.n + 1 }); };
        };
    flow_end"""
    host = begun(flow, accept)
    host.services.operator.pause(NS, "r", by="p")
    host.answer("A", "OK")
    host.settle()
    host.services.operator.resume(NS, "r", by="p")
    host.settle()
    host.answer("B", "OK")
    host.settle()
    assert host.run().output == [2]


def test_a_run_that_is_retried_keeps_the_variables_of_its_scopes() -> None:
    flow = """flow f input = any;
        fork F => (DONE -> done (output = ${ { "n": $vars.n, "out": $result } }) | FAIL -> stopped) {
            vars = (n = 0);
            branch a { step A => (OK -> done) { action = work; save = (n = ${ $vars.n + 1 }); }; };
            branch b { vars = (own = 0);
                step B => (OK -> C) { action = work; save = (n = ${ $vars.n + 10 }, own = ${ $vars.own + 1 }); };
                step C => (OK -> done (output = ${ $vars.own }) | BAD -> stopped) { action = work; };
            };
        };
    flow_end"""
    bad = {"C"}
    host = begun(flow, lambda request: Taken({"ackState": "BAD" if request["stepName"] in bad else "OK"}))
    assert host.run().status is Status.FAILED
    bad.clear()
    host.services.operator.retry(NS, "r", by="p")
    host.settle()
    assert host.run().output == {"n": 11, "out": {"a": None, "b": 1}}


# ── secrets and sizes ────────────────────────────────────────────────────────────────────────────────────────────────


def test_secret_variables_of_scopes_are_encrypted_and_not_sent() -> None:
    flow = """flow f input = any; vars = (token = "plain");
        fork F => (DONE -> done (output = ${ $result })) {
            vars = (secret pin = ${ "p-" & $run.name });
            branch a { vars = (secret token = ${ $vars.pin & "!" });
                step A => (OK -> B) {
                    action = safe; args = (x = ${ $vars.token }); save = (token = ${ $vars.pin & "?" });
                };
                step B => (OK -> done) { action = safe; args = (x = ${ $vars.token }); };
            };
            branch b { step C => (OK -> done) { action = work; args = (x = ${ $vars.token }); }; };
        };
    flow_end"""
    host = begun(flow, accept)
    token = next(token for token in host.run().tokens if token.vars)
    fork = next(token for token in host.run().tokens if token.fork_vars)
    held = {**(token.vars or {}), **(fork.fork_vars or {})}
    assert {name: value.keys() for name, value in held.items()} == {"token": {"\0sealed"}, "pin": {"\0sealed"}}
    host.answer("A", "OK")
    host.settle()
    sent = {request["stepName"]: (request["x"], request["globalVariables"]) for request in host.actions.requests}
    assert sent == {"A": ("p-r!", {}), "B": ("p-r?", {}), "C": ("plain", {"token": "plain"})}


def test_large_variables_of_scopes_are_stored_beside_the_head() -> None:
    flow = """flow f input = any;
        fork F => (DONE -> done (output = ${ $length($result.a) })) {
            vars = (big = ${ $join($map([1..3000], function($i) { "abc" })) });
            branch a { vars = (own = ${ $vars.big & "!" });
                step A => (OK -> done (output = ${ $vars.own & $vars.big })) { action = work; }; };
        };
    flow_end"""
    host = begun(flow, accept)
    assert len(offload_head(host.run()).body) < 5_000
    host.answer("A", "OK")
    host.settle()
    assert host.run().output == 18_001
