"""The port of the definition store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from chalicelib.model.json_values import ready
from chalicelib.model.times import Instant
from chalicelib.service.ports.runs import NewRun


class Kind(StrEnum):
    """The kinds of definitions: the words that begin their statements."""

    ACTION = "action"
    FLOW = "flow"
    EVENT = "event"
    CONFIG = "config"
    SCHEDULE = "schedule"
    HOOK = "hook"

    @property
    def resource(self) -> str:
        """The name of the kind in paths and commands. There, `event` means published events."""
        return "eventtype" if self is Kind.EVENT else str(self)


class Definition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One stored version of a definition. Versions count from 1 and never change."""

    kind: Kind
    name: str
    version: int
    uuid: str
    text: str
    """The FSL statement, as it was submitted."""
    value: bytes
    """The checked value (`model.statements.VALUE_TYPES`), encoded by `json_values.encode`."""
    created_at: Instant
    created_by: str = ""
    """The name of the caller that submitted it; empty if it is not known."""
    deleted: bool = False
    """The name was deleted at this version. Only `latest(..., deleted=True)` returns such a definition."""


class DefinitionStore(Protocol):
    """Stores definitions."""

    def latest(
        self, namespace: str, kind: Kind, names: Iterable[str], *, deleted: bool = False
    ) -> dict[str, Definition]:
        """Return the newest version of each of `names`. Undefined names are left out. Consistent.

        `deleted`: include deleted names: a new definition must continue their versions.
        """
        ...

    def version(self, namespace: str, kind: Kind, name: str, version: int) -> Definition | None:
        """Return that version, also of a deleted name, since runs may still use it; None if it never existed."""
        ...

    def versions(
        self, namespace: str, kind: Kind, name: str, limit: int, before: int | None = None
    ) -> Sequence[Definition]:
        """Return at most `limit` versions, newest first, of those below `before`; also those of a deleted name."""
        ...

    def list(self, namespace: str, kind: Kind, limit: int, after: str = "") -> Sequence[Definition]:
        """Return at most `limit` newest versions sorted by name, from the first name after `after`."""
        ...

    def submit(self, namespace: str, definitions: Sequence[Definition], runs: Sequence[NewRun]) -> None:
        """Store all of these or none. A definition's `version` must follow the newest one (1 if there is none).

        Raises Conflict if one does not, RunExists if a run of that name exists, TooLarge if there are more than the
        store can write in one transaction.
        """
        ...

    def delete(self, namespace: str, definition: Definition) -> None:
        """Delete the name. Its versions stay readable for runs that use them, and a new definition of that name
        continues their numbers. Raises Conflict if `definition` is no longer the newest version.
        """
        ...


ready(Definition)
