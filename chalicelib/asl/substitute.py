"""The values of `${NAME}`: what a template fills into a definition before AWS reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

PLACEHOLDER: Final = re.compile(r"\$\{([^{}\s\"]+)\}")
"""`${NAME}`, also `${AWS::Region}` and `${var.name}`."""

_NUMBERS: Final = frozenset(
    (
        *("TimeoutSeconds", "HeartbeatSeconds", "Seconds", "IntervalSeconds", "MaxAttempts", "BackoffRate"),
        *("MaxDelaySeconds", "MaxConcurrency", "ToleratedFailureCount", "ToleratedFailurePercentage"),
        *("MaxItemsPerBatch", "MaxInputBytesPerBatch", "MaxItems"),
    )
)
"""The fields that take numbers: in YAML, and in text that is filled in first, `Seconds: ${Wait}` becomes one."""

_NUMBER: Final = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")


def substitute(value: Any, values: Mapping[str, str]) -> Any:
    """Return JSON with the values filled into its texts and names; what has no value stays. Changes nothing itself.

    In a field that takes a number, a text that is one becomes a number. The nesting must be bounded, as `not_plain`
    makes sure.
    """
    return _Filling(values).value(value, "") if values else value


class _Filling:
    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def value(self, value: Any, name: str) -> Any:
        if isinstance(value, dict):
            return {self.text(key): self.value(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item, "") for item in value]
        if not isinstance(value, str):
            return value
        text = self.text(value)
        if name in _NUMBERS and text != value and _NUMBER.fullmatch(text):
            return float(text) if "." in text else int(text)
        return text

    def text(self, text: str) -> str:
        return PLACEHOLDER.sub(lambda found: self._values.get(found.group(1), found.group()), text)
