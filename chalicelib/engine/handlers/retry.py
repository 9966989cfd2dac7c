"""`retry`: a failed or canceled run resumes, as it was or mended: on another version, with other values, elsewhere."""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from chalicelib.engine import admission
from chalicelib.engine.endings import succeed
from chalicelib.engine.errors import NoSuchStep, NoSuchToken, WasUndone
from chalicelib.engine.events import RunRetried
from chalicelib.engine.handlers import start
from chalicelib.engine.transition import Transition, without_wait
from chalicelib.engine.values import size_limits
from chalicelib.engine.values.inputs import merged
from chalicelib.engine.values.secret_values import encrypted
from chalicelib.engine.versions.change import change_version, changed_fields
from chalicelib.engine.versions.places import all_tokens, below, find_token, place_of_step
from chalicelib.model.definition import Definition
from chalicelib.model.flow import DONE, STOPPED
from chalicelib.model.json_values import Json
from chalicelib.model.run import Token
from chalicelib.model.status import Status


def retry(transition: Transition, event: RunRetried) -> None:
    """Continue a stopped run at the step where it stopped, or at `step`.

    Raises NoSuchStep, NoSuchToken, WasUndone, DoesNotFit, InputRefused, TooLarge.
    """
    run = transition.run
    if event.step is None and run.undone:
        raise WasUndone(run.name, run.undone, [undo.step for undo in run.undos if undo.failed])
    _set_all_aside(transition)
    definition = event.target.definition if event.target else transition.definition
    placed = _place(transition, definition, event)
    _mend(transition, event, placed)
    transition.set_status(Status.RUNNING)
    transition.set_run(ended_at=None, output=None, last_err="", error=None, undone=(), steps=0)
    if not transition.tokens:
        target = transition.definition.flow.steps[0].name
        transition.record("RunRetried", origin=STOPPED, target=target, data=_reason(event) or None)
        start.begin(transition)
    else:
        _resume(transition, event)
    admission.request(transition, held=event.held)


def _set_all_aside(transition: Transition) -> None:
    """Leave only the root: tokens of branches and items are resumed when its step is entered again."""
    for token in [token for token in transition.tokens.values() if not token.parent]:
        for child in transition.children_of(token):
            transition.set_aside(child)
        transition.put(without_wait(token))


def _place(transition: Transition, definition: Definition, event: RunRetried) -> tuple[str, ...]:
    """Put the token at the step where it is to continue. Return its id; nothing if all continue where they stopped.

    `definition` is that with which the run continues. Raises NoSuchStep, NoSuchToken.
    """
    run, tokens = transition.run, all_tokens(transition.tokens.values(), transition.run.interrupted)
    if event.token is not None and event.token not in tokens:
        known = ", ".join(map(repr, sorted(tokens)[:10])) or "none"
        raise NoSuchToken(f"run {run.name!r} has no token {event.token!r} that can be resumed; it has {known}")
    if event.step is None:
        return ()
    if event.step not in definition.steps:
        raise NoSuchStep(run.name, event.step)
    if not place_of_step(definition, event.step).parent and event.token in (None, *_roots(transition)):
        root = next(iter(_roots(transition)), None)
        transition.tokens = {}
        transition.set_run(interrupted=())
        token = transition.put(Token(step=event.step) if root is None else Token(id=root, step=event.step))
        return (token.id,)
    found = find_token(run, definition, tokens, event.step, event.token)
    gone = {other.id for other in below(tokens, found)}
    moved = replace(found, step=event.step, activation=None, repeats={}, passes=0, fork_vars=None)
    kept = tuple(moved if one is found else one for one in run.interrupted if one.id not in gone)
    transition.set_run(interrupted=kept)
    return (found.id,)


def _roots(transition: Transition) -> list[str]:
    return [token.id for token in transition.tokens.values() if not token.parent]


def _mend(transition: Transition, event: RunRetried, placed: tuple[str, ...]) -> None:
    """Give the run another version, another input and other variables. Raises DoesNotFit, InputRefused, TooLarge."""
    before = transition.run
    if event.target is not None:
        change_version(transition, event.target, renamed={}, is_live=False, given=event.input, anew=placed)
        versions = {"from": before.definition.version, "to": event.target.ref.version}
        transition.record("VersionChanged", origin=STOPPED, data={**versions, **_reason(event)})
    elif event.input is not UNSET:
        flow = transition.definition.flow
        transition.set_run(input=merged(flow, before.input, event.input, transition.cipher))
    if before.input != transition.run.input:
        size_limits.admit("the input", transition.run.input)
        transition.record(
            "InputChanged", origin=STOPPED, data={"input": changed_fields(before, transition.run), **_reason(event)}
        )
    if event.vars:
        _set_vars(transition, event)


def _set_vars(transition: Transition, event: RunRetried) -> None:
    """Set the variables, each in the innermost scope around the token that has it, or else in the run."""
    tokens = all_tokens(transition.tokens.values(), transition.run.interrupted)
    token = tokens[event.token] if event.token is not None else None
    secret = transition.definition.secret_vars
    changed = {
        name: encrypted(value, transition.cipher) if name in secret else value for name, value in event.vars.items()
    }
    size_limits.admit("the run's variables", {**transition.run.vars, **changed})
    transition.record("VarsSet", token, vars=changed, data=_reason(event) or None)
    left = dict(changed)
    while token is not None:
        parent = tokens.get(token.parent)
        own = {name: left.pop(name) for name in tuple(left) if token.vars and name in token.vars}
        if own:
            _replace(transition, replace(token, vars={**(token.vars or {}), **own}))
        forks = {
            name: left.pop(name) for name in tuple(left) if parent and parent.fork_vars and name in parent.fork_vars
        }
        if parent is not None and forks:
            tokens[parent.id] = parent = replace(parent, fork_vars={**(parent.fork_vars or {}), **forks})
            _replace(transition, parent)
        token = parent
    transition.replace_vars({**transition.run.vars, **left})


def _replace(transition: Transition, token: Token) -> None:
    if token.id in transition.tokens:
        transition.tokens[token.id] = token
    kept = tuple(token if one.id == token.id else one for one in transition.run.interrupted)
    transition.set_run(interrupted=kept)


def _reason(event: RunRetried) -> dict[str, Json]:
    return {"reason": event.reason} if event.reason else {}


def _resume(transition: Transition, event: RunRetried) -> None:
    """Let the root enter its step again. A fork or an each resumes the tokens below it; the history names them all."""
    for token in [token for token in transition.tokens.values() if not token.parent]:
        for resumed in (token, *sorted(transition.run.interrupted, key=lambda one: one.id)):
            transition.record(
                "RunRetried",
                replace(resumed, activation=None),
                origin=STOPPED,
                target=resumed.step,
                data=_reason(event) or None,
            )
        if not admission.set_deadline(transition, token):
            return
        if token.step == DONE:  # its output could not be made
            succeed(transition, token, has_output=False)
        else:
            transition.arrive(replace(token, repeats={}, passes=0))
