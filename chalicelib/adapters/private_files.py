"""Files that only their owner can read: what runs store, and the keys that encrypt it."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

FILE_MODE: Final = 0o600
DIRECTORY_MODE: Final = 0o700


def make_directory(path: Path) -> None:
    """Create the directory, and those above it that are missing, for their owner alone. Others stay as they are."""
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(mode=DIRECTORY_MODE, exist_ok=True)


def create_file(path: Path) -> None:
    """Create an empty file, readable by its owner alone, if there is none."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))


def restrict(path: Path) -> bool:
    """Take the rights to an existing file from everybody but its owner. Return whether others had rights."""
    with suppress(OSError):  # it does not exist, belongs to another user, or its disk knows no rights
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & ~stat.S_IRWXU:
            path.chmod(mode & stat.S_IRWXU)
            return True
    return False
