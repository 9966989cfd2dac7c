"""How work is undone: what is registered, when its turn comes, and what happens if undoing fails.

Theory of operation. A step that is answered with a state of its `undo` registers its work in `run.undos`, with the args
of the undo as they are then. Work is *due* when its branch has lost or its failed item was tolerated, and all work is
due when the run fails or is canceled. One token, UNDO, undoes what is due, one after the other, newest first. Before
that, child runs that were told to stop must have ended, because what they undo is newer. An undo that fails stays in
`run.undos` with the reason, also when the run has ended. Of many undos the older ones are in pages (`undo_pages`).
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from chalicelib.engine import notices
from chalicelib.engine.bindings import step_names
from chalicelib.engine.invocation import UNDO, invocation_of, is_undone_by_flow, pending_undo
from chalicelib.engine.items import ItemPlace
from chalicelib.engine.scopes import in_scope
from chalicelib.engine.step_result import StepResult
from chalicelib.engine.steps import action, call
from chalicelib.engine.transition import MAX_ERROR_CHARACTERS, Transition, without_wait
from chalicelib.engine.undo.undo_args import undo_args
from chalicelib.engine.undo.undo_pages import bring_back, page_next, pages_adopted, pages_due, turn_undo_pages
from chalicelib.engine.values.evaluation import Names
from chalicelib.model.flow import BUILT_IN_STATES, DEFAULT_STATE, ERROR
from chalicelib.model.json_values import Json
from chalicelib.model.pending_undo import PendingUndo
from chalicelib.model.run import Run, Token
from chalicelib.model.status import STOPPED, Status


def register(
    transition: Transition,
    token: Token,
    uuid: str,
    state: str,
    names: Names,
    *,
    sent: Names | None = None,
    sent_args: Mapping[str, Json] | None = None,
    is_due: bool = False,
) -> str:
    """Register the work of a step that was answered with `state`, if the step has an undo for it.

    `uuid` is the activation that did the work. For args that are the step's own, `sent` are the names as they were
    when the step was entered, and `sent_args` the values that were evaluated then.

    Return why args of the undo could not be made; empty if they could.
    """
    undo = transition.definition.steps[token.step].undo
    if undo is None or not has_work(transition, token, state):
        return ""
    if any(known.uuid == uuid for known in transition.run.undos):
        return ""
    args, problem = undo_args(undo, names, sent or names, sent_args or {}, transition)
    pending = PendingUndo(
        step=token.step,
        action=undo.action,
        args=args,
        state=state,
        uuid=uuid,
        token=token.id,
        incomplete=problem[:MAX_ERROR_CHARACTERS],
        is_due=is_due,
    )
    _set_undos(transition, (*transition.run.undos, pending))
    turn_undo_pages(transition)
    return problem


def has_work(transition: Transition, token: Token, state: str) -> bool:
    """Return whether the token's step has an undo for what it does when it is answered with `state`."""
    undo = transition.definition.steps[token.step].undo
    return undo is not None and state in undo.states


def fail(transition: Transition, status: Status, why: str) -> None:
    """End the run as `status` (failed or canceled), after its child runs have ended and its work has been undone."""
    transition.arrivals.clear()
    for token in tuple(transition.tokens.values()):
        if token.id != UNDO:
            transition.abandon(token, is_due=True)
    run = transition.run
    if not any(_is_open(undo) for undo in run.undos) and not run.undo_pages and not run.stopping:
        transition.end(status, error=why)
        return
    _strip_tokens(transition)
    _set_undos(transition, tuple(replace(undo, is_due=_is_open(undo)) for undo in transition.run.undos))
    transition.set_run(undo_pages=pages_due(transition.run.undo_pages))
    if status is Status.CANCELED:
        passing = Status.CANCELING
    elif transition.run.status is Status.PAUSED:
        passing = Status.PAUSED  # `continue` starts the compensation
    else:
        passing = Status.COMPENSATING
    was_paused = transition.run.status is Status.PAUSED
    transition.set_status(passing)
    if was_paused:
        stop_held_children(transition)
        if passing is not Status.PAUSED:
            notices.release(transition)
    transition.set_run(ending=status, last_err=why, deadline=None)  # the flow's timeout does not bound the compensation


def stop_held_children(transition: Transition) -> None:
    """Stop the child runs that a paused run has not told to stop yet."""
    for stopping in transition.run.stopping:
        transition.stop(stopping)


def proceed(transition: Transition) -> bool:
    """Take the next step of undoing what is due, or end the run when all is done; return whether anything was done."""
    if UNDO in transition.tokens or _waits_for_children(transition):
        return False
    pending = _next_due(transition.run)
    while (pages := page_next(transition.run, pending)) is not None:
        bring_back(transition, pages)
        pending = _next_due(transition.run)
    run = transition.run
    if pending is not None:
        _start(transition, pending)
        return True
    if run.ending is None:
        return False
    _end(transition, run.ending)
    return True


def _next_due(run: Run) -> PendingUndo | None:
    return next((undo for undo in reversed(run.undos) if _is_due(run, undo)), None)


def undone(transition: Transition, token: Token, returned: StepResult) -> None:
    """Note how an undo ended. One that failed stays registered."""
    pending = pending_undo(transition.run, token)
    transition.record_return(token, returned, "")
    transition.tokens.pop(UNDO, None)
    if pending is None:
        return
    by_flow = is_undone_by_flow(transition.definition, pending)
    failed = returned.state != DEFAULT_STATE if by_flow else returned.state in BUILT_IN_STATES
    cause = returned.error.cause if returned.error else ""
    _close(transition, pending, f"{returned.state}: {cause}" if failed else "")


def child_stopped(transition: Transition, uuid: str, state: str, output: Json, error: str) -> bool:
    """Note that a child run which was told to stop has ended; return whether the run waited for it.

    A child that succeeded before it could be stopped has done work: it is registered.
    """
    stopping = next((known for known in transition.run.stopping if known.uuid == uuid), None)
    if stopping is None:
        return False
    transition.set_run(stopping=tuple(known for known in transition.run.stopping if known is not stopping))
    token = Token(id=stopping.token, step=stopping.step, state=state, result=output)
    transition.record("ChildStopped", token, uuid=uuid, state=state, data=output, error=error)
    if state == DEFAULT_STATE:
        is_due = stopping.is_due or transition.run.ending is not None
        place = None if stopping.index is None else ItemPlace(stopping.index, stopping.items)
        names = step_names(transition, token, place=place)
        names = replace(names, vars={**names.vars, **stopping.vars}) if stopping.vars else names
        register(transition, token, uuid, state, names, is_due=is_due)
    return True


def give_up_children(transition: Transition) -> None:
    """Stop waiting for child runs that have not ended in time."""
    for stopping in transition.run.stopping:
        if stopping.deadline <= transition.at:
            child_stopped(transition, stopping.uuid, ERROR, None, "the child run did not end in time")


def abandon_scope(transition: Transition, scope: str) -> None:
    """Have everything undone that was done in the scope (a branch or an item, by its token's id)."""
    undos = transition.run.undos
    marked = tuple(replace(undo, is_due=_is_open(undo)) if in_scope(undo.token, scope) else undo for undo in undos)
    if marked != undos:
        _set_undos(transition, marked)
    if transition.run.undo_pages:
        transition.set_run(undo_pages=pages_due(transition.run.undo_pages, scope))
    stopping = transition.run.stopping
    if any(in_scope(known.token, scope) for known in stopping):
        due = (replace(known, is_due=known.is_due or in_scope(known.token, scope)) for known in stopping)
        transition.set_run(stopping=tuple(due))


def has_due(transition: Transition, scope: str) -> bool:
    """Return whether anything in the scope is still to be undone or to be stopped."""
    run = transition.run
    due = [one.token for one in run.undos if one.is_due]
    due += [one.token for one in run.undo_pages if one.is_due]
    due += [one.token for one in run.stopping if one.is_due]
    return any(in_scope(token, scope) for token in due)


def adopt(transition: Transition, scope: str) -> None:
    """Let the work done below the token become its own: its fork or each has returned."""
    undos = transition.run.undos
    if undos and any(in_scope(undo.token, scope) and undo.token != scope for undo in undos):
        adopted = (replace(undo, token=scope) if in_scope(undo.token, scope) else undo for undo in undos)
        _set_undos(transition, tuple(adopted))
    if transition.run.undo_pages:
        transition.set_run(undo_pages=pages_adopted(transition.run.undo_pages, scope))


def retry_undos(transition: Transition) -> None:
    """Have the undos that failed done again. The run then ends as it had ended."""
    run = transition.run
    again = tuple(replace(undo, failed="", is_due=True, is_retried=True) if undo.failed else undo for undo in run.undos)
    ended = run.status
    transition.record("UndosRetried", origin=transition.current_step)
    _strip_tokens(transition)
    transition.set_status(Status.CANCELING if ended is Status.CANCELED else Status.COMPENSATING)
    transition.set_run(ended_at=None, ending=ended, deadline=None)
    transition.set_run(last_err=run.last_err.removesuffix(_problems(run.undos)))
    _set_undos(transition, again)


def _strip_tokens(transition: Transition) -> None:
    """Leave only the root and the token that undoes. `retry` resumes the root and the tokens that were below it."""
    for token in [token for token in transition.tokens.values() if not token.parent and token.id != UNDO]:
        for child in transition.children_of(token):
            transition.set_aside(child)
        transition.put(without_wait(token))


def _waits_for_children(transition: Transition) -> bool:
    stopping = transition.run.stopping
    return bool(stopping) if transition.run.ending else any(known.is_due for known in stopping)


def _start(transition: Transition, pending: PendingUndo) -> None:
    """Send the undo. One with incomplete args is not sent: it fails."""
    token = Token(id=UNDO, step=pending.step, undoes=pending.uuid)
    if pending.incomplete:
        transition.record("UndoFailed", token, state=ERROR, error=pending.incomplete)
        _close(transition, pending, pending.incomplete)
        return
    token = transition.put(token)
    invocation = invocation_of(transition.definition, transition.run, token)
    if invocation is not None:
        action.enter(transition, token, invocation)
    else:
        call.start_child(transition, token, None, pending.args)


def _close(transition: Transition, pending: PendingUndo, failed: str) -> None:
    """Remove the undo, or keep it with the reason of its failure; note the step if the whole run is undone."""
    run = transition.run
    if failed:
        kept = replace(pending, failed=failed[:MAX_ERROR_CHARACTERS], is_due=False)
        _set_undos(transition, tuple(kept if undo is pending else undo for undo in run.undos))
    else:
        _set_undos(transition, tuple(undo for undo in run.undos if undo is not pending))
    if run.ending in STOPPED and not pending.is_retried and pending.step not in run.undone:
        transition.set_run(undone=(*run.undone, pending.step))


def _end(transition: Transition, status: Status) -> None:
    run = transition.run
    error = run.last_err + _problems(run.undos) if status in STOPPED else ""
    transition.end(status, error=error, output=run.output)


def _problems(undos: tuple[PendingUndo, ...]) -> str:
    """Return what is appended to the error of a run of which undos failed."""
    failed = (undo for undo in undos if undo.failed)
    return "".join(f"; step {undo.step!r} could not be undone by {undo.action!r}: {undo.failed}" for undo in failed)


def _is_due(run: Run, undo: PendingUndo) -> bool:
    """Return whether the undo is to be done now. In heads of version 0.1.0, without uuids, only `ending` says so."""
    return undo.is_due or (run.ending is not None and not undo.uuid and not undo.failed)


def _is_open(undo: PendingUndo) -> bool:
    """Return whether the undo is still to be done."""
    return not undo.failed


def _set_undos(transition: Transition, undos: tuple[PendingUndo, ...]) -> None:
    transition.set_run(undos=undos, failed_undos=sum(bool(undo.failed) for undo in undos))
