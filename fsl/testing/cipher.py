"""Secrets in tests: sealed as in a run, with a seal that anybody can open, and open wherever a test looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from chalicelib.engine.secret_values import decrypt
from chalicelib.model.history import Entry
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run


class OpenCipher:
    """Implements `engine.sealed.Cipher`. A secret that the test does not name is a text that tells its name."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = secrets

    def encrypt(self, value: Json, /) -> str:
        return msgspec.json.encode(value).decode()

    def decrypt(self, text: str, /) -> Json:
        return msgspec.json.decode(text)

    def secret(self, name: str, /) -> Json:
        return self._secrets.get(name, f"secret {name}")


_CIPHER: Final = OpenCipher({})


def run_in_the_open(run: Run) -> Run:
    """The run with its secrets readable."""
    return replace(
        run,
        input=decrypt(run.input, _CIPHER),
        vars=decrypt(run.vars, _CIPHER),
        output=decrypt(run.output, _CIPHER),
    )


def entry_in_the_open(entry: Entry) -> Entry:
    """The entry with its secrets readable."""
    return replace(entry, data=decrypt(entry.data, _CIPHER), vars=decrypt(entry.vars, _CIPHER))
