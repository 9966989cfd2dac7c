"""Plain scalars of YAML by the core schema of YAML 1.2: `yes`, `NO`, times and dates are texts."""

from __future__ import annotations

import math
import re
from typing import Final

import yaml

from chalicelib.model.json_values import Json

_INT: Final = re.compile(r"[-+]?[0-9]{1,1000}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: Final[dict[str, Json]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


def scalar(node: yaml.ScalarNode) -> Json:
    """Return the value of a scalar: a text where it is quoted or is nothing else."""
    text = str(node.value)
    if node.style is not None:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    number = float(text) if _FLOAT.fullmatch(text) else math.nan
    return number if math.isfinite(number) else text
