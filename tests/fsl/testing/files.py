"""Files of programs and their tests."""

from __future__ import annotations

from pathlib import Path


def written(folder: Path, **files: str) -> Path:
    """Write files into the folder and return it: `a_fsl="..."` is `a.fsl`, `a_test_yaml` is `a.test.yaml`."""
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return folder
