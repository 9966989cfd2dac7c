"""The system's clock and random ids."""

from __future__ import annotations

import secrets
import time

from chalicelib.model.times import Instant


class SystemClock:
    def now(self) -> Instant:
        return time.time_ns() // 1_000_000

    def sleep(self, milliseconds: int) -> None:
        time.sleep(milliseconds / 1000)


class SystemIds:
    def nonce(self) -> str:
        return secrets.token_hex(16)
