"""Uuids of activations: derived from an event's nonce, and bound to a run and a step."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

ROOT: Final = "0"
"""The id of a run's outermost token."""

_DRAWN_BITS: Final = 0xFFFFFFFFFFFF0FFF3FFFFFFF
_VERSION_BITS: Final = 0x800080000000
"""The version and the variant of a uuid, in its first 12 bytes."""


def mint_uuid(run_id: str, step: str, nonce: str, number: int) -> str:
    """Return the uuid of an activation: 90 bits derived from the event's nonce, and a tag of the run and the step.

    `number` distinguishes the activations that one event makes. The format is version 8 of RFC 9562.
    """
    number_drawn = int.from_bytes(sha256(f"{nonce}/{number}".encode()).digest()[:12], "big")
    drawn = ((number_drawn & _DRAWN_BITS) | _VERSION_BITS).to_bytes(12, "big")
    return spell_uuid(drawn + _tag(run_id, step, drawn))


def was_minted(run_id: str, step: str, uuid: str) -> bool:
    """Return whether `uuid` has the tag of this step of this run, as those of activations that have ended do."""
    try:
        raw = bytes.fromhex(uuid.replace("-", ""))
    except ValueError:
        return False
    return len(raw) == 16 and spell_uuid(raw) == uuid.lower() and raw[12:] == _tag(run_id, step, raw[:12])


def _tag(run_id: str, step: str, drawn: bytes) -> bytes:
    return sha256(f"{run_id}/{step}/".encode() + drawn).digest()[:4]


def spell_uuid(raw: bytes) -> str:
    """Return the text of a uuid: 32 hex digits and four dashes."""
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
