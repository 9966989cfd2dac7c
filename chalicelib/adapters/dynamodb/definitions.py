"""Definitions in DynamoDB.

The newest version of a name is an item of its own, so that one read returns it and one query lists all names. Before it
is replaced or deleted it is archived under its version. A version never changes, so archiving it twice is harmless. A
deleted name leaves a tombstone, which keeps the version number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final, NamedTuple

from msgspec.structs import replace
from pynamodb.exceptions import VerboseClientError

from chalicelib.adapters.dynamodb import keys
from chalicelib.adapters.dynamodb.conditions import Condition, K, S, T, V
from chalicelib.adapters.dynamodb.items import CONDITION_FAILED, Item, Table, translated
from chalicelib.adapters.dynamodb.runs import DynamoRuns
from chalicelib.adapters.store_rules import check_distinct, not_newest, not_next
from chalicelib.model import formats
from chalicelib.service.errors import Conflict, RunExists, ServiceError, TooLarge
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.ports.runs import NewRun

MAX_TRANSACTION_ITEMS: Final = 100
"""The most items that a transaction takes (an AWS limit)."""


class _Put(NamedTuple):
    """An item, the condition for writing it, and the error to raise if the condition does not hold."""

    item: Item
    condition: Condition
    refused: ServiceError


class DynamoDefinitions:
    def __init__(self, table: Table, runs: DynamoRuns) -> None:
        self._table = table
        self._runs = runs

    def latest(
        self, namespace: str, kind: Kind, names: Iterable[str], *, deleted: bool = False
    ) -> dict[str, Definition]:
        items = self._table.get_all({keys.newest(namespace, kind, name) for name in names}, consistent=True)
        found = [_definition(item) for item in items.values() if deleted or not item.t]
        return {definition.name: definition for definition in found}

    def version(self, namespace: str, kind: Kind, name: str, version: int) -> Definition | None:
        newest = self._table.get(keys.newest(namespace, kind, name))
        if newest is None or newest.version < version:
            return None
        if newest.version == version and not newest.t:
            return _definition(newest)
        archived = self._table.get(keys.archived(namespace, kind, name, version))
        return _definition(archived) if archived else None

    def versions(
        self, namespace: str, kind: Kind, name: str, limit: int, before: int | None = None
    ) -> Sequence[Definition]:
        newest = self._table.get(keys.newest(namespace, kind, name))
        if newest is None:
            return []
        is_first = not newest.t and (before is None or newest.version < before)
        partition, last = keys.archived(namespace, kind, name, newest.version if before is None else before - 1)
        found = self._table.query(partition, S.at_most(last), downwards=True, at_once=limit + 1)
        archived = [item for item in islice(found, limit + 1) if not is_first or int(item.s) != newest.v]
        return [_definition(item) for item in [newest, *archived][0 if is_first else 1 :]][:limit]

    def list(self, namespace: str, kind: Kind, limit: int, after: str = "") -> Sequence[Definition]:
        found = self._table.query(
            keys.all_newest(namespace, kind), S.above(after) if after else None, only=T.is_absent(), at_once=limit
        )
        return [_definition(item) for item in islice(found, limit)]

    def submit(self, namespace: str, definitions: Sequence[Definition], runs: Sequence[NewRun]) -> None:
        check_distinct(definitions, runs)
        if len(definitions) + len(runs) > MAX_TRANSACTION_ITEMS:
            raise TooLarge(f"a document may hold at most {MAX_TRANSACTION_ITEMS} definitions and flow_runs together")
        self._archive_before(namespace, definitions)
        for new in runs:
            self._runs.write_blobs(new)
        puts = [self._put_definition(namespace, definition) for definition in definitions]
        puts += [_Put(self._runs.head_of(new.run, new.body), K.is_absent(), RunExists(new.run.name)) for new in runs]
        try:
            self._write(puts)
        except (Conflict, RunExists):
            for new in runs:
                self._runs.take_back_blobs(new)
            raise

    def delete(self, namespace: str, definition: Definition) -> None:
        newest = self._table.get(keys.newest(namespace, definition.kind, definition.name))
        if newest is None or newest.t or newest.v != definition.version:
            raise not_newest(definition)
        self._archive(namespace, _definition(newest))
        tombstone_text = _text(replace(definition, text="", value=b"", deleted=True))
        tombstone = Item(newest.k, newest.s, v=newest.v, t=True, b=tombstone_text)
        self._table.put(tombstone, V.equals(definition.version) & T.is_absent(), not_newest(definition))

    def _archive_before(self, namespace: str, definitions: Sequence[Definition]) -> None:
        """Archive the versions that are about to be replaced."""
        replaced = {keys.newest(namespace, each.kind, each.name): each for each in definitions if each.version > 1}
        items = self._table.get_all(replaced, consistent=True) if replaced else {}
        for key, definition in replaced.items():
            if key not in items or items[key].v != definition.version - 1:
                raise not_next(definition)
            if not items[key].t:
                self._archive(namespace, _definition(items[key]))

    def _archive(self, namespace: str, definition: Definition) -> None:
        k, s = keys.archived(namespace, definition.kind, definition.name, definition.version)
        self._table.put(Item(k, s, b=_text(definition)))

    def _put_definition(self, namespace: str, definition: Definition) -> _Put:
        k, s = keys.newest(namespace, definition.kind, definition.name)
        item = Item(k, s, v=definition.version, b=_text(definition))
        follows = K.is_absent() if definition.version == 1 else V.equals(definition.version - 1)
        return _Put(item, follows, not_next(definition))

    def _write(self, puts: Sequence[_Put]) -> None:
        """Write all items or none. A single item needs no transaction, which costs twice as much."""
        if len(puts) == 1:
            self._table.put(puts[0].item, puts[0].condition, puts[0].refused)
        elif puts:
            with translated():
                self._transact(puts)

    def _transact(self, puts: Sequence[_Put]) -> None:
        """Write the items in one transaction. DynamoDB returns a reason per operation, in their order."""
        try:
            self._table.put_together([self._table.put_request(put.item, put.condition) for put in puts])
        except VerboseClientError as exc:
            for put, reason in zip(puts, exc.cancellation_reasons, strict=False):
                if reason is not None and reason.code == CONDITION_FAILED:
                    raise put.refused from exc
            raise


def _definition(item: Item) -> Definition:
    return formats.DEFINITION.decode(item.text, Definition)


def _text(definition: Definition) -> str:
    return formats.DEFINITION.encode(definition).decode()
