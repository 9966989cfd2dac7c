"""The environment of a function as the benchmark sets it, and its invocation."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Final

REGION: Final = "us-east-1"
ADMIN: Final = "the-first-admin-of-the-benchmark"
"""The token of the first admin. Nothing outside this machine accepts it."""

VARIABLES: Final = {
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "example",
    "AWS_LAMBDA_FUNCTION_NAME": "echoer-bench",
    "ECHOER_BACKEND": "aws",
    "ECHOER_FUNCTION_URL": "on",
    "ECHOER_ADMIN_TOKEN_SHA256": hashlib.sha256(ADMIN.encode()).hexdigest(),
    "ECHOER_OUTBOUND_ALLOW": "127.0.0.1",
    "ECHOER_WEBHOOK_KEY": "whsec-of-the-benchmark",
}
"""AWS's variables, and Echoer's where they have no default."""

CONTEXT: Final = SimpleNamespace(
    aws_request_id="7c1e8b11-e626-449a-bbf5-3aa831479275",
    function_name="echoer-bench",
    get_remaining_time_in_millis=lambda: 150_000,
)


_MINUTE_NS: Final = 60 * 10**9


@contextmanager
def quiet_minute(function: str) -> Iterator[None]:
    """Let the clock show another minute for the sweep: in every fifth it sends a message, too."""
    clock = time.time_ns
    ahead = (1 - clock() // _MINUTE_NS) % 5 * _MINUTE_NS
    if function == "app.sweep":
        time.time_ns = lambda: clock() + ahead
    try:
        yield
    finally:
        time.time_ns = clock


def invoke(function: str, event: dict[str, Any]) -> Any:
    """Call the handler, and check that it did its work."""
    import app

    return checked(getattr(app, function.partition(".")[2])(event, CONTEXT))


def checked(result: Any) -> Any:
    """Return what a handler returned. Raises AssertionError if it did not do its work."""
    found = result or {}  # a schedule gets no result
    if found.get("statusCode", 200) not in (200, 201) or found.get("batchItemFailures"):
        raise AssertionError(result)
    return result
