"""`pip install .` installs what the packages import, and the files that they read."""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

from chalicelib import __version__

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
OWN = {"app", "chalicelib", "fsl"}


def distribution(requirement: str) -> str:
    """Return the normalized name of the distribution in a requirement."""
    name = re.match(r"[\w.-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def imported(folder: str) -> Iterator[tuple[str, str]]:
    """Yield each module that is imported when a file of the package is: the file, and the module's first name."""
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for name in names:
                yield file.relative_to(ROOT).as_posix(), name.partition(".")[0]


def declared() -> set[str]:
    """Return the distributions that the project requires, including indirect ones."""
    extras = PROJECT["project"]["optional-dependencies"].values()
    direct = {
        distribution(one) for one in [*PROJECT["project"]["dependencies"], *(one for each in extras for one in each)]
    }
    indirect = {distribution(one) for name in direct for one in requires(name) or [] if "extra ==" not in one}
    return direct | indirect


def test_every_import_is_of_a_declared_dependency() -> None:
    providers = packages_distributions()
    known = declared()
    found = {
        (file, module)
        for folder in ("chalicelib", "fsl")
        for file, module in imported(folder)
        if module not in OWN and module not in sys.stdlib_module_names
    }
    assert len({module for _, module in found}) > 10
    missing = [each for each in sorted(found) if not {distribution(one) for one in providers[each[1]]} & known]
    assert missing == []


def test_files_that_are_read_are_packaged() -> None:
    patterns = PROJECT["tool"]["setuptools"]["package-data"]
    packaged = {file for name in patterns for pattern in patterns[name] for file in (ROOT / name).glob(pattern)}
    present = {
        file
        for name in patterns
        for file in (ROOT / name).rglob("*")
        if file.is_file() and file.suffix not in (".py", ".pyc") and "node_modules" not in file.parts
    }
    assert present - packaged == set()
    assert all((ROOT / name / "py.typed").exists() for name in patterns)


def test_every_document_has_the_version_of_the_package() -> None:
    extension = json.loads((ROOT / "fsl/editors/vscode/package.json").read_text(encoding="utf-8"))
    released = re.findall(r"^## \[([\d.]+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert (extension["version"], released[0]) == (__version__, __version__)
    assert f"fsl-{__version__}.vsix" in (ROOT / "fsl/editors/README.md").read_text(encoding="utf-8")
