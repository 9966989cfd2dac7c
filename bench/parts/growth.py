"""Growth: what an operation costs as a run, the store, or the number of those that wait grows."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple
from typing import Final

import click

from bench.growth import dynamodb, subjects
from bench.growth.memory import memory_and_file_mib
from bench.growth.subjects import Operation
from bench.report import table

TITLE = "Growth: the cost of an operation as runs and the store grow"

TRANSITIONS: Final = (1, 10, 100, 1_000, 10_000, 100_000)
UNDOS: Final = (1, 100, 1_000, 10_000)
RUNS: Final = (1, 100, 10_000, 100_000)
ITEMS: Final = (10, 100, 1_000, 10_000)
SCHEDULES: Final = (1, 100, 10_000)
WAITERS: Final = (1, 100, 10_000)
IN_FLIGHT: Final = (5, 100)
ON_DYNAMODB: Final = (12, 120, 1_200)
FLOWS: Final = ("loop", "saga")
"""Each transition of the second adds a pending undo."""
MEMORY_RUNS: Final = (1, 100_000)


def measure(seconds: float) -> str:  # noqa: ARG001 - what is measured has a fixed size
    """Count and measure everything that must stay as it is."""
    texts = [
        "Per operation: CPU time in ms, and counts that are the same on every machine: SQL statements, instructions of "
        "SQLite's virtual machine (they grow with the rows read), bytes of the statements with their values, calls of "
        "functions in Python.\n"
    ]
    for heading, operations in _parts():
        texts.append(f"{heading}:\n")
        texts.append(
            table(["operation", "size", "CPU ms", "statements", "instructions", "bytes", "calls"], _rows(operations))
        )
    texts.append("Transitions on DynamoDB, without the log of deliveries, and the units billed for them:\n")
    billed = [(flow, *astuple(one)) for flow in FLOWS for one in dynamodb.transitions(ON_DYNAMODB, flow)]
    texts.append(table(["flow", "transitions made", "requests", "read units", "write units"], billed))
    texts.append("Memory of the local server with so many live runs, after 600 calls, and its file, in MiB:\n")
    texts.append(table(["live runs", "processes", "memory", "file"], _memory(MEMORY_RUNS)))
    return "\n".join(texts)


def _parts() -> Iterator[tuple[str, Iterable[Operation]]]:
    yield "Transitions that a run has made", subjects.transitions(TRANSITIONS)
    yield "Undos that are pending in a run, and of one that undoes them", pending_undos()
    yield "Live runs in the store", subjects.stored_runs(RUNS)
    for most in IN_FLIGHT:
        yield f"Items of an each, {most} in flight", subjects.items(ITEMS, most)
    yield f"Items that fail, {IN_FLIGHT[0]} in flight", subjects.items(ITEMS, IN_FLIGHT[0], fail=True)
    yield "Schedules", subjects.schedules(SCHEDULES)
    yield "Runs that wait for one event", subjects.waiters(WAITERS)


def pending_undos() -> Iterator[Operation]:
    """Transitions that add an undo, and transitions that undo one, in runs with so many pending."""
    yield from subjects.transitions(UNDOS, "saga")
    yield from subjects.undoing(UNDOS)


def _rows(operations: Iterable[Operation]) -> list[Sequence[object]]:
    rows: list[Sequence[object]] = []
    for one in operations:
        counts, cpu = one.counts(), one.cpu_ms()
        click.echo(f"  {one.name}, {one.size:,}: {cpu:.3g} ms", err=True)
        rows.append([one.name, one.size, cpu, *(round(found, 1) for found in astuple(counts))])
    return sorted(rows, key=lambda row: str(row[0]))


def _memory(sizes: Sequence[int]) -> Iterator[Sequence[object]]:
    for size in sizes:
        yield [f"{size:,}", *memory_and_file_mib(size)]
