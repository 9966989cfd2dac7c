"""How long the disk takes to flush a small write: what a commit that survives a power failure waits for."""

import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

_WRITES: Final = 50
_BYTES: Final = 4_096


def flush_ms(folder: Path) -> float:
    """Return the median time in ms of an fsync after a write of 4 KiB to a file in the folder."""
    found = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(_WRITES):
            file.write(b"x" * _BYTES)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            found.append(1000 * (time.perf_counter() - began))
    return median(found)
