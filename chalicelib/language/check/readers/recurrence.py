"""Read cron expressions and time zones."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.language.check.context import Context
from chalicelib.language.check.readers.values import read_text
from chalicelib.language.problems import Problem
from chalicelib.language.syntax.tree import Value
from chalicelib.model.recurrence.cron import InvalidCron, NeverMatches, check_cron, matches_either_day
from chalicelib.model.recurrence.zones import UnknownZone, check_zone


def cron_reader(owner: str, never: Problem) -> Callable[[Context, str, Value], str | None]:
    """Return a reader of cron expressions; one that never matches is reported as `never` of `owner`."""

    def read(context: Context, name: str, value: Value) -> str | None:
        text = read_text(context, name, value)
        if text is None:
            return None
        try:
            check_cron(text)
        except NeverMatches as problem:
            context.findings.report(never, value.span, owner=owner, reason=str(problem))
        except InvalidCron as invalid:
            context.findings.report(Problem.INVALID_CRON, value.span, hint=invalid.hint or None, reason=invalid.problem)
        else:
            if matches_either_day(text):
                context.findings.report(Problem.EITHER_DAY, value.span, cron=text)
        return text

    return read


def read_zone(context: Context, name: str, value: Value) -> str | None:
    """Read the IANA name of a time zone."""
    zone = read_text(context, name, value)
    if zone is not None:
        try:
            check_zone(zone)
        except UnknownZone as unknown:
            context.findings.report(Problem.UNKNOWN_ZONE, value.span, hint=unknown.hint, name=zone)
    return zone
