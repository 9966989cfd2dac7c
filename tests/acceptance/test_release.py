"""The example `release.fsl`, with services like those of the original echoer."""

from __future__ import annotations

import re

from tests.acceptance.actions import Actions, Delivery
from tests.acceptance.api import Api
from tests.acceptance.conftest import RELEASE


def _document(name: str, addresses: dict[str, str]) -> str:
    """Return the example with new names for its run and actions, and with the addresses of the test services."""
    text = RELEASE.replace("my_flow_run", name)
    for path, url in addresses.items():
        text = text.replace(f"http://localhost:18080/{path}", url)
    assert "localhost" not in text
    for action in re.findall(r"^action (\w+)", text, re.MULTILINE):
        text = re.sub(rf'(action |action = "|action=")\b{action}\b', rf"\g<1>{name}_{action}", text)
    return text


def test_the_example_runs_to_its_end(api: Api, actions: Actions, name: str) -> None:
    """ci fails once, and the approval returns NEXT: A, A, D, E, B, C, done."""
    tried: list[str] = []

    def ci(delivery: Delivery) -> str:
        tried.append(delivery.uuid)
        return "FAIL" if len(set(tried)) == 1 else "SUCCESS"

    services = {
        "ci": actions.answering(ci),
        "approval": actions.answering("NEXT"),
        "approval2": actions.answering("AGREE"),
        "deploy": actions.answering("SUCCESS"),
        "notify": actions.answering("SUCCESS"),
    }
    order = sorted(services, key=len, reverse=True)
    document = _document(name, {path: services[path].url for path in order})
    api.submit(*filter(str.strip, re.split(r"^/$", document, flags=re.MULTILINE)))
    spec = api.ended(name)
    assert (spec["status"], spec["current_state"]) == ("succeeded", "done")
    assert api.path(name) == ["A", "A", "D", "E", "B", "C", "done"]
    (first, second) = services["ci"].deliveries
    assert first.uuid != second.uuid
    assert first.fields == {
        "project": "https://d.zyszy.best/yametech/compass.git",
        "version": "v0.1.0",
        "retry_count": 10,
        "flowId": name,
        "stepName": "A",
        "ackStates": ["SUCCESS", "FAIL"],
        "uuid": first.uuid,
        "globalVariables": {},
        "callbackUrl": api.get("/doctor")["callback_url"],
    }
    steps = {step["metadata"]["name"]: step["spec"]["response"]["state"] for step in spec["steps"]}
    assert steps == {"A": "SUCCESS", "D": "NEXT", "E": "AGREE", "B": "SUCCESS", "C": "SUCCESS"}
    assert spec["history_states"] == ["ready", "A", "A", "D", "E", "B", "C", "done"]
