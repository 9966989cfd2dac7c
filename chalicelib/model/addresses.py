"""Placeholders in addresses: `https://api.example/orders/{id}?currency={currency}`."""

from __future__ import annotations

import re
from typing import Final

_USER: Final = re.compile(r"//[^/?#]*@")

PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
"""A placeholder; its group is the name of an arg."""


def placeholders_in(address: str) -> list[str]:
    """Return the names in the placeholders of an address, in its order."""
    return PLACEHOLDER.findall(address)


def without_password(address: str) -> str:
    """Return the URL without the user and the password in it."""
    return _USER.sub("//", address, count=1)
