"""Write a played session as a test file."""

from __future__ import annotations

from pathlib import Path

import click

from fsl.cli.common import say


def write_case(case: Path, text: str) -> None:
    """Write the test into a new file. Raises click.ClickException."""
    try:
        with case.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as exc:
        raise click.ClickException(f"{case}: {exc.strerror}") from exc
    say(f"wrote {case}; `fsl test {case}` runs it", "dim", err=True)
