"""Prepare the documentation site: `make docs`.

MkDocs reads one folder. This program fills it, `out/docs`, with the pages of `docs/`, the documents that are elsewhere
in the repository, and the pages that are generated from the code. It adjusts the links between them and refuses a link
that leads nowhere. MkDocs, run with `--strict`, then checks the links and anchors of the pages.

    python -m scripts.docs             # fill out/docs
    python -m scripts.docs --manual    # write the table of diagnostics into fsl/manual.md
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from scripts import reference

ROOT: Final = Path(__file__).resolve().parents[1]
OUT: Final = ROOT / "out" / "docs"
MANUAL: Final = "fsl/manual.md"
PROGRAMS: Final = "fsl/programs"
PROGRAMS_PAGE: Final = "reference/programs.md"

ELSEWHERE: Final = {
    MANUAL: "manual.md",
    "fsl/editors/README.md": "editors.md",
    "SECURITY.md": "security.md",
    "LIMITS.md": "limits.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
"""Documents outside `docs/`, and their names on the site."""

_LINK: Final = re.compile(r"\[([^\]\[]*)\]\(([^()\s]+)\)")
_CODE: Final = re.compile(
    r"^ {0,3}(`{3,})[^`\n]*\n.*?^ {0,3}\1[ \t]*$|(`+)(?!`).+?(?<!`)\2(?!`)", re.DOTALL | re.MULTILINE
)
_EXTERNAL: Final = re.compile(r"[a-z][a-z0-9+.-]*:")
_DIAGNOSTICS_HEADER: Final = "| code | name | message |\n|---|---|---|\n"


class BrokenLink(Exception):
    """A document links to a file that does not exist."""


def sources(root: Path) -> dict[str, str]:
    """Return every document of the site: its path in the repository, and its path on the site."""
    own = sorted((root / "docs").rglob("*.md"))
    return {path.relative_to(root).as_posix(): path.relative_to(root / "docs").as_posix() for path in own} | ELSEWHERE


def generated(root: Path) -> dict[str, str]:
    """Return the generated pages: path on the site, and text."""
    return {
        "reference/settings.md": reference.settings(),
        "reference/commands.md": reference.commands(),
        "reference/http-calls.md": reference.http_calls(),
        "reference/diagnostics.md": reference.diagnostics(),
        PROGRAMS_PAGE: reference.programs(root / PROGRAMS),
    }


def relinked(text: str, source: str, pages: Mapping[str, str], root: Path) -> str:
    """Return the document with its links adjusted to the site. Raise `BrokenLink` for a link that leads nowhere.

    `source` is its path in the repository. A link to a file that is not on the site becomes plain text.
    """
    found, last = [], 0
    for code in _CODE.finditer(text):
        found += [_adjusted(text[last : code.start()], source, pages, root), code[0]]
        last = code.end()
    return "".join([*found, _adjusted(text[last:], source, pages, root)])


def build(root: Path, out: Path) -> list[str]:
    """Fill `out` and return the paths of its pages. Raise `BrokenLink`."""
    pages = sources(root)
    written = {
        page: relinked((root / source).read_text(encoding="utf-8"), source, pages, root)
        for source, page in pages.items()
    }
    written |= generated(root)
    shutil.rmtree(out, ignore_errors=True)
    for page, text in written.items():
        (out / page).parent.mkdir(parents=True, exist_ok=True)
        (out / page).write_text(text, encoding="utf-8")
    return sorted(written)


def with_diagnostics(manual: str) -> str:
    """Return the manual with its table of diagnostics replaced by that of the code."""
    before, _, rest = manual.partition(_DIAGNOSTICS_HEADER)
    after = rest[rest.index("\n\n") :]
    rows = "\n".join(f"| {' | '.join(row)} |" for row in reference.diagnostic_rows())
    return f"{before}{_DIAGNOSTICS_HEADER}{rows}{after}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Prepare the documentation site.")
    parser.add_argument("--manual", action="store_true", help="write the table of diagnostics into fsl/manual.md")
    if parser.parse_args(arguments).manual:
        manual = ROOT / MANUAL
        manual.write_text(with_diagnostics(manual.read_text(encoding="utf-8")), encoding="utf-8")
        return 0
    try:
        build(ROOT, OUT)
    except BrokenLink as broken:
        print(broken, file=sys.stderr)  # noqa: T201 - an error for the person who builds
        return 1
    return 0


def _adjusted(prose: str, source: str, pages: Mapping[str, str], root: Path) -> str:
    return _LINK.sub(lambda link: _target(link[1], link[2], source, pages, root), prose)


def _target(label: str, link: str, source: str, pages: Mapping[str, str], root: Path) -> str:
    if _EXTERNAL.match(link) or link.startswith("#"):
        return f"[{label}]({link})"
    path, _, anchor = link.partition("#")
    wanted = os.path.normpath(Path(source).parent / path)
    if not (root / wanted).exists():
        raise BrokenLink(f"{source}: link to {link}, which does not exist")
    page = pages.get(Path(wanted).as_posix())
    if page is None and Path(wanted).as_posix().startswith(PROGRAMS):
        page = PROGRAMS_PAGE
        anchor = Path(wanted).name.split(".")[0] if wanted.endswith((".fsl", ".yaml")) else ""
    if page is None:
        return label
    relative = os.path.relpath(page, Path(pages[source]).parent)
    return f"[{label}]({relative}{'#' if anchor else ''}{anchor})"


if __name__ == "__main__":
    sys.exit(main())
