"""Fixtures: a stage, packaged once for all tests of a worker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.build import NoIndex
from deploy.package import package
from deploy.stages import Document, Stage, configuration, stage
from tests.deploy.cloud import Cloud

STAGE = "dev"


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with both forms of the stage. Packaging needs the package index."""
    out = tmp_path_factory.mktemp("packaged") / STAGE
    try:
        package(STAGE, out)
    except NoIndex as error:
        pytest.skip(f"NOTHING OF THE DEPLOYMENT IS TESTED: the package index cannot be reached: {error}")
    return out


@pytest.fixture(scope="session")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Document:
    """Return the template of a stage that requires AWS identities, also for answers to steps, and permits an origin.

    It reserves concurrency for answers.
    """
    configured = configuration()
    own = {"ECHOER_AUTH": "iam", "ECHOER_CALLBACKS": "token", "ECHOER_ORIGINS": "https://console.example"}
    configured["stages"][STAGE]["environment_variables"] |= own
    configured["stages"][STAGE]["lambda_functions"] = {"callback": {"reserved_concurrency": 20}}
    out = tmp_path_factory.mktemp("signed") / STAGE
    try:
        package(STAGE, out, configured=configured)
    except NoIndex as error:
        pytest.skip(f"NOTHING OF A DEPLOYMENT UNDER IAM IS TESTED: the package index cannot be reached: {error}")
    found: Document = json.loads((out / "cloudformation" / "sam.json").read_text())
    return found


@pytest.fixture(scope="session")
def dev() -> Stage:
    return stage(STAGE, configuration())


@pytest.fixture(scope="session")
def template(packaged: Path) -> Document:
    """Return the template for CloudFormation."""
    found: Document = json.loads((packaged / "cloudformation" / "sam.json").read_text())
    return found


@pytest.fixture(scope="module")
def cloud(packaged: Path, dev: Stage) -> Iterator[Cloud]:
    """Provide AWS with only the stage deployed to it."""
    with Cloud(dev, packaged / "cloudformation") as made:
        yield made
