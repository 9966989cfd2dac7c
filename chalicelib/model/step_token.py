"""The token of an activation (`$step.token`): one opaque, URL-safe text, for answers that name no run.

A token is base64url, without padding, of a version byte, the 16 bytes of the uuid, the namespace, a slash, and the name
of the run. It proves nothing by itself: an answer counts only if the run has, or had, an activation with this uuid, and
uuids are unguessable. The version byte keeps a token from beginning with a dash.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final, NamedTuple

from chalicelib.model.ids import spell_uuid

_VERSION: Final = b"\x01"
_UUID_END: Final = len(_VERSION) + 16
MAX_TOKEN_CHARACTERS: Final = 2_900
"""Longer texts are no tokens. The limits of names keep every token shorter, also that of a called run."""


class StepToken(NamedTuple):
    """What a token names."""

    namespace: str
    run: str
    uuid: str

    def encode(self) -> str:
        """Return the token as text."""
        raw = _VERSION + bytes.fromhex(self.uuid.replace("-", "")) + f"{self.namespace}/{self.run}".encode()
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> StepToken | None:
    """Return what the token names; None if the text is no token. There is one text for each token."""
    if len(text) > MAX_TOKEN_CHARACTERS:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        namespace, _, run = raw[_UUID_END:].decode().partition("/")
        token = StepToken(namespace, run, spell_uuid(raw[len(_VERSION) : _UUID_END]))
        return token if namespace and run and token.encode() == text else None
    except (binascii.Error, ValueError):  # also UnicodeDecodeError, and a text that is not ASCII
        return None
