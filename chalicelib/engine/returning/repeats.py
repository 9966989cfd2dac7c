"""`repeat`: a step is done again before its route is taken."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from chalicelib.engine.transition import Transition
from chalicelib.engine.values.evaluation import Names, holds
from chalicelib.engine.values.options import duration_of, factor, whole_number
from chalicelib.model.flow import DEFAULT_CAP_MS, MAX_REPEATS, ChoiceStep, Jitter, RepeatRule, SetStep
from chalicelib.model.run import Token
from chalicelib.model.times import Milliseconds
from chalicelib.model.waits import RepeatWait


class Repetition(msgspec.Struct, frozen=True):
    """A rule by which a step is done again, with its numbers."""

    index: int
    delay: Milliseconds
    rate: float
    cap: Milliseconds
    jitter: Jitter


def next_repetition(transition: Transition, token: Token, names: Names) -> Repetition | None:
    """Return the first rule that fits what the step returned, unless it is used up. Raises ExpressionFailed.

    `token` is the token as it is after the step. A rule that is used up hides those after it.
    """
    step = transition.step_of(token)
    if isinstance(step, (ChoiceStep, SetStep)):
        return None
    for index, rule in enumerate(step.repeat):
        if rule.state in (None, token.state) and (
            rule.when is None or holds(rule.when, transition.with_secrets(names))
        ):
            most = whole_number("max", rule.max, names, least=1, most=MAX_REPEATS)
            return _repetition(index, rule, names) if _used(token, index) < most else None
    return None


def _repetition(index: int, rule: RepeatRule, names: Names) -> Repetition:
    delay = duration_of("delay", rule.delay, names, least=0)
    cap = max(DEFAULT_CAP_MS, delay) if rule.cap is None else duration_of("cap", rule.cap, names)
    return Repetition(index, delay, factor("rate", rule.rate, names), cap, rule.jitter)


def begin(transition: Transition, token: Token, state: str, repetition: Repetition) -> None:
    """Let the token enter its step again when the delay of the rule is over. `token` is the token before the return."""
    index, used = repetition.index, _used(token, repetition.index)
    delay = _delay(transition, repetition, used)
    again = replace(token, activation=None, repeats={**token.repeats, str(index): used + 1})
    if delay:
        transition.activate(again, delay, wait=RepeatWait(rule=index, state=state))
    else:
        transition.arrive(again)


def _used(token: Token, index: int) -> int:
    return token.repeats.get(str(index), 0)


def _delay(transition: Transition, rule: Repetition, used: int) -> Milliseconds:
    """Return the delay after `used` earlier repetitions."""
    try:
        longest = min(rule.delay * rule.rate**used, rule.cap)
    except OverflowError:
        longest = rule.cap
    return int(longest * transition.random()) if rule.jitter is Jitter.FULL else int(longest)


def is_repeating(token: Token) -> bool:
    """Return whether the token waits to do its step again."""
    return token.activation is not None and isinstance(token.activation.wait, RepeatWait)
