"""The package for Lambda: small, for its platform, and without unneeded files."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from deploy import build
from deploy.stages import RUNTIME

MOST = 9_000_000
"""Far below Lambda's 50 MB: the test reports a package that grows by much."""


@pytest.fixture(scope="module")
def names(packaged: Path) -> list[str]:
    with zipfile.ZipFile(packaged / "cloudformation" / "deployment.zip") as decrypt:
        return decrypt.namelist()


def test_both_forms_deploy_the_same_code(packaged: Path) -> None:
    first, second = (packaged / form / "deployment.zip" for form in ("cloudformation", "terraform"))
    assert first.read_bytes() == second.read_bytes()


def test_it_is_small(packaged: Path) -> None:
    size = (packaged / "cloudformation" / "deployment.zip").stat().st_size
    assert size < MOST, size


def test_it_holds_the_code_and_what_that_needs(names: list[str]) -> None:
    found = {name.partition("/")[0] for name in names}
    assert {"app.py", "chalicelib", "chalice", "msgspec", "pynamodb", "requests", "ply", "re2", "tzdata"} <= found


STRANGERS = (
    "tests",
    "fsl",
    "deploy",
    "bench",
    "opentelemetry",
    "hypothesis",
    "moto",
    "pytest",
    *sorted(build.LAMBDA_HAS),
)


@pytest.mark.parametrize("stranger", STRANGERS)
def test_it_holds_no_tests_no_fsl_and_nothing_that_lambda_has(names: list[str], stranger: str) -> None:
    assert [name for name in names if stranger in Path(name).with_suffix("").parts] == []


def test_machine_code_is_for_lambdas_platform(names: list[str]) -> None:
    tag = f"cpython-{RUNTIME.removeprefix('python').replace('.', '')}-x86_64-linux-gnu"
    libraries = [name for name in names if re.search(r"\.so(\.|$)", name)]
    versioned = [name for name in libraries if ".cpython-" in name]
    assert any(name.startswith("msgspec/") for name in versioned)
    assert [name for name in versioned if tag not in name] == []


def test_the_code_runs_on_lambdas_python(packaged: Path, tmp_path: Path) -> None:
    """Only the zip and the packages of Lambda's runtime are importable."""
    python = build.find_python(RUNTIME.removeprefix("python"))
    if python is None:
        pytest.skip(f"THE ZIP IS NOT RUN: there is no {RUNTIME} here")
    code, runtime = tmp_path / "task", tmp_path / "runtime"
    with zipfile.ZipFile(packaged / "cloudformation" / "deployment.zip") as decrypt:
        decrypt.extractall(code)
    runtime.mkdir()
    for module in ("botocore", "jmespath", "dateutil", "six"):
        spec = importlib.util.find_spec(module)
        assert spec is not None
        assert spec.origin is not None
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        (runtime / source.name).symlink_to(source)
    run = "import app, json; from chalicelib import hosting, language; "
    run += "import chalicelib.adapters.dynamodb.store, "
    run += "chalicelib.adapters.sqs, chalicelib.adapters.actions.http_caller, "
    run += "chalicelib.adapters.secret_references, re2; "
    run += "print(app.app({'resource': '/', 'path': '/', 'httpMethod': 'GET', 'headers': {}, 'body': None, "
    run += "'multiValueHeaders': {}, 'multiValueQueryStringParameters': None, 'pathParameters': None, "
    run += "'stageVariables': None, 'isBase64Encoded': False, 'requestContext': {'resourcePath': '/', "
    run += "'httpMethod': 'GET', 'requestId': 'r', 'identity': {'sourceIp': '127.0.0.1'}}}, None)['statusCode'])"
    lines = f"import sys; sys.path[:0] = [{str(code)!r}, {str(runtime)!r}]; {run}"
    clean = {"PATH": os.environ["PATH"], "ECHOER_BACKEND": "memory", "PYTHONDONTWRITEBYTECODE": "1"}
    answer = subprocess.run(  # noqa: S603 - our own command
        [python, "-I", "-S", "-c", lines], cwd=tmp_path, env=clean, capture_output=True, text=True, check=False
    )
    assert answer.stdout.strip() == "200", answer.stderr


def test_it_has_its_bytecode(names: list[str]) -> None:
    if build.find_python(RUNTIME.removeprefix("python")) is None:
        pytest.skip(f"there is no {RUNTIME} here")
    assert any(re.fullmatch(r"chalicelib/engine/__pycache__/machine\.cpython-312\.pyc", name) for name in names)
