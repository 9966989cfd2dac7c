"""`python -m deploy.release STAGE`: deploy the stage to AWS.

It packages the stage, stores the zip and the template in a bucket under their digests, creates missing keys and the
first admin's token, and has CloudFormation create or update the stack, as a whole or not at all. Credentials and region
are found as boto3 finds them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import secrets
import sys
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from chalicelib.model.errors import EchoerError
from deploy.cloudformation import ADMIN
from deploy.package import ZIP, package
from deploy.stages import ROOT, Document, Stage

CAPABILITIES: Final = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]

KEYS: Final = {"key": "signs what is sent to actions", "secrets-key": "encrypts secrets at rest: do not lose it"}
"""The purposes of a stage's keys."""

_WAITER_CONFIG: Final = {"Delay": 5, "MaxAttempts": 360}
"""`Delay` is in seconds."""
_STUCK_STATUSES: Final = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED"})


class NotDeployed(EchoerError):
    """AWS refused the deployment; the message has the reason."""


@dataclass(frozen=True, slots=True)
class Account:
    """The account and region of a boto3 session. `say` prints progress."""

    session: Any
    say: Callable[[str], None]

    def client(self, service: str) -> Any:
        return self.session.client(service)

    @property
    def bucket(self) -> str:
        """The name of the bucket for zips and templates."""
        number = self.client("sts").get_caller_identity()["Account"]
        return f"echoer-deploy-{number}-{self.session.region_name}"

    def address(self, key: str) -> str:
        """Return the URL of an object in the bucket, path-style: CloudFormation reads it with the caller's rights."""
        return f"{self.client('s3').meta.endpoint_url}/{self.bucket}/{key}"


def release(account: Account, stage: Stage, folder: Path, expand: Callable[[Document], Document] = dict) -> Document:
    """Deploy the CloudFormation form in `folder`. Return the stack's outputs.

    `expand` adapts the template for an AWS that does not support SAM.
    """
    for reference, what in KEYS.items():
        make_key(account, stage.keys[reference], what)
    digest = make_admin(account, stage)
    make_bucket(account)
    code = keep(account, (folder / ZIP).read_bytes(), "zip")
    template = json.loads((folder / "sam.json").read_text())
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = f"s3://{account.bucket}/{code}"
    key = keep(account, json.dumps(expand(template)).encode(), "json")
    return change(account, stage.prefix, account.address(key), {ADMIN: digest})


def make_key(account: Account, reference: str, what: str) -> None:
    """Create the key that the reference names, unless it exists."""
    kind, _, name = reference.partition(":")
    value = f"whsec_{b64encode(secrets.token_bytes(32)).decode()}"
    try:
        if kind == "ssm":
            account.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=False)
        else:
            account.client("secretsmanager").describe_secret(SecretId=name.partition("#")[0])
            return
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterAlreadyExists":
            return
        raise NotDeployed(f"key {reference} ({what}): {error}") from error
    account.say(f"created the key {reference}, which {what}")


def make_admin(account: Account, stage: Stage) -> str:
    """Create the first admin's token in the Parameter Store, unless it exists. Return its digest."""
    ssm, name = account.client("ssm"), stage.admin_token
    try:
        token = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        token = secrets.token_urlsafe(32)
        ssm.put_parameter(Name=name, Value=token, Type="SecureString", Overwrite=False)
        account.say(f"created the first admin's token; it is in the Parameter Store as {name}")
    return hashlib.sha256(token.encode()).hexdigest()


def make_bucket(account: Account) -> None:
    """Create the bucket, closed to the public, unless it exists."""
    s3, region = account.client("s3"), account.session.region_name
    try:
        s3.head_bucket(Bucket=account.bucket)
    except ClientError:
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=account.bucket, **where)
        closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        s3.put_public_access_block(Bucket=account.bucket, PublicAccessBlockConfiguration=dict.fromkeys(closed, True))
        account.say(f"created the bucket {account.bucket}")


def keep(account: Account, content: bytes, kind: str) -> str:
    """Store the content in the bucket. Return its key, which is the same for the same content."""
    key = f"{hashlib.sha256(content).hexdigest()}.{kind}"
    account.client("s3").put_object(Bucket=account.bucket, Key=key, Body=content)
    return key


def change(account: Account, stack: str, template: str, parameters: Mapping[str, str]) -> Document:
    """Create or update the stack from the template at this address. Return its outputs. Raises NotDeployed."""
    client, exists = account.client("cloudformation"), _exists(account, stack)
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
        client.execute_change_set(ChangeSetName=made["Id"])
        account.say(f"{'updating' if exists else 'creating'} the stack {stack} ...")
        try:
            client.get_waiter(f"stack_{'update' if exists else 'create'}_complete").wait(
                StackName=stack, WaiterConfig=_WAITER_CONFIG
            )
        except WaiterError as error:
            raise NotDeployed(f"stack {stack}: {_blame(client, stack) or error}") from error
    else:
        account.say(f"the stack {stack} is up to date")
    outputs = client.describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}


def _exists(account: Account, stack: str) -> bool:
    try:
        status = account.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    except ClientError as error:
        if "does not exist" in str(error):
            return False
        raise
    if status in _STUCK_STATUSES:
        raise NotDeployed(f"stack {stack} is {status}: delete it (its table remains) or repair it, and try again")
    return bool(status != "REVIEW_IN_PROGRESS")


def _ready(client: Any, change_set: str) -> bool:
    """Wait for the change set. Return whether it changes anything. Raises NotDeployed."""
    try:
        client.get_waiter("change_set_create_complete").wait(ChangeSetName=change_set, WaiterConfig=_WAITER_CONFIG)
    except WaiterError as error:
        reason = client.describe_change_set(ChangeSetName=change_set).get("StatusReason", "")
        client.delete_change_set(ChangeSetName=change_set)
        if "didn't contain changes" in reason or "No updates" in reason:
            return False
        raise NotDeployed(f"CloudFormation refuses the template: {reason}") from error
    return True


def _blame(client: Any, stack: str) -> str:
    """Return the first event that failed, or an empty text."""
    events = client.describe_stack_events(StackName=stack)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
    return f"{failed[-1]['LogicalResourceId']}: {failed[-1].get('ResourceStatusReason', '')}" if failed else ""


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m deploy.release", description="Package a stage and deploy it.")
    parser.add_argument("stage", help="a stage of .chalice/config.json")
    asked = parser.parse_args()
    folder = ROOT / "out" / asked.stage
    try:
        stage = package(asked.stage, folder)
        outputs = release(Account(boto3.Session(), print), stage, folder / "cloudformation")
    except (EchoerError, BotoCoreError, ClientError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.writelines(f"{name}: {value}\n" for name, value in sorted(outputs.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
