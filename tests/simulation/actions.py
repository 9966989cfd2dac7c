"""The services that flows send actions to, and the people who answer tasks."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from chalicelib.config import DEVELOPMENT_KEY
from chalicelib.engine.errors import NeverIssued, StateNotRouted, Unsigned
from chalicelib.engine.invocation import APPROVED, REJECTED
from chalicelib.hosting import Services
from chalicelib.model.flow import ERROR
from chalicelib.model.run_error import StepError
from chalicelib.model.times import Instant
from chalicelib.service.ports.actions import Call, NotTaken, Reply, Taken
from chalicelib.service.runs.answer import Answer
from chalicelib.service.security.webhooks import AnswerSignature, key_of, signature
from tests.simulation.catalog import STATES
from tests.simulation.direct import DirectServices
from tests.simulation.fates import CALLBACK_FAULTS, HTTP_FAULTS
from tests.simulation.flows import DATA, is_signed
from tests.simulation.laws.moves import action_at

if TYPE_CHECKING:
    from tests.simulation.stage import Stage

BROKEN: Final = StepError("Broken", "it fell down")
"""The error that a service answers now and then."""

OTHERS: Final[dict[str, dict[str, Any]]] = {
    "callback-odd": {"state": "ODD"},
    "callback-error": {"state": ERROR, "error": BROKEN},
    "callback-unrouted": {"state": "NOBODY_ROUTES_THIS"},
}
"""What a service answers instead."""

LARGE: Final = {"v": "x" * 5_000}
NULL: Final = {"v": None}
GARBAGE: Final[tuple[dict[str, Any] | None, ...]] = (
    {"ackState": ["OK"]},
    {"ackState": "NOBODY_ROUTES_THIS"},
    {"ackState": "OK", "done": False, "globalVariables": [1]},
    {"hello": {"world": [None]}},
    {"ackState": ""},
)


def _is_signed(call: Call, answer: Answer) -> bool:
    """Whether the answer to that call must be signed: what undoes a step says nothing of it, and no notice does."""
    return is_signed(answer.step) and not any(name in call.addresses[0] for name in ("undo", "noted"))


def _proof(key: str, namespace: str, at: Instant) -> AnswerSignature:
    body = b"what it says"
    text = signature(key_of(key.encode(), namespace), "answer", at, body)
    return AnswerSignature(id="answer", timestamp=str(at // 1000), signatures=text, body=body)


class Actions:
    """Implements `ports.Caller`."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._visits: set[str] = set()
        self._direct = DirectServices(stage)
        self._is_quick = stage.inline is not stage.inline.OFF and not stage.fates.below("quick", 2)
        """Whether most answers are in the HTTP response: then one delivery follows another in its worker."""

    def post(self, call: Call) -> Reply:
        if call.addresses[0].endswith("/cancel"):
            return self._note_cancellation()
        return self._direct.answer(call) if call.direct else self._take(call)

    def _note_cancellation(self) -> Reply:
        """Take note that an activation was abandoned, or fail to."""
        failed = self._stage.fates.strikes("cancel", HTTP_FAULTS[:1], 0.15)
        return NotTaken("connection refused", final=False) if failed else Taken()

    def _take(self, call: Call) -> Reply:
        stage, body = self._stage, msgspec.json.decode(call.body)
        fiber = stage.loop.current
        namespace = fiber.namespace if fiber else ""
        stage.laws.posted(namespace, body["flowId"], body["uuid"])
        stage.laws.called(namespace, call.addresses[0])
        stage.laws.sent(action_at(call.addresses[0]), body["uuid"], call.body)
        answer = Answer(run=body["flowId"], step=body["stepName"], uuid=body["uuid"], done=True, data=DATA)
        fault = stage.fates.strikes("http", HTTP_FAULTS, 0.15) or self._quickly(_is_signed(call, answer))
        if fault:
            stage.note("  the action", fault)
        match fault:
            case "http-refused":
                return NotTaken("connection refused", final=False)
            case "http-timeout":
                stage.loop.pause(10_000)
                return NotTaken("no answer within 10 s", final=False)
            case "http-5xx":
                return NotTaken("it answered 503", final=False)
            case "http-429":
                return NotTaken("it answered 429", final=False, retry_after=stage.fates.span("patience", 500, 120_000))
            case "http-4xx":
                return NotTaken(f"it answered 400: {body.get('token', 'no')} is not welcome", final=True)
            case "answer-in-answer":
                if _is_signed(call, answer):
                    stage.laws.waking.taken.add(answer.uuid)  # what it says does not count, and it says no more
                data = (LARGE, NULL, DATA, DATA)[stage.fates.below("size", 4)]
                return Taken({"ackState": self._state(body["ackStates"]), "data": data})
        where = namespace, action_at(call.addresses[0])
        self._call_back(where, answer, body["ackStates"], signed=_is_signed(call, answer))
        if fault == "http-timeout-though-taken":
            stage.loop.pause(10_000)
            return NotTaken("no answer within 10 s", final=False)
        stage.laws.waking.taken.add(answer.uuid)
        stage.outages.taken(*where)
        return Taken(GARBAGE[stage.fates.below("garbage", len(GARBAGE))] if fault else None)

    def _quickly(self, is_signed: bool) -> str:
        is_quick = self._is_quick and not is_signed
        return "answer-in-answer" if is_quick and self._stage.fates.below("quick-answer", 10) < 8 else ""

    def _state(self, states: list[str]) -> str:
        return states[0] if self._stage.fates.calm or self._stage.fates.below("state", 4) else states[-1]

    # ── callbacks ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _call_back(self, where: tuple[str, str], answer: Answer, states: list[str], *, signed: bool) -> None:
        fates = self._stage.fates
        fault = fates.strikes("callback", CALLBACK_FAULTS, 0.2)
        answer = replace(answer, state=self._state(states), data=LARGE if fault == "large-answer" else answer.data)
        delay = fates.span("callback-delay", 2, 20_000)
        if fault == "callback-early":
            delay = 0
        if fault == "callback-late":
            delay = fates.span("callback-late", 60_000, 10_000_000)
        self._say_more(where, answer, states, delay, fault)
        if signed and fault.startswith("forged"):
            self._later(where, answer, delay // 2, forged=True, seal="")
            self._later(where, replace(answer, done=False), delay // 3, forged=True, seal="the key of another")
        if fault != "callback-never":
            self._later(where, answer, delay)

    def _say_more(self, where: tuple[str, str], answer: Answer, states: list[str], delay: int, fault: str) -> None:
        """Send more than the answer."""
        say, fates = partial(self._later, where), self._stage.fates
        match fault:
            case "callback-doubled":
                say(answer, fates.span("callback-again", 1, 100_000))
            case "callbacks-at-once":
                say(replace(answer, state=states[-1]), delay)
            case "callback-odd" | "callback-error" | "callback-unrouted":
                say(replace(answer, **OTHERS[fault]), delay // 2)
            case "callback-reports":
                for part in (3, 2):
                    say(replace(answer, done=False, variables={"n": part}), delay // part)
            case "forged-uuid":
                say(replace(answer, uuid=f"{fates.number('forged'):032x}"), delay // 2, forged=True)
            case "forged-step":
                say(replace(answer, step=f"{answer.step}0"), delay // 2, forged=True)
            case "forged-run":
                others = [run for owner, run in self._stage.laws.heads if owner == where[0] and run != answer.run]
                for other in (f"{answer.run}x", *others):
                    say(replace(answer, run=other), delay // 2, forged=True)

    def _later(
        self, where: tuple[str, str], answer: Answer, delay: int, *, forged: bool = False, seal: str = DEVELOPMENT_KEY
    ) -> None:
        """Answer after the delay, unless the service is silent then. `where`: the namespace and the action."""
        loop = self._stage.loop

        def speak() -> None:
            if not self._stage.outages.is_silent(*where):
                self.say(where[0], answer, forged=forged, seal=seal)

        loop.at(loop.now + delay, speak)

    def say(
        self,
        namespace: str,
        answer: Answer,
        *,
        forged: bool = False,
        approval: bool = False,
        seal: str = DEVELOPMENT_KEY,
    ) -> None:
        """Answer until the answer is acknowledged or refused. No forged answer may move anything.

        `seal`: the key that signs it; none: it is not signed.
        """
        laws = self._stage.laws

        def work(services: Services) -> None:
            answer_signature = _proof(seal, namespace, self._stage.loop.now) if seal else None
            outcome = services.answerer.answer(namespace, answer, signature=answer_signature)
            self._stage.note(f"  answered: {outcome}")
            if forged:
                laws.breaks("forged", f"{answer} was {outcome}")
            if answer.done or approval:
                laws.answered(namespace, answer, outcome, approval=approval)

        def refused(failure: Exception) -> None:
            head = laws.heads.get((namespace, answer.run))
            issued = head is not None and answer.uuid in laws.histories[head.id].uuids
            if isinstance(failure, NeverIssued) and issued and not forged:
                laws.breaks("late", f"{answer} was called never issued")
            if isinstance(failure, StateNotRouted) and answer.state in STATES and not approval:
                laws.breaks("answers", f"{answer} was refused, and its action declares the state")
            if isinstance(failure, Unsigned) and seal and not forged:
                laws.breaks("signed", f"{answer} was signed, and called unsigned")

        name = f"answer({namespace}/{answer.run} {answer.step}={answer.state}{' forged' if forged else ''})"
        self._stage.ask(name, namespace, work, refused=refused)

    # ── people ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def visit(self, namespace: str) -> None:
        """Sooner or later a person looks into the inbox, and answers all that is there."""
        if namespace in self._visits:
            return
        self._visits.add(namespace)
        fates, loop = self._stage.fates, self._stage.loop
        is_soon = not fates.below("visit-soon", 4)  # perhaps before the task's run waits for it
        delay = fates.span("visit", 1, 20) if is_soon else fates.span("visit", 20, 400_000)
        loop.at(loop.now + delay, lambda: self._visit(namespace))

    def _visit(self, namespace: str) -> None:
        self._visits.discard(namespace)

        def look(services: Services) -> None:
            for task in services.inbox.open(namespace, 10):
                refuses = task.approval and not self._stage.fates.calm and not self._stage.fates.below("refuses", 6)
                state = self._state(list(task.states)) if not task.approval else REJECTED if refuses else APPROVED
                answer = Answer(run=task.run, step=task.step, uuid=task.uuid, state=state, done=True, data=DATA)
                self.say(namespace, answer, approval=task.approval, seal="" if task.approval else DEVELOPMENT_KEY)
            if self._stage.laws.has_tasks(namespace):
                self.visit(namespace)

        self._stage.ask(f"inbox({namespace})", namespace, look)
