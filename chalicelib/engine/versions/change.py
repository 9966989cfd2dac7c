"""Move a run to another version of its flow.

Nothing that the run has done or waits for is lost: tokens stay at their steps, under new names if these are given, and
activations keep their uuids. A request that may be delivered again stays the same (`pins`). The run gets the actions,
the configuration, and the variables that the version declares.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from chalicelib.engine import admission
from chalicelib.engine.errors import DoesNotFit, ExpressionFailed, Fit, InputRefused
from chalicelib.engine.events import Target
from chalicelib.engine.invocation import UNDO
from chalicelib.engine.transition import Transition
from chalicelib.engine.undo.undo_pages import bring_all_back, turn_undo_pages
from chalicelib.engine.values.inputs import merged
from chalicelib.engine.versions import new_vars, pins
from chalicelib.engine.versions.fits import Versions, token_fits
from chalicelib.engine.versions.places import all_tokens
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, Token


def change_version(
    transition: Transition,
    target: Target,
    *,
    renamed: Mapping[str, str],
    is_live: bool,
    given: Json | UnsetType = UNSET,
    anew: Iterable[str] = (),
) -> tuple[Fit, ...]:
    """Move the run to the version of `target`, and return what that means for its tokens. Raises DoesNotFit.

    `renamed`: what steps are called there. `is_live`: its tokens wait; otherwise they enter their steps again. `given`
    replaces fields of the input. Tokens with an id in `anew` are at a step of that version already.
    """
    bring_all_back(transition)
    run, anew = transition.run, frozenset(anew)
    tokens = all_tokens(transition.tokens.values(), run.interrupted)
    versions = Versions(
        before=transition.definition,
        after=target.definition,
        number=target.ref.version,
        renamed=renamed,
        is_live=is_live,
    )
    fits = tuple(_with_pin_problem(transition, fit, is_live=is_live) for fit in token_fits(versions, tokens, anew))
    problems = list(_other_problems(transition, versions))
    try:
        changed_input: Json = merged(target.definition.flow, run.input, given, transition.cipher)
    except InputRefused as refusal:
        problems.append(str(refusal))
    if problems or any(fit.problem for fit in fits):
        raise DoesNotFit(run.name, target.ref.version, fits, problems)
    _pin(transition)
    _rename(transition, renamed, anew)
    _use(transition, target)
    transition.set_run(input=changed_input)
    try:
        new_vars.make_vars(transition)
        new_vars.make_scope_vars(transition)
        _set_limiter(transition, is_live=is_live)
    except ExpressionFailed as failure:
        raise DoesNotFit(run.name, target.ref.version, fits, [str(failure)]) from None
    turn_undo_pages(transition)
    return fits


def _with_pin_problem(transition: Transition, fit: Fit, *, is_live: bool) -> Fit:
    token = transition.tokens.get(fit.token)
    if not is_live or token is None or fit.problem:
        return fit
    problem = pins.pin_problem(transition, token)
    return Fit(token=fit.token, step=fit.step, target=fit.target, problem=problem)


def _other_problems(transition: Transition, versions: Versions) -> Iterator[str]:
    """Yield why what the run still has to do, other than its tokens, cannot be done by the other version."""
    run, before, after = transition.run, versions.before, versions.after
    there = f"version {versions.number}"
    for old, new in sorted(versions.renamed.items()):
        if new not in after.steps:
            yield f"{there} has no step {new!r}"
        elif old not in before.steps:
            yield f"the run's version has no step {old!r}"
    for undo in run.undos:
        yield from _one(pins.undo_problem(run, after, pins.with_pinned_undo(before, undo), there))
    for notice in run.notices:
        yield from _one(pins.notice_problem(run, notice, after, versions.renamed, before))
    for stopping in run.stopping:
        if versions.renamed.get(stopping.step, stopping.step) not in after.steps:
            yield f"run {stopping.child!r} of step {stopping.step!r} has not stopped yet: try again later"
    undoing = transition.tokens.get(UNDO)
    if undoing is not None:
        yield from _one(pins.sent_problem(transition, undoing, after, there))


def _one(problem: str) -> Iterator[str]:
    if problem:
        yield problem


def _pin(transition: Transition) -> None:
    """Keep requests and undos as they are by the run's own version. Raises ExpressionFailed."""
    run = transition.run
    for token in tuple(transition.tokens.values()):
        transition.put(pins.with_pin(transition, token))
    transition.set_run(
        notices=tuple(pins.with_pin(transition, notice) for notice in run.notices),
        undos=tuple(pins.with_pinned_undo(transition.definition, undo) for undo in run.undos),
    )


def _rename(transition: Transition, renamed: Mapping[str, str], anew: frozenset[str]) -> None:
    """Call the steps of the run as the other version does."""

    def moved(token: Token) -> Token:
        return token if token.id in anew else replace(token, step=renamed.get(token.step, token.step))

    if not renamed:
        return
    run = transition.run
    transition.tokens = {name: moved(token) for name, token in transition.tokens.items()}
    transition.set_run(
        interrupted=tuple(map(moved, run.interrupted)),
        notices=tuple(replace(one, step=renamed.get(one.step, one.step)) for one in run.notices),
        undos=tuple(replace(one, step=renamed.get(one.step, one.step)) for one in run.undos),
        stopping=tuple(replace(one, step=renamed.get(one.step, one.step)) for one in run.stopping),
    )


def _use(transition: Transition, target: Target) -> None:
    """Let the run belong to the version; remember the steps that it lacks, for late answers to them."""
    run, before, after = transition.run, transition.definition, target.definition
    former = {**run.former_steps, **{name: compiled.signed for name, compiled in before.steps.items()}}
    former = {name: signed for name, signed in former.items() if name not in after.steps}
    transition.set_run(definition=target.ref, former_steps=former)
    transition.definition = after


def _set_limiter(transition: Transition, *, is_live: bool) -> None:
    """Set the limiter of a run that waits for its turn again. One in progress keeps the permit that it has.

    Raises ExpressionFailed.
    """
    run, first = transition.run, Token(step=transition.definition.flow.steps[0].name)
    limiter = admission.limiter_of(transition, first)
    if not is_live:
        transition.set_run(limiter=limiter)
    elif limiter and limiter != run.limiter:
        raise ExpressionFailed("it is in progress, and has no permit of the limit there: stop it, and retry it there")


def changed_fields(before: Run, after: Run) -> Json:
    """Return the fields of the input that differ, as they are now; or the whole input, if it is one value."""
    if not isinstance(before.input, Mapping) or not isinstance(after.input, Mapping):
        return after.input
    return {name: value for name, value in after.input.items() if before.input.get(name, UNSET) != value}
