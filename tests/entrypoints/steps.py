"""Setup steps that many tests share."""

from __future__ import annotations

from typing import Any

from tests.entrypoints.flows import TWO, WORK
from tests.entrypoints.gateway import call

NEVER = "00000000-0000-8000-8000-000000000000"


def defined(*statements: str) -> None:
    """Submit the statements."""
    reply = call("POST", "/fsl", "\n/\n".join(statements))
    assert reply.status == 200, reply.text


def started(name: str = "r", **body: Any) -> dict[str, Any]:
    """Start a run of the flow `two`."""
    defined(WORK, TWO)
    reply = call("POST", "/flow/two/runs", {"name": name, "input": {"order": "o-1"}, **body})
    assert reply.status == 201, reply.text
    run: dict[str, Any] = reply.json
    return run


def uuid_of(run: dict[str, Any]) -> str:
    uuid: str = run["spec"]["tokens"][0]["uuid"]
    return uuid


def answered(run: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """Return the action's answer to the current step of the run."""
    step = run["spec"]["tokens"][0]["step"]
    name = run["metadata"]["name"]
    return {"flowId": name, "stepName": step, "uuid": uuid_of(run), "ackState": "OK", "done": True, **changed}
