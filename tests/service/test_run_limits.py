"""Limits of one decision, from both sides: beyond a limit the step returns ERROR, and no run gets stuck."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from chalicelib import expressions
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.received_events import REMEMBERED_EVENTS, take, taken_until, took
from chalicelib.engine.steps import each
from chalicelib.engine.steps.call import MAX_CHILD_NAME, child_name
from chalicelib.engine.steps.each import MAX_CONCURRENT_ITEMS, MAX_ITEMS, MAX_STEPS_PER_TRANSITION
from chalicelib.engine.steps.waits import MAX_WAIT_MS
from chalicelib.engine.token_moves import ENTRY_STEPS, MAX_PASSES
from chalicelib.engine.values.size_limits import MAX_VALUE_BYTES, fit
from chalicelib.expressions import Draw, meter
from chalicelib.expressions.syntax.stream import MAX_NESTING
from chalicelib.model.json_values import Json
from chalicelib.model.status import Status
from chalicelib.service.deliveries.webhook_client import MAX_REQUEST_BYTES
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.runs.children import MAX_CALL_DEPTH
from chalicelib.service.runs.start import KEY_TTL_MS, StartOrder
from tests.engine.flows import TWO_STEPS, begun
from tests.hosts import NS, Host

HALF = "x" * (MAX_VALUE_BYTES // 2)

WORK = 'action work addr = "http://work.test/"; args = (any x = null); return = (OK); action_end\n/\n'


def told(flow: str, **given: Json) -> Host:
    """Run the flow until it waits or ends. Its actions answer with their args."""
    host = Host()
    host.submit(WORK + flow)
    host.start("f", **given)
    host.settle()
    return host


SORRY = "set Sorry => (DONE -> done) { save = (sorry = true); };"

TOO_MUCH: list[tuple[str, str]] = [
    (
        "variables that are saved",
        "set A => (DONE -> B | ERROR -> Sorry) { save = (a = ${ $input.x }); };"
        "set B => (DONE -> done | ERROR -> Sorry) { save = (b = ${ $input.x & '----' }); };",
    ),
    (
        "what branches return",
        "fork F => (DONE -> done | FAIL -> stopped | ERROR -> Sorry) {"
        " branch a { step A => (OK -> done) { action = work; args = (x = ${ $input.x }); }; };"
        " branch b { step B => (OK -> done) { action = work; args = (x = ${ $input.x }); }; }; };",
    ),
    (
        "what items return",
        "each E => (DONE -> done | FAIL -> stopped | ERROR -> Sorry) { items = [1, 2];"
        " step A => (OK -> done) { action = work; args = (x = ${ $input.x }); }; };",
    ),
]


@pytest.mark.parametrize(("what", "steps"), TOO_MUCH, ids=[what for what, _ in TOO_MUCH])
def test_what_a_flow_computes_may_be_so_large_and_no_larger(what: str, steps: str) -> None:
    """Two values of a little less than half the limit each, then of a little more."""
    flow = f"flow f input = (str x); output = 1; {steps} {SORRY} flow_end"
    assert told(flow, x=HALF[:-100]).path()[-2] != "Sorry"
    host = told(flow, x=HALF)
    assert (host.path()[-2], host.run().status) == ("Sorry", Status.SUCCEEDED)
    assert any(str(MAX_VALUE_BYTES) in entry.error for entry in host.services.reader.history(NS, "r", 0, 100))


def test_an_output_may_be_so_large_and_no_larger() -> None:
    output = "output = [${ $input.x }, ${ $input.x }];"
    flow = f"flow f input = (str x); {output} wait W => (DONE -> done) {{ for = 1ms; }}; flow_end"
    for text, status in ((HALF[:-100], Status.SUCCEEDED), (HALF, Status.FAILED)):
        host = told(flow, x=text)
        host.pass_time(1_000)
        assert host.run().status is status
    assert str(MAX_VALUE_BYTES) in host.run().last_err


def test_sizes_are_those_of_json() -> None:
    fit("it", "x" * (MAX_VALUE_BYTES - 2))
    fit("it", "\x00" * (MAX_VALUE_BYTES // 6))
    for value in ("x" * (MAX_VALUE_BYTES - 1), "\x00" * (MAX_VALUE_BYTES // 6 + 1)):
        with pytest.raises(ExpressionFailed, match=str(MAX_VALUE_BYTES)):
            fit("it", value)


@pytest.mark.parametrize(("items", "path"), [(MAX_ITEMS, "done"), (MAX_ITEMS + 1, "Sorry")])
def test_an_each_has_so_many_items_and_no_more(items: int, path: str) -> None:
    """Only the first items are started."""
    host = Host()
    each = "each E => (DONE -> done | FAIL -> stopped | ERROR -> Sorry) { items = ${ [1..$input.n] };"
    item = "step A => (OK -> done) { action = work; }; };"
    host.submit(f"{WORK} flow f input = (int n); {each} {item} {SORRY} flow_end")
    host.start("f", n=items)
    assert ("Sorry" in host.path()) is (path == "Sorry")
    assert len(host.run().tokens) == (0 if path == "Sorry" else 1 + MAX_CONCURRENT_ITEMS)


@pytest.mark.parametrize("items", [MAX_STEPS_PER_TRANSITION, 3 * MAX_STEPS_PER_TRANSITION])
def test_items_that_wait_for_nothing_go_on_in_moves_of_their_own(items: int) -> None:
    host = Host()
    host.submit(
        "flow f input = (list xs); each E => (DONE -> done | FAIL -> stopped) { items = ${ $input.xs };"
        " set A => (DONE -> done) { save = (x = 1); }; }; flow_end"
    )
    host.start("f", xs=list(range(items)))
    assert host.run().seq <= MAX_STEPS_PER_TRANSITION + MAX_CONCURRENT_ITEMS + 1
    host.settle()
    run = host.run()
    assert (run.status, len(run.output)) == (Status.SUCCEEDED, items)
    assert run.version == -(-items // MAX_STEPS_PER_TRANSITION)


@pytest.mark.parametrize(("tokens", "at_once"), [(1_000, 25), (20, 16), (1, 1)])
def test_nested_eaches_multiply_to_so_many_tokens_and_all_items_have_their_turn(
    tokens: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five items of five items; the run itself and each outer item are tokens too."""
    monkeypatch.setattr(each, "MAX_TOKENS", tokens)
    host = Host()
    head = "=> (DONE -> done | FAIL -> stopped) { items = [1, 2, 3, 4, 5];"
    host.submit(
        f"{WORK} flow f each O {head} each I {head} step A => (OK -> done) {{ action = work; }}; }}; }}; flow_end"
    )
    host.start("f")
    out = sum(token.step == "A" for token in host.run().tokens)
    assert out == at_once
    host.settle()
    assert host.run().status is Status.SUCCEEDED
    assert len(host.actions.calls) == 25


@pytest.mark.parametrize(("wait", "state"), [(MAX_WAIT_MS, "Waits"), (MAX_WAIT_MS + 1, "Sorry")])
def test_a_computed_wait_is_so_long_and_no_longer(wait: int, state: str) -> None:
    steps = f"wait Waits => (DONE -> done | ERROR -> Sorry) {{ for = ${{ $input.n }}; }}; {SORRY}"
    host = told(f"flow f input = (int n); {steps} flow_end", n=wait)
    assert (state == "Sorry") is ("Sorry" in host.path())


def test_a_child_s_name_is_short_however_long_the_row() -> None:
    run = begun(TWO_STEPS).run
    names = [child_name(run, "s" * 128, "0" * 36)]
    for _ in range(32):
        names.append(child_name(replace(run, name=names[-1]), "s" * 128, "0" * 36))
    assert max(map(len, names)) <= MAX_CHILD_NAME
    assert len(set(names)) == len(names)
    assert names[0] == f"{run.name}.{'s' * 128}.{'0' * 36}"


def test_so_many_events_of_a_name_are_remembered_one_by_one() -> None:
    run = begun(TWO_STEPS).run
    for number in range(REMEMBERED_EVENTS):
        run = replace(run, received=take(run, "n", "", f"{number + 10:03}"))
    assert not took(replace(run, received={k: v[:-1] for k, v in run.received.items()}), "n", "", "000")
    assert took(run, "n", "", "000")
    assert all(took(run, "n", "", f"{number + 10:03}") for number in range(REMEMBERED_EVENTS))
    assert not took(run, "n", "", "999")


def test_events_are_looked_for_from_where_all_are_taken() -> None:
    run = begun(TWO_STEPS).run
    for number in range(2 * REMEMBERED_EVENTS):
        assert taken_until(run, "n", "") == (0 if number < REMEMBERED_EVENTS else number - REMEMBERED_EVENTS)
        run = replace(run, received=take(run, "n", "", f"{number:015}/01234567"))
    assert taken_until(run, "other", "") == 0


# ── expressions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def steps_of(source: str) -> int:
    """Return the number of steps of an evaluation."""
    return expressions.compile(source).measure({}, Draw()).steps


def loop(rounds: int | str) -> str:
    return f"($f := function($n) {{ $n = 0 ? 1 : $f($n - 1) }}; $f({rounds}))"


def evaluated(source: str) -> Json:
    return expressions.evaluate(source, {}, Draw())


def test_an_expression_takes_so_many_steps_and_no_more() -> None:
    each = (steps_of(loop(1_100)) - steps_of(loop(100))) // 1_000
    most = (meter.MAX_STEPS - steps_of(loop(0))) // each
    assert meter.MAX_STEPS - each <= steps_of(loop(most)) <= meter.MAX_STEPS
    with pytest.raises(expressions.ExpressionFailed, match=f"{meter.MAX_STEPS:,} steps"):
        evaluated(loop(most + 1))


def test_the_expressions_of_one_move_take_so_many_steps_together_and_no_more() -> None:
    """One evaluation may begin while any steps are left, and then takes as many as it needs."""
    full = loop(30_000)
    allowed = -(-meter.MAX_STEPS_TOGETHER // steps_of(full))
    with expressions.together():
        for _ in range(allowed):
            assert evaluated(full) == 1
        with pytest.raises(expressions.ExpressionFailed, match=f"{meter.MAX_STEPS_TOGETHER:,} steps"):
            evaluated("1 + 1")
    assert evaluated("1 + 1") == 2


SIDES: list[tuple[str, str, int, str]] = [
    ("items of an array", "$count([1..{}])", meter.MAX_ITEMS, "items"),
    ("characters of a text", "$length($pad('', {}, 'x'))", meter.MAX_TEXT, "characters"),
]


@pytest.mark.parametrize(("what", "source", "limit", "unit"), SIDES, ids=[what for what, *_ in SIDES])
def test_a_value_is_so_large_and_no_larger(what: str, source: str, limit: int, unit: str) -> None:
    assert evaluated(source.format(limit)) == limit
    with pytest.raises(expressions.ExpressionFailed, match=f"{limit:,} {unit}"):
        evaluated(source.format(limit + 1))


def test_an_expression_is_nested_so_deeply_and_no_more_deeply() -> None:
    def brackets(depth: int) -> str:
        return "[" * depth + "1" + "]" * depth

    depths = range(MAX_NESTING - 9, MAX_NESTING + 9)
    deepest = max(depth for depth in depths if expressions.problem_in(brackets(depth)) is None)
    assert MAX_NESTING - 2 <= deepest <= MAX_NESTING


# ── rows, loops, requests ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("calls", "status"), [(MAX_CALL_DEPTH, Status.SUCCEEDED), (MAX_CALL_DEPTH + 1, Status.FAILED)])
def test_so_many_runs_wait_for_one_another_and_no_more(calls: int, status: Status) -> None:
    host = Host()
    flows = [
        f"flow f{n} call A => (DONE -> done | STOPPED -> stopped) {{ flow = f{n + 1}; }}; flow_end"
        for n in range(calls)
    ]
    host.submit("\n/\n".join([*flows, f"flow f{calls} set A => (DONE -> done) {{ save = (x = 1); }}; flow_end"]))
    host.start("f0")
    host.settle()
    assert host.run().status is status
    views, _ = host.services.reader.views(NS, RunQuery())
    assert len(views) == 1 + min(calls, MAX_CALL_DEPTH)
    assert any(f"nested more than {MAX_CALL_DEPTH} deep" in view.run.last_err for view in views) is (
        status is Status.FAILED
    )


@pytest.mark.parametrize(("rounds", "status"), [(MAX_PASSES - 2, Status.SUCCEEDED), (MAX_PASSES - 1, Status.FAILED)])
def test_a_step_is_passed_so_often_without_a_wait_and_no_more(rounds: int, status: Status) -> None:
    host = told(
        "flow f input = (int n); vars = (i = 0);"
        " deci D => (when ${ $vars.i < $input.n } -> C | else -> done);"
        " wait C => (DONE -> D | TIMEOUT -> stopped) { condition = ${ true }; save = (i = ${ $vars.i + 1 }); };"
        " flow_end",
        n=rounds,
    )
    assert host.run().status is status
    assert (f"passed {MAX_PASSES} times" in host.run().last_err) is (status is Status.FAILED)


def test_a_move_computes_so_much_and_no_more() -> None:
    """When expressions have used up what one transition may compute, few more steps are entered, and the run fails."""
    chain = "".join(f"set C{n} => (DONE -> C{n + 1});" for n in range(20))
    host = told(
        "flow f input = (int n); vars = (x = 0);"
        f" set A => (DONE -> C0 | ERROR -> C0) {{ save = (x = ${{ {loop('$input.n')} }}); }}; {chain}"
        " set C20 => (DONE when ${ $vars.x = -1 } -> done | DONE -> A | ERROR -> A); flow_end",
        n=30_000,
    )
    run = host.run()
    assert run.status is Status.FAILED
    assert run.last_err.endswith(
        "steps were entered without a wait, and all that one transition may compute is used up"
    )
    evaluated_steps = meter.MAX_STEPS_TOGETHER // steps_of(loop(30_000)) * steps_of(loop(30_000))
    left = meter.MAX_STEPS_TOGETHER + meter.MAX_OVERDRAFT - evaluated_steps
    assert meter.MAX_OVERDRAFT // ENTRY_STEPS // 2 < run.steps <= left // ENTRY_STEPS


def test_work_beside_expressions_is_charged_to_a_move() -> None:
    with expressions.together():
        assert expressions.has_room(meter.MAX_STEPS_TOGETHER - 1)
        assert evaluated("1 + 1") == 2
        with pytest.raises(expressions.ExpressionFailed, match="together"):
            evaluated("1 + 1")
        assert expressions.has_room(meter.MAX_OVERDRAFT - 100)
        assert not expressions.has_room(100)
    assert expressions.has_room(meter.MAX_STEPS_TOGETHER * 2)


@pytest.mark.parametrize("more", [0, 1])
def test_a_request_to_an_action_is_so_large_and_no_larger(more: int) -> None:
    """Args and variables are within their limits, but together exceed the limit of Lambda and API Gateway."""
    flow = (
        "flow f input = (str x, int n); vars = (y = ${ $pad('', $input.n, 'y') });"
        " step A => (OK -> done | ERROR -> Sorry) { action = work; args = (x = ${ $input.x }); };" + SORRY + " flow_end"
    )
    probe = told(flow, x="", n=1)
    room = MAX_REQUEST_BYTES - len(probe.actions.calls[0].body) + 1
    host = told(flow, x="x" * (room // 2 + more), n=room - room // 2)
    assert [len(call.body) for call in host.actions.calls] == ([] if more else [MAX_REQUEST_BYTES])
    assert host.path()[-2:] == (["Sorry", "done"] if more else ["A", "done"])


@pytest.mark.parametrize(("later", "created"), [(KEY_TTL_MS - 1, False), (KEY_TTL_MS, True)])
def test_a_key_gives_the_same_run_back_for_so_long_and_no_longer(later: int, created: bool) -> None:
    host = told("flow f wait W => (DONE -> done) { for = 100h; }; flow_end")
    order = StartOrder(flow="f", key="k")
    first = host.services.starter.start(NS, order)
    host.clock.advance(later)
    again = host.services.starter.start(NS, order)
    assert (again.created, again.run.name == first.run.name) == (created, not created)
