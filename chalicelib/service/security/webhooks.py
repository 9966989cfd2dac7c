"""Webhook keys and signatures (Standard Webhooks)."""

from __future__ import annotations

import base64
import hmac
import re

from chalicelib.model.times import Instant


def keys_in(setting: bytes) -> tuple[bytes, ...]:
    """The keys that the setting holds. Raises ValueError if there is none: nothing may go out unsigned."""
    keys = tuple(key for key in re.split(rb"[\s,]+", setting) if key)
    if not keys:
        raise ValueError("there is no key to sign with")
    return keys


def secrets_for(setting: bytes, namespace: str) -> tuple[str, ...]:
    """What services of the namespace verify with, as Standard Webhooks writes secrets; one per key of the setting."""
    return tuple("whsec_" + base64.b64encode(key_of(master, namespace)).decode() for master in keys_in(setting))


def key_of(master: bytes, namespace: str) -> bytes:
    """The key that signs what is sent for a namespace."""
    return hmac.digest(master, f"webhook/{namespace}".encode(), "sha256")


def signature(key: bytes, message_id: str, at: Instant, body: bytes) -> str:
    """One signature of `webhook-signature` (Standard Webhooks, v1: HMAC-SHA256 over id, seconds and body)."""
    signed = f"{message_id}.{at // 1000}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
