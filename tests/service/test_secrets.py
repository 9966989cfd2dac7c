"""Secrets that a namespace keeps by name: sealed, told to nobody, heard of everywhere within half a minute."""

from __future__ import annotations

import pytest

from chalicelib.adapters.encryption import LibsodiumEncryption
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.service.errors import Conflict, Invalid, NotFound
from chalicelib.service.security.secrets import (
    LARGEST,
    MOST,
    REMEMBERED,
    NoEncryption,
    Secrets,
    SecretsOff,
)
from tests.fakes import KEY, START, FakeClock
from tests.service.versioned_values import VersionedValues

NS = "default"


class House:
    """Two containers on the same cells."""

    def __init__(self) -> None:
        self.versioned_values, self.clock = VersionedValues(), FakeClock()
        self.here, self.there = (
            Secrets(LibsodiumEncryption(lambda: KEY), self.versioned_values, self.clock) for _ in range(2)
        )

    def told(self, secrets: Secrets, name: str, namespace: str = NS) -> object:
        return secrets.cipher(namespace).secret(name)


@pytest.fixture
def house() -> House:
    return House()


def test_a_secret_is_kept_sealed_and_read_by_its_name(house: House) -> None:
    made = house.here.put(NS, "ci.token", "t0p s3cret", by="token ops")
    assert (made.name, made.set_at, made.set_by) == ("ci.token", START, "token ops")
    assert house.told(house.there, "ci.token") == "t0p s3cret"
    assert not any(b"t0p" in value for value in house.versioned_values.values)
    assert house.there.of(NS) == [made]


def test_secrets_are_listed_by_name(house: House) -> None:
    for name in ("b", "a", "c", "a"):
        house.here.put(NS, name, name, by="me")
    assert [secret.name for secret in house.here.of(NS)] == ["a", "b", "c"]


def test_a_new_value_is_heard_here_at_once_and_elsewhere_within_half_a_minute(house: House) -> None:
    house.here.put(NS, "x", "old", by="me")
    assert house.told(house.there, "x") == "old"
    house.here.put(NS, "x", "new", by="me")
    assert (house.told(house.here, "x"), house.told(house.there, "x")) == ("new", "old")
    house.clock.advance(REMEMBERED)
    assert house.told(house.there, "x") == "new"


def test_a_busy_secret_costs_no_reads(house: House) -> None:
    house.here.put(NS, "x", "1", by="me")
    before = house.versioned_values.reads
    assert {house.told(house.there, "x") for _ in range(50)} == {"1"}
    assert house.versioned_values.reads == before + 1


def test_what_was_deleted_is_not_told(house: House) -> None:
    house.here.put(NS, "x", "1", by="me")
    assert house.here.delete(NS, "x").name == "x"
    assert house.here.of(NS) == []
    with pytest.raises(ExpressionFailed, match="secret 'x' is not set; `fsl secret set x` sets it"):
        house.told(house.here, "x")
    with pytest.raises(NotFound):
        house.here.delete(NS, "x")
    house.here.put(NS, "x", "2", by="me")
    assert house.told(house.here, "x") == "2"


def test_namespaces_have_secrets_of_their_own(house: House) -> None:
    house.here.put(NS, "x", "1", by="me")
    with pytest.raises(ExpressionFailed, match="not set"):
        house.told(house.here, "x", "other")
    assert house.here.of("other") == []


@pytest.mark.parametrize("name", ["", "a b", "a" * 129, "é", "a\n", "a#b", "a/b"])
def test_a_name_that_cannot_be_is_refused(house: House, name: str) -> None:
    with pytest.raises(Invalid, match="no name of a secret"):
        house.here.put(NS, name, "x", by="me")
    assert house.versioned_values.values == []
    house.here.put(NS, "a" * 128, "x", by="me")


@pytest.mark.parametrize("value", ["", "x" * (LARGEST + 1), "é" * (LARGEST // 2 + 1)])
def test_a_value_that_cannot_be_is_refused(house: House, value: str) -> None:
    with pytest.raises(Invalid, match=f"1 to {LARGEST} bytes"):
        house.here.put(NS, "x", value, by="me")
    house.here.put(NS, "x", "é" * (LARGEST // 2), by="me")
    assert house.told(house.here, "x") == "é" * (LARGEST // 2)


def test_there_is_an_end_to_how_many_there_can_be(house: House) -> None:
    for number in range(MOST):
        house.here.put(NS, f"s{number}", "x", by="me")
    with pytest.raises(Invalid, match=f"{MOST} secrets"):
        house.here.put(NS, "one-more", "x", by="me")
    house.here.put(NS, "s0", "y", by="me")
    house.here.delete(NS, "s1")
    house.here.put(NS, "one-more", "x", by="me")


def test_whoever_loses_a_write_writes_again(house: House) -> None:
    house.versioned_values.rivals = 4
    house.here.put(NS, "x", "1", by="me")
    assert house.told(house.here, "x") == "1"
    house.versioned_values.rivals = 10**6
    with pytest.raises(Conflict, match="try again"):
        house.here.put(NS, "x", "2", by="me")


def test_without_a_key_no_secret_is_taken() -> None:
    secrets = Secrets(NoEncryption(), VersionedValues(), FakeClock())
    with pytest.raises(SecretsOff):
        secrets.put(NS, "x", "1", by="me")
