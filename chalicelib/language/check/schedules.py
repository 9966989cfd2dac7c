"""Read a schedule statement as a `Schedule`."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Final

from chalicelib import expressions
from chalicelib.language.check.configs import read_configs
from chalicelib.language.check.context import Context
from chalicelib.language.check.readers.flow_input import read_flow_input
from chalicelib.language.check.readers.labels import read_labels
from chalicelib.language.check.readers.members import Properties, owner_of, refuse_steps
from chalicelib.language.check.readers.recurrence import cron_reader, read_zone
from chalicelib.language.check.readers.values import leaves_of, read_delay, read_duration, read_name
from chalicelib.language.problems import Problem
from chalicelib.language.syntax.tree import Assignment, Duration, Expression, Group, Statement, Value, Word
from chalicelib.model import times
from chalicelib.model.recurrence.schedule import NAMES_READ, Overlap, Schedule
from chalicelib.model.recurrence.zones import DEFAULT_ZONE
from chalicelib.model.times import Milliseconds

MIN_INTERVAL_MS: Final[Milliseconds] = 1_000
MAX_JITTER_MS: Final[Milliseconds] = 86_400_000

_TIMES: Final = ("cron", "every", "at")
SCHEDULE_PROPERTIES: Final = ("flow", *_TIMES, "zone", "input", "labels", "overlap", "catch_up", "jitter")


def read_schedule(context: Context, statement: Statement) -> Schedule:
    """Return the schedule. Its flow must exist, and its input must fit."""
    name, owner = statement.name.text, owner_of("schedule", statement.name)
    refuse_steps(context, owner, statement.members)
    properties = Properties(context, owner, statement.members, SCHEDULE_PROPERTIES, damaged=statement.damaged)
    properties.require("flow", statement.name.span)
    flow = properties.read("flow", read_name)
    given = read_flow_input(properties, flow, owner, statement.name.span)
    labels = read_labels(properties, plain=False)
    _check_names(properties)
    if sum(one in properties for one in _TIMES) != 1 and not properties.damaged:
        context.findings.report(Problem.CHOOSE_ONE, statement.name.span, owner=owner, names=", ".join(_TIMES))
    every = properties.read("every", _read_interval)
    zone = properties.read("zone", read_zone)
    return Schedule(
        name=name,
        flow=flow or "",
        cron=properties.read("cron", cron_reader(owner, Problem.NEVER_FIRES)),
        every=every,
        at=properties.read("at", functools.partial(_read_at, owner, statement.name)),
        zone=DEFAULT_ZONE if zone in (None, DEFAULT_ZONE) else zone,
        input=given,
        configs=read_configs(context, statement),
        labels=labels,
        overlap=properties.read("overlap", _read_overlap) or Overlap.SKIP,
        catch_up=properties.read("catch_up", read_delay) or 0,
        jitter=properties.read("jitter", functools.partial(_read_jitter, every)) or 0,
    )


def _read_interval(context: Context, name: str, value: Value) -> Milliseconds | None:
    found = read_duration(context, name, value)
    if found is not None and (found < MIN_INTERVAL_MS or found % MIN_INTERVAL_MS):
        shown = times.format_duration(found)
        context.findings.report(Problem.OUT_OF_RANGE, value.span, name=name, found=shown, range="whole seconds")
        return None
    return found


def _read_at(owner: str, schedule: Word, context: Context, name: str, value: Value) -> str | None:
    found = times.instant(value.text) if isinstance(value, Word) else None
    if found is None or not isinstance(value, Word):
        context.wrong(name, value, 'a time like "2027-01-31T08:00:00Z"')
        return None
    known = context.catalog.schedule(schedule.text)
    if context.now is not None and found <= context.now and (known is None or known.at != value.text):
        reason = f"{value.text} has passed; it is {times.rfc3339(context.now)}"
        context.findings.report(Problem.NEVER_FIRES, value.span, owner=owner, reason=reason)
    return value.text


def _read_overlap(context: Context, name: str, value: Value) -> Overlap | None:
    if isinstance(value, Word) and value.key in list(Overlap):
        return Overlap(value.key)
    context.wrong(name, value, "skip, queue, allow or cancel")
    return None


def _read_jitter(every: Milliseconds | None, context: Context, name: str, value: Value) -> Milliseconds | None:
    found = read_delay(context, name, value)
    limit = MAX_JITTER_MS if every is None else min(MAX_JITTER_MS, every - 1)
    if found is not None and found > limit and isinstance(value, Duration):
        range_ = f"shorter than 'every', {times.format_duration(every)}" if every and limit < every else "at most 1d"
        shown = times.format_duration(found)
        context.findings.report(Problem.OUT_OF_RANGE, value.span, name=name, found=shown, range=range_)
        return None
    return found


def _check_names(properties: Properties) -> None:
    """Report names that the input and the labels of a schedule cannot read."""
    context = properties.context
    for name in ("input", "labels"):
        for found in _expressions_in(properties.value(name)):
            source = found.source.strip()
            if not source or expressions.problem_in(source):
                continue
            for unknown in sorted(expressions.names_used(source) & expressions.NAMES - NAMES_READ):
                context.findings.report(Problem.UNREADABLE_NAME, found.span, name=unknown, owner=properties.owner)


def _expressions_in(value: Value | None) -> Iterator[Expression]:
    if isinstance(value, Group):
        for entry in value.items:
            if isinstance(entry, Assignment):
                yield from _expressions_in(entry.value)
    elif value is not None:
        yield from (leaf for leaf in leaves_of(value) if isinstance(leaf, Expression))
