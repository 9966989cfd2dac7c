"""What Lambda unpacks, built for its platform and not for this one: the code, what it needs, and their bytecode.

Everything is made in a copy. Packages are taken as wheels for Lambda's platform, in the versions that are installed
here, so that what was tested is what is deployed; those that Lambda's runtime has itself stay at home. Chalice copies
what it finds in `vendor/` and has nothing left to install. Bytecode is compiled by a Python of Lambda's version if this
machine has one, because a function cannot keep its own: it would compile every module at every cold start.
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
"""Modules of Lambda's Python runtime. urllib3 is there too, but an older one than requests was tested with."""

_MACHINES: Final = {"x86_64": "x86_64", "arm64": "aarch64"}
_GLIBC: Final = 34
"""Amazon Linux 2023 has glibc 2.34; its wheels' tags go up to manylinux_2_34."""

_NEEDLESS: Final = ("*.dist-info", "bin", "__pycache__", "*.pyi", "tests", "cffi", "pycparser")
"""The last two compile what PyNaCl has compiled already: running it takes `_cffi_backend` alone."""


class BuildFailed(EchoerError):
    """Something could not be built; the message says what the tool said."""


class NoIndex(BuildFailed):
    """The package index cannot be reached."""


def stage_code(target: Path, root: Path = ROOT) -> None:
    """`target` holds what is ours and is shipped."""
    for name in SHIPPED:
        if (root / name).is_dir():
            shutil.copytree(root / name, target / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copy2(root / name, target / name)
    (target / "requirements.txt").write_text("")


def vendor(target: Path, architecture: str, requirements: Sequence[str], root: Path = ROOT) -> None:
    """`target` holds what the code needs on Lambda, by these files. Raises BuildFailed, NoIndex."""
    constraints = target.with_suffix(".constraints")
    constraints.write_text("".join(f"{each.name}=={each.version}\n" for each in distributions()))
    machine = _MACHINES[architecture]
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(_GLIBC, 16, -1)] + [f"manylinux2014_{machine}"]
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
    for pattern in _NEEDLESS:
        for found in sorted(target.rglob(pattern), reverse=True):
            shutil.rmtree(found) if found.is_dir() else found.unlink()


def compile_code(target: Path) -> bool:
    """Whether every module of `target` has bytecode: not so where no Python of Lambda's version is found."""
    python = find_python(RUNTIME.removeprefix("python"))
    if python is None:
        return False
    # Unchecked: a zip gives its files other times than they had.
    command = [python, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", str(target)]
    run([*command, str(target)], target)
    return True


def find_python(version: str) -> str | None:
    """An interpreter of that version, such as `3.12`."""
    pyenv = sorted(Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob(f"versions/{version}*/bin/python"))
    named = shutil.which(f"python{version}")
    for candidate in [sys.executable, *([named] if named else []), *map(str, reversed(pyenv))]:
        probe = [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        answer = subprocess.run(probe, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
        if answer.stdout.strip() == version:
            return candidate
    return None


def repack(made: Path) -> None:
    """The zip holds the same files, as small as can be, and the same bytes whenever it is built from the same."""
    smaller = made.with_suffix(".repacked")
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(smaller, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new:
        for name in sorted(set(old.namelist())):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o644 << 16
            new.writestr(entry, old.read(name), zipfile.ZIP_DEFLATED, 9)
    smaller.replace(made)


def weigh(made: Path) -> list[tuple[str, int, int]]:
    """What fills the zip, the largest first: top-level names with their bytes in the zip, and unpacked."""
    sizes: dict[str, list[int]] = {}
    with zipfile.ZipFile(made) as opened:
        for entry in opened.infolist():
            size = sizes.setdefault(entry.filename.partition("/")[0], [0, 0])
            size[0] += entry.compress_size
            size[1] += entry.file_size
    return sorted(((name, *size) for name, size in sizes.items()), key=lambda each: -each[1])  # type: ignore[misc]


def run(command: list[str], folder: Path, **environment: str) -> None:
    """The command succeeded. Raises BuildFailed with what it said."""
    answer = subprocess.run(  # noqa: S603 - our own commands
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if answer.returncode:
        raise BuildFailed(f"{' '.join(command[:4])} ... failed:\n{answer.stdout[-2000:]}{answer.stderr[-4000:]}")
