"""The programs that Echoer is measured beside: installed once, by package name, into `out/bench`.

A peer that cannot be installed raises `Unavailable`; the part then names it and measures the others.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
FOLDER: Final = ROOT / "out" / "bench"
_TIMEOUT_S: Final = 600
_SHOWN_CHARACTERS: Final = 300


class Unavailable(Exception):
    """A peer cannot be installed or started; the message says why, on one line."""


def python(requirements: Path) -> Path:
    """Return the Python of a virtual environment with these requirements, which is made if it is missing or old."""
    folder = FOLDER / requirements.stem.removeprefix("requirements-")
    interpreter = folder / "bin" / "python"
    if not _is_installed(folder, requirements.read_text()):
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        pip = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "-r", str(requirements)])
        _note_installed(folder, requirements.read_text())
    return interpreter


def node(package: str, version: str) -> Path:
    """Return the folder `node_modules` that has this package of npm; scripts of packages are not run."""
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("npm is not installed")
    folder, wanted = FOLDER / f"npm-{package.rpartition('/')[2]}", f"{package}@{version}"
    if not _is_installed(folder, wanted):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text("{}")
        _run([npm, "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund", wanted])
        _note_installed(folder, wanted)
    return folder / "node_modules"


def _is_installed(folder: Path, wanted: str) -> bool:
    mark = folder / ".installed"
    return mark.exists() and mark.read_text() == _digest(wanted)


def _note_installed(folder: Path, wanted: str) -> None:
    (folder / ".installed").write_text(_digest(wanted))


def _digest(wanted: str) -> str:
    return hashlib.sha256(f"{wanted} {sys.version}".encode()).hexdigest()


def _run(command: Sequence[str]) -> None:
    try:
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=_TIMEOUT_S)  # noqa: S603 - ours
    except subprocess.CalledProcessError as error:
        reason = " ".join((error.stderr or error.stdout).split())
        raise Unavailable(f"cannot be installed: {reason[-_SHOWN_CHARACTERS:]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"cannot be installed: {error}") from error
