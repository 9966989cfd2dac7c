"""Uuids of activations: derived from an event's nonce, and bound to a run and a step."""

from __future__ import annotations

import hashlib
from typing import Final

ROOT: Final = "0"
"""The id of a run's outermost token."""


def mint_uuid(run_id: str, step: str, nonce: str, number: int) -> str:
    """Return the uuid of an activation: 90 bits derived from the event's nonce, and a tag of the run and the step.

    `number` distinguishes the activations that one event makes. The format is version 8 of RFC 9562.
    """
    drawn = bytearray(hashlib.sha256(f"{nonce}/{number}".encode()).digest()[:12])
    drawn[6] = 0x80 | (drawn[6] & 0x0F)
    drawn[8] = 0x80 | (drawn[8] & 0x3F)
    return spell_uuid(bytes(drawn) + _tag(run_id, step, bytes(drawn)))


def was_minted(run_id: str, step: str, uuid: str) -> bool:
    """Return whether `uuid` has the tag of this step of this run, as those of activations that have ended do."""
    try:
        raw = bytes.fromhex(uuid.replace("-", ""))
    except ValueError:
        return False
    return len(raw) == 16 and spell_uuid(raw) == uuid.lower() and raw[12:] == _tag(run_id, step, raw[:12])


def _tag(run_id: str, step: str, drawn: bytes) -> bytes:
    return hashlib.sha256(f"{run_id}/{step}/".encode() + drawn).digest()[:4]


def spell_uuid(raw: bytes) -> str:
    """Return the text of a uuid: 32 hex digits and four dashes."""
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
