"""Make clients of the HTTP API with three generators, and complete the example run with each: `make clients`.

    /openapi.json of a live server ─┬─ openapi-python-client ── Python ──┐
                                    ├─ openapi-typescript ── TypeScript ─┼── programs/example.* ── the same server
                                    └─ openapi-generator ── Go ──────────┘

The server requires tokens. The example's five action services accept its requests and answer nothing: the programs
answer the steps, with the types that were generated. The tools are installed from their registries by name, into
`out/clients`; Node.js, Go, Java and Maven are installed with apt-get where they are missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import requests

from chalicelib.config import Access, Settings
from chalicelib.service.security.tokens import sha256
from fsl.examples.services import ExampleServices
from fsl.local.demo import DOCUMENT
from fsl.local.server import LocalServer

ROOT: Final = Path(__file__).resolve().parents[2]
PROGRAMS: Final = Path(__file__).with_name("programs")
OUT: Final = ROOT / "out" / "clients"
CONTRACT: Final = OUT / "openapi.json"
TOKEN: Final = "the token of the clients' admin, long enough"

GENERATOR: Final = "org.openapitools:openapi-generator-cli:7.17.0"
DEBIAN_PACKAGES: Final = {
    "npm": "npm",
    "node": "nodejs",
    "go": "golang-go",
    "java": "default-jre-headless",
    "mvn": "maven",
}
"""Program -> the package that has it."""

EXPECTED_WARNING: Final = "Unsupported content type text/plain"
"""The only warning of openapi-python-client: FSL may be sent as plain text, too."""

STEP_TIMEOUT_S: Final = 600


class StepFailed(Exception):
    """A program failed; the message is its output."""


def run(*command: str | Path, at: Path = OUT, **environment: str) -> str:
    """Run a program and return its output. Raises StepFailed."""
    done = subprocess.run(  # noqa: S603 - the commands are those of this module
        list(map(str, command)),
        cwd=at,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=STEP_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise StepFailed(f"{' '.join(map(str, command))} failed with {done.returncode}:\n{done.stdout}")
    return done.stdout


def install_programs() -> None:
    """Install the programs that this machine lacks."""
    missing = [package for program, package in DEBIAN_PACKAGES.items() if shutil.which(program) is None]
    if missing:
        run("apt-get", "update")
        run("apt-get", "install", "-y", "--no-install-recommends", *missing, DEBIAN_FRONTEND="noninteractive")


def build_python() -> Sequence[str | Path]:
    """Return the command of the Python program."""
    at = _fresh("python")
    python = at / "venv" / "bin" / "python"
    run(sys.executable, "-m", "venv", at / "venv")
    requirements = Path(__file__).with_name("requirements.txt")
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements)
    (at / "config.yml").write_text("post_hooks: []\npackage_name_override: echoer_client\n")
    generate: list[str | Path] = [
        python,
        "-m",
        "openapi_python_client",
        "generate",
        "--path",
        CONTRACT,
        "--meta",
        "none",
    ]
    output = run(*generate, "--config", "config.yml", "--output-path", "echoer_client", at=at)
    warnings = output.count("WARNING")
    if warnings != output.count(EXPECTED_WARNING):
        raise StepFailed(f"the Python client is incomplete:\n{output}")
    shutil.copy(PROGRAMS / "example.py", at)
    run(python, "-m", "compileall", "-q", "echoer_client", at=at)
    return python, at / "example.py"


def build_typescript() -> Sequence[str | Path]:
    """Return the command of the TypeScript program."""
    at = _fresh("typescript")
    for name in ("package.json", "tsconfig.json", "example.ts"):
        shutil.copy(PROGRAMS / name, at)
    run("npm", "install", "--silent", "--no-audit", "--no-fund", "--no-package-lock", at=at)
    run("npx", "--no-install", "openapi-typescript", CONTRACT, "-o", "api.ts", at=at)
    run("npx", "--no-install", "tsc", "--project", ".", at=at)
    return "node", at / "example.js"


def build_go() -> Sequence[str | Path]:
    """Return the command of the Go program."""
    at = _fresh("go")
    run("mvn", "--quiet", "--batch-mode", "dependency:copy", f"-Dartifact={GENERATOR}", f"-DoutputDirectory={at}")
    (jar,) = at.glob("*.jar")
    module = ["--git-host", "example.com", "--git-user-id", "echoer", "--git-repo-id", "client"]
    options = ["--package-name", "echoer", "--additional-properties", "isGoSubmodule=false"]
    run("java", "-jar", jar, "generate", "-g", "go", "-i", CONTRACT, "-o", at / "client", *module, *options)
    program = at / "client" / "cmd" / "example"
    program.mkdir(parents=True)
    shutil.copy(PROGRAMS / "example.go", program / "main.go")
    run("go", "build", "-o", at / "example", "./cmd/example", at=at / "client", GOFLAGS="-mod=mod")
    return (at / "example",)


def _fresh(name: str) -> Path:
    shutil.rmtree(OUT / name, ignore_errors=True)
    (OUT / name).mkdir(parents=True)
    return OUT / name


BUILDS: Final[dict[str, Callable[[], Sequence[str | Path]]]] = {
    "go": build_go,
    "python": build_python,
    "typescript": build_typescript,
}


def _built(name: str) -> Sequence[str | Path]:
    began = time.monotonic()
    command = BUILDS[name]()
    print(f"{name}: generated and built in {time.monotonic() - began:.0f} s", flush=True)
    return command


def main() -> int:
    """Return 0 if each client completes the run."""
    OUT.mkdir(parents=True, exist_ok=True)
    install_programs()
    settings = Settings(
        port=0, url="http://127.0.0.1:0", db=":memory:", auth=Access.TOKEN, admin_token_sha256=sha256(TOKEN)
    )
    with LocalServer(settings) as server, ExampleServices(0, choose=lambda *_: None) as services:
        CONTRACT.write_bytes(requests.get(f"{server.url}/openapi.json", timeout=30).content)
        document = OUT / DOCUMENT.name
        document.write_text(DOCUMENT.read_text().replace(":18080/", f":{services.port}/"))
        try:
            with ThreadPoolExecutor(2) as pool:
                commands = dict(zip(BUILDS, pool.map(_built, BUILDS), strict=True))
            for name, command in commands.items():
                print(run(*command, server.url, TOKEN, document, f"release_{name}"), end="", flush=True)
        except StepFailed as failure:
            print(failure, file=sys.stderr)
            return 1
    print(f"{len(commands)} passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
