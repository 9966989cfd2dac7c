"""The tables of bench/SCALE.md, each between markers."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.report import table
from bench.scale.cases import CASES, FEW, MANY, STORMS, Case, Stories
from bench.scale.contention import OF_LIMITER, OF_RUN, Rule, contend
from bench.scale.partitions import MAX_WRITES
from bench.scale.quotas import READ_ON, quotas
from bench.scale.recording import TABLE, Access
from bench.scale.stories import Story
from bench.scale.traffic import Outcome

PAGE: Final = Path(__file__).parent.parent / "SCALE.md"
RATES: Final = (10, 30, 60, 100, 200, 500, 1_000)

_PLACES: Final = {
    "alarms": "`alarms`: shard, of all namespaces",
    "listed": "`listed`: namespace, class, shard",
    "by_flow": "`by_flow`: namespace, flow, class, shard",
    "changed": "`changed`: namespace, shard",
}


def write(sections: Mapping[str, str], page: Path = PAGE) -> None:
    """Replace what is between the markers of each table."""
    text = page.read_text()
    for name, body in sections.items():
        begin, end = f"<!-- table: {name} -->\n", f"<!-- end: {name} -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise LookupError(f"{page.name} has no place for the table {name!r}")
        text = re.sub(re.escape(begin) + ".*?" + re.escape(end), _literal(begin + body + end), text, flags=re.DOTALL)
    page.write_text(text)


def _literal(text: str) -> str:
    """Return the text as a replacement: a backslash has no meaning in it."""
    return text.replace("\\", r"\\")


def counted(stories: Stories) -> dict[str, str]:
    """Return the tables of what is counted, by their names."""
    return {"uses": uses_table(stories), "quotas": quotas_table(stories), "keys": keys_table(stories)}


def simulated(stories: Stories) -> dict[str, str]:
    """Return the tables of what is simulated, by their names."""
    return {
        "cases": table(_CASE_COLUMNS, (_case_row(case, case.play(stories)) for case in CASES)),
        "storms": table(_STORM_COLUMNS, (_storm_row(case, case.play(stories)) for case in STORMS)),
        "contention": contention_table(stories),
    }


# ── counted ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def uses_table(stories: Stories) -> str:
    """What each story requests."""
    columns = (
        "story", "HTTP calls", "messages", "SQS sends", "requests to DynamoDB", "read units", "write units: table",
        "indexes",
    )  # fmt: skip
    return table(columns, (_use_row(story) for story in stories.values()))


def _use_row(story: Story) -> Sequence[object]:
    requests = list(story.requests())
    of_table = sum(access.writes for request in requests for access in request.accesses if access.resource == TABLE)
    whole, reads = sum(request.writes for request in requests), sum(request.reads for request in requests)
    return story.title, story.http, story.messages, story.sends, len(requests), f"{reads:g}", of_table, whole - of_table


def quotas_table(stories: Stories) -> str:
    """The quotas, the first one to be met first."""
    columns = (
        "quota", "default", "a run uses (callback / inline)", "met at runs/s (callback / inline)", "raised to, runs/s",
        "by", "documented",
    )  # fmt: skip
    found = sorted(quotas(stories), key=lambda quota: quota.runs(quota.of_callback) or float("inf"))
    return table(
        columns,
        (
            (
                quota.name,
                f"{quota.default:,.0f} {quota.unit}" if quota.default else quota.unit,
                f"{quota.of_callback:.3g} / {quota.of_inline:.3g}",
                f"{_whole(quota.runs(quota.of_callback))} / {_whole(quota.runs(quota.of_inline))}",
                f"{_whole(quota.runs(quota.of_callback, quota.raised))} / "
                f"{_whole(quota.runs(quota.of_inline, quota.raised))}"
                if quota.raised
                else "-",
                quota.how,
                f"{quota.source} ({READ_ON}{'' if quota.confirmed else ', no number confirmed'})",
            )
            for quota in found
        ),
    )


def _whole(number: float | None) -> str:
    return f"{number:,.0f}" if number else "-"


def keys_table(stories: Stories) -> str:
    """How often a run writes each partition key that it shares with others."""
    loads = _loads(stories["callback"])
    numbers = (FEW, 16, MANY, 128)
    columns = ("partition key", "writes of a run", *(f"runs/s with {number} shards" for number in numbers))
    return table(
        columns, ((place, writes, *(int(MAX_WRITES * n / writes) for n in numbers)) for place, writes in loads)
    )


def _loads(story: Story) -> list[tuple[str, int]]:
    """Return each kind of shared partition key, and how often a run writes the one that it writes most."""
    found: dict[Access, int] = {}
    for access in (access for request in story.requests() for access in request.accesses):
        if access.resource in _PLACES and access.writes:
            key = Access(access.resource, access.partition, "")
            found[key] = found.get(key, 0) + 1
    most: dict[str, int] = {}
    for key, writes in found.items():
        most[_PLACES[key.resource]] = max(writes, most.get(_PLACES[key.resource], 0))
    return sorted(most.items(), key=lambda one: -one[1])


# ── simulated ────────────────────────────────────────────────────────────────────────────────────────────────────────

_CASE_COLUMNS: Final = (
    "what arrives", "table", "shards", "per second", "kept up per second", "requests made / needed", "99 % within, s",
    "throttled first",
)  # fmt: skip


def _case_row(case: Case, found: Outcome) -> Sequence[object]:
    rate = found.started / found.last_done if case.most else found.rate
    return (
        case.title,
        case.table,
        case.shards,
        int(case.per_second),
        f"{rate:,.0f}",
        f"{found.amplification:.2f}",
        f"{found.time_of(0.99):.1f}",
        _hottest(found),
    )


def _hottest(found: Outcome) -> str:
    if found.throttled.total() < 0.001 * found.made:
        return "nothing"
    (resource, key), _ = found.throttled.most_common(1)[0]
    if key == "own items":
        return "the table as a whole"
    return f"{'' if resource == TABLE else f'`{resource}` '}`{key.replace('#', ' ').strip()}`"


_STORM_COLUMNS: Final = (
    "what arrives during the storm", "runs", "ended", "requests made / needed", "handlers that gave up and came again",
    "half / 99 % within, s", "the last ended after the storm, s", "dead letters",
)  # fmt: skip


def _storm_row(case: Case, found: Outcome) -> Sequence[object]:
    return (
        f"{case.title}, {case.per_second:g} runs/s",
        found.started,
        found.done,
        f"{found.amplification:.2f}",
        found.given_back,
        f"{found.time_of(0.5):.0f} / {found.time_of(0.99):.0f}",
        f"{found.last_done - case.seconds:.0f}",
        found.dead,
    )


def contention_table(stories: Stories) -> str:
    """One item with more and more changes per second."""
    head = max(
        access.writes
        for request in stories["items"].requests()
        for access in request.accesses
        if access.partition.startswith("H#")
    )
    columns = (
        "changes asked for, per second",
        *(f"{name}: made per second" for name, _, _ in _items(head)),
        "writes for each change of a small head",
        "99 % within, s",
    )
    return table(columns, _contention_rows(head))


def _items(head: int) -> tuple[tuple[str, Rule, int], ...]:
    return (
        ("head of 1 KB", OF_RUN, 1),
        (f"head of {head} KB (20 items)", OF_RUN, head),
        ("limiter, 1 KB", OF_LIMITER, 1),
        ("limiter, 8 KB (100 permits)", OF_LIMITER, 8),
    )


def _contention_rows(head: int) -> Iterator[Sequence[object]]:
    for rate in RATES:
        found = [contend(rate, rule, units=units) for _, rule, units in _items(head)]
        small = found[0]
        yield (
            rate,
            *(f"{one.rate:.0f}" for one in found),
            f"{small.writes / max(1, small.done):.1f}",
            f"{small.time_of(0.99):.1f}",
        )
