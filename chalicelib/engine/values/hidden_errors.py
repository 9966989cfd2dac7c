"""Errors of actions that have secrets: services may quote secrets in them."""

from __future__ import annotations

import re
from typing import Final

from msgspec.structs import replace

from chalicelib.engine.values.secret_values import Cipher, encrypted
from chalicelib.model.run_error import ErrorName, StepError

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,127}")


def error_name(name: str) -> str:
    """Return the name of an error if it is an identifier, which programs compare; otherwise `Refused`."""
    return name if not name or _NAME.fullmatch(name) else ErrorName.REFUSED


def hidden_error(error: StepError, action: str, cipher: Cipher) -> StepError:
    """Return the error of a service without its text. Its data is encrypted."""
    cause = error.cause
    if cause:
        cause = f"the cause ({len(cause)} characters) is hidden because action {action!r} has secrets"
    return replace(error, name=error_name(error.name), cause=cause, data=encrypted(error.data, cipher))
