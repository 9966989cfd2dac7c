"""Laws of errors and returns: answers are kept, repetitions are bounded, and a run says why it failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from chalicelib.engine.values.secret_values import holds_secret
from chalicelib.model import status
from chalicelib.model.definition import Definition
from chalicelib.model.flow import STOPPED, ChoiceStep, RepeatRule, SetStep, Step
from chalicelib.model.history import Entry
from chalicelib.model.ids import ROOT
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, Token
from chalicelib.model.run_error import ErrorName
from chalicelib.model.status import Status
from chalicelib.model.waits import RepeatWait
from tests.simulation.mishaps import NEVER


class Returns:
    """What the steps of one run returned."""

    def __init__(self) -> None:
        self._repeated: Counter[str] = Counter()
        """How often each token was led to the step at which it is, by no route of the step."""
        self._last: dict[str, Entry] = {}
        """The last entry of each token that led it anywhere."""
        self._stopped: Entry | None = None
        """The last entry that led the run to `stopped`."""
        self._waits: set[str] = set()
        """The waits to repeat a step that were seen."""
        self._spoiled: set[str] = set()
        """Activations of which something failed after the step returned."""
        self.answers: dict[str, Entry] = {}
        """What was answered, by activation."""

    def commit(self, after: Run, added: list[Entry], definition: Definition) -> Iterator[str]:
        """Take in one write; yield what is wrong with it."""
        for entry in added:
            if entry.event == "StepAcked":
                self.answers[entry.uuid] = entry
            if entry.state and not entry.target and entry.event != "StepReported":
                self._spoiled.add(entry.uuid)
            if entry.target:
                yield from self._led(entry, definition)
        if after.vars.get(NEVER) == 1:
            yield "a step of which something failed saved its variables"
        if after.status in status.LIVE and after.ending is None:
            continued = any(entry.event == "RunContinued" for entry in added)
            for token in after.tokens:
                yield from self._token(token, definition, continued=continued)
        if after.status is Status.FAILED:
            yield from self._failed(after)

    def _led(self, entry: Entry, definition: Definition) -> Iterator[str]:
        step = definition.step(entry.step)
        if entry.token == ROOT and entry.target == STOPPED:
            self._stopped = entry
        if entry.event in ("RunPaused", "RunContinued") or step is None:
            return
        for below in [token for token in self._last if token.startswith(f"{entry.token}.")]:
            del self._last[below], self._repeated[below]  # they begin anew
        self._last[entry.token] = entry
        repeated = _is_repeated(step, entry)
        self._repeated[entry.token] = self._repeated[entry.token] + 1 if repeated else 0
        if repeated and entry.event == "StepFailed" and entry.uuid in self._spoiled:
            yield f"step {entry.step!r} is repeated, though something failed after it returned"
        if repeated and self._repeated[entry.token] > sum(_int(rule.max) for rule in _rules(step)):
            yield f"step {entry.step!r} was repeated {self._repeated[entry.token]} times"

    def _token(self, token: Token, definition: Definition, *, continued: bool) -> Iterator[str]:
        step, last, activation = definition.step(token.step), self._last.get(token.id), token.activation
        if last is not None and last.target == token.step and last.step != token.step and token.repeats:
            yield f"step {token.step!r} was entered by a route, and counts {token.repeats}"
        if step is None or activation is None or not isinstance(activation.wait, RepeatWait):
            return
        rule = _rules(step)[activation.wait.rule]
        new = activation.uuid not in self._waits and not continued  # a pause makes it longer
        self._waits.add(activation.uuid)
        if new and activation.deadline - activation.since > _int(rule.cap):
            yield f"step {token.step!r} waits longer than {rule.cap} to be repeated"
        if rule.state not in (None, activation.wait.state):
            yield f"step {token.step!r} is repeated after {activation.wait.state}, by a rule for {rule.state}"

    def _failed(self, after: Run) -> Iterator[str]:
        """A failed run has the error of the entry that led it to `stopped`."""
        if after.error is None:
            yield "it failed, and has no error"
            return
        if not after.last_err.startswith(after.error.text):
            yield f"its error is {after.error.text!r}, and `last_err` says {after.last_err!r}"
        if self._stopped is not None and self._stopped.event not in ("RunStopped", "RunTimedOut"):
            name = self._stopped.error_name or ErrorName.STOPPED
            if after.error.name != name:
                yield f"its error is {after.error.name}, and by its history {name}"

    def kept(self, uuid: str, state: str, data: Json, error: str) -> Iterator[str]:
        """What is wrong with the entry of an answer that was acknowledged."""
        entry = self.answers.get(uuid)
        if entry is None:
            return  # an approval, or the entry is not committed here
        if entry.state != state or (entry.data != data and not holds_secret(entry.data)):
            told = f"{state} with {str(data)[:60]}"
            yield f"{told} was answered, and the history has {entry.state}, {str(entry.data)[:60]}"
        if error and error != entry.error_name and entry.error_name != ErrorName.NOT_ROUTED:
            yield f"error {error} was answered, and the history has {entry.error_name!r}"


def _rules(step: Step) -> tuple[RepeatRule, ...]:
    return () if isinstance(step, (SetStep, ChoiceStep)) else step.repeat


def _is_repeated(step: Step, entry: Entry) -> bool:
    """Whether the step returned, and no route of it led where the entry says."""
    routed = any(route.target == step.name and route.state in (None, entry.state) for route in step.routes)
    return bool(entry.state) and entry.target == step.name and not routed


def _int(option: object) -> int:
    """An option that is no expression: the simulation draws no others."""
    assert isinstance(option, int)
    return option
