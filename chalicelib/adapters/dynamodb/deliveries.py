"""Deliveries in DynamoDB: items of their run, which are deleted with it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from chalicelib.adapters.dynamodb import keys
from chalicelib.adapters.dynamodb.conditions import S
from chalicelib.adapters.dynamodb.items import Item, Table
from chalicelib.model import formats
from chalicelib.model.run import Run
from chalicelib.service.ports.deliveries import DeliveryRecord


class DynamoDeliveries:
    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, run: Run, record: DeliveryRecord) -> None:
        k, s = keys.delivery(run.namespace, run.id, record.uuid, record.at)
        self._table.put(Item(k, s, b=formats.DELIVERY.encode(record).decode()))

    def of(self, run: Run, uuid: str, limit: int) -> Sequence[DeliveryRecord]:
        partition, beginning = keys.deliveries(run.namespace, run.id, uuid)
        found = self._table.query(partition, S.begins_with(beginning), at_once=limit)
        return [formats.DELIVERY.decode(item.text, DeliveryRecord) for item in islice(found, limit)]
