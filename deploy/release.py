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
from collections.abc import Callable
from pathlib import Path
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.model.errors import EchoerError
from deploy import function_url, stacks, stages
from deploy.account import Account, NotDeployed, connect
from deploy.cloudformation import ADMIN
from deploy.package import ZIP, package
from deploy.stages import ROOT, Document, Stage

KEYS: Final = {"key": "signs what is sent to actions", "secrets-key": "encrypts secrets at rest: do not lose it"}
"""The purposes of a stage's keys."""


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
    return stacks.change(account, stage.prefix, account.address(key), {ADMIN: digest})


def configured_for(account: Account, name: str, configured: Document) -> Document:
    """Return the configuration with which the stage is deployed. Raises NoSuchStage, BadStage, BadSetting.

    The default for where actions answer is that of new stages: a stack that exists without a Function URL goes on
    without one until its stage sets ECHOER_CALLBACK_URL.
    """
    stage = stages.stage(name, configured)
    if not stage.has_function_url or stages.sets_callback_url(name, configured):
        return configured
    if stacks.status(account, stage.prefix) is None or stacks.has(account, stage.prefix, function_url.URL):
        return configured
    account.say(
        f"actions of the stage {name} answer at API Gateway, as before; ECHOER_CALLBACK_URL=function-url in the stage "
        "lets them answer at a Function URL, which costs nothing per request"
    )
    return stages.without_default_callback_url(configured)


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


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m deploy.release", description="Package a stage and deploy it.")
    parser.add_argument("stage", help="a stage of .chalice/config.json")
    asked = parser.parse_args()
    folder = ROOT / "out" / asked.stage
    try:
        stage = stages.stage(asked.stage, stages.configuration())
        account = connect(_say)
        stacks.check(account, stage.prefix, stage.table)
        configured = configured_for(account, asked.stage, stages.configuration())
        _say(f"packaging the stage {stage.name} ...")
        stage = package(asked.stage, folder, _say, configured)
        outputs = release(account, stage, folder / "cloudformation")
    except (EchoerError, BotoCoreError, ClientError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.writelines(f"{name}: {value}\n" for name, value in sorted(outputs.items()))
    return 0


def _say(text: str) -> None:
    """Print at once, also where the output is a pipe."""
    print(text, flush=True)  # noqa: T201 - progress for a person


if __name__ == "__main__":
    sys.exit(main())
