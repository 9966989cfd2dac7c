"""The start of a run."""

from __future__ import annotations

from chalicelib.engine import admission
from chalicelib.engine.bindings import names_for
from chalicelib.engine.effects import Decision, Outcome
from chalicelib.engine.endings import stop
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.events import RunAdmitted, RunRefused, RunStarted
from chalicelib.engine.token_moves import run_until_waiting
from chalicelib.engine.transition import BlobReader, Transition
from chalicelib.engine.undo.compensation import fail
from chalicelib.engine.values import size_limits
from chalicelib.engine.values.evaluation import resolve_known
from chalicelib.engine.values.secret_values import Cipher
from chalicelib.model.definition import Definition
from chalicelib.model.flow import STOPPED
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, Token
from chalicelib.model.run_error import StepError
from chalicelib.model.status import READY, Status


def started(definition: Definition, event: RunStarted, read_blob: BlobReader, cipher: Cipher) -> Decision:
    """Return the first head of a run: its token at the first step, or failed if a variable cannot be evaluated."""
    size_limits.admit("the input", event.input)
    size_limits.admit_labels(event.labels)
    transition = Transition(definition, new_run(event), event, read_blob, cipher)
    token = Token(step=definition.flow.steps[0].name)
    transition.record("RunStarted", token, origin=READY, target=token.step)
    begin(transition)
    admission.request(transition, held=event.held)
    run_until_waiting(transition)
    return transition.build(Outcome.ADVANCED)


def begin(transition: Transition) -> None:
    """Make the run's variables, labels and deadline, and let its token arrive at the first step.

    A run of which these cannot be made fails, and has no token: `retry` begins it again. Raises TooLarge.
    """
    token = Token(step=transition.definition.flow.steps[0].name)
    try:
        _set_vars_and_labels(transition, token)
    except ExpressionFailed as failure:
        stop(transition, StepError(failure.name, f"the run's variables or labels could not be made: {failure}"))
        return
    if admission.set_deadline(transition, token):
        _arrive(transition, token)


def _arrive(transition: Transition, token: Token) -> None:
    try:
        limiter = admission.limiter_of(transition, token)
    except ExpressionFailed as failure:
        stop(transition, StepError(failure.name, f"the key of the flow's limit could not be made: {failure}"))
        return
    if limiter != transition.run.limiter:
        transition.set_run(limiter=limiter)
    transition.arrive(token)


def proceed(transition: Transition, event: RunAdmitted | RunRefused) -> Outcome:
    """Let a pending run begin, or end it because it is over the limit."""
    if transition.run.status is not Status.PENDING:
        return Outcome.IGNORED
    if isinstance(event, RunAdmitted):
        admission.admit(transition)
    else:
        transition.record("RunRefused", target=STOPPED, origin=transition.current_step, error=event.reason)
        fail(transition, Status.CANCELED, event.reason)
    return Outcome.ADVANCED


def new_run(event: RunStarted, version: int = 0, **fields: Json) -> Run:
    """Return the head of a run before its first decision, with other fields set."""
    return Run(
        namespace=event.namespace,
        name=event.name,
        id=event.id,
        status=Status.RUNNING,
        definition=event.ref,
        created_at=event.at,
        updated_at=event.at,
        input=event.input,
        labels=event.labels,
        last_state=READY,
        stored_event="start",
        parent=event.parent,
        trace=event.trace,
        generation=event.generation,
        scheduled=event.scheduled,
        queued_behind=event.queued_behind,
        start_at=event.start_at,
        version=version,
        **fields,
    )


def _set_vars_and_labels(transition: Transition, token: Token) -> None:
    """Set the variables, then the labels, which may read them. Raises ExpressionFailed, or TooLarge."""
    definition = transition.definition
    if definition.flow.vars:
        names = names_for(definition, transition.run, token, transition.at, draws=transition.draws)
        variables = transition.resolve_vars(definition.flow.vars, names, frozenset(definition.flow.secret_vars))
        variables = transition.encrypt_secrets(variables)
        size_limits.admit("the variables", variables)
        transition.replace_vars({**transition.run.vars, **variables})
    if definition.flow.labels:
        names = names_for(definition, transition.run, token, transition.at, draws=transition.draws)
        labels = {**resolve_known(definition.flow.labels, names), **transition.run.labels}
        size_limits.admit_labels(labels)
        transition.set_run(labels=labels)
