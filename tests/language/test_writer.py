"""Definitions that are written as FSL keep their meaning when they are read."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.language import KnownNames, Statement, Unreadable, Unwritable, format_text, read, to_fsl
from chalicelib.model.actions import Action, ActionCall, ArgType, Breaker, Limit, Options, Parameter, Retry, Undo
from chalicelib.model.flow import (
    ActionStep,
    Branch,
    CallStep,
    ConditionStep,
    EachStep,
    EmitStep,
    EventStep,
    Flow,
    FlowLimit,
    FlowRun,
    ForkStep,
    Jitter,
    Overflow,
    RepeatRule,
    Route,
    SetStep,
    StartStep,
    Step,
    TimerStep,
)
from chalicelib.model.json_values import decode, encode
from chalicelib.model.statements import Config
from chalicelib.model.templates import expression, reference

TEXTS = [path.read_bytes().decode("utf-8") for path in sorted(Path(__file__).parent.glob("valid/*.fsl"))]
STATEMENTS = [(text, one) for text in TEXTS for one in read(text, KnownNames()).statements]

PARAMETERS = tuple(
    Parameter(name=name, type=ArgType.ANY, required=False)
    for name in ("a", "when", "x y", "done", "TRUE", 'q"', "secret")
)
SECRET = Parameter(name="hidden", type=ArgType.ANY, required=False, default=[reference("a.b")], secret=True)
WORK = Action(name="work", returns=("OK", "else", "NOT OK", "when"), addresses=("http://w",),
              parameters=(*PARAMETERS, SECRET))  # fmt: skip
OTHER = Flow(
    name="other",
    steps=(SetStep(name="S", routes=(Route(state="DONE", target="done"),), save={"a": 1}),),
    input=PARAMETERS,
)


@pytest.mark.parametrize(("text", "statement"), STATEMENTS, ids=lambda one: getattr(one, "name", ""))
def test_a_golden_comes_back_by_way_of_json(text: str, statement: Statement) -> None:
    found = read(text, KnownNames()).statements
    actions = {one.name: one.value for one in found if isinstance(one.value, Action)}
    flows = {one.name: one.value for one in found if isinstance(one.value, Flow)}
    configs = {one.name: one.value for one in found if isinstance(one.value, Config)}
    known = KnownNames(actions, flows, configs=configs)
    value = decode(encode(statement.value), type(statement.value))
    written = to_fsl(value)
    assert format_text(written) == written
    back = [one.value for one in read(written, known).statements]
    assert back == [statement.value]
    assert [encode(one) for one in back] == [encode(statement.value)]


texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=12).filter(lambda text: "`" not in text)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
expressions = st.sampled_from(["$input.a", '{"a": [1, "}"]}', "1 / 2", "/}/", "`}`", "a\n  .b", "$"]).map(expression)
templates = st.recursive(
    scalars | texts | expressions,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(texts.filter(lambda key: not key.startswith("$")), inner, max_size=3)
    ),
    max_leaves=6,
)
args = st.dictionaries(st.sampled_from([one.name for one in PARAMETERS]), templates, max_size=4)
secrets = st.sampled_from(["a", "secret", "pay.api-key", "1.2_3"])
hidden = st.recursive(
    st.sampled_from(["$vars.token", "$input.a"]).map(expression) | secrets.map(reference),
    lambda inner: st.tuples(texts, inner).map(list) | st.dictionaries(st.just("k"), inner, min_size=1),
    max_leaves=3,
)
work_args = st.builds(lambda plain, secret: plain | secret, args, st.dictionaries(st.just("hidden"), hidden))
durations = st.integers(1, 12 * 3_600_000)
waiting = st.none() | durations
retries = st.builds(
    Retry, max=st.integers(1, 50), delay=durations, rate=st.floats(1, 9), cap=durations | st.just(300_000)
)
options = st.builds(
    Options,
    timeout=st.none() | durations,
    heartbeat=st.none() | durations,
    retry=st.none() | retries,
    limit=st.none()
    | st.builds(Limit, concurrent=st.none() | st.integers(1, 9), per_second=st.none() | st.floats(0.1, 9))
    | st.builds(Limit, concurrent=st.integers(1, 9), per_second=st.just(0.5), burst=st.integers(1, 9), key=expressions),
    headers=st.dictionaries(st.sampled_from(["X-A", "when"]), st.sampled_from(["", 'a "b"', "TRUE"])),
    secret_headers=st.dictionaries(st.sampled_from(["X-B", "secret"]), secrets),
    approval=st.booleans(),
    signed=st.booleans(),
)
undo_states = st.sampled_from([("OK",), ("else", "OK"), ("NOT OK", "when")])
UNDO = (
    st.none()
    | st.builds(Undo, action=st.just("work"), args=work_args, states=undo_states)
    | st.builds(
        Undo, action=st.just("other"), args=args, states=undo_states, is_flow=st.just(True), inputs=st.just(PARAMETERS)
    )
)
CALL_UNDO = st.none() | st.builds(Undo, action=st.sampled_from(["work"]), args=work_args, states=st.just(("DONE",)))
paths = st.sampled_from(["a", "a.b", r"x\.y.when", r"back\\slash.x y", "TRUE", "else"])
variables = st.dictionaries(paths, templates, max_size=3)
rules = st.builds(
    RepeatRule,
    state=st.just("ERROR"),
    when=st.none() | st.just("$x > 1"),
    max=st.integers(1, 1_000) | expressions,
    delay=durations,
    rate=st.floats(1, 9) | expressions,
    cap=durations | st.just(300_000) | expressions,
    jitter=st.sampled_from(Jitter),
)
REPEAT = (
    st.just(())
    | rules.map(lambda rule: (rule,))
    | rules.map(
        lambda rule: (replace(rule, when="$n"), replace(rule, state=None, when="$m"), replace(rule, state="TIMEOUT"))
    )
)
TIMER_REPEAT = st.just(()) | rules.map(lambda rule: (rule,))
CALLS = st.none() | st.builds(ActionCall, action=st.just("work"), args=work_args)
names = st.sampled_from(["order.paid", "x y", "when", "TRUE"]) | expressions
labels = st.dictionaries(st.sampled_from(["team", "when"]), st.sampled_from(["a", 7, True]) | expressions, max_size=2)
DONE = (Route(state="DONE", target="done"),)
ROUTES = (
    Route(state="OK", target="First", when="$x > 1"),
    Route(state="else", target="stopped"),
    Route(target="stopped", when='$y = "|"', entries={"error": "Gone", "cause": expression("$result.why")}),
    Route(target="done", when='$y = "|"', entries={"output": [1, {"a": None}]}),
    Route(target="First", entries={"a": 1, "b.c": expression("$vars.a")}),
)


def _steps(number: int) -> st.SearchStrategy[Step]:
    name = st.just(f"step {number}")
    nested = SetStep(name=f"nested {number}", routes=DONE, save={"b": 2})
    branches = (Branch(name="a b", steps=(nested,), vars={"pin": None, "a": 1}, secret_vars=("pin",)),)
    kinds: list[st.SearchStrategy[Step]] = [
        st.builds(
            ActionStep, name=name, routes=st.just(ROUTES), action=st.just("work"), args=work_args,
            decides=st.booleans(), options=options, save=variables, undo=UNDO,
            repeat=REPEAT,
        ),
        st.builds(SetStep, name=name, routes=st.just(DONE), save=variables),
        st.builds(
            TimerStep, name=name, routes=st.just(DONE), duration=durations | expressions, save=args,
            repeat=TIMER_REPEAT,
        ),
        st.builds(
            TimerStep, name=name, routes=st.just(DONE), next=st.just("0 9 * * *") | expressions,
            zone=st.none() | st.just("Europe/Berlin") | expressions, save=args,
        ),
        st.builds(
            EventStep, name=name, routes=st.just((Route(target="done"),)),
            events=st.dictionaries(st.sampled_from(["PAID", "x y", "when"]), st.just("e"), min_size=1),
            key=templates, timeout=waiting | expressions, save=args, on_enter=CALLS, on_leave=CALLS,
        ),
        st.builds(
            ConditionStep, name=name, routes=st.just(DONE), condition=st.just("$a and $b"),
            timeout=waiting | expressions,
        ),
        st.builds(ForkStep, name=name, routes=st.just(DONE), branches=st.just(branches), join=st.just(1), save=args,
                  vars=args, timeout=waiting | expressions, keep_abandoned=st.booleans(), repeat=REPEAT),
        st.builds(
            EachStep, name=name, routes=st.just(DONE), items=expressions | st.lists(templates, max_size=2),
            steps=st.just((nested,)), max=st.integers(0, 9) | expressions, tolerate=st.integers(0, 9) | expressions,
            vars=args, batch=st.none() | st.integers(1, 9) | expressions, timeout=waiting | expressions,
        ),
        st.builds(
            EachStep, name=name, routes=st.just(DONE), items=expressions, steps=st.just((nested,)),
            tolerate_percent=st.integers(0, 10_000).map(lambda n: n / 100), keep_abandoned=st.booleans(),
        ),
        st.builds(
            CallStep, name=name, routes=st.just(DONE), flow=st.just("other"), input=args,
            timeout=waiting | expressions,
            undo=CALL_UNDO, repeat=REPEAT,
        ),
        st.builds(
            EmitStep, name=name, routes=st.just(DONE), event=names, data=templates, save=variables,
            repeat=REPEAT, to=st.none() | names,
        ),
        st.builds(
            EmitStep, name=name, routes=st.just(DONE), event=names, key=templates,
            ttl=waiting | expressions,
        ),
        st.builds(
            StartStep, name=name, routes=st.just(DONE), flow=st.just("other"), input=args, save=variables,
            repeat=REPEAT, run=st.none() | names, labels=labels,
        ),
    ]  # fmt: skip
    return st.one_of(kinds)


TAKES = Flow(name="takes", steps=(SetStep(name="S", routes=DONE, save={"a": 1}),), input_type=ArgType.ANY)


steps = st.integers(0, 4).flatmap(lambda count: st.tuples(*(_steps(number) for number in range(count))))
flows = st.builds(
    Flow,
    name=st.sampled_from(["f", "flow", "a b", "flow_end"]),
    steps=steps.map(lambda found: (SetStep(name="First", routes=DONE, save={"a": 1}), *found)),
    input=st.just(PARAMETERS),
    vars=args.map(lambda found: {**found, "token": None, "secret": expression("$input.a")}),
    secret_vars=st.sampled_from([(), ("token",), ("secret", "token")]),
    output=templates,
    timeout=st.none() | durations,
    max_steps=st.none() | st.integers(1, 10**9),
    labels=st.dictionaries(st.sampled_from(["a", "b c"]), st.booleans() | texts | st.integers(0, 9) | expressions),
    description=st.none() | texts,
    keep=st.none() | durations,
    limit=st.none()
    | st.builds(
        FlowLimit, concurrent=st.integers(1, 9), key=st.none() | expressions, overflow=st.sampled_from(Overflow)
    ),
)


@settings(max_examples=60, deadline=None)
@given(flows)
def test_any_flow_comes_back(flow: Flow) -> None:
    known = KnownNames({"work": WORK}, {"other": OTHER})
    checked = read(to_fsl(flow), known)
    assert [one.value for one in checked.statements] == [flow], checked.diagnostics


@settings(max_examples=30, deadline=None)
@given(
    st.builds(
        Action,
        name=st.just("a"),
        returns=st.just(("OK",)),
        addresses=st.just(("http://a", "http://b")),
        secret_data=st.booleans(),
        parameters=st.just((*PARAMETERS, SECRET)),
        options=options,
        undo=st.none() | st.builds(Undo, action=st.just("work"), args=work_args, states=st.just(("OK",))),
        cancel=st.sampled_from([(), ("http://a/cancel",), ("http://a/cancel", "https://b")]),
        breaker=st.none() | st.builds(Breaker, failures=st.integers(1, 99), pause=st.integers(1, 99_999)),
    )
)
def test_any_action_comes_back(action: Action) -> None:
    assert [one.value for one in read(to_fsl(action), KnownNames({"work": WORK})).statements] == [action]


@pytest.mark.parametrize("given", [{}, {"a": [1]}, expression("$input")])
@pytest.mark.parametrize("kind", [ArgType.ANY, ArgType.MAP, ArgType.LIST])
def test_a_flow_that_takes_one_value_comes_back(kind: ArgType, given: dict[str, object]) -> None:
    flow = replace(
        TAKES, name="f", input_type=kind, steps=(CallStep(name="C", routes=DONE, flow="takes", input=given),)
    )
    assert [one.value for one in read(to_fsl(flow), KnownNames({}, {"takes": TAKES})).statements] == [flow]


def test_a_run_of_a_flow_comes_back() -> None:
    order = FlowRun(name="o-1", flow="other", input={"a": [1, {"b": None}], "x y": "`"[:0]}, labels={"l": True})
    assert [one.value for one in read(to_fsl(order), KnownNames({}, {"other": OTHER})).statements] == [order]


@pytest.mark.parametrize(
    "value", ['both " and `', expression("} ; injected = 1; {"), expression("/* open"), expression('"open')]
)
def test_what_no_fsl_means_is_refused(value: object) -> None:
    step = SetStep(name="S", routes=DONE, save={"a": value})
    with pytest.raises(Unwritable):
        to_fsl(Flow(name="f", steps=(step,)))


def test_a_secret_variable_without_a_start_value_is_refused() -> None:
    with pytest.raises(Unwritable):
        to_fsl(Flow(name="f", steps=(SetStep(name="S", routes=DONE, save={"a": 1}),), secret_vars=("a",)))


def test_a_number_beyond_64_bits_is_refused() -> None:
    with pytest.raises(Unreadable):
        to_fsl(Flow(name="f", steps=(SetStep(name="S", routes=DONE, save={"a": 2**70}),)))


def test_json_is_what_the_stores_keep() -> None:
    assert msgspec.json.decode(encode(OTHER))["steps"][0]["kind"] == "set"
