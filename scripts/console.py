"""Write the fingerprint of the console's sources next to its built files: `python -m scripts.console`.

A test compares it with the sources, so that built files that are not from these sources are found without Node.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCES: Final = ROOT / "console"
FINGERPRINT: Final = ROOT / "chalicelib" / "console" / "SOURCE"

_BUILT_FROM: Final = ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.js", "src")


def fingerprint() -> str:
    """Return the SHA-256 (hex) over the names and bytes of all files from which the console is built, sorted."""
    found = hashlib.sha256()
    for path in sorted(path for name in _BUILT_FROM for path in _files(SOURCES / name)):
        found.update(f"{path.relative_to(SOURCES).as_posix()}\n".encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]


if __name__ == "__main__":
    FINGERPRINT.write_text(f"{fingerprint()}\n", encoding="utf-8")
