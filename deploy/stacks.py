"""CloudFormation stacks: create, update and delete them, with progress."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError, WaiterError

from deploy.account import Account, NotDeployed
from deploy.stages import Document

CAPABILITIES: Final = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]

_CHANGE_SET_WAITER: Final = {"Delay": 2, "MaxAttempts": 300}
"""`Delay` is in seconds."""
_LOOK_EVERY_S: Final = 2.0
_TIMEOUT_S: Final = 1800.0
_SAY_EVERY_S: Final = 15.0

_STUCK_STATUSES: Final = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED"})
_DELETED: Final = "DELETE_COMPLETE"


def status(account: Account, stack: str) -> str | None:
    """Return the status of the stack, or None if there is no stack."""
    try:
        found = account.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return None if found in (_DELETED, "REVIEW_IN_PROGRESS") else str(found)


def has(account: Account, stack: str, name: str) -> bool:
    """Return whether the stack, which exists, has a resource of that logical id."""
    try:
        account.client("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId=name)
    except ClientError as error:
        if "does not exist" in str(error):
            return False
        raise
    return True


def check(account: Account, stack: str, table: str) -> None:
    """Raise NotDeployed if the stack cannot be created or updated now. `table` is that of its stage."""
    found = status(account, stack)
    if found in _STUCK_STATUSES:
        raise NotDeployed(f"stack {stack} is {found}: delete it (its table remains) or repair it, and try again")
    if found and found.endswith("_IN_PROGRESS"):
        raise NotDeployed(f"stack {stack} is {found}: wait until that has ended, and try again")
    if found is None and _has_table(account, table):
        raise NotDeployed(
            f"the table {table} remains of an earlier stack {stack}, and a new stack cannot take it over by itself: "
            "delete the table with all its data, import it into a stack, or deploy a stage of another name"
        )


def change(account: Account, stack: str, template: str, parameters: Mapping[str, str]) -> Document:
    """Create or update the stack from the template at this address. Return its outputs. Raises NotDeployed."""
    client, exists = account.client("cloudformation"), status(account, stack) is not None
    made = client.create_change_set(
        StackName=stack,
        ChangeSetName=f"echoer-{secrets.token_hex(4)}",
        ChangeSetType="UPDATE" if exists else "CREATE",
        TemplateURL=template,
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        Capabilities=CAPABILITIES,
        Tags=[{"Key": "app", "Value": "echoer"}],
    )
    if _ready(client, made["Id"]):
        account.say(f"{'updating' if exists else 'creating'} the stack {stack} ...")
        _follow(account, stack, lambda: client.execute_change_set(ChangeSetName=made["Id"]))
    else:
        account.say(f"the stack {stack} is up to date")
    outputs = client.describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}


def remove(account: Account, stack: str) -> None:
    """Delete the stack. Raises NotDeployed if there is none, or if it cannot be deleted."""
    if status(account, stack) is None:
        raise NotDeployed(f"there is no stack {stack} in this account and region")
    account.say(f"deleting the stack {stack} ...")
    # Once a stack is deleted, only its id finds it.
    client = account.client("cloudformation")
    arn = client.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
    _follow(account, arn, lambda: client.delete_stack(StackName=arn))


def _has_table(account: Account, table: str) -> bool:
    client = account.client("dynamodb")
    try:
        client.describe_table(TableName=table)
    except client.exceptions.ResourceNotFoundException:
        return False
    return True


def _ready(client: Any, change_set: str) -> bool:
    """Wait for the change set. Return whether it changes anything. Raises NotDeployed."""
    try:
        client.get_waiter("change_set_create_complete").wait(ChangeSetName=change_set, WaiterConfig=_CHANGE_SET_WAITER)
    except WaiterError as error:
        reason = client.describe_change_set(ChangeSetName=change_set).get("StatusReason", "")
        client.delete_change_set(ChangeSetName=change_set)
        if "didn't contain changes" in reason or "No updates" in reason:
            return False
        raise NotDeployed(f"CloudFormation refuses the template: {reason}") from error
    return True


def _follow(account: Account, stack: str, begin: Callable[[], object]) -> None:
    """Begin an operation and wait for its end; say how far it is, and each failure. Raises NotDeployed."""
    client = account.client("cloudformation")
    seen = {event["EventId"] for event in _events(client, stack)}
    begin()
    began = said = time.monotonic()
    failures: list[str] = []
    done: set[str] = set()
    while True:
        for event in reversed(_events(client, stack)):
            if event["EventId"] not in seen:
                seen.add(event["EventId"])
                _note(event, done, failures, account.say)
        now = str(client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])
        if not now.endswith("_IN_PROGRESS"):
            break
        if time.monotonic() - began > _TIMEOUT_S:
            raise NotDeployed(f"stack {stack} is {now} after {_TIMEOUT_S / 60:.0f} minutes")
        if time.monotonic() - said > _SAY_EVERY_S:
            said = time.monotonic()
            account.say(f"  {len(done)} resources done after {said - began:.0f} s")
        time.sleep(_LOOK_EVERY_S)
    if now not in ("CREATE_COMPLETE", "UPDATE_COMPLETE", _DELETED):
        raise NotDeployed(f"stack {stack} is {now}: {failures[0] if failures else 'CloudFormation gives no reason'}")


def _note(event: Document, done: set[str], failures: list[str], say: Callable[[str], None]) -> None:
    """Remember what became of a resource. A resource that others made fail is not said."""
    name, reason = event["LogicalResourceId"], event.get("ResourceStatusReason", "")
    if event["ResourceStatus"].endswith("_COMPLETE"):
        done.add(name)
    elif event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in reason:
        failures.append(f"{name}: {reason}")
        say(f"  {failures[-1]}")


def _events(client: Any, stack: str) -> list[Document]:
    """Return the newest events, the newest first."""
    try:
        found: list[Document] = client.describe_stack_events(StackName=stack)["StackEvents"]
    except ClientError as error:
        if "does not exist" in str(error):
            return []
        raise
    return found
