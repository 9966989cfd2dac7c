"""The documentation: its links are valid, its programs pass their tests, and its commands exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from chalicelib.config import Settings
from chalicelib.entrypoints.http.routes import ROUTES
from chalicelib.language.problems import Problem
from fsl.cli.main import main
from scripts import docs, reference

PAGES = docs.sources(docs.ROOT)
OWN = sorted((docs.ROOT / "docs").rglob("*.md"))
TITLED = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```$', re.DOTALL | re.MULTILINE)
SESSION = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def name(page: Path) -> str:
    return page.relative_to(docs.ROOT).as_posix()


def titled(page: Path) -> dict[str, str]:
    return dict(TITLED.findall(page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("source", PAGES)
def test_every_link_leads_to_a_file(source: str) -> None:
    text = (docs.ROOT / source).read_text(encoding="utf-8")
    docs.relinked(text, source, PAGES, docs.ROOT)


@pytest.mark.parametrize("page", [page for page in OWN if titled(page)], ids=name)
def test_programs_of_a_page_are_valid_and_pass_their_tests(page: Path, tmp_path: Path) -> None:
    for file, text in titled(page).items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    checked = CliRunner().invoke(main, ["check", *map(str, sorted(tmp_path.glob("*.fsl")))])
    assert (checked.exit_code, "warning" in checked.output) == (0, False), checked.output
    if list(tmp_path.glob("*.test.yaml")):
        tested = CliRunner().invoke(main, ["test", str(tmp_path)])
        assert tested.exit_code == 0, tested.output


def test_some_pages_have_programs_with_tests() -> None:
    found = [file for page in OWN for file in titled(page)]
    assert len([file for file in found if file.endswith(".fsl")]) >= 8
    assert len([file for file in found if file.endswith(".test.yaml")]) >= 5


@pytest.mark.parametrize("page", [page for page in OWN if SESSION.search(page.read_text(encoding="utf-8"))], ids=name)
def test_commands_of_a_page_exist(page: Path) -> None:
    lines = "".join(SESSION.findall(page.read_text(encoding="utf-8"))).splitlines()
    commands = [shlex.split(line)[2:] for line in lines if line.startswith("$ fsl ")]
    assert commands
    for command, *words in commands:
        found = main.get_command(click.Context(main), command)
        assert found is not None, command
        found = getattr(found, "commands", {}).get(words[0] if words else "", found)
        known = {option for parameter in found.params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= known, (command, words)


def test_a_link_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(docs.BrokenLink, match=r"docs/index.md: link to missing.md"):
        docs.relinked("see [this](missing.md)", "docs/index.md", PAGES, docs.ROOT)


@pytest.mark.parametrize(
    ("source", "link", "adjusted"),
    [
        ("docs/how-to/undo.md", "[m](../../fsl/manual.md#10-tests)", "[m](../manual.md#10-tests)"),
        ("fsl/manual.md", "[l](../LIMITS.md)", "[l](limits.md)"),
        ("fsl/manual.md", "[p](programs/each.fsl)", "[p](reference/programs.md#each)"),
        ("fsl/manual.md", "[all](programs)", "[all](reference/programs.md)"),
        ("CONTRIBUTING.md", "the [licence](LICENSE)", "the licence"),
        ("docs/index.md", "[a](https://a.example/b) [c](#d)", "[a](https://a.example/b) [c](#d)"),
        (
            "docs/index.md",
            "`[x](missing.md)`\n```\n[x](missing.md)\n```",
            "`[x](missing.md)`\n```\n[x](missing.md)\n```",
        ),
    ],
)
def test_links_are_adjusted_to_the_site(source: str, link: str, adjusted: str) -> None:
    assert docs.relinked(link, source, PAGES, docs.ROOT) == adjusted


def test_the_site_has_every_page(tmp_path: Path) -> None:
    written = docs.build(docs.ROOT, tmp_path / "site")
    assert set(written) >= {"index.md", "manual.md", "limits.md", "reference/commands.md"}
    assert all((tmp_path / "site" / page).read_text(encoding="utf-8").startswith("# ") for page in written)


def test_the_navigation_names_every_page() -> None:
    def leaves(entry: object) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        parts = entry.values() if isinstance(entry, dict) else entry
        return [leaf for part in parts for leaf in leaves(part)]  # type: ignore[attr-defined]

    configured = yaml.safe_load((docs.ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    named = leaves(configured["nav"])
    assert sorted(named) == sorted([*PAGES.values(), *docs.generated(docs.ROOT)])


def test_the_page_of_settings_has_every_setting() -> None:
    page = reference.settings()
    assert "`ECHOER_DYNAMODB_URL`, `ECHOER_SQS_URL`" in page
    assert page.count("\n| `ECHOER_") >= len(Settings.__struct_fields__) - 6
    assert "\n|  |" not in page


def test_the_page_of_commands_has_every_command() -> None:
    page = reference.commands()
    assert all(f"## fsl {command}\n" in page for command in main.list_commands(click.Context(main)))
    assert "## fsl secret set\n" in page


def test_the_page_of_calls_has_every_call() -> None:
    page = reference.http_calls()
    assert all(f"### {route.method} {route.path}\n" in page for route in ROUTES)
    assert "| `ackState` |" in page


def test_the_page_of_diagnostics_has_every_problem() -> None:
    page = reference.diagnostics()
    assert all(f"| `{problem.code}` | {problem.slug} |" in page for problem in Problem)


def test_the_manual_has_the_table_of_diagnostics() -> None:
    manual = (docs.ROOT / docs.MANUAL).read_text(encoding="utf-8")
    assert docs.with_diagnostics(manual) == manual
    assert docs.with_diagnostics(manual.replace("illegal-character", "old-name")) == manual


def test_places_for_changes_exist() -> None:
    text = (docs.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:chalicelib|deploy|docs|fsl|scripts|tests|\.chalice)/[\w/.-]*)`", text))
    places = [docs.ROOT / name for name in named]
    assert len(places) > 15
    assert [place for place in places if not place.exists() and not place.with_suffix(".py").exists()] == []


def test_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (docs.ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    pages = [docs.ROOT / source for source in PAGES]
    named = {name for page in pages for name in re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8"))}
    assert len(named) > 5
    assert named <= targets
