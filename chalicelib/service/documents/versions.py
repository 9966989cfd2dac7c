"""The versions of definitions that a document adds, and the limits of what one document may create."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from chalicelib.language import Statement
from chalicelib.model import json_values
from chalicelib.model.flow import FlowRun
from chalicelib.model.times import Instant
from chalicelib.service.documents.results import Change
from chalicelib.service.errors import TooLarge
from chalicelib.service.ports.clock import IdSource
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.ports.runs import NewRun
from chalicelib.service.runs.new_run import new_uuid

MAX_CREATED: Final = 100
"""How many definitions and flow_runs one document may create: a DynamoDB transaction takes 100 items."""

MAX_DEFINITION_BYTES: Final = 350_000
"""The largest stored definition, text and value together: a DynamoDB item has at most 400 KB."""

MAX_CREATED_BYTES: Final = 3_500_000
"""How many bytes one document may create: a DynamoDB transaction takes 4 MB."""


def versions(
    stored: Mapping[Kind, Mapping[str, Definition]],
    statements: Sequence[Statement],
    now: Instant,
    ids: IdSource,
    by: str = "",
) -> list[tuple[Definition, Change]]:
    """Return the definitions of the document: versions that it adds, and unchanged current ones.

    `by` is the name of the caller.
    """
    found: list[tuple[Definition, Change]] = []
    for statement in statements:
        if isinstance(statement.value, FlowRun):
            continue
        kind = Kind(statement.kind)
        current = stored[kind].get(statement.name)
        value = json_values.encode(statement.value)
        exists = current is not None and not current.deleted
        if current and exists and (current.text, current.value) == (statement.text, value):
            found.append((current, Change.UNCHANGED))
            continue
        definition = Definition(
            kind=kind,
            name=statement.name,
            version=current.version + 1 if current else 1,
            uuid=current.uuid if current and exists else new_uuid(ids),
            text=statement.text,
            value=value,
            created_at=now,
            created_by=by,
        )
        found.append((definition, Change.UPDATED if exists else Change.CREATED))
    return found


def check_size(definitions: Sequence[Definition], runs: Sequence[NewRun]) -> None:
    """Check that one transaction can store all of these. `runs` have their bodies. Raises TooLarge."""
    count = len(definitions) + len(runs)
    if count > MAX_CREATED:
        raise TooLarge(f"the document creates {count} definitions and flow_runs; the limit is {MAX_CREATED}")
    sizes = {f"{each.kind} {each.name!r:.80}": len(msgspec.json.encode(each)) for each in definitions}
    sizes |= {f"flow_run {new.run.name!r:.80}": len(json_values.encode(new.own)) for new in runs if new.own is not None}
    for what, size in sizes.items():
        if size > MAX_DEFINITION_BYTES:
            raise TooLarge(f"{what} would be stored in {size} bytes; the limit is {MAX_DEFINITION_BYTES}")
    total = sum(sizes.values()) + sum(len(new.body) for new in runs)
    if total > MAX_CREATED_BYTES:
        raise TooLarge(f"the document would be stored in {total} bytes; the limit is {MAX_CREATED_BYTES}")
