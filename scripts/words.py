#!/usr/bin/env python3
"""Count mannered words in comments, docstrings, messages and documents: `make words`.

Twenty-six words are rare in plain technical English and frequent in prose that sounds literary. The check counts them
per 1,000 words in four groups and fails where a group has more than `MAX_PER_THOUSAND`. Code in Markdown (fenced and
in backticks) and code in backticks in comments are not counted.

    scripts/words.py           # the count of each group, and the places with most of these words
    scripts/words.py --all     # every place
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MARKERS: Final = frozenset(
    {
        *("anew", "anybody", "bear", "bears", "beside", "bore", "everybody", "heard", "hears", "judged", "lay", "lie"),
        *("lies", "nobody", "said", "somebody", "speaks", "stand", "stands", "stood", "tell", "tells", "told"),
        *("whatever", "whoever", "whose"),
    }
)
MAX_PER_THOUSAND: Final = 2.0
MIN_MESSAGE_WORDS: Final = 4
"""A string literal with fewer words is a name or a key, not a message."""

SHOWN_PLACES: Final = 20

PRODUCT: Final = ("app.py", "chalicelib", "fsl", "deploy", "scripts", "bench")
SKIPPED_FOLDERS: Final = frozenset({"node_modules", "out", "build", "dist", "site", "__pycache__"})

_WORD: Final = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
_CODE_SPAN: Final = re.compile(r"(`+).*?\1", re.DOTALL)
_FENCE: Final = re.compile(r"^ {0,3}(```+|~~~+)")


@dataclass(frozen=True, slots=True)
class Passage:
    """Some prose and the place where it begins; `line` counts from 1."""

    file: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Count:
    """The words of a group, and the passages that hold marker words."""

    words: int
    markers: int
    places: tuple[tuple[Passage, tuple[str, ...]], ...]

    @property
    def per_thousand(self) -> float:
        return 1000 * self.markers / self.words if self.words else 0.0


def comments(file: str, source: str) -> Iterator[Passage]:
    """Yield the comments and docstrings of a Python module."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield Passage(file, token.start[0], token.string)
    for node in _docstrings(ast.parse(source)):
        yield Passage(file, node.lineno, _text(node))


def messages(file: str, source: str) -> Iterator[Passage]:
    """Yield the string literals of a Python module that read as messages, without docstrings."""
    tree = ast.parse(source)
    documented = {id(node) for node in _docstrings(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = " ".join(map(_text, node.values))
            documented |= {id(part) for part in node.values}
        elif isinstance(node, ast.Constant) and id(node) not in documented:
            text = _text(node)
        else:
            continue
        if len(_words(text)) >= MIN_MESSAGE_WORDS:
            yield Passage(file, node.lineno, text)


def prose(file: str, markdown: str) -> Iterator[Passage]:
    """Yield the lines of a Markdown document that are not code."""
    fence = ""
    for number, line in enumerate(markdown.splitlines(), 1):
        found = _FENCE.match(line)
        if found and not fence:
            fence = found[1]
        elif found and line.strip() == found[1] and found[1].startswith(fence):
            fence = ""
        elif not fence:
            yield Passage(file, number, line)


def count(passages: Iterable[Passage]) -> Count:
    """Count the words and the marker words of these passages."""
    words = markers = 0
    places = []
    for passage in passages:
        found = _words(passage.text)
        words += len(found)
        marked = tuple(word for word in found if word in MARKERS)
        markers += len(marked)
        if marked:
            places.append((passage, marked))
    return Count(words, markers, tuple(places))


def groups(root: Path) -> Mapping[str, Count]:
    """Count each group of texts below `root`."""
    product = [_read(root, file) for folder in PRODUCT for file in _files(root, folder, ".py")]
    tests = [_read(root, file) for file in _files(root, "tests", ".py")]
    documents = [_read(root, file) for file in _files(root, ".", ".md")]
    return {
        "comments and docstrings": count(found for each in product for found in comments(*each)),
        "messages": count(found for each in product for found in messages(*each)),
        "comments and docstrings of tests": count(found for each in tests for found in comments(*each)),
        "documents": count(found for each in documents for found in prose(*each)),
    }


def report(counts: Mapping[str, Count], *, shown: int | None = SHOWN_PLACES) -> str:
    """Return the table of the groups and, for each that is above the maximum, its worst places."""
    lines = [f"{'per 1,000':>9}  {'markers':>7}  {'words':>7}  group (at most {MAX_PER_THOUSAND:g} per 1,000)"]
    for name, found in counts.items():
        lines.append(f"{found.per_thousand:9.1f}  {found.markers:7}  {found.words:7,}  {name}")
    for name, found in counts.items():
        if shown is None or found.per_thousand > MAX_PER_THOUSAND:
            lines += ["", f"{name}: files with most, then places", *_worst(found, shown)]
    return "\n".join(lines)


def failures(counts: Mapping[str, Count]) -> list[str]:
    """Name the groups that are above the maximum, and those in which no words were found at all."""
    return [name for name, found in counts.items() if not found.words or found.per_thousand > MAX_PER_THOUSAND]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Count mannered words in comments, messages and documents.")
    parser.add_argument("--all", action="store_true", help="show every place")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1], help="the repository")
    given = parser.parse_args(arguments)
    counts = groups(given.root)
    print(report(counts, shown=None if given.all else SHOWN_PLACES))  # noqa: T201 - it prints a report
    failed = failures(counts)
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)  # noqa: T201
    return 1 if failed else 0


def _worst(found: Count, shown: int | None) -> Iterator[str]:
    per_file: dict[str, int] = {}
    for passage, marked in found.places:
        per_file[passage.file] = per_file.get(passage.file, 0) + len(marked)
    yield from (f"  {n:4}  {file}" for file, n in sorted(per_file.items(), key=lambda each: -each[1])[:shown])
    ordered = sorted(found.places, key=lambda place: -len(place[1]))
    for passage, marked in ordered[:shown]:
        yield f"  {passage.file}:{passage.line}: {', '.join(marked)}: {' '.join(passage.text.split())[:90]}"


def _docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    """Yield each string that is a statement of its own: docstrings, and descriptions below constants."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and _text(node.value):
            yield node.value


def _text(node: ast.AST) -> str:
    """Return the text of a string literal, and an empty text for any other node."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _words(text: str) -> list[str]:
    return _WORD.findall(_CODE_SPAN.sub(" ", text).lower())


def _files(root: Path, folder: str, suffix: str) -> list[Path]:
    """The files with this suffix, without hidden folders and what is built."""
    base = root / folder
    found = [base] if base.is_file() else sorted(base.rglob(f"*{suffix}"))
    relative = [path.relative_to(root) for path in found]
    return [
        path for path in relative if not any(part.startswith(".") or part in SKIPPED_FOLDERS for part in path.parts)
    ]


def _read(root: Path, file: Path) -> tuple[str, str]:
    return file.as_posix(), (root / file).read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
