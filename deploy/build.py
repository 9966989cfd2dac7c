"""The content of the deployment zip, built for Lambda's platform: the code, its packages, and their bytecode.

The build works in a copy. Packages are wheels for Lambda's platform in the versions that are installed here, so the
tested versions are deployed; packages of Lambda's runtime are left out. Chalice copies the folder `vendor/` and has
nothing left to install. If this machine has a Python of Lambda's version, it compiles the bytecode ahead: a function
cannot store bytecode, and would otherwise compile every module at every cold start.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

from chalicelib.model.errors import EchoerError
from deploy.stages import ROOT, RUNTIME

SHIPPED: Final = ("app.py", "chalicelib")
LAMBDA_HAS: Final = frozenset({"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six"})
"""Modules of Lambda's Python runtime. It also has urllib3, but an older version than the tested one."""

_MACHINES: Final = {"x86_64": "x86_64", "arm64": "aarch64"}
_MAX_GLIBC_MINOR: Final = 34
"""Amazon Linux 2023 has glibc 2.34: it takes wheels up to manylinux_2_34."""

_UNNEEDED: Final = ("*.dist-info", "bin", "__pycache__", "*.pyi", "tests", "cffi", "pycparser")
"""The last two are needed only to compile PyNaCl; running it needs `_cffi_backend`."""


class BuildFailed(EchoerError):
    """A tool failed; the message has its output."""


class NoIndex(BuildFailed):
    """The package index cannot be reached."""


def stage_code(target: Path, root: Path = ROOT) -> None:
    """Copy the code of the functions to `target`."""
    for name in SHIPPED:
        if (root / name).is_dir():
            shutil.copytree(root / name, target / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copy2(root / name, target / name)
    (target / "requirements.txt").write_text("")


def vendor(target: Path, architecture: str, requirements: Sequence[str], root: Path = ROOT) -> None:
    """Install the packages in these requirements files to `target`. Raises BuildFailed, NoIndex."""
    constraints = target.with_suffix(".constraints")
    constraints.write_text("".join(f"{each.name}=={each.version}\n" for each in distributions()))
    machine = _MACHINES[architecture]
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(_MAX_GLIBC_MINOR, 16, -1)] + [
        f"manylinux2014_{machine}"
    ]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--target", str(target), "--only-binary=:all:", "--implementation", "cp"]
    command += ["--python-version", RUNTIME.removeprefix("python")]
    command += [word for platform in platforms for word in ("--platform", platform)]
    command += ["--constraint", str(constraints)]
    command += [word for name in requirements for word in ("--requirement", str(root / name))]
    try:
        run(command, target.parent)
    except BuildFailed as failed:
        lost = (
            "NewConnectionError",
            "Failed to establish",
            "Temporary failure",
            "Connection refused",
            "ConnectTimeout",
        )
        raise NoIndex(str(failed)) if any(sign in str(failed) for sign in lost) else failed from failed
    for module in LAMBDA_HAS:
        shutil.rmtree(target / module, ignore_errors=True)
        (target / f"{module}.py").unlink(missing_ok=True)
    for pattern in _UNNEEDED:
        for found in sorted(target.rglob(pattern), reverse=True):
            shutil.rmtree(found) if found.is_dir() else found.unlink()


def compile_code(target: Path) -> bool:
    """Compile every module of `target`. Return whether a Python of Lambda's version was found."""
    python = find_python(RUNTIME.removeprefix("python"))
    if python is None:
        return False
    # Unchecked, because files in a zip have other times than on disk.
    command = [python, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", str(target)]
    run([*command, str(target)], target)
    return True


def find_python(version: str) -> str | None:
    """Return an interpreter of that version, such as `3.12`."""
    pyenv = sorted(Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob(f"versions/{version}*/bin/python"))
    named = shutil.which(f"python{version}")
    for candidate in [sys.executable, *([named] if named else []), *map(str, reversed(pyenv))]:
        probe = [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        answer = subprocess.run(probe, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
        if answer.stdout.strip() == version:
            return candidate
    return None


def repack(made: Path) -> None:
    """Compress the zip with the best level, and make it reproducible: the same files give the same bytes."""
    smaller = made.with_suffix(".repacked")
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(smaller, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new:
        for name in sorted(set(old.namelist())):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o644 << 16
            new.writestr(entry, old.read(name), zipfile.ZIP_DEFLATED, 9)
    smaller.replace(made)


def weigh(made: Path) -> list[tuple[str, int, int]]:
    """Return the top-level names in the zip, the largest first, with their bytes in the zip and unpacked."""
    sizes: dict[str, list[int]] = {}
    with zipfile.ZipFile(made) as opened:
        for entry in opened.infolist():
            size = sizes.setdefault(entry.filename.partition("/")[0], [0, 0])
            size[0] += entry.compress_size
            size[1] += entry.file_size
    return sorted(((name, *size) for name, size in sizes.items()), key=lambda each: -each[1])  # type: ignore[misc]


def run(command: list[str], folder: Path, **environment: str) -> None:
    """Run the command. Raises BuildFailed, with its output, if it fails."""
    answer = subprocess.run(  # noqa: S603 - our own commands
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if answer.returncode:
        raise BuildFailed(f"{' '.join(command[:4])} ... failed:\n{answer.stdout[-2000:]}{answer.stderr[-4000:]}")
