"""The query language of a state."""

from __future__ import annotations

from typing import Any, Final

JSONPATH: Final = "JSONPath"
JSONATA: Final = "JSONata"


def language_of(owner: Any, machine: str) -> str:
    """Return the query language of a machine or a state: what it says itself, else that of the machine.

    A state within a Map or a Parallel takes that of the machine too, not that of the state it is in, as AWS does.
    What is neither language is taken as JSONata, which AWS does as well; the checker reports it.
    """
    if not isinstance(owner, dict) or "QueryLanguage" not in owner:
        return machine
    return JSONPATH if owner["QueryLanguage"] == JSONPATH else JSONATA
