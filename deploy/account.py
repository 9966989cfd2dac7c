"""The AWS account and region that a stage is deployed to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

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
    account = Account(boto3.Session(), say)
    try:
        say(f"account {account.number}, region {account.session.region_name}")
    except NoRegionError as error:
        raise NotDeployed("no region: set AWS_REGION, or `region` in the profile of AWS_PROFILE") from error
    except NoCredentialsError as error:
        raise NotDeployed(
            "no AWS credentials: set AWS_PROFILE, or sign in (`aws sso login`, `aws configure`)"
        ) from error
    except (BotoCoreError, ClientError) as error:
        raise NotDeployed(f"AWS does not accept the credentials: {error}") from error
    return account
