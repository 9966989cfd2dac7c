"""Signatures of answers: which are accepted, checked with the library of the standard, and which are rejected."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from standardwebhooks.webhooks import Webhook

from chalicelib.config import DEVELOPMENT_KEY, Backend, Settings
from chalicelib.engine.effects import Outcome
from chalicelib.engine.errors import Unsigned
from chalicelib.model.actions import Action, Options
from chalicelib.model.flow import ActionStep, Flow, Route
from chalicelib.service.ports.actions import Taken
from chalicelib.service.runs.answer import Answer
from chalicelib.service.security.webhooks import (
    MAX_SIGNATURE_AGE_MS,
    MAX_SIGNATURES,
    AnswerSignature,
    SignatureVerifier,
    secrets_for,
    signature_in,
)
from tests.fakes import FakeClock
from tests.hosts import NS, Host

BODY = b'{"flowId": "r", "text": "\xc3\xa9"}'
UUID = "5667ff87-0000-8000-8000-000000000000"
(SECRET,) = secrets_for(DEVELOPMENT_KEY.encode(), NS)


def signed(
    secret: str = SECRET, at: int = FakeClock().now(), body: bytes = BODY, name: str = "msg_1"
) -> AnswerSignature:
    """Sign the body with the standard's library, at that time."""
    moment = datetime.fromtimestamp(at // 1000, UTC)
    text = Webhook(secret).sign(name, moment, body.decode())
    return AnswerSignature(id=name, timestamp=str(at // 1000), signatures=text, body=body)


def verify(signature: AnswerSignature, setting: bytes = DEVELOPMENT_KEY.encode(), namespace: str = NS) -> bool:
    return SignatureVerifier(lambda: setting, FakeClock()).verify(namespace, UUID, signature)


def test_signatures_of_the_library_are_accepted() -> None:
    assert verify(signed())


def test_any_of_the_keys_is_good_while_one_is_replaced() -> None:
    new, old = secrets_for(b"new old", NS)
    assert verify(signed(new), b"new old")
    assert verify(signed(old), b"new old")
    assert not verify(signed(old), b"new")


def test_any_of_several_signatures_is_good_enough() -> None:
    signature = signed()
    good = signature.signatures
    assert verify(replace(signature, signatures=f"v1a,xyz v1,AAAA {good}"))
    assert not verify(replace(signature, signatures="v1,AAAA v1, ,"))
    assert not verify(replace(signature, signatures=" ".join(["v1,AAAA"] * MAX_SIGNATURES + [good])))


def test_another_namespace_s_key_is_no_key() -> None:
    assert not verify(signed(secrets_for(DEVELOPMENT_KEY.encode(), "other")[0]))
    assert not verify(signed(), namespace="other")


@pytest.mark.parametrize(
    "changed",
    [
        {"body": BODY + b" "},
        {"id": "msg_2"},
        {"timestamp": str(FakeClock().now() // 1000 + 1)},
        {"signatures": ""},
        {"signatures": "v1,\xe9"},
        {"signatures": signed().signatures.removeprefix("v1,")},
    ],
)
def test_a_changed_answer_is_rejected(changed: dict[str, str | bytes]) -> None:
    assert not verify(replace(signed(), **changed))


@pytest.mark.parametrize("off", [-1, 1])
def test_the_time_may_be_five_minutes_off_and_no_more(off: int) -> None:
    now = FakeClock().now()
    assert verify(signed(at=now + off * MAX_SIGNATURE_AGE_MS))
    assert not verify(signed(at=now + off * (MAX_SIGNATURE_AGE_MS + 1_000)))


@pytest.mark.parametrize("text", ["", "soon", "-1", "1e9", "1" * 16, "1" * 5_000, "\u0661"])
def test_an_invalid_time_is_rejected(text: str) -> None:
    assert not verify(replace(signed(), timestamp=text))


def test_an_answer_has_an_id_of_its_own() -> None:
    assert not verify(signed(name=UUID))
    assert not verify(replace(signed(name=""), id=""))


def test_why_it_does_not_count_is_logged_and_no_signature_is(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "echoer.answer"):
        verify(signed())
        verify(replace(signed(), timestamp="0"))
    assert [record.getMessage() for record in caplog.records] == [
        "the signature of an answer was rejected: webhook-timestamp is more than 5 minutes off"
    ]


def test_without_a_signature_there_is_no_proof_and_no_key_is_read() -> None:
    assert signature_in({"webhook-id": "x", "webhook-timestamp": "1"}, BODY) is None
    host = Host(settings=Settings(backend=Backend.MEMORY, webhook_key_ref="vault:not-there"))  # a read would fail
    host.define(*definitions())
    host.start("f")
    with pytest.raises(Unsigned):
        host.answer("One", "OK")


# ── a run ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def definitions() -> tuple[Action, Flow]:
    work = Action(name="work", returns=("OK",), addresses=("http://x/",), options=Options(signed=True))
    routes = (Route(state="OK", target="done"),)
    return work, Flow(name="f", steps=(ActionStep(name="One", routes=routes, action="work"),))


def told(host: Host, signature: AnswerSignature | None, *, done: bool = True) -> Outcome:
    answer = Answer(run="r", step="One", uuid=host.run().tokens[0].activation.uuid, state="OK", done=done)  # type: ignore[union-attr]
    return host.services.answerer.answer(NS, answer, signature=signature)


def test_an_unsigned_answer_in_an_http_response_is_recorded_and_the_step_waits() -> None:
    host = Host(lambda request: Taken({"ackState": "OK"}))
    host.define(*definitions())
    host.start("f")
    host.settle()
    assert len(host.actions.calls) == 1
    (token,) = host.run().tokens
    assert token.step == "One"
    assert host.run().tail[-1].event == "IgnoredReply"
    assert "no signature" in host.run().tail[-1].error
    assert told(host, signed(at=host.clock.now())) is Outcome.ADVANCED
    assert host.path() == ["One", "done"]


def test_a_delivery_that_is_sent_back_is_no_answer() -> None:
    """It has the same key and names run, step and uuid. Accepted as a report, it would extend the heartbeat."""
    host = Host(lambda request: Taken())
    host.define(*definitions())
    host.start("f")
    host.settle()
    (call,) = host.actions.calls
    reflected = signature_in(call.headers, call.body)
    assert reflected is not None
    before = host.run()
    for done in (False, True):
        with pytest.raises(Unsigned):
            told(host, reflected, done=done)
    assert host.run() == before
    assert told(host, signed(), done=False) is Outcome.PROGRESS
