"""Encryption: it reveals nothing, only its key decrypts, and the same value gives the same text."""

from __future__ import annotations

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.adapters.encryption import BadKey, LibsodiumEncryption, LostKey, key_in_file
from chalicelib.service.security.secrets import MIN_KEY_CHARACTERS, SecretsOff

ONE, TWO = "1" * MIN_KEY_CHARACTERS, "2" * MIN_KEY_CHARACTERS
FIRST = "2559f86e.WPrqI6qzji3F8cTVjMKQCRbw80ZVWpTiLZ3IVpaH5rPLUZkpEQ4YoXMDG_8AZpxRlQ=="


def encryption(setting: str | None) -> LibsodiumEncryption:
    return LibsodiumEncryption(lambda: setting)


@given(plain=st.binary(max_size=200), namespace=st.text(max_size=20))
def test_what_was_sealed_is_opened(plain: bytes, namespace: str) -> None:
    text = encryption(ONE).encrypt(namespace, "p", plain)
    assert encryption(ONE).decrypt(namespace, "p", text) == plain
    assert encryption(ONE).encrypt(namespace, "p", plain) == text


def test_sealed_text_does_not_hold_what_it_hides() -> None:
    assert "4111" not in encryption(ONE).encrypt("n", "p", b'"4111111111111111"')
    assert len({encryption(ONE).encrypt("n", "p", bytes([n])) for n in range(256)}) == 256


def test_namespaces_seal_differently_and_open_nothing_of_one_another() -> None:
    text = encryption(ONE).encrypt("n", "p", b"x")
    assert encryption(ONE).encrypt("m", "p", b"x") != text
    with pytest.raises(LostKey, match="another run or namespace"):
        encryption(ONE).decrypt("m", "p", text)


def test_a_text_is_decrypted_at_its_own_place_alone() -> None:
    text = encryption(ONE).encrypt("n", "run/1", b"x")
    assert encryption(ONE).decrypt("n", "run/1", text) == b"x"
    assert encryption(ONE).encrypt("n", "run/2", b"x")[:30] != text[:30]  # not even the nonce is the same
    for namespace, place in (("n", "run/2"), ("n", ""), ("nr", "un/1"), ("m", "run/1")):
        with pytest.raises(LostKey, match="another run or namespace"):
            encryption(ONE).decrypt(namespace, place, text)


def test_texts_of_the_first_format_are_decrypted_and_cannot_be_made_of_the_second() -> None:
    """`FIRST` was written by an earlier version. The mark of the format cannot be taken off or changed."""
    assert encryption(ONE).decrypt("n", "any place", FIRST) == b"something"
    with pytest.raises(LostKey):
        encryption(ONE).decrypt("m", "any place", FIRST)
    key, mark, coded = encryption(ONE).encrypt("n", "p", b"something").split(".")
    for forged in (
        f"{key}.{coded}",
        f"{key}.1.{coded}",
        f"{key}.3.{coded}",
        f"{key}.{mark}.{FIRST.split('.')[1]}",
        key,
    ):
        with pytest.raises(LostKey):
            encryption(ONE).decrypt("n", "p", forged)


def test_a_key_is_replaced_in_two_steps() -> None:
    old = encryption(ONE).encrypt("n", "p", b"x")
    both = encryption(f"{TWO}, {ONE}")
    assert both.decrypt("n", "p", old) == b"x"
    assert encryption(TWO).decrypt("n", "p", both.encrypt("n", "p", b"y")) == b"y"
    with pytest.raises(LostKey, match="which is not set"):
        encryption(TWO).decrypt("n", "p", old)


@pytest.mark.parametrize(("kept", "added"), [(-4, "AAAA"), (20, ""), (9, "é"), (60, "A")])
def test_what_was_changed_is_not_opened(kept: int, added: str) -> None:
    text = encryption(ONE).encrypt("n", "p", b"something")
    with pytest.raises(LostKey):
        encryption(ONE).decrypt("n", "p", text[:kept] + added)


@pytest.mark.parametrize("setting", ["", "x" * (MIN_KEY_CHARACTERS - 1), f"{ONE} short", " , "])
def test_a_key_that_can_be_guessed_is_refused_and_not_told(setting: str) -> None:
    with pytest.raises(BadKey, match=f"{MIN_KEY_CHARACTERS} characters") as caught:
        encryption(setting).check()
    assert "short" not in str(caught.value)
    encryption(ONE).check()


def test_without_a_key_nothing_is_sealed() -> None:
    with pytest.raises(SecretsOff, match="ECHOER_SECRETS_KEY"):
        encryption(None).encrypt("n", "p", b"x")


def test_a_key_that_was_set_since_is_found() -> None:
    keys = [ONE]
    old = LibsodiumEncryption(lambda: ", ".join(keys))
    assert old.decrypt("n", "p", old.encrypt("n", "p", b"x")) == b"x"
    keys.insert(0, TWO)
    assert old.decrypt("n", "p", encryption(TWO).encrypt("n", "p", b"y")) == b"y"


def test_the_key_is_asked_for_once_and_only_when_it_is_needed() -> None:
    asked: list[int] = []

    def setting() -> str:
        asked.append(1)
        return ONE

    made = LibsodiumEncryption(setting)
    assert asked == []
    made.decrypt("n", "p", made.encrypt("n", "p", b"x"))
    assert asked == [1]


def test_a_key_in_a_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "echoer.key"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: key_in_file(path), range(32)))
    assert len(keys) == 1
    assert len(keys.pop()) >= MIN_KEY_CHARACTERS
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["echoer.key"]


def test_what_the_zip_leaves_out_is_not_needed() -> None:
    """`deploy.build` removes what is needed only to compile bindings."""
    code = """
import sys
sys.modules.update(cffi=None, pycparser=None)
from chalicelib.adapters.encryption import LibsodiumEncryption
encryption = LibsodiumEncryption(lambda: "k" * 32)
sys.exit(encryption.decrypt("n", "p", encryption.encrypt("n", "p", b"x")) != b"x")"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - our own code


def test_the_library_is_not_loaded_before_something_is_sealed() -> None:
    code = "import chalicelib.adapters.encryption, sys; sys.exit('nacl' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - our own code
