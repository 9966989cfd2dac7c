"""The examples of the manual match the programs, and its tables match the code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import click
import pytest
import yaml

from chalicelib import language
from chalicelib.engine.steps import each, outgoing
from chalicelib.engine.token_moves import MAX_PASSES
from chalicelib.engine.values.size_limits import MAX_KEY
from chalicelib.expressions import meter
from chalicelib.expressions.syntax.stream import MAX_SOURCE
from chalicelib.language import KnownNames, Problem, limits
from chalicelib.language.check.schedules import MAX_JITTER_MS, MIN_INTERVAL_MS
from chalicelib.model.actions import DEFAULTS, REPLY_TIMEOUT_S, Retry
from chalicelib.model.compiled_step import HUMAN_TIMEOUT_MS
from chalicelib.model.definition import MAX_STEPS
from chalicelib.model.recurrence.cron import MAX_EXPRESSION
from chalicelib.model.times import format_elapsed
from chalicelib.service.deliveries import webhook_client
from chalicelib.service.events import publish
from chalicelib.service.runs import children
from chalicelib.service.schedules import decisions
from fsl.cli.main import main

DESK: Final = Path(language.__file__).parents[2] / "fsl"
MANUAL: Final = (DESK / "manual.md").read_text(encoding="utf-8")
PROGRAMS: Final = [
    " ".join(file.read_text(encoding="utf-8").split()) for file in sorted((DESK / "programs").glob("*.fsl"))
]
BLOCKS: Final = re.findall(r"^```fsl\n(.*?)^```", MANUAL, re.DOTALL | re.MULTILINE)
TESTS: Final = re.findall(r"^```yaml\n(.*?)^```", MANUAL, re.DOTALL | re.MULTILINE)
BODIES: Final = re.findall(r"^```json\n(.*?)^```", MANUAL, re.DOTALL | re.MULTILINE)
SESSIONS: Final = re.findall(r"^```console\n(.*?)^```", MANUAL, re.DOTALL | re.MULTILINE)


def spell(duration: object) -> str:
    assert isinstance(duration, int)
    return format_elapsed(duration)


DEFAULT: Final = DEFAULTS.retry or Retry()
LIMITS: Final = {
    "time to answer an action": spell(DEFAULTS.timeout),
    "time to answer for a person": spell(HUMAN_TIMEOUT_MS),
    "deliveries of an activation": f"{DEFAULT.max}; at most {limits.MAX_DELIVERIES}",
    "pause before the second delivery": f"{spell(DEFAULT.delay)}, growing by {DEFAULT.rate}, to {spell(DEFAULT.cap)}",
    "longest pause between deliveries": spell(limits.MAX_RETRY_PAUSE_MS),
    "time that an event is stored": spell(publish.DEFAULT_TTL_MS),
    "longest duration": spell(limits.MAX_DURATION_MS),
    "characters of a document": f"{limits.MAX_DOCUMENT_CHARACTERS:,}",
    "statements of a document": f"{limits.MAX_STATEMENTS:,}",
    "steps of a flow": f"{limits.MAX_STEPS:,}",
    "args of an action, inputs of a flow": f"{limits.MAX_ENTRIES}",
    "repetitions by a rule of `repeat`": f"{limits.MAX_REPEATS:,}",
    "largest `max_steps`": f"{limits.MAX_STEPS_OF_RUN:,}",
    "`concurrent` of a `limit`": f"{limits.MAX_CONCURRENT:,}",
    "`burst` of a `limit`": f"{limits.MAX_BURST:,}",
    "characters of the `key` of a `limit`": f"{MAX_KEY}",
    "addresses of an action": f"{limits.MAX_ADDRESSES}",
    "shortest `every`, longest `jitter` of a schedule": f"{spell(MIN_INTERVAL_MS)}, {spell(MAX_JITTER_MS)}",
    "characters of a cron expression": f"{MAX_EXPRESSION}",
    "how late a slot starts without `catch_up`": spell(decisions.TOLERANCE_MS),
    "slots that wait with `overlap = queue`": f"{decisions.MAX_QUEUED_SLOTS}",
    "characters of a name": f"{limits.MAX_NAME_CHARACTERS}",
    "nesting of brackets": f"{limits.MAX_NESTING}",
    "items of an each": f"{each.MAX_ITEMS:,}, {each.MAX_CONCURRENT_ITEMS} of them at once",
    "depth of nested calls": f"{children.MAX_CALL_DEPTH}",
    "passes of one step without a wait": f"{MAX_PASSES:,}",
    "runs that start one another in a row, each within its first minute": f"{outgoing.MAX_GENERATIONS:,}",
    "steps that a run enters in all": f"{MAX_STEPS:,}",
    "characters of an expression": f"{MAX_SOURCE:,}",
    "CPU time of an expression": spell(int(meter.MAX_SECONDS * 1_000)),
    "items of a list, characters of a value in an expression": f"{meter.MAX_ITEMS:,}, {meter.MAX_TEXT:,}",
    "bytes of a request to an action": f"{webhook_client.MAX_REQUEST_BYTES:,}",
    "time of a request to an action": (
        f"{spell(REPLY_TIMEOUT_S * 1_000)}; with `reply_timeout` at most {spell(limits.MAX_REPLY_TIMEOUT_S * 1_000)}"
    ),
}


def test_there_are_examples() -> None:
    assert len(BLOCKS) >= 20


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[0].strip()[:30])
def test_an_example_is_a_part_of_a_program_which_checks_without_errors(block: str) -> None:
    """Examples that are not part of a program must be valid themselves (test_programs checks the programs)."""
    assert block.count("{") == block.count("}")
    words = " ".join(block.split())
    if not any(words in program for program in PROGRAMS):
        assert [one.message for one in language.read(block, KnownNames()).diagnostics] == ["an excerpt has changed"]


def test_every_block_is_looked_at() -> None:
    assert MANUAL.count("\n```") == 2 * len(BLOCKS + TESTS + BODIES + SESSIONS)


@pytest.mark.parametrize("block", BODIES)
def test_a_request_body_is_json(block: str) -> None:
    assert isinstance(json.loads(block), dict)


@pytest.mark.parametrize("line", [line for block in SESSIONS for line in block.splitlines() if line.startswith("$ ")])
def test_a_command_in_a_session_is_one(line: str) -> None:
    prompt, program, name, *_ = line.split()
    assert (prompt, program) == ("$", "fsl")
    assert name in main.list_commands(click.Context(main))


@pytest.mark.parametrize("block", TESTS, ids=lambda block: block.split("\n")[0].strip()[:30])
def test_an_example_of_tests_is_a_part_of_those_of_a_program(block: str) -> None:
    shown = yaml.safe_load(block)
    found = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in (DESK / "programs").glob("*.test.yaml")]
    whole = next(one for one in found if one.get("actions") == shown["actions"])
    assert shown["tests"]
    assert all(test in whole["tests"] for test in shown["tests"])


def test_the_table_of_diagnostics_is_the_codes() -> None:
    rows = [f"| `{one.code}` | {one.slug} | {one.template.replace('|', chr(92) + '|')} |" for one in Problem]
    assert _table("code") == rows


def test_the_table_of_limits_is_the_codes() -> None:
    assert _table("what") == [f"| {what} | {value} |" for what, value in LIMITS.items()]


def test_every_link_to_a_file_leads_to_one() -> None:
    named = set(re.findall(r"\]\(([^)#:]+)\)", MANUAL))
    assert named
    assert not [path for path in named if not (DESK / path).exists()]


def test_every_link_leads_to_a_heading() -> None:
    headings = {_anchor(found) for found in re.findall(r"^#+ (.*)$", MANUAL, re.MULTILINE)}
    assert set(re.findall(r"\(#([^)]*)\)", MANUAL)) <= headings


def _anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


def _table(first: str) -> list[str]:
    """Return the rows of the table that has a heading with that first word."""
    lines = MANUAL.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[at + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(line)
    return rows
