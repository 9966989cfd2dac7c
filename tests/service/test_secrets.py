"""Named secrets of a namespace: encrypted, never returned, and used everywhere within half a minute."""

from __future__ import annotations

import pytest

from chalicelib.adapters.encryption import LibsodiumEncryption
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.service.errors import Conflict, Invalid, NotFound
from chalicelib.service.security.secrets import (
    MAX_SECRET_BYTES,
    MAX_SECRETS,
    SECRET_CACHE_MS,
    NoEncryption,
    Secrets,
    SecretsOff,
)
from tests.fakes import KEY, START, FakeClock
from tests.service.versioned_values import VersionedValues

NS = "default"


class TwoContainers:
    """Return two containers that share versioned values."""

    def __init__(self) -> None:
        self.versioned_values, self.clock = VersionedValues(), FakeClock()
        self.here, self.there = (
            Secrets(LibsodiumEncryption(lambda: KEY), self.versioned_values, self.clock) for _ in range(2)
        )

    def told(self, secrets: Secrets, name: str, namespace: str = NS) -> object:
        return secrets.cipher(namespace, "r").secret(name)


@pytest.fixture
def containers() -> TwoContainers:
    return TwoContainers()


def test_a_secret_is_stored_encrypted_and_read_by_its_name(containers: TwoContainers) -> None:
    made = containers.here.put(NS, "ci.token", "t0p s3cret", by="token ops")
    assert (made.name, made.set_at, made.set_by) == ("ci.token", START, "token ops")
    assert containers.told(containers.there, "ci.token") == "t0p s3cret"
    assert not any(b"t0p" in value for value in containers.versioned_values.values)
    assert containers.there.of(NS) == [made]


def test_secrets_are_listed_by_name(containers: TwoContainers) -> None:
    for name in ("b", "a", "c", "a"):
        containers.here.put(NS, name, name, by="me")
    assert [secret.name for secret in containers.here.of(NS)] == ["a", "b", "c"]


def test_a_new_value_is_heard_here_at_once_and_elsewhere_within_half_a_minute(containers: TwoContainers) -> None:
    containers.here.put(NS, "x", "old", by="me")
    assert containers.told(containers.there, "x") == "old"
    containers.here.put(NS, "x", "new", by="me")
    assert (containers.told(containers.here, "x"), containers.told(containers.there, "x")) == ("new", "old")
    containers.clock.advance(SECRET_CACHE_MS)
    assert containers.told(containers.there, "x") == "new"


def test_a_busy_secret_costs_no_reads(containers: TwoContainers) -> None:
    containers.here.put(NS, "x", "1", by="me")
    before = containers.versioned_values.reads
    assert {containers.told(containers.there, "x") for _ in range(50)} == {"1"}
    assert containers.versioned_values.reads == before + 1


def test_a_deleted_secret_is_not_returned(containers: TwoContainers) -> None:
    containers.here.put(NS, "x", "1", by="me")
    assert containers.here.delete(NS, "x").name == "x"
    assert containers.here.of(NS) == []
    with pytest.raises(ExpressionFailed, match="secret 'x' is not set; `fsl secret set x` sets it"):
        containers.told(containers.here, "x")
    with pytest.raises(NotFound):
        containers.here.delete(NS, "x")
    containers.here.put(NS, "x", "2", by="me")
    assert containers.told(containers.here, "x") == "2"


def test_namespaces_have_secrets_of_their_own(containers: TwoContainers) -> None:
    containers.here.put(NS, "x", "1", by="me")
    with pytest.raises(ExpressionFailed, match="not set"):
        containers.told(containers.here, "x", "other")
    assert containers.here.of("other") == []


@pytest.mark.parametrize("name", ["", "a b", "a" * 129, "é", "a\n", "a#b", "a/b"])
def test_a_name_that_cannot_be_is_refused(containers: TwoContainers, name: str) -> None:
    with pytest.raises(Invalid, match="not a valid secret name"):
        containers.here.put(NS, name, "x", by="me")
    assert containers.versioned_values.values == []
    containers.here.put(NS, "a" * 128, "x", by="me")


@pytest.mark.parametrize("value", ["", "x" * (MAX_SECRET_BYTES + 1), "é" * (MAX_SECRET_BYTES // 2 + 1)])
def test_a_value_that_cannot_be_is_refused(containers: TwoContainers, value: str) -> None:
    with pytest.raises(Invalid, match=f"1 to {MAX_SECRET_BYTES} bytes"):
        containers.here.put(NS, "x", value, by="me")
    containers.here.put(NS, "x", "é" * (MAX_SECRET_BYTES // 2), by="me")
    assert containers.told(containers.here, "x") == "é" * (MAX_SECRET_BYTES // 2)


def test_there_is_an_end_to_how_many_there_can_be(containers: TwoContainers) -> None:
    for number in range(MAX_SECRETS):
        containers.here.put(NS, f"s{number}", "x", by="me")
    with pytest.raises(Invalid, match=f"{MAX_SECRETS} secrets"):
        containers.here.put(NS, "one-more", "x", by="me")
    containers.here.put(NS, "s0", "y", by="me")
    containers.here.delete(NS, "s1")
    containers.here.put(NS, "one-more", "x", by="me")


def test_the_loser_of_a_write_writes_again(containers: TwoContainers) -> None:
    containers.versioned_values.rivals = 4
    containers.here.put(NS, "x", "1", by="me")
    assert containers.told(containers.here, "x") == "1"
    containers.versioned_values.rivals = 10**6
    with pytest.raises(Conflict, match="try again"):
        containers.here.put(NS, "x", "2", by="me")


def test_without_a_key_no_secret_is_taken() -> None:
    secrets = Secrets(NoEncryption(), VersionedValues(), FakeClock())
    with pytest.raises(SecretsOff):
        secrets.put(NS, "x", "1", by="me")
