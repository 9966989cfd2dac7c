"""Only Echoer makes encrypted values: nothing that is made, sent or copied elsewhere passes for one."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from chalicelib.adapters.encryption import LostKey
from chalicelib.engine.errors import InputRefused
from chalicelib.engine.values.secret_values import is_posing
from chalicelib.entrypoints.http.reading import json_of
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, encode
from chalicelib.model.status import Status
from chalicelib.service.errors import Malformed
from chalicelib.service.ports.actions import Reply, Response, Taken
from chalicelib.service.ports.runs import RunQuery
from tests.hosts import NS, Host, answer_at_once

SECRET = "4111-2222-3333"
KEY = "\0sealed"

ACTIONS = """
action pay addr = "http://pay/"; args = (secret any card); return = (PAID); action_end
/
action note addr = "http://note/"; args = (any text = null); return = (PAID); action_end
/
action api addr = "https://api/"; method = https; callback = none; args = (any text = null); return = (PAID); action_end
/
flow plain wait W => (DONE -> done) { for = 1h; }; flow_end
/
flow victim input = (secret str card); wait W => (DONE -> done) { for = 1h; }; flow_end
/
"""


def host(text: str, script: object = answer_at_once) -> Host:
    made = Host(script)  # type: ignore[arg-type]
    made.submit(ACTIONS + text)
    made.start("victim", "victim", card=SECRET)
    return made


def stolen(made: Host) -> str:
    """Return the ciphertext of another run, as a person could who reads the store."""
    return str(made.run("victim").input["card"][KEY])


MADE = [
    "{ $input.key: $input.text }",
    "[{ 'a': [{ $input.key: $input.text }] }]",
    "$merge([{ $input.key: $input.text }, {}])",
    "$input.text{ $input.key: $ }",
    "$sift({ $input.key: $input.text, 'b': 1 }, function($v) { $v != 1 })",
    "{ $input.key: $input.text, 'b': 1 }",
    "{ $input.key: 7 }",
    "$each({ 'a': 1 }, function($v, $k) { { $input.key: $input.text } })",
    "{} ~> |$|{ $input.key: $input.text }|",
]


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("action", ["pay (card", "note (text"])
def test_an_expression_cannot_make_an_encrypted_value(made: str, action: str) -> None:
    name, _, arg = action.partition(" (")
    world = host(
        f"""flow f input = (str key, str text);
        step A => (PAID -> done | ERROR -> stopped) {{ action = {name}; args = ({arg} = ${{ $$MADE }}); }};
        flow_end""".replace("$$MADE", made)
    )
    world.start("f", key=KEY, text=stolen(world))
    world.settle()
    assert world.run().status is Status.FAILED
    assert world.actions.calls == []


@pytest.mark.parametrize("made", MADE[:3])
def test_it_cannot_be_saved_or_sent_on_either(made: str) -> None:
    world = host(
        f"""flow f input = (str key, str text); vars = (a = null, secret b = null);
        set S => (DONE -> done | ERROR -> done) {{ save = (a = ${{ {made} }}, b = ${{ {made} }}); }};
        flow_end"""
    )
    world.start("f", key=KEY, text=stolen(world))
    world.settle()
    assert world.run().vars == {"a": None, "b": None}


def test_a_secret_is_passed_on_as_before() -> None:
    world = host(
        """flow f input = (secret str card); vars = (open = ${ { "a": [$input.card] } });
        step A => (PAID -> done) { action = pay; args = (card = ${ [$vars.open.a[0], $input.card] }); };
        flow_end"""
    )
    world.start("f", card=SECRET)
    world.settle()
    assert world.actions.requests[0]["card"] == [SECRET, SECRET]


def test_a_secret_within_a_secret_is_decrypted_with_it() -> None:
    world = host(
        """flow f input = (secret str card);
        call C => (DONE -> done) { flow = g; input = (card = ${ { "number": $input.card } }); };
        flow_end
        / flow g input = (secret map card);
        step A => (PAID -> done) { action = pay; args = (card = ${ $input.card }); }; flow_end"""
    )
    world.start("f", card=SECRET)
    world.settle()
    assert world.actions.requests[0]["card"] == {"number": SECRET}


@pytest.mark.parametrize("step", ["call", "start"])
def test_another_run_gets_a_text_of_its_own(step: str) -> None:
    world = host(
        f"""flow f input = (secret str card);
        {step} C => (DONE -> done) {{ flow = g; input = (card = ${{ $input.card }}); }};
        flow_end
        / flow g input = (secret str card); wait W => (DONE -> done) {{ for = 1h; }}; flow_end"""
    )
    world.start("f", card=SECRET)
    world.settle()
    texts = {run.input["card"][KEY] for run in runs_of(world)}
    assert len(texts) == 3
    assert SECRET not in "".join(texts)


def runs_of(world: Host) -> tuple[Run, ...]:
    return world.store.runs.list(NS, RunQuery(limit=10)).runs


def test_a_text_that_is_copied_into_another_run_is_not_decrypted_there() -> None:
    """Also if the store is changed: the text is bound to its run."""
    world = host(
        """flow f input = (secret str card);
        step A => (PAID -> done) { action = pay; args = (card = ${ $input.card }); }; flow_end"""
    )
    run = world.start("f", card=SECRET)
    copied = replace(run, input=world.run("victim").input, version=run.version + 1)
    world.store.runs.save(copied, run.version)
    with pytest.raises(LostKey, match="belongs to another run"):
        world.settle()
    assert world.actions.calls == []


@pytest.mark.parametrize("value", [{KEY: "x"}, {KEY: "x", "b": 1}, {KEY: {"a": 1}}, [{"a": {KEY: None}}], {KEY: 7}])
def test_what_poses_as_encrypted_is_refused_where_it_comes_in(value: Json) -> None:
    with pytest.raises(Malformed, match="form of an encrypted secret"):
        json_of(msgspec.json.encode({"data": value}))
    assert is_posing(value, frozenset({"y"}))


def test_services_cannot_answer_an_encrypted_value() -> None:
    value: Json = {KEY: "x", "b": 1}
    replies: list[Reply] = [
        Taken({"ackState": "PAID", "data": value}),
        Taken({"ackState": "PAID", "globalVariables": {"a": [value]}}),
        Taken({"ackState": "PAID", "globalVariables": value}),
    ]
    for reply in replies:
        world = host("flow f step A => (PAID -> done) { action = note; }; flow_end", lambda _, reply=reply: reply)
        world.start("f")
        world.settle()
        assert [entry.event for entry in world.run().tail][-1] == "IgnoredReply"


@pytest.mark.parametrize("action", ["note", "api"])
def test_json_text_that_poses_stays_text(action: str) -> None:
    text = '{"\\u0000sealed": "x", "b": 1}'
    answers = {
        "note": Taken({"ackState": "PAID", "data": text}),
        "api": Response(200, {"content-type": "application/json"}, text.encode()),
    }
    world = host(
        f"flow f output = ${{ $result }}; step A => (PAID -> done) {{ action = {action}; }}; flow_end",
        lambda _: answers[action],
    )
    world.start("f")
    world.settle()
    assert world.run().output == text


def test_input_that_poses_is_refused() -> None:
    world = host("flow f input = (str card); wait W => (DONE -> done) { for = 1h; }; flow_end")
    with pytest.raises(InputRefused):
        world.start("f", card={KEY: stolen(world)})


KEPT = "ERROR -> Kept (cause = ${ $error.cause })"

ERRORS = {
    "for": f"wait W => (DONE -> done | {KEPT}) {{ for = ${{ $input.t }}; }};",
    "for, in a list": f"wait W => (DONE -> done | {KEPT}) {{ for = ${{ [$input.t] }}; }};",
    "until": f"wait W => (DONE -> done | {KEPT}) {{ until = ${{ $input.t }}; }};",
    "key": f'wait W => (E -> done | {KEPT}) {{ events = (E = "e"); key = ${{ $input.t }}; }};',
    "items": f"""each W => (DONE -> done | FAIL -> done | {KEPT}) {{ items = ${{ $number($input.t) }};
        step A => (PAID -> done) {{ action = note; }}; }};""",
    "tolerate": f"""each W => (DONE -> done | FAIL -> done | {KEPT}) {{ items = [1]; tolerate = ${{ $input.t }};
        step A => (PAID -> done) {{ action = note; }}; }};""",
    "timeout": f"step W => (PAID -> done | {KEPT}) {{ action = note; timeout = ${{ $input.t }}; }};",
    "repeat": f"step W => (PAID -> done | {KEPT}) {{ action = note; repeat = (PAID -> (max = ${{ $input.t }})); }};",
    "event": f"emit W => (DONE -> done | {KEPT}) {{ event = ${{ $input.t }}; }};",
    "name": f"start W => (DONE -> done | {KEPT}) {{ flow = plain; name = ${{ $input.t }}; }};",
    "label": f"start W => (DONE -> done | {KEPT}) {{ flow = plain; labels = (a = ${{ $input.t }}); }};",
}


@pytest.mark.parametrize("place", ERRORS)
def test_errors_show_stars_for_a_secret(place: str) -> None:
    world = host(
        f"""flow f input = (secret str t); vars = (cause = null);
        {ERRORS[place]} set Kept => (DONE -> done) {{}}; flow_end"""
    )
    run = world.start("f", t=SECRET)
    text = run.input["t"][KEY]
    world.settle()
    cause = world.run().vars["cause"]
    assert cause
    assert "***" in cause or place in ("until", "items")
    assert SECRET not in encode(world.run()).decode()
    assert text not in cause
    assert "sealed" not in cause
