"""The limits of a document. A document beyond a limit gets a diagnostic."""

from __future__ import annotations

from typing import Final

from chalicelib.model.flow import MAX_EACH_ITEMS, MAX_REPEATS
from chalicelib.model.times import MAX_DURATION_MS, UNIT_MS

__all__ = ["MAX_DURATION_MS", "MAX_EACH_ITEMS", "MAX_REPEATS"]

MAX_DOCUMENT_CHARACTERS: Final = 1_048_576
MAX_TOKENS: Final = 150_000
"""Words, signs and comments of a document: a text with more is refused before it is parsed."""
MAX_NESTING: Final = 32
"""Nested brackets. This limit also bounds every recursion over the tree."""
MAX_NAME_CHARACTERS: Final = 128
MAX_STATEMENTS: Final = 2_000
MAX_STEPS: Final = 2_000
"""Steps of one flow, nested steps included."""
MAX_STEPS_OF_RUN: Final = 1_000_000_000
"""The largest `max_steps`: how many steps a run can enter in all."""
MAX_ENTRIES: Final = 200
"""Args of an action, or inputs of a flow."""
MAX_ADDRESSES: Final = 8
MAX_DIAGNOSTICS: Final = 100
"""Diagnostics reported for one document; one more then reports that the rest is not shown."""

INTEGER_RANGE: Final = range(-(2**63), 2**63)
MAX_RETRY_PAUSE_MS: Final = 12 * UNIT_MS["h"]
"""Between two deliveries; the visibility timeout of SQS is at most 12 hours."""
MAX_DELIVERIES: Final = 50
MAX_REPLY_TIMEOUT_S: Final = 120
"""All requests of one delivery together. The function that delivers may take half a minute more."""
MAX_FAILURES: Final = 10_000
"""Deliveries in a row that fail before a breaker opens."""
MAX_DESCRIPTION_CHARACTERS: Final = 2_000
MAX_BURST: Final = 1_000
"""Deliveries of an action that are sent at once after a quiet time."""
MAX_CONCURRENT: Final = 1_000
"""Activations of an action at the same time; one DynamoDB item of at most 400 KB lists them."""
