"""Operations of AWS, called by a server: moto is AWS, and answers within this process."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from chalicelib.config import Settings
from fsl.client import Client, Refused
from fsl.local.server import LocalServer
from tests.fsl.conftest import until

FLOW = """action put method = aws; addr = "dynamodb:putItem"; return = (OK); action_end
/
flow store
    input = (str id);
    step Put => (OK -> done | ERROR -> stopped) {
        action = put;
        args   = (
            tableName = "orders", Item = { "id": { "S": ${ $input.id } } },
            ConditionExpression = "attribute_not_exists(id)"
        );
    };
flow_end"""


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    settings = Settings(port=0, url="http://127.0.0.1:0", db=":memory:", aws_calls=("dynamodb:putItem",))
    with mock_aws(), LocalServer(settings) as server:
        boto3.client("dynamodb").create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield Client(server.url)


def ended(client: Client, name: str) -> str:
    client.start("store", {"name": name, "input": {"id": "o-1"}})
    until(lambda: client.get("flowrun", name)["spec"]["ended_at"])
    spec = client.get("flowrun", name)["spec"]
    return f"{spec['status']} {spec['last_err']}".strip()


def test_a_server_calls_what_is_listed(client: Client) -> None:
    client.submit(FLOW)
    assert ended(client, "a") == "succeeded"
    assert ended(client, "b") == ("failed DynamoDB.ConditionalCheckFailedException: The conditional request failed")
    items = boto3.client("dynamodb").scan(TableName="orders")["Items"]
    assert items == [{"id": {"S": "o-1"}}]


def test_a_server_refuses_what_is_not_listed(client: Client) -> None:
    with pytest.raises(Refused) as raised:
        client.submit(FLOW.replace("putItem", "updateItem").replace("Item = ", "Key = "))
    assert raised.value.status == 422
    assert [one["code"] for one in raised.value.diagnostics] == ["FSL218"]
