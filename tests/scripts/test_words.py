"""The word check: what it counts in code and documents, what it leaves out, and when it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import words

CODE = '''"""Nobody waits."""

LIMIT = 3
"""Whoever calls it, three times."""


def fail(name: str) -> None:
    """Raise an error."""
    # it stands here, `told` does not count
    raise ValueError(f"nobody knows {name} or any of its friends", "told", "a lie that a test tells here")
'''

MANUAL = """# What nobody told

Plain text with `whoever` in code.

```
nobody whoever told stands lies
```

The end lies here.
"""


def texts(passages: object) -> list[tuple[int, str]]:
    return [(one.line, " ".join(one.text.split())) for one in passages]  # type: ignore[attr-defined]


def test_there_are_26_marker_words() -> None:
    assert len(words.MARKERS) == 26


def test_comments_and_docstrings_are_found_with_their_lines() -> None:
    found = words.count(words.comments("a.py", CODE))
    assert [(place.line, marked) for place, marked in found.places] == [
        (9, ("stands",)),
        (1, ("nobody",)),
        (4, ("whoever",)),
    ]


def test_messages_are_strings_of_four_words_and_no_docstrings() -> None:
    assert texts(words.messages("a.py", CODE)) == [
        (10, "nobody knows or any of its friends"),
        (10, "a lie that a test tells here"),
    ]


def test_code_in_a_document_is_not_counted() -> None:
    found = words.count(words.prose("a.md", MANUAL))
    assert [(place.line, marked) for place, marked in found.places] == [(1, ("nobody", "told")), (9, ("lies",))]


def test_a_word_counts_in_any_case_and_as_a_whole() -> None:
    found = words.count([words.Passage("a", 1, "TOLD retold tolda Told `told`")])
    assert (found.words, found.markers) == (4, 2)


def repository(root: Path, *, marked: int, plain: int) -> Path:
    for file, comment in (("app.py", "# "), ("tests/test_a.py", "# "), ("a.md", "")):
        (root / file).parent.mkdir(exist_ok=True)
        (root / file).write_text(comment + "told " * marked + "word " * plain + "\n")
    (root / "chalicelib").mkdir()
    (root / "chalicelib" / "a.py").write_text('raise ValueError("a message of five words")\n')
    return root


@pytest.mark.parametrize(("marked", "code"), [(2, 0), (3, 1)])
def test_two_of_a_thousand_words_pass_and_three_fail(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], marked: int, code: int
) -> None:
    root = repository(tmp_path, marked=marked, plain=1000 - marked)
    assert words.main(["--root", str(root)]) == code
    printed = capsys.readouterr()
    assert ("app.py:1: told, told, told" in printed.out) == bool(code)
    assert ("failed: comments and docstrings" in printed.err) == bool(code)


def test_a_group_without_words_fails(tmp_path: Path) -> None:
    root = repository(tmp_path, marked=0, plain=1000)
    (root / "a.md").unlink()
    assert words.failures(words.groups(root)) == ["documents"]


def test_what_is_built_or_hidden_is_not_read(tmp_path: Path) -> None:
    root = repository(tmp_path, marked=0, plain=1000)
    for folder in (".venv", "out", "chalicelib/.cache"):
        (root / folder).mkdir()
        (root / folder / "a.md").write_text("told " * 1000)
        (root / folder / "a.py").write_text("# " + "told " * 1000)
    assert words.failures(words.groups(root)) == []
