"""Read `repeat`: the rules by which a step is done again before its route is taken."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from chalicelib.language.check.context import Context
from chalicelib.language.check.readers.members import Properties, read_entries
from chalicelib.language.check.readers.options import read_settings
from chalicelib.language.check.readers.values import or_expression, read_delay, read_int, read_number, read_timespan
from chalicelib.language.check.steps.routes import States
from chalicelib.language.limits import MAX_REPEATS
from chalicelib.language.problems import Problem, Suggestion
from chalicelib.language.source import Span
from chalicelib.language.syntax.tree import Assignment, Group, Route, Value, Word
from chalicelib.model.flow import DEFAULT_CAP_MS, ERROR, Jitter, RepeatRule
from chalicelib.model.json_values import made

_JITTERS: Final = {one.value: one for one in Jitter}


def read_repeat(properties: Properties, states: States) -> tuple[RepeatRule, ...]:
    """Read `(max = 3, delay = 1s)`, for ERROR, or `(STATE when ${ ... } -> (max = 3) | ...)`."""
    value = properties.value("repeat")
    if value is None:
        return ()
    context = properties.context
    if isinstance(value, Group) and value.items and all(isinstance(item, Assignment) for item in value.items):
        rule = _read_rule(context, value)
        return () if rule is None else (replace(rule, state=ERROR),)
    if not isinstance(value, Group) or not value.items:
        context.wrong("repeat", value, "settings like (max = 3) or rules like (STATE -> (max = 3) | ...)")
        return ()
    routes = read_entries(context, "repeat", value, Route) or ()
    reader = _Rules(properties, states)
    return tuple(rule for route in routes for rule in reader.read(route))


class _Rules:
    """Reads the rules of one step."""

    def __init__(self, properties: Properties, states: States) -> None:
        self._context = properties.context
        self._owner = properties.owner
        self._states = states
        self._used: set[str] = set()

    def read(self, route: Route) -> list[RepeatRule]:
        """Return one rule for each state of the route."""
        if route.entries is None or route.target is not None:
            at = route.target.span if route.target else route.span
            reason = "a rule of 'repeat' leads to settings like (max = 3), not to a step"
            self._context.findings.report(Problem.MISPLACED_ROUTE, at, reason=reason)
            return []
        when = None if route.when is None else self._context.source(route.when)
        for word in route.states:
            self._check_state(word)
            self._check_used(word, when)
        rule = _read_rule(self._context, route.entries)
        states: Sequence[str | None] = [word.text for word in route.states] or [None]
        return [] if rule is None else [replace(rule, state=state, when=when) for state in states]

    def _check_state(self, word: Word) -> None:
        known = self._states.known
        if known is not None and word.text not in known:
            hint = "write a rule for every state as: when ${ true } -> (...)" if word.key == "else" else None
            self._context.findings.report(
                Problem.UNKNOWN_REPEAT,
                word.span,
                hint=hint,
                near=Suggestion(word.text, known),
                owner=self._owner,
                state=word.text,
                source=self._states.source,
            )

    def _check_used(self, word: Word, when: str | None) -> None:
        if word.text in self._used:
            self._context.findings.report(Problem.UNREACHABLE_RULE, word.span, state=word.text)
        elif when is None:
            self._used.add(word.text)


def _read_rule(context: Context, settings: Group) -> RepeatRule | None:
    readers: dict[str, Callable[..., object]] = {
        "max": or_expression(functools.partial(read_int, least=1, most=MAX_REPEATS)),
        "delay": or_expression(read_delay),
        "rate": or_expression(functools.partial(read_number, least=1)),
        "cap": read_timespan,
        "jitter": _read_jitter,
    }
    before = context.findings.errors
    found = read_settings(context, "repeat", settings, readers)
    if found is None or context.findings.errors > before:
        return None
    if "max" not in found:
        _lacks_max(context, settings.span)
        return None
    if "cap" not in found:
        delay = found.get("delay", 0)
        found["cap"] = max(DEFAULT_CAP_MS, delay) if isinstance(delay, int) else None
    return made(RepeatRule, found)


def _lacks_max(context: Context, at: Span) -> None:
    context.findings.report(Problem.MISSING_PROPERTY, at, owner="a rule of 'repeat'", name="max")


def _read_jitter(context: Context, name: str, value: Value) -> Jitter | None:
    key = value.key if isinstance(value, Word) else ""
    if key not in _JITTERS:
        context.wrong(name, value, "the word none or full")
    return _JITTERS.get(key)
