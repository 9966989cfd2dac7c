"""Names of namespaces."""

from __future__ import annotations

import re
from typing import Final

MAX_NAMESPACE_CHARACTERS: Final = 63

NAMESPACE_NAME: Final = re.compile(rf"[a-z0-9][a-z0-9-]{{0,{MAX_NAMESPACE_CHARACTERS - 1}}}")


def is_namespace(name: str) -> bool:
    """Return whether the name is valid: a-z, 0-9 and dashes, at most 63 characters, not starting with a dash."""
    return NAMESPACE_NAME.fullmatch(name) is not None
