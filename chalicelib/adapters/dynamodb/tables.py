"""The table and its indexes, described once for the models, local tables and the deployment."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

HASH: Final = "k"
RANGE: Final = "s"
EXPIRY: Final = "x"
"""DynamoDB deletes an item some time after this time (seconds since 1970)."""

LOGICAL_ID: Final = "EchoerTable"


class Index(NamedTuple):
    """An index that holds the keys of the items that have both attributes."""

    name: str
    hash: str
    range: str


TIMERS: Final = Index("alarms", "ap", "al")
LISTED: Final = Index("listed", "lp", "c")
BY_FLOW: Final = Index("by_flow", "fp", "c")
CHANGED: Final = Index("changed", "cp", "ca")
UNDO_FAILED: Final = Index("undo_failed", "up", "c")
INDEXES: Final = (TIMERS, LISTED, BY_FLOW, CHANGED, UNDO_FAILED)

_NUMBERS: Final = frozenset({"al", "ca"})


def create_tables(client: Any, table: str) -> None:
    """Create the table through a boto3 DynamoDB client. For tests and local servers."""
    client.create_table(TableName=table, **_schema())
    client.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1})
    try:
        client.update_time_to_live(TableName=table, TimeToLiveSpecification={"AttributeName": EXPIRY, "Enabled": True})
    except client.exceptions.ClientError as exc:  # dynalite has no expiry: expired items only take space
        if exc.response["Error"]["Code"] != "UnknownOperationException":
            raise


def as_cloudformation(table: str | dict[str, Any]) -> dict[str, Any]:
    """Return the `Resources` of a CloudFormation template for the table. `table` is its name, or a function of it.

    The table remains when its stack is deleted, because it holds the runs.
    """
    properties = {
        "TableName": table,
        **_schema(),
        "TimeToLiveSpecification": {"AttributeName": EXPIRY, "Enabled": True},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "SSESpecification": {"SSEEnabled": True},
    }
    return {
        LOGICAL_ID: {
            "Type": "AWS::DynamoDB::Table",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": properties,
        }
    }


def _schema() -> dict[str, Any]:
    attributes = dict.fromkeys([HASH, RANGE, *(name for index in INDEXES for name in (index.hash, index.range))])
    return {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": "N" if name in _NUMBERS else "S"} for name in attributes
        ],
        "KeySchema": _keys(HASH, RANGE),
        "GlobalSecondaryIndexes": [
            {
                "IndexName": index.name,
                "KeySchema": _keys(index.hash, index.range),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
            for index in INDEXES
        ],
    }


def _keys(hash_key: str, range_key: str) -> list[dict[str, str]]:
    return [{"AttributeName": hash_key, "KeyType": "HASH"}, {"AttributeName": range_key, "KeyType": "RANGE"}]
