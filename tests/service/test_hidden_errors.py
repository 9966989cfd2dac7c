"""What a service says of an error is not kept where it may quote a secret, in whatever form."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec
import pytest

from chalicelib.model.json_values import Json
from chalicelib.model.run import encode
from chalicelib.model.status import Status
from chalicelib.service.ports.actions import NotTaken, Raised, Reply, Response, Taken
from chalicelib.service.runs.answer import Answer, AnswerError
from tests.hosts import NS, Host

SECRET = 's3"cr\\&t 7é'
SHORT = "q7Z"

ACTIONS = """
action pay addr = "http://pay/"; args = (secret str card, str order = "o"); return = (PAID); action_end
/
action head addr = "http://head/"; headers = ("Authorization" = secret "auth"); return = (PAID); action_end
/
action named addr = "http://named/"; args = (secret str key = secret "auth"); return = (PAID); action_end
/
action login addr = "http://login/"; return = (PAID); data = secret; action_end
/
action api addr = "https://api/{id}"; method = https; callback = none; verb = GET; args = (str id = "1");
    headers = ("Authorization" = secret "auth"); retry = (max = 1); return = (PAID); action_end
/
action hid addr = "https://api/"; method = https; callback = none; retry = (max = 1); return = (PAID); data = secret;
    action_end
/
action plain addr = "http://plain/"; args = (str card); return = (PAID); action_end
/
"""

FLOW = """flow f input = (secret str card); vars = (error = null, data = null, seen = null, secret pin = null);
    step Do => (PAID -> done | ERROR -> Kept (error = ${ $error.cause }, data = ${ $error.data },
        seen = ${ $response.headers })) { action = %s; args = (%s); };
    set Kept => (DONE -> done) {};
flow_end"""

FORMS = {
    "as it is": SECRET,
    "as JSON": json.dumps(SECRET),
    "as JSON in JSON": json.dumps(json.dumps(SECRET)),
    "as JSON without escapes": json.dumps(SECRET, ensure_ascii=False),
    "percent-encoded": quote(SECRET, safe=""),
    "as a form": quote_plus(SECRET),
    "percent-encoded in lower case": quote(SECRET, safe="").lower(),
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "without its first word": SECRET.partition(" ")[2],
    "in capitals": SECRET.upper(),
    "reversed": SECRET[::-1],
    "cut": SECRET[: len(SECRET) // 2],
    "with blanks": " ".join(SECRET),
    "as a list": json.dumps(list(SECRET)),
}


def stored(host: Host) -> str:
    """Return what the head and the history of the run hold."""
    run = host.run()
    history = msgspec.json.encode(host.services.reader.history(NS, "r", 0, 100)).decode()
    return encode(run).decode() + history + repr(run) + repr(vars(host.store.runs)) + repr(vars(host.queue))


def played(action: str, reply: Reply, args: str = "", card: str = SECRET) -> Host:
    host = Host(lambda _: reply)
    host.submit(ACTIONS + FLOW % (action, args))
    host.services.secrets.put(NS, "auth", f"Bearer {card}", by="me")
    host.start("f", card=card)
    host.settle()
    return host


def settings_of(action: str) -> str:
    return "card = ${ $input.card }" if action == "pay" else ""


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("action", ["pay", "head", "named", "login"])
def test_the_text_of_a_refusal_is_dropped_where_a_secret_was_sent_or_is_answered(action: str, form: str) -> None:
    marked = f"<<{FORMS[form]}>>"
    host = played(action, NotTaken(f"400: {marked}", final=True, status=400), settings_of(action))
    assert "<<" not in stored(host)
    assert "hidden because the action has secrets" in host.run().vars["error"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("action", ["api", "hid"])
def test_the_body_and_the_headers_of_a_direct_refusal_are_hidden(action: str, form: str) -> None:
    marked = f"<<{FORMS[form]}>>"
    body = json.dumps({"why": marked, marked: [marked]}).encode()
    headers = {"content-type": f"application/json; x={marked}", "x-echo": marked, "location": marked}
    for status in (302, 400):
        host = played(action, Response(status, headers, body))
        assert "<<" not in stored(host)
        assert host.run().vars["error"].endswith(f"answered {status} (application/json, {len(body)} bytes)")
        assert host.run().vars["data"].keys() == {"\0sealed"}


def test_a_secret_arg_that_the_input_gives_counts_too() -> None:
    host = played("pay", NotTaken(f"<<{SECRET}>>", final=True))
    assert host.actions.requests[0]["card"] == SECRET
    assert "<<" not in stored(host)


@pytest.mark.parametrize("reply", [NotTaken("<<", final=True), Taken({"ackState": "ERROR", "error": {"name": "<<"}})])
def test_an_undo_hides_them_as_well(reply: Reply) -> None:
    text = """action take addr = "http://take/"; return = (PAID); action_end
    / flow f input = (secret str card);
        step A => (PAID -> B) { action = take; undo = pay (card = ${ $input.card }) on PAID; };
        step B => (PAID -> stopped) { action = take; };
    flow_end"""
    host = Host(lambda request: reply if "card" in request else Taken({"ackState": "PAID"}))
    host.submit(ACTIONS + text)
    host.start("f", card=SECRET)
    host.pass_time(3_600_000)
    assert host.actions.requests[-1]["card"] == SECRET
    assert "<<" not in stored(host)


def test_a_media_type_that_is_not_usual_is_not_repeated() -> None:
    host = played("api", Response(400, {"content-type": f"text/{SHORT}"}, b"x"))
    assert host.run().vars["error"].endswith("answered 400 (another media type, 1 bytes)")
    assert SHORT not in host.run().vars["error"]


@pytest.mark.parametrize("text", [SHORT, f"no {SHORT[:2]}", "x" * 990 + SHORT])
def test_short_and_cut_secrets_are_not_shown(text: str) -> None:
    host = played("api", Response(400, {}, text.encode()), card=SHORT)
    assert SHORT[:2] not in host.run().vars["error"]


def test_where_a_202_leads_is_stored_encrypted_and_asked_all_the_same() -> None:
    replies: list[Reply] = [Response(202, {"location": f"/jobs/{SHORT}"}), Response(200)]
    host = Host(lambda _: replies.pop(0))
    host.submit(ACTIONS + FLOW % ("api", ""))
    host.services.secrets.put(NS, "auth", SHORT, by="me")
    host.start("f", card="c")
    host.settle()
    assert SHORT not in encode(host.run()).decode()
    host.pass_time(5_000)
    assert host.actions.calls[-1].addresses == (f"https://api/jobs/{SHORT}",)
    assert host.run().status is Status.SUCCEEDED


def test_a_location_that_cannot_be_asked_is_not_shown() -> None:
    host = played("api", Response(202, {"location": f"ftp://{SHORT}/"}), card=SHORT)
    assert host.run().vars["error"] == "https://api/{id} answered 202 with a Location that cannot be asked"
    assert SHORT not in encode(host.run()).decode()


@pytest.mark.parametrize("action", ["pay", "head", "login"])
@pytest.mark.parametrize("form", FORMS)
def test_the_cause_in_an_answer_is_not_kept(action: str, form: str) -> None:
    marked = f"<<{FORMS[form]}>>"
    error: Json = {"name": "CardExpired", "cause": marked}
    inline = played(action, Taken({"ackState": "ERROR", "error": error}), settings_of(action))
    later = played(action, Taken(), settings_of(action))
    answer = Answer(
        run="r", step="Do", uuid=later.uuid("Do"), state="ERROR", error=AnswerError(name="CardExpired", cause=marked)
    )
    later.services.answerer.answer(NS, answer)
    for host in (inline, later):
        assert "<<" not in stored(host)
        assert host.run().vars["error"] == (
            f"the cause ({len(marked)} characters) is hidden because action '{action}' has secrets"
        )


def test_a_name_of_an_error_is_kept_only_if_it_is_an_identifier() -> None:
    for name, kept in (("Card.Expired", "Card.Expired"), (f"no card {SHORT}", "Refused")):
        host = Host(lambda _, name=name: Taken({"ackState": "ERROR", "error": {"name": name}}))  # type: ignore[misc]
        host.submit(ACTIONS + FLOW.replace("$error.cause", "$error.name") % ("login", ""))
        host.start("f", card="c")
        host.settle()
        assert host.run().vars["error"] == kept


@pytest.mark.parametrize("answer", [{"ackState": f"<<{SHORT}>>"}, {"ackState": 7, "<<x": 1}])
def test_the_reason_why_an_answer_is_ignored_is_not_kept(answer: dict[str, Any]) -> None:
    host = played("login", Taken(answer))
    assert "<<" not in stored(host)
    assert "IgnoredReply" in [entry.event for entry in host.run().tail]


def test_variables_in_an_answer_with_secret_data_are_secret() -> None:
    host = played("login", Taken({"ackState": "PAID", "globalVariables": {"seen": SECRET, "pin": SECRET, "new": [1]}}))
    assert host.run().status is Status.SUCCEEDED
    assert {name: value.keys() for name, value in host.run().vars.items() if value is not None} == {
        "seen": {"\0sealed"},
        "pin": {"\0sealed"},
        "new": {"\0sealed"},
    }


def test_an_operation_of_aws_that_quotes_a_secret_is_hidden() -> None:
    action = """action put method = aws; addr = "sqs:SendMessage"; args = (secret str MessageBody, str QueueUrl = "https://q/");
        retry = (max = 1); return = (PAID); action_end /"""
    host = Host(lambda _: Raised("Sqs.Invalid", f"<<{SECRET}>>", {"why": "<<"}))
    host.submit(ACTIONS + action + FLOW % ("put", "MessageBody = ${ $input.card }"))
    host.start("f", card=SECRET)
    host.settle()
    assert "<<" not in stored(host)
    assert host.run().vars["data"].keys() == {"\0sealed"}


def test_without_a_secret_the_text_is_kept() -> None:
    """This shows that the other tests can find a leak."""
    host = played("plain", NotTaken("400: <<why>>", final=True), 'card = "c"')
    assert host.run().vars["error"] == "400: <<why>>"
    assert "<<" in stored(host)
