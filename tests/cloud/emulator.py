"""The emulator: ministack, in a virtual environment of its own, on a free port of loopback.

Its Lambda functions run in the Python that it runs in, so this must be the Python of the deployed functions. With
`AUTH=true` it verifies signatures, gives each function the credentials of its role, and checks the role's policy.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import boto3

from deploy.build import find_python
from deploy.gateway import KEY
from deploy.stages import RUNTIME, Document
from scripts.other_aws import MINISTACK, MiniStack, ServerError

REGION: Final = "eu-central-1"
PYTHON: Final = RUNTIME.removeprefix("python")

_BATCHES: Final = {"sqs:SendMessage": "sqs:SendMessageBatch"}
"""ministack asks for a permission by the name of the batch operation. SQS has no such permission: the single one counts
(Amazon SQS Developer Guide, "Amazon SQS API permissions: Actions and resource reference")."""

_LAST_LINES: Final = 40

_OFF: Final = {"SFTP_ENABLED": "0", "IOT_MTLS_ENABLED": "0"}
"""Servers that would listen on ports of their own."""


class Emulator(MiniStack):
    """AWS on this machine. `environment` has everything that a client of it needs."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.keys = (f"AKIA{secrets.token_hex(8).upper()}", secrets.token_hex(20))

    def install(self) -> None:
        """Create the virtual environment, unless there is one. Raises ServerError."""
        complete = self.place / ".complete"
        wanted = "\n".join(self.packages)
        if complete.is_file() and complete.read_text() == wanted:
            return
        shutil.rmtree(self.place, ignore_errors=True)
        _run(_python(self.place.parent), "-m", "venv", str(self.place))
        quiet = ("--quiet", "--disable-pip-version-check")
        _run(str(self.place / "bin" / "python"), "-m", "pip", "install", *quiet, *self.packages)
        complete.write_text(wanted)

    @property
    def packages(self) -> tuple[str, str]:
        """The emulator, and AWS's own translator of SAM in the version that the tests use."""
        return MINISTACK, f"aws-sam-translator=={version('aws-sam-translator')}"

    def command(self, port: int) -> tuple[Sequence[str], Mapping[str, str]]:
        words, variables = super().command(port)
        own = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), self.keys, strict=True))
        auth = {"AUTH": "true", "LAMBDA_EXECUTOR": "local", "MINISTACK_REGION": REGION}
        return words, {**variables, **_OFF, **own, **auth}

    def last_lines(self) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:])

    def url(self) -> str:
        found = self.running()
        assert found, "the emulator is not running"
        return f"http://127.0.0.1:{found[1]}"

    def client_environment(self) -> dict[str, str]:
        """Return this process's environment with this emulator in the place of AWS: no request can reach AWS."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ECHOER_"))}
        nowhere = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
        return {
            **kept,
            **nowhere,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.url(),
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": self.keys[0],
            "AWS_SECRET_ACCESS_KEY": self.keys[1],
        }

    def client(self, service: str) -> Any:
        """Return a boto3 client with all rights."""
        session = boto3.Session(*self.keys, region_name=REGION)
        return session.client(service, endpoint_url=self.url())

    # ── where it differs from AWS ────────────────────────────────────────────────────────────────────────────────────

    def name_batches(self, stack: str) -> None:
        """Allow each role of the stack the batch operations of what it may do, under ministack's names for them."""
        iam = self.client("iam")
        for role, statements in self.policies(stack).items():
            more = [*_batch_statements(statements)]
            if more:
                document = json.dumps({"Version": "2012-10-17", "Statement": more})
                iam.put_role_policy(RoleName=role, PolicyName="batches", PolicyDocument=document)

    def policies(self, stack: str) -> dict[str, list[Document]]:
        """Return the statements of the template by the names of the stack's roles."""
        iam, found = self.client("iam"), self.resources(stack, "AWS::IAM::Role")
        statements: dict[str, list[Document]] = {}
        for role in found:
            names = [name for name in iam.list_role_policies(RoleName=role)["PolicyNames"] if name != "batches"]
            documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
            statements[role] = [statement for document in documents for statement in document["Statement"]]
        return statements

    def apply_gateway_responses(self, stack: str, template: Document) -> None:
        """Set the gateway responses of the template, which ministack ignores when it imports the API."""
        gateway = self.client("apigateway")
        (api,) = self.resources(stack, "AWS::ApiGateway::RestApi")
        resource = template["Resources"]["RestAPI"]["Properties"]
        for kind, response in resource["DefinitionBody"][KEY].items():
            gateway.put_gateway_response(restApiId=api, responseType=kind, **response)
        gateway.create_deployment(restApiId=api, stageName="api")

    def bring_back_sooner(self, stack: str, seconds: int) -> None:
        """Shorten the visibility time-out of the stack's queues.

        When the code of a function changes, ministack kills it in the middle of its work, and its messages come back
        after that time. AWS lets it finish.
        """
        sqs = self.client("sqs")
        for queue in self.resources(stack, "AWS::SQS::Queue"):
            sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": str(seconds)})

    def resources(self, stack: str, kind: str = "") -> list[str]:
        """Return the physical ids of the stack's resources of that type, or of all."""
        found = self.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
        return [one["PhysicalResourceId"] for one in found if kind in ("", one["ResourceType"])]


def _batch_statements(statements: Sequence[Document]) -> Iterator[Document]:
    for number, statement in enumerate(statements):
        allowed = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        named = [_BATCHES[action] for action in allowed if action in _BATCHES]
        if named:
            yield {**statement, "Sid": f"Batches{number}", "Action": named}


def _python(home: Path) -> str:
    """Return a Python of the functions' version: one that is installed, or one from Debian's packages or from uv."""
    ways = [*_from_debian(), *_from_uv(home)]
    for way in ([], *ways):
        if way and subprocess.run(way, check=False).returncode:  # noqa: S603 - our own commands
            continue
        if found := find_python(PYTHON) or _managed(home):
            return found
    tried = "".join(f"\n  {' '.join(way)}" for way in ways)
    raise ServerError(f"the functions need Python {PYTHON}, which is not installed; this was tried:{tried}")


def _from_debian() -> Iterator[list[str]]:
    if shutil.which("apt-get") and os.geteuid() == 0:
        yield ["apt-get", "install", "--yes", "--quiet", f"python{PYTHON}", f"python{PYTHON}-venv"]


def _from_uv(home: Path) -> Iterator[list[str]]:
    uv = home / "uv"
    yield [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(uv), "uv"]
    yield [str(uv / "bin" / "uv"), "python", "install", "--install-dir", str(home / "pythons"), PYTHON]


def _managed(home: Path) -> str | None:
    found = sorted((home / "pythons").glob(f"*{PYTHON}*/bin/python3"))
    return str(found[-1]) if found else None


def _run(*words: str) -> None:
    answer = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - our own commands
    if answer.returncode:
        raise ServerError(f"{' '.join(words[:4])} ... failed:\n{answer.stdout[-2000:]}{answer.stderr[-4000:]}")
