"""The store of definitions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from chalicelib.model.json_values import ready
from chalicelib.model.times import Instant
from chalicelib.service.ports.runs import NewRun


class Kind(StrEnum):
    ACTION = "action"
    FLOW = "flow"


class Definition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One version of an action or a flow as it is kept. Versions count from 1; a version never changes."""

    kind: Kind
    name: str
    version: int
    uuid: str
    text: str
    """Its FSL statement, as it was submitted."""
    value: bytes
    """The checked `definition.Action` or `definition.Flow`, as `definition.encode` writes it."""
    created_at: Instant
    deleted: bool = False
    """The name was deleted at this version. Only `latest(..., deleted=True)` shows such a definition."""


class DefinitionStore(Protocol):
    def latest(
        self, namespace: str, kind: Kind, names: Iterable[str], *, deleted: bool = False
    ) -> dict[str, Definition]:
        """The newest version of each of `names`; a name that is not defined is left out, as is a deleted one unless
        `deleted` asks for it (whoever defines it again must go on counting). Consistent."""
        ...

    def version(self, namespace: str, kind: Kind, name: str, version: int) -> Definition | None:
        """That version, deleted names' versions included (runs may still obey them); None if it never was."""
        ...

    def list(self, namespace: str, kind: Kind, limit: int, after: str = "") -> Sequence[Definition]:
        """The newest versions by name, from the name after `after`; at most `limit`."""
        ...

    def submit(self, namespace: str, definitions: Sequence[Definition], runs: Sequence[NewRun]) -> None:
        """All of these exist, or none. A definition's `version` must follow the newest one (1 where there is none).

        Raises Conflict if one does not, RunExists if a run of that name exists, TooLarge if there are more than the
        store can write at once.
        """
        ...

    def delete(self, namespace: str, definition: Definition) -> None:
        """The name is no longer defined; its versions stay readable for the runs that obey them, and a later definition
        of that name goes on counting. Raises Conflict if `definition` is no longer the newest version."""
        ...


ready(Definition)
