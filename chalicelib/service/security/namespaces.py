"""Names of namespaces."""

from __future__ import annotations

import re
from typing import Final

NAMESPACE: Final = 63
"""Characters of a namespace's name, at most."""

NAMESPACE_NAME: Final = re.compile(rf"[a-z0-9][a-z0-9-]{{0,{NAMESPACE - 1}}}")


def is_namespace(name: str) -> bool:
    """Whether a namespace can be called so: small letters, digits and dashes, 63 at most, no dash at first."""
    return NAMESPACE_NAME.fullmatch(name) is not None
