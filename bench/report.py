"""RESULTS.md: one section per part, each with the commit and the machine that it was measured on.

Running a single part replaces its section and leaves the others as they are.
"""

import os
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

RESULTS = Path(__file__).parent / "RESULTS.md"
HEAD = """# Results

Written by `make bench`; `bench/README.md` describes each part. Timings depend on the machine: compare the ratios
within one table. Counts do not: tests hold them.
"""


class Part(Protocol):
    """A module of `bench/parts`."""

    TITLE: str  # the heading of its section

    def measure(self, seconds: float) -> str:
        """Measure and return the section as Markdown, without its heading.

        `seconds` is how long one timed figure is to be measured; a part that counts ignores it.
        """
        ...


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table: the first column to the left, the others to the right; floats with three digits."""
    lines = [columns, ["---"] + ["---:"] * (len(columns) - 1), *([_cell(value) for value in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def write(sections: Mapping[str, str], order: Sequence[str], path: Path = RESULTS) -> None:
    """Put sections, by name of their part, into the file; sections of other parts stay."""
    known = dict(_sections(path.read_text())) if path.exists() else {}
    known.update(sections)
    path.write_text(HEAD + "".join(f"\n<!-- part: {name} -->\n{known[name]}" for name in order if name in known))


def _sections(text: str) -> Iterable[tuple[str, str]]:
    pieces = re.split(r"\n<!-- part: (\w+) -->\n", text)
    return zip(pieces[1::2], pieces[2::2], strict=True)


def section(title: str, body: str, took: float) -> str:
    """One section: heading, where and when it was measured, `took` in seconds, and its body."""
    return f"## {title}\n\n{_where()}; took {took:.0f} s.\n\n{body.rstrip()}\n"


def _where() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"Commit {_commit()}, {datetime.now(UTC):%Y-%m-%d}; {os.cpu_count()} cores ({_processor()}), "
        f"{memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}"
    )


def _commit() -> str:
    def git(*arguments: str) -> str:
        ran = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607 - git
        return ran.stdout.strip()

    changed = git("status", "--short", "--", ":(top)", ":(top,exclude)bench/RESULTS.md")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" with changes" if changed else "")


def _processor() -> str:
    try:
        named = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        named = None
    return named[1] if named else platform.machine()
