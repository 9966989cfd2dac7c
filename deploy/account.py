"""The AWS account and region that a stage is deployed to."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from chalicelib.model.errors import EchoerError


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
    def number(self) -> str:
        return str(self.client("sts").get_caller_identity()["Account"])

    @property
    def bucket(self) -> str:
        """The name of the bucket for zips and templates."""
        return f"echoer-deploy-{self.number}-{self.session.region_name}"

    def address(self, key: str) -> str:
        """Return the URL of an object in the bucket, in the path-style form that CloudFormation's own tools use."""
        return f"{self.client('s3').meta.endpoint_url}/{self.bucket}/{key}"


def connect(say: Callable[[str], None]) -> Account:
    """Return the account of the environment, and say which it is. Raises NotDeployed if AWS does not accept it."""
    try:
        # boto3 reads AWS_DEFAULT_REGION alone, unlike AWS's other tools.
        account = Account(boto3.Session(region_name=os.environ.get("AWS_REGION") or None), say)
        if not account.session.region_name:
            raise NotDeployed("no region: set AWS_REGION, or `region` in the profile of AWS_PROFILE")
        say(f"account {account.number}, region {account.session.region_name}")
    except NoCredentialsError as error:
        raise NotDeployed("no AWS credentials: set AWS_PROFILE, or sign in with `aws sso login`") from error
    except (BotoCoreError, ClientError) as error:
        raise NotDeployed(f"AWS does not accept the credentials: {error}") from error
    return account
