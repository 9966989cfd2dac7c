"""Requests to actions: their signatures, and the headers that an action cannot set."""

from __future__ import annotations

import base64
import re
import time
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from chalicelib import config
from chalicelib.config import Backend, BadSetting, Settings
from chalicelib.service.ports.actions import Call
from chalicelib.service.security.webhooks import key_of, keys_in, secrets_for
from tests.hosts import Host

ROOT = Path(__file__).parents[2]


def delivered(key: str = "new, old", headers: str = "", late: int = 0) -> Call:
    """Return the request for the only step of a run, sent `late` seconds ago."""
    host = Host(settings=Settings(backend=Backend.MEMORY, webhook_key=key))
    now = int(time.time() - late) * 1000  # the library that verifies reads the system's clock
    host.clock.advance(now - host.clock.now())
    said = f"headers = ({headers});" if headers else ""
    host.submit(
        f"""
        action work addr = "http://x/"; args = (str x); return = (OK); {said} action_end
        /
        flow f step One => (OK -> done) {{ action = work; args = (x = "{chr(233)}"); }}; flow_end
        """
    )
    host.start("f")
    host.settle()
    (call,) = host.actions.calls
    return call


def verifies(secret: str, call: Call, body: bytes | None = None, **changed: str) -> bool:
    headers = {**call.headers, **{name.replace("_", "-"): value for name, value in changed.items()}}
    try:
        Webhook(secret).verify(call.body if body is None else body, headers)
    except WebhookVerificationError:
        return False
    return True


# ── signatures ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_service_that_knows_either_key_verifies_and_no_other_does() -> None:
    call = delivered("new, old")
    new, old = secrets_for(b"new, old", "default")
    assert (verifies(new, call), verifies(old, call)) == (True, True)
    strangers = [*secrets_for(b"newer", "default"), *secrets_for(b"new, old", "other")]
    assert not any(verifies(secret, call) for secret in strangers)
    assert not verifies("whsec_" + base64.b64encode(b"new").decode(), call)


def test_a_key_is_replaced_without_a_delivery_lost() -> None:
    (old,), (new,) = secrets_for(b"old", "default"), secrets_for(b"new", "default")
    steps = [delivered("old"), delivered("new old"), delivered("new")]
    assert [verifies(old, call) for call in steps] == [True, True, False]
    assert [verifies(new, call) for call in steps] == [False, True, True]


def test_what_was_changed_on_the_way_does_not_verify() -> None:
    call = delivered("k")
    (secret,) = secrets_for(b"k", "default")
    assert verifies(secret, call)
    assert not verifies(secret, call, body=call.body + b" ")
    assert not verifies(secret, call, webhook_id="another")
    assert not verifies(secret, call, webhook_timestamp=str(int(call.headers["webhook-timestamp"]) + 1))
    assert not verifies(secret, call, webhook_signature="v1,AAAA")


def test_what_is_replayed_later_does_not_verify() -> None:
    (secret,) = secrets_for(b"k", "default")
    assert verifies(secret, delivered("k", late=200))
    assert not verifies(secret, delivered("k", late=400))


def test_one_signature_per_key_the_first_key_first() -> None:
    one, two = delivered("new, old").headers["webhook-signature"].split(" ")
    assert one != two
    assert all(re.fullmatch(r"v1,[A-Za-z0-9+/]{43}=", text) for text in (one, two))


@pytest.mark.parametrize("setting", [b"a b", b"a,b", b" a , b\n", b"a\tb,"])
def test_keys_are_separated_by_spaces_or_commas(setting: bytes) -> None:
    assert keys_in(setting) == (b"a", b"b")
    assert secrets_for(setting, "n")[1] == "whsec_" + base64.b64encode(key_of(b"b", "n")).decode()


@pytest.mark.parametrize("setting", [b"", b" , "])
def test_nothing_goes_out_unsigned(setting: bytes) -> None:
    with pytest.raises(ValueError, match="no key"):
        keys_in(setting)


def test_a_setting_without_a_key_is_reported() -> None:
    with pytest.raises(BadSetting, match="ECHOER_WEBHOOK_KEY"):
        config.from_environment({"ECHOER_WEBHOOK_KEY": ","})


# ── headers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name",
    [
        "webhook-id",
        "Webhook-Id",
        "WEBHOOK-SIGNATURE",
        "webhook-timestamp",
        "webhook-x",
        "idempotency-key",
        "Traceparent",
    ],
)
def test_an_action_cannot_set_our_headers(name: str) -> None:
    """An action cannot set a header of ours in any case, so that a request never has two of them."""
    call = delivered("k", headers=f'"{name}" = "forged", "X-Team" = "payments"')
    assert "forged" not in call.headers.values()
    assert call.headers["X-Team"] == "payments"
    assert len({header.lower() for header in call.headers}) == len(call.headers) == 6
    assert verifies(secrets_for(b"k", "default")[0], call)


# ── SECURITY.md ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_document_names_tests_that_exist() -> None:
    """Tests are cited as `tests/FILE.py::NAME`, and as `::NAME` if the file is the one cited before."""
    text = (ROOT / "SECURITY.md").read_text()
    named, file = [], ""
    for path, name in re.findall(r"`(tests/[\w/]+\.py)?(?:::(\w+))?`", text):
        file = path or file
        named += [(file, name)] if path or name else []
    assert len(named) > 30
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).is_file() or (name and f"def {name}(" not in (ROOT / path).read_text())
    ]
    assert missing == []
