"""Secrets in runs: stores, messages and logs never contain them; only the actions that declare them receive them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from chalicelib.engine.errors import InputRefused, TooLarge
from chalicelib.engine.values.evaluation import Names
from chalicelib.engine.values.size_limits import MAX_VALUE_BYTES
from chalicelib.expressions import NAMES
from chalicelib.model.json_values import Json
from chalicelib.model.run import encode
from chalicelib.model.status import Status
from chalicelib.service.ports.actions import Reply, Taken
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.runs.start import StartOrder
from chalicelib.service.security.secrets import NoEncryption, SecretsOff
from tests.hosts import NS, Host

CARD = "4111-1111-1111-1111"

ACTIONS = """
action pay addr = "http://pay/"; args = (secret str card, str order = "o"); return = (PAID | DECLINED);
    undo = refund on PAID; action_end
/
action refund addr = "http://refund/"; args = (secret str card); return = (OK); action_end
/
action login addr = "http://login/"; args = (secret str password = secret "login", secret map more = null);
    headers = ("Authorization" = secret "auth", "X-Team" = "t"); return = (OK | NO); data = secret; action_end
/
action note addr = "http://note/"; args = (any text = null); return = (OK); action_end
/
action ask method = human; args = (secret str card, str order = "o"); return = (YES | NO); action_end
/
"""


def all_kept(host: Host) -> str:
    """Return the contents of all stores and queues as text."""
    heads = [encode(run) for run in host.store.runs.list(NS, RunQuery(limit=100)).runs]
    pages = [
        msgspec.json.encode(list(host.store.runs.pages(run, 0)))
        for run in host.store.runs.list(NS, RunQuery(limit=100)).runs
    ]
    return b"".join([*heads, *pages]).decode() + repr(vars(host.store.runs)) + repr(vars(host.queue))


@pytest.fixture(autouse=True)
def _nothing_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.DEBUG):
        yield
    assert CARD not in caplog.text


def flow(steps: str, head: str = "input = (secret str card);") -> str:
    return f"{ACTIONS} flow f {head} {steps} flow_end"


def host(text: str, script: Any = None) -> Host:
    made = Host(script) if script else Host()
    made.submit(text)
    return made


def done(request: dict[str, Any]) -> Reply:
    return Taken({"ackState": request["ackStates"][0]})


def test_a_secret_input_reaches_the_action_that_declares_it_and_nothing_else() -> None:
    world = host(
        flow(
            "step Pay => (PAID -> Note | DECLINED -> stopped) { action = pay; };"
            "step Note => (OK -> done) { action = note; };"
        ),
        done,
    )
    world.start("f", card=CARD)
    assert CARD not in all_kept(world)
    world.settle()
    assert [CARD in call.body.decode() for call in world.actions.calls] == [True, False]
    assert world.actions.requests[0]["card"] == CARD
    assert world.run().status is Status.SUCCEEDED
    assert CARD not in all_kept(world)


def test_what_is_not_declared_secret_is_found_where_it_is_kept() -> None:
    """This shows that the other tests can find a leak."""
    world = host(
        flow(
            "step Note => (OK -> done) { action = note; args = (text = ${ $input.plain }); };", "input = (str plain);"
        ),
        done,
    )
    world.start("f", plain="plainly")
    assert "plainly" in all_kept(world)


def test_encryption_is_deterministic_so_repeated_requests_start_one_run() -> None:
    world = host(flow("step Pay => (PAID -> done | DECLINED -> stopped) { action = pay; };"))
    order = StartOrder(flow="f", key="once", input={"card": CARD})
    first, again = (world.services.starter.start(NS, order) for _ in range(2))
    assert (first.run.id, again.created) == (again.run.id, False)


def test_a_secret_variable_is_always_encrypted_and_not_sent_with_the_others() -> None:
    text = flow(
        """deci Known => (when ${ $vars.pin = "4111-1111-1111-1111" } -> Pay | else -> stopped);
        step Pay => (PAID -> Note | DECLINED -> stopped) { action = pay; args = (card = ${ $vars.pin });
            save = (pin = ${ $uppercase($vars.pin & "-" & $input.card) }, n = 1); };
        step Note => (OK -> done) { action = note; };""",
        "input = (secret str card); vars = (secret pin = ${ $input.card }, n = 0);",
    )
    world = host(
        text,
        lambda request: Taken({"ackState": request["ackStates"][0], "globalVariables": {"pin": "new-" + CARD, "m": 2}}),
    )
    world.start("f", card=CARD)
    world.settle()
    assert world.run().status is Status.SUCCEEDED
    assert [request["globalVariables"] for request in world.actions.requests] == [{"n": 0}, {"n": 1, "m": 2}]
    assert world.actions.requests[0]["card"] == CARD
    assert world.run().vars["pin"].keys() == {"\0sealed"}
    assert CARD not in all_kept(world)


def test_a_person_sets_a_secret_variable() -> None:
    text = flow(
        "wait W => (DONE -> Pay) { for = 1h; };"
        "step Pay => (PAID -> done | DECLINED -> stopped) { action = pay; args = (card = ${ $vars.pin }); };",
        "vars = (secret pin = null);",
    )
    world = host(text, done)
    world.start("f")
    assert world.run().vars == {"pin": None}
    world.services.operator.set_vars(NS, "r", {"pin": CARD})
    assert CARD not in all_kept(world)
    world.pass_time(3_600_000)
    assert world.actions.requests[0]["card"] == CARD


def test_named_secrets_are_read_at_dispatch_as_args_and_headers() -> None:
    world = host(
        flow(
            "step Login => (OK -> done | NO -> stopped) { action = login; "
            'args = (more = { "user": "u", "key": secret "api.key" }); };',
            "",
        ),
        done,
    )
    put = world.services.secrets.put
    for name, value in {"login": "pass-w", "auth": "Bearer b", "api.key": "k-1"}.items():
        put(NS, name, value, by="me")
    world.start("f")
    world.settle()
    request, call = world.actions.requests[0], world.actions.calls[0]
    assert (request["password"], request["more"]) == ("pass-w", {"user": "u", "key": "k-1"})
    assert (call.headers["Authorization"], call.headers["X-Team"]) == ("Bearer b", "t")
    assert not any(value in all_kept(world) for value in ("pass-w", "Bearer b", "k-1"))


def test_a_secret_that_is_not_set_fails_the_step_and_can_be_set_and_the_run_retried() -> None:
    world = host(flow("step Login => (OK -> done | NO -> stopped) { action = login; };", ""), done)
    world.services.secrets.put(NS, "auth", "Bearer b", by="me")
    world.start("f")
    world.settle()
    assert "secret 'login' is not set" in world.run().last_err
    assert world.actions.calls == []
    world.services.secrets.put(NS, "login", "x", by="me")
    world.clock.advance(30_000)
    world.services.operator.retry(NS, "r")
    world.settle()
    assert world.run().status is Status.SUCCEEDED


def test_secret_data_is_seen_by_what_is_secret_too() -> None:
    steps = """step Login => (OK -> Pay | NO -> stopped) { action = login;
            save = (pin = ${ $result.token }, open = ${ $result.token }); };
        step Pay => (PAID -> Note | DECLINED -> stopped) { action = pay; args = (card = ${ $result.token }); };
        step Note => (OK -> done) { action = note; };"""
    world = host(
        flow(steps, "vars = (secret pin = null);"),
        lambda request: Taken({"ackState": request["ackStates"][0], "data": '{"token": "4111-1111-1111-1111"}'}),
    )
    for name in ("login", "auth"):
        world.services.secrets.put(NS, name, "x-y-z", by="me")
    world.start("f")
    world.settle()
    assert world.actions.requests[1]["card"] == CARD
    assert world.run().vars["open"] is None
    assert world.run().vars["pin"].keys() == {"\0sealed"}
    login = next(
        entry
        for entry in world.run().tail + tuple(world.services.reader.history(NS, "r", 0, 100))
        if entry.step == "Login" and entry.state == "OK"
    )
    assert login.data.keys() == {"\0sealed"}


def test_an_undo_gets_the_secret_that_its_step_had() -> None:
    steps = """step Pay => (PAID -> Note | DECLINED -> stopped) { action = pay; };
        step Note => (OK -> stopped) { action = note; };"""
    world = host(flow(steps), done)
    world.start("f", card=CARD)
    world.settle()
    assert [request.get("card") for request in world.actions.requests] == [CARD, None, CARD]
    assert CARD not in all_kept(world)


def test_secrets_that_are_named_in_an_undo_are_read_when_it_is_dispatched() -> None:
    steps = """step Pay => (PAID -> Note | DECLINED -> stopped) {
            action = pay; args = (card = "x"); undo = login (more = { "k": [secret "late"] }) on PAID; };
        step Note => (OK -> stopped) { action = note; };"""
    world = host(flow(steps.replace('card = "x"', "card = ${ 'x' }"), ""), done)
    put = world.services.secrets.put
    put(NS, "login", "pass-w", by="me")
    put(NS, "auth", "Bearer b", by="me")
    world.start("f")
    put(NS, "late", "k-1", by="me")
    world.settle()
    assert (world.actions.requests[-1]["password"], world.actions.requests[-1]["more"]) == ("pass-w", {"k": ["k-1"]})


@pytest.mark.parametrize(
    "steps",
    [
        "deci D => (when ${ $number($input.card) > 1 } -> done | else -> done);",
        "deci D => (when ${ $input.card } -> done | else -> done);",
        "step Pay => (PAID -> done | DECLINED -> stopped) { action = pay; args = (card = ${ $error($input.card) }); };",
        "step Pay => (PAID -> done | DECLINED -> stopped) { action = pay; args = (card = ${ [$input.card] }); };",
    ],
)
def test_an_expression_that_fails_on_a_secret_does_not_reveal_it(steps: str) -> None:
    world = host(flow(steps), done)
    world.start("f", card=CARD)
    world.settle()
    assert world.run().status is Status.FAILED
    assert world.run().last_err
    assert CARD not in all_kept(world)


def test_an_expression_knows_no_name_but_those_of_the_language() -> None:
    """The cipher is not a name in expressions."""
    cipher = Host().services.secrets.cipher(NS, "r")
    names = Names(input={"card": {"\0sealed": cipher.encrypt(CARD)}}, now="then")
    assert names.decrypt(cipher).bound() == {**names.bound(), "input": {"card": CARD}}
    assert names.bound().keys() <= NAMES


def test_a_secret_does_not_flow_into_a_plain_arg() -> None:
    steps = 'step Note => (OK -> done) { action = note; args = (text = ${ { "a": [$input.card] } }); };'
    world = host(flow(steps), done)
    world.start("f", card=CARD)
    world.settle()
    assert "arg 'text' would hold a secret, and action 'note' does not declare it secret" in world.run().last_err
    assert world.actions.calls == []


def test_an_output_with_a_secret_is_encrypted_also_for_the_parent() -> None:
    parent = """/ flow parent input = (secret str card);
        call Child => (DONE -> Pay | STOPPED -> stopped) { flow = f; input = (card = ${ $input.card }); };
        step Pay => (PAID -> done | DECLINED -> stopped) { action = pay; args = (card = ${ $result.card }); };
        flow_end"""
    steps = "step Pay => (PAID -> done | DECLINED -> stopped) { action = pay; };"
    world = host(flow(steps, 'input = (secret str card); output = ${ { "card": $input.card } };') + parent, done)
    world.start("parent", card=CARD)
    world.settle()
    assert world.run().status is Status.SUCCEEDED
    assert [request["card"] for request in world.actions.requests] == [CARD, CARD]
    assert CARD not in all_kept(world)


def test_a_person_who_is_asked_sees_that_there_is_a_secret_and_not_which() -> None:
    world = host(flow("deci Ask => (YES -> done | NO -> stopped) { action = ask; };"))
    world.start("f", card=CARD)
    (task,) = world.services.inbox.open(NS, 10)
    assert task.args == {"card": "***", "order": "o"}


def test_large_secrets_are_stored_as_encrypted_blobs() -> None:
    world = host(flow("step Pay => (PAID -> done | DECLINED -> stopped) { action = pay; };"), done)
    world.start("f", card=CARD * 2_000)
    assert CARD not in all_kept(world)
    world.settle()
    assert world.actions.requests[0]["card"] == CARD * 2_000


def test_types_of_secrets_are_checked_as_they_come_in() -> None:
    world = host(flow("step Pay => (PAID -> done | DECLINED -> stopped) { action = pay; };"))
    with pytest.raises(InputRefused, match="card: must be of type str"):
        world.start("f", card=7)


def test_flows_without_secrets_need_no_key() -> None:
    """The key is not even read."""
    world = Host(done, encryption=NoEncryption())
    world.submit(
        'action a addr = "http://a/"; return = (OK); action_end'
        " / flow plain step A => (OK -> done) { action = a; }; flow_end"
    )
    world.start("plain")
    world.settle()
    assert world.run().status is Status.SUCCEEDED
    with pytest.raises(SecretsOff):
        world.submit(flow("step Pay => (PAID -> done | DECLINED -> stopped) { action = pay; };"))


def test_a_secret_may_be_any_json() -> None:
    value: Json = {"number": CARD, "cvc": 123, "list": [1, None]}
    world = host(
        ACTIONS.replace("secret str card, str order", "secret map card, str order").replace(
            "undo = refund on PAID; ", ""
        )
        + "flow f step Pay => (PAID -> done | DECLINED -> stopped) { action = pay; }; flow_end",
        done,
    )
    world.start("f", card=value)
    world.settle()
    assert world.actions.requests[0]["card"] == value
    assert CARD not in all_kept(world)


def test_args_of_an_undo_are_values_and_not_templates() -> None:
    """Otherwise a service could inject an expression, or the name of a secret."""
    sly = {"${secret}": "auth"}
    text = f"""{ACTIONS} action take addr = "http://take/"; args = (any x = null); return = (OK); action_end
        / flow f
            step Take => (OK -> Next) {{ action = take; undo = take (x = ${{ $result }}); }};
            step Next => (OK -> stopped) {{ action = note; }};
        flow_end"""
    world = host(text, lambda request: Taken({"ackState": request["ackStates"][0], "data": sly}))
    world.services.secrets.put(NS, "auth", "Bearer b", by="me")
    world.start("f")
    world.settle()
    assert [request.get("x") for request in world.actions.requests] == [None, None, sly]


def test_encrypted_values_count_with_their_stored_size() -> None:
    """A secret that is too large is refused on arrival, and the step continues to wait."""
    world = host(flow("step Login => (OK -> done | NO -> stopped) { action = login; };", ""), lambda _: Taken())
    for name in ("login", "auth"):
        world.services.secrets.put(NS, name, "x-y-z", by="me")
    world.start("f")
    world.settle()
    with pytest.raises(TooLarge, match="the data would have"):
        world.answer("Login", "OK", data="x" * (MAX_VALUE_BYTES * 4 // 5))
    assert world.run().status is Status.RUNNING
    world.answer("Login", "OK", data="x" * (MAX_VALUE_BYTES * 2 // 3))
    assert world.run().status is Status.SUCCEEDED
