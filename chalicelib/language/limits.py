"""How much a document may hold. Each limit, when passed, is a diagnostic and nothing worse."""

from __future__ import annotations

from typing import Final

DOCUMENT_CHARACTERS: Final = 1_048_576
NESTING: Final = 32
"""Brackets within brackets. It also bounds every recursion over the tree."""
NAME_CHARACTERS: Final = 128
STATEMENTS: Final = 2_000
STEPS: Final = 2_000
"""Of one flow, nested ones included."""
ENTRIES: Final = 200
"""Args of an action, inputs of a flow."""
ADDRESSES: Final = 8
DIAGNOSTICS: Final = 100
"""Reported of one document; one more then says that there are more."""

INTEGERS: Final = range(-(2**63), 2**63)
LONGEST_DURATION: Final = 366 * 24 * 3_600_000
LONGEST_PAUSE: Final = 12 * 3_600_000
"""Between two deliveries: SQS hides a message for 12 hours at most."""
DELIVERIES: Final = 50
CONCURRENT: Final = 1_000
"""Activations of an action at once: who they are stands in one item, of 400 KB at most in DynamoDB."""
