"""The versions that a submission expects: it changes nothing if another one was first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from chalicelib.service.errors import Changed, FoundVersion
from chalicelib.service.ports.definitions import Definition, Kind

Expected: TypeAlias = Mapping[Kind, Mapping[str, int]]
"""The version that each definition must have, by kind and name; 0: it is not defined."""

NOTHING_EXPECTED: Final[Expected] = {}


def check_expected(stored: Mapping[Kind, Mapping[str, Definition]], expected: Expected) -> None:
    """Raise Changed if definitions do not have the versions that are expected of them."""
    found: list[FoundVersion] = []
    for kind, versions_of in expected.items():
        for name, version in versions_of.items():
            current = stored[kind].get(name)
            if current is None or current.deleted:
                current = None
            if version != (current.version if current else 0):
                found.append(
                    FoundVersion(kind, name, current.version, current.created_by, current.created_at)
                    if current
                    else FoundVersion(kind, name, 0)
                )
    if found:
        raise Changed(found)
