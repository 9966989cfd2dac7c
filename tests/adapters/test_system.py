from __future__ import annotations

import time

from chalicelib.adapters.system import SystemClock, SystemIds


def test_the_clock_counts_milliseconds_since_1970() -> None:
    before = time.time() * 1000
    assert before - 1 <= SystemClock().now() <= time.time() * 1000
    SystemClock().sleep(0)


def test_nonces_are_32_hex_digits_and_never_the_same() -> None:
    nonces = {SystemIds().nonce() for _ in range(100)}
    assert len(nonces) == 100
    assert all(len(nonce) == 32 and set(nonce) <= set("0123456789abcdef") for nonce in nonces)
