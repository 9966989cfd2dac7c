"""A copy of the project, from which a stage is deployed with the commands that a user has."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deploy.stages import ROOT, Document

STAGE: Final = "cloud"
STACK: Final = f"echoer-{STAGE}"

_COPIED: Final = (
    ".chalice",
    "Makefile",
    "app.py",
    "chalicelib",
    "deploy",
    "pyproject.toml",
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-traces.txt",
)
_TIMEOUT_S: Final = 300


class CommandFailed(Exception):
    """A command of the project failed; the message has its output."""


class Checkout:
    """The copy in `folder`. Commands run in `environment`."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self._environment = environment
        for name in _COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(ROOT / name, folder / name)
        (folder / ".venv").symlink_to(sys.prefix)

    def configure(self, **settings: str) -> None:
        """Make STAGE the only stage, with these settings."""
        file = self.folder / ".chalice" / "config.json"
        configured = json.loads(file.read_text())
        configured["stages"] = {STAGE: {"log_retention_in_days": 1, "environment_variables": settings}}
        file.write_text(json.dumps(configured, indent=2))

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text in a file."""
        file = self.folder / name
        text = file.read_text()
        assert old in text, f"{name} has no {old!r}"
        file.write_text(text.replace(old, new))

    def make(self, target: str, **changed: str) -> str:
        """Run `make TARGET STAGE=...`, and return its output. Raises CommandFailed."""
        command = ["make", "--no-print-directory", target, f"STAGE={STAGE}"]
        made = subprocess.run(  # noqa: S603 - our own command
            command,
            cwd=self.folder,
            env={**self._environment, **changed},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        if made.returncode:
            raise CommandFailed(f"make {target} failed with exit code {made.returncode}:\n{made.stdout[-6000:]}")
        return made.stdout

    @property
    def template(self) -> Document:
        """The template that was packaged last."""
        file = self.folder / "out" / STAGE / "cloudformation" / "sam.json"
        found: Document = json.loads(file.read_text())
        return found
