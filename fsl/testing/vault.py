"""Secrets in tests: sealed as in a run, with a seal that anybody can open, and open wherever a test looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from chalicelib.engine.secret_values import opened
from chalicelib.model.history import Entry
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run


class OpenVault:
    """Implements `engine.sealed.Vault`. A secret that the test does not name is a text that tells its name."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = secrets

    def seal(self, value: Json, /) -> str:
        return msgspec.json.encode(value).decode()

    def open(self, text: str, /) -> Json:
        return msgspec.json.decode(text)

    def secret(self, name: str, /) -> Json:
        return self._secrets.get(name, f"secret {name}")


_VAULT: Final = OpenVault({})


def run_in_the_open(run: Run) -> Run:
    """The run with its secrets readable."""
    return replace(
        run,
        input=opened(run.input, _VAULT),
        vars=opened(run.vars, _VAULT),
        output=opened(run.output, _VAULT),
    )


def entry_in_the_open(entry: Entry) -> Entry:
    """The entry with its secrets readable."""
    return replace(entry, data=opened(entry.data, _VAULT), vars=opened(entry.vars, _VAULT))
