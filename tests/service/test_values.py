"""Values of runs: null and nothing, values that only move, args that are evaluated once, members of variables."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.expressions import NAMES
from chalicelib.model import step_token
from chalicelib.model.json_values import Json, scalar_text
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.model.times import rfc3339
from chalicelib.service.ports.actions import NotTaken, Reply, Taken
from chalicelib.service.runs.answer import Answer
from chalicelib.service.runs.start import StartOrder
from tests.fakes import START
from tests.hosts import NS, Host, accept, answer_at_once

WORK = 'action work addr = "http://work.test/"; args = (any x = null); return = (OK | BAD); action_end\n/\n'
CASES: list[tuple[str, Json, Json]] = [
    ('$input.people[-1].n ?? "none"', {"people": [{"n": "a"}, {"n": "b"}]}, "b"),
    ("-5 ?: 99", {}, -5),
    ("62.5 % 60", {}, 2.5),
    ('"order-" & 5890840712243076', {}, "order-5890840712243076"),
    (
        "$sort($input.rows, function($a, $b) { $a.n > $b.n }).id",
        {"rows": [{"n": 1, "id": "a"}, {"n": 0, "id": "b"}, {"n": 1, "id": "c"}, {"n": 0, "id": "d"}]},
        ["b", "d", "a", "c"],
    ),
]


def ended(flow: str, given: Json = None, script: Any = answer_at_once) -> Run:
    """Return the run of the flow after it has gone as far as it goes."""
    host = begun(flow, given, script)
    host.settle()
    return host.run()


def begun(flow: str, given: Json = None, script: Any = answer_at_once) -> Host:
    host = Host(script)
    host.submit(WORK + flow)
    host.services.starter.start(NS, StartOrder(flow="f", name="r", input={} if given is None else given))
    return host


def value_of(template: str, given: Json = None) -> Json:
    """Return what a variable is that a flow makes of its input."""
    run = ended(f"flow f input = any; set A => (DONE -> done) {{ save = (v = {template}); }}; flow_end", given)
    assert run.status is Status.SUCCEEDED, run.last_err
    return run.vars["v"]


@pytest.mark.parametrize(("source", "given", "expected"), CASES)
def test_an_expression_in_a_flow_gives_what_jsonata_gives(source: str, given: Json, expected: Json) -> None:
    assert value_of(f"${{ {source} }}", given) == expected


# ── null and nothing ─────────────────────────────────────────────────────────────────────────────────────────────────

ORDER = """action charge addr = "http://charge.test/"; return = (CHARGED); undo = refund on CHARGED; action_end
/
action refund addr = "http://refund.test/"; return = (REFUNDED); action_end
/
action ship addr = "http://ship.test/"; return = (SHIPPED); action_end
/
flow f
    output = ${ $result.tracking };
    step Charge => (CHARGED -> Ship) { action = charge; };
    step Ship => (SHIPPED -> done) { action = ship; };
flow_end"""


@pytest.mark.parametrize("data", [{"tracking": None}, {}, None], ids=["null", "nothing", "no data"])
def test_an_order_that_was_shipped_is_not_refunded_because_its_output_is_null(data: Json) -> None:
    sent: list[str] = []

    def script(request: dict[str, Any]) -> Reply:
        sent.append(request["stepName"])
        return Taken({"ackState": request["ackStates"][0], "data": data})

    run = ended(ORDER, script=script)
    assert (run.status, run.output, sent) == (Status.SUCCEEDED, None, ["Charge", "Ship"])


def test_a_paging_loop_ends_at_the_page_without_a_next_one() -> None:
    pages: dict[Json, Json] = {None: {"next": 2}, 2: {"next": 3}, 3: {"next": None}}
    asked: list[Json] = []

    def script(request: dict[str, Any]) -> Reply:
        asked.append(request["x"])
        return Taken({"ackState": "OK", "data": pages[request["x"]]})

    run = ended(
        """flow f
            vars = (next = null);
            step Page => (OK when ${ $vars.next = null } -> done | OK -> Page) {
                action = work; args = (x = ${ $vars.next }); save = (next = ${ $result.next });
            };
        flow_end""",
        script=script,
    )
    assert (run.status, asked) == (Status.SUCCEEDED, [None, 2, 3])


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("${ $input.missing }", None),
        ("${ $input.nil }", None),
        ("[${ $input.missing }, {a: ${ $input.missing }}]", [None, {"a": None}]),
        ("${ $exists($input.nil) }", True),
        ("${ $exists($input.missing) }", False),
    ],
)
def test_what_is_kept_may_be_null(template: str, expected: Json) -> None:
    assert value_of(template, {"nil": None}) == expected


ARGS = """action ask addr = "http://ask.test/"; args = ({args}); return = (OK); action_end
/
flow f input = any;
    step A => (OK -> done | ERROR -> done (output = ${{ $error.name & ": " & $error.cause }})) {{
        action = ask; args = (x = {value});
    }};
flow_end"""


@pytest.mark.parametrize(
    ("args", "value", "sent"),
    [
        ("any x", "${ $input.nil }", None),
        ("any x = 7", "${ $input.nil }", None),
        ("any x = 7", "${ $input.missing }", 7),
        ("any x = 7", "{a: [${ $input.missing }]}", 7),
        ("str x = null", "${ $input.nil }", None),
        ("int x", "${ $input.float }", 7),
        ("float x", "${ $input.float }", 7.0),
    ],
)
def test_an_arg_is_what_its_expression_yields_or_its_default(args: str, value: str, sent: Json) -> None:
    host = begun(ARGS.format(args=args, value=value), {"nil": None, "float": 7.0})
    host.settle()
    [request] = host.actions.requests
    assert json.dumps(request["x"]) == json.dumps(sent)


@pytest.mark.parametrize(
    ("args", "value", "why"),
    [
        ("any x", "${ $input.missing }", "arg 'x' has no value"),
        ("any x", "{a: [${ $input.missing }]}", "arg 'x' has no value"),
        ("str x", "${ $input.nil }", "must be of type str"),
        ("int x", "${ $input.half }", "must be of type int"),
    ],
)
def test_an_arg_that_cannot_be_made_is_an_error_of_the_step_and_nothing_is_sent(
    args: str, value: str, why: str
) -> None:
    host = begun(ARGS.format(args=args, value=value), {"nil": None, "half": 7.5})
    host.settle()
    assert host.actions.requests == []
    assert host.run().output.startswith("ExpressionFailed: ")
    assert why in host.run().output
    assert "DeliveryFailed" not in [entry.event for entry in host.run().tail]


@pytest.mark.parametrize(
    ("items", "expected"),
    [("missing", []), ("nil", [None]), ("one", [{"a": 1}]), ("many", [1, 2]), ("text", ["t"]), ("empty", [])],
)
def test_items_are_a_list_or_one_value_or_none(items: str, expected: Json) -> None:
    run = ended(
        f"""flow f input = any; output = ${{ $result }};
            each E => (DONE -> done | FAIL -> stopped) {{
                items = ${{ $input.{items} }};
                step A => (OK -> done) {{ action = work; args = (x = ${{ $item }}); }};
            }};
        flow_end""",
        {"nil": None, "one": {"a": 1}, "many": [1, 2], "text": "t", "empty": []},
    )
    assert (run.status, run.output) == (Status.SUCCEEDED, expected)


@pytest.mark.parametrize(
    "step", ["for = ${ $input.no };", "until = ${ $input.no };", 'events = (e = "e"); key = ${ $input.no };']
)
def test_a_wait_without_its_duration_moment_or_key_is_an_error(step: str) -> None:
    run = ended(f"flow f input = any; wait A => ({'e' if 'event' in step else 'DONE'} -> done) {{ {step} }}; flow_end")
    assert run.error is not None
    assert (run.status, run.error.name) == (Status.FAILED, "ExpressionFailed")
    assert "yields nothing" in run.error.cause


def test_labels_that_yield_nothing_are_left_out_and_conditions_are_false() -> None:
    run = ended(
        """flow f input = any; labels = (a = ${ $input.a }, n = ${ $input.n });
            deci D => (when ${ $input.a } -> stopped | when ${ $input.nil } -> stopped | else -> done);
        flow_end""",
        {"n": 7, "nil": None},
    )
    assert (run.status, run.labels) == (Status.SUCCEEDED, {"n": 7})


def test_a_called_flow_takes_its_default_for_what_yields_nothing() -> None:
    flow = """flow child input = (int a = 5, any b = 6); output = ${ $input }; set A => (DONE -> done); flow_end
        /
        flow f input = any; output = ${ $result };
            call C => (DONE -> done) { flow = child; input = (a = ${ $input.missing }, b = ${ $input.nil }); };
        flow_end"""
    assert ended(flow, {"nil": None}).output == {"a": 5, "b": None}


# ── values that only move ────────────────────────────────────────────────────────────────────────────────────────────

MOVED = {
    "large": 123456789012345678901234567890,
    "negative": -9007199254740993,
    "float": 7.0,
    "text": "0012",
    "json": '{"a": 1}',
    "list": [7.0, 1, [2.0]],
}


@pytest.mark.parametrize("name", MOVED)
def test_a_value_that_only_moves_is_not_changed(name: str) -> None:
    flow = """flow child input = any; output = ${ $input }; set A => (DONE -> done); flow_end
        /
        flow f input = any; output = ${ $vars.kept };
            call C => (DONE -> A) { flow = child; input = ${ $input.v }; save = (kept = ${ $result }); };
            step A => (OK -> done) { action = work; args = (x = ${ $vars.kept }); };
        flow_end"""
    host = begun(flow, {"v": MOVED[name]})
    host.settle()
    assert json.dumps(host.run().output) == json.dumps(MOVED[name])
    assert json.dumps(host.actions.requests[0]["x"]) == json.dumps(MOVED[name])


@pytest.mark.parametrize(
    ("answered", "result"),
    [('{"a": [1.0]}', {"a": [1.0]}), (" [1]", [1]), ("12", "12"), ("true", "true"), ('"x"', '"x"'), ("{no", "{no")],
)
def test_text_that_an_action_answers_is_read_if_it_holds_an_object_or_an_array(answered: str, result: Json) -> None:
    flow = "flow f step A => (OK -> done) { action = work; }; flow_end"
    run = ended(flow, script=lambda _: Taken({"ackState": "OK", "data": answered}))
    assert json.dumps(run.output) == json.dumps(result)


def test_data_of_an_event_is_not_read() -> None:
    host = begun('flow f wait W => (GO -> done) { events = (GO = "go"); }; flow_end')
    host.settle()
    host.services.signaler.publish(NS, "go", data='{"a": 1}')
    host.settle()
    assert host.run().output == '{"a": 1}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        (7.0, "7"),
        (0.5, "0.5"),
        (2**53, "9007199254740992"),
        (float(2**53), "9007199254740992"),
        (True, "true"),
    ],
)
def test_scalars_as_text(value: float, text: str) -> None:
    assert scalar_text(value) == text


# ── args once ────────────────────────────────────────────────────────────────────────────────────────────────────────

ONCE = """action ask addr = "http://ask.test/"; args = (any n, any id, any now); return = (OK); action_end
/
flow f
    vars = (n = 1);
    output = ${ $result };
    fork F => (DONE -> done | FAIL -> stopped) {
        branch a {
            step Ask => (OK -> done) {
                action = ask;
                args = (n = ${ $vars.n }, id = ${ $uuid() }, now = ${ $now() });
                retry = (max = 9, delay = 20s, rate = 1.0);
            };
        };
        branch b {
            step Work => (OK -> Set) { action = work; };
            set Set => (DONE -> done) { save = (n = ${ $vars.n + 1 }, other = "new"); };
        };
    };
flow_end"""


def test_every_delivery_of_an_activation_sends_the_same_bytes() -> None:
    """Between the deliveries another branch saves, the action reports progress, and a person sets variables."""
    bodies: list[bytes] = []

    def script(request: dict[str, Any]) -> Reply:
        if request["stepName"] != "Ask":
            return Taken()
        bodies.append(json.dumps(request).encode())
        return NotTaken("it is down", final=False) if len(bodies) < 4 else Taken()

    host = begun(ONCE, script=script)
    host.settle()
    host.answer("Work", "OK")
    host.pass_time(2_000)
    uuid = host.uuid("Ask")
    report = Answer(run="r", step="Ask", uuid=uuid, state="OK", done=False, data=None, variables={"n": 70, "p": 1})
    host.services.answerer.answer(NS, report)
    host.pass_time(10_000)
    host.services.operator.set_vars(NS, "r", {"n": 700, "q": None})
    host.pass_time(60_000)
    assert len(bodies) >= 3
    assert len(set(bodies)) == 1
    assert json.loads(bodies[0])["globalVariables"] == {"n": 1}
    assert host.run().vars["n"] == 700


def test_random_values_differ_between_args_and_activations() -> None:
    flow = """flow f step A => (OK -> B) { action = work; args = (x = [${ $uuid() }, ${ $uuid() }]); };
        step B => (OK -> done) { action = work; args = (x = [${ $uuid() }, ${ $random() }]); }; flow_end"""
    host = begun(flow)
    host.settle()
    drawn = [value for request in host.actions.requests for value in request["x"]]
    assert len(set(drawn)) == 4


def test_args_that_never_change_are_not_stored() -> None:
    flow = """action ask addr = "http://ask.test/"; args = (any a, any b, any c); return = (OK); action_end
        /
        flow f input = (any v); vars = (w = 2);
            step A => (OK -> done) { action = ask; args = (a = 1, b = ${ $input.v }, c = ${ $vars.w }); };
        flow_end"""
    host = begun(flow, {"v": "x"}, accept)
    host.settle()
    activation = host.run().tokens[0].activation
    assert activation is not None
    assert (activation.args, activation.old_vars) == ({"c": 2}, {})
    assert [host.actions.requests[0][name] for name in "abc"] == [1, "x", 2]


def test_an_undo_gets_the_args_that_the_step_was_sent() -> None:
    flow = """action pay addr = "http://pay.test/"; args = (any x); return = (OK); undo = back on OK; action_end
        /
        action back addr = "http://back.test/"; args = (any x); return = (DONE); action_end
        /
        flow f vars = (n = 1);
            step Pay => (OK -> stopped) { action = pay; args = (x = ${ $vars.n }); save = (n = 99); };
        flow_end"""
    host = begun(flow, script=accept)
    host.settle()
    report = Answer(run="r", step="Pay", uuid=host.uuid("Pay"), state="OK", done=False, data=None, variables={"n": 50})
    host.services.answerer.answer(NS, report)
    host.answer("Pay", "OK")
    host.settle()
    assert [request["x"] for request in host.actions.requests] == [1, 1]


# ── members, items, steps ────────────────────────────────────────────────────────────────────────────────────────────


def test_save_sets_members_and_makes_missing_maps() -> None:
    run = ended(
        """flow f vars = (a = {b: {keep: 1}});
            set A => (DONE -> done) { save = (a.b.c = 2, x.y = ${ $vars.a.b.keep }, a.b.d = ${ $vars.missing }); };
        flow_end"""
    )
    assert run.vars == {"a": {"b": {"keep": 1, "c": 2, "d": None}}, "x": {"y": 1}}


def test_a_member_of_what_is_no_map_is_an_error_and_nothing_is_saved() -> None:
    run = ended("flow f vars = (a = {b: 7}); set A => (DONE -> done) { save = (n = 1, a.b.c = 2); }; flow_end")
    assert run.error is not None
    assert (run.status, run.vars) == (Status.FAILED, {"a": {"b": 7}})
    assert run.error.cause == "cannot save 'a.b.c': 'a.b' is 7, not a map"


def test_index_and_item_are_known_in_branches_within_an_item() -> None:
    run = ended(
        """flow f output = ${ $result };
            each E => (DONE -> done | FAIL -> stopped) {
                items = ["p", "q"];
                fork F => (DONE -> done | FAIL -> stopped) {
                    branch a { step A => (OK -> done) { action = work; args = (x = ${ $index & $item }); }; };
                };
            };
        flow_end"""
    )
    assert run.output == [{"a": "0p"}, {"a": "1q"}]


def test_step_names_the_activation() -> None:
    host = begun(
        "flow f step A => (OK -> done) { action = work; args = (x = ${ $step }); save = (s = ${ $step }); }; flow_end",
        script=accept,
    )
    host.settle()
    uuid = host.uuid("A")
    host.answer("A", "OK")
    saved = host.run().vars["s"]
    assert saved == host.actions.requests[0]["x"]
    assert (saved["name"], saved["uuid"], saved["attempt"]) == ("A", uuid, 0)
    assert saved["entered_at"] == rfc3339(START)
    assert step_token.decode(saved["token"]) == (NS, "r", uuid)


def test_every_step_that_waits_knows_its_activation_when_it_is_entered() -> None:
    host = begun(
        """flow f
            wait A => (GO -> B) { events = (GO = "go"); key = ${ $step.uuid }; save = (a = ${ $step.uuid }); };
            emit B => (DONE -> C) { event = "b"; data = ${ $step }; save = (b = ${ $step }); };
            each C => (DONE -> D) {
                items = ${ [$step.uuid] }; save = (c = [${ $step.uuid }, ${ $result }]);
                set One => (DONE -> done (output = ${ $item }));
            };
            start D => (DONE -> E) {
                flow = g; input = (x = ${ $step.uuid }); name = ${ $step.uuid }; save = (d = ${ $step.uuid });
            };
            set E => (DONE -> done) { save = (e = ${ $step }); };
        flow_end
        / flow g input = (str x); wait A => (DONE -> done) { for = 1d; }; flow_end"""
    )
    host.settle()
    host.services.signaler.publish(NS, "go", key=host.uuid("A"))
    host.settle()
    run = host.run()
    assert run.status is Status.SUCCEEDED
    (sent,) = [signal.data for signal in host.store.signals.list(NS, host.clock.now(), 10) if signal.name == "b"]
    saved = run.vars
    assert (sent, saved["c"][1]) == (saved["b"], [saved["c"][0]])
    assert host.run(saved["d"]).input == {"x": saved["d"]}
    assert len({saved["a"], saved["b"]["uuid"], saved["c"][0], saved["d"]}) == 4
    assert saved["e"] == {"name": "E", "attempt": 0, "entered_at": rfc3339(START)}


def test_step_says_how_often_it_was_repeated() -> None:
    host = begun(
        """flow f vars = (seen = []);
            step A => (OK -> done) {
                action = work; args = (x = ${ $step.attempt });
                save = (seen = ${ $append($vars.seen, $step.attempt) });
                repeat = (OK when ${ $step.attempt < 2 } -> (max = 9, delay = 1s));
            };
        flow_end"""
    )
    host.pass_time(60_000)
    assert [request["x"] for request in host.actions.requests] == [0, 1, 2]
    assert host.run().vars == {"seen": [2]}


@pytest.mark.parametrize(("kind", "wrong"), [("map", [1]), ("list", {"a": 1})])
def test_an_input_of_one_value_has_its_type(kind: str, wrong: Json) -> None:
    with pytest.raises(Exception, match=f"must be of type {kind}"):
        begun(f"flow f input = {kind}; set A => (DONE -> done); flow_end", wrong)


def test_names_that_are_bound_are_names_of_the_language() -> None:
    assert {"step", "index", "item"} <= NAMES
