"""The short way of plain answers decides what the handlers decide, and is taken where it can be."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from msgspec.structs import replace

from chalicelib.engine import straight
from chalicelib.engine.effects import Decision
from chalicelib.engine.errors import Refused
from chalicelib.engine.events import Event, RunPaused, RunStarted, StepAcked
from chalicelib.engine.machine import decide, decide_by_handlers
from chalicelib.engine.senders import Sender
from chalicelib.model.actions import Action, ArgType, Limit, Method, Options, Parameter, Retry, Undo
from chalicelib.model.definition import Definition
from chalicelib.model.flow import ActionStep, Flow, RepeatRule, Route, SetStep, Step
from chalicelib.model.history import Sent
from chalicelib.model.json_values import Json
from chalicelib.model.run import DefinitionRef, Parent, Run
from chalicelib.model.run_error import StepError
from chalicelib.model.templates import expression
from tests.engine.flows import DAY, nonce

CONDITIONS = (
    None,
    "$vars.n > 1",
    "$state = 'OK' and $input.a",
    "$result.n > 1",
    "$result[0] = 1",
    "$count($result) > 0",
    "$error('no')",
    "$step.attempt = 0",
    "$run.name = 'r' and $now > '2'",
    "$index",
    "$exists($error)",
    "$exists($response)",
    "$random() < 0.5",
    "$config.x = 1",
)

ARGS: tuple[Json, ...] = (
    1,
    "text",
    expression("$input.a"),
    expression("$result"),
    expression("$vars.n + 1"),
    expression("$step.uuid"),
    expression("$random()"),
    expression("$state & '!' & $now"),
    expression("$input.missing"),
    expression("$vars.n / 0"),
)

DATA: tuple[Json, ...] = (None, 1, "text", '{"n": 2}', "[1, 2]", '{"\\u0000sealed": "x"}', {"n": 3}, [1], True)


class Maker:
    """Makes definitions and events, all different, the same ones each time."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - for tests

    def rarely(self, one_in: int = 30) -> bool:
        return self._random.randrange(one_in) == 0

    def definition(self) -> Definition:
        count = self._random.randint(1, 4)
        names = [f"S{n}" for n in range(count)]
        flow = Flow(
            name="f",
            steps=tuple(self._step(name, names) for name in names),
            input=(Parameter(name="a", type=ArgType.ANY, required=False),),
            vars={"n": self._random.choice((0, 0, *ARGS))},
            labels={"l": 2} if self.rarely() else {},
            secret_vars=("n",) if self.rarely(30) else (),
            output=expression("$vars.n") if self.rarely() else None,
            timeout=self._random.choice((None, None, 5_000, 100 * DAY)),
            keep=DAY if self.rarely() else None,
            max_steps=3 if self.rarely() else None,
        )
        actions = {"work": self._action("work"), "back": Action(name="back", returns=("OK",), addresses=("http://b/",))}
        defaults = Options(timeout=7 * DAY, retry=Retry())
        return Definition(flow=flow, actions=actions, defaults=defaults, config={"x": 1})

    def _action(self, name: str) -> Action:
        return Action(
            name=name,
            returns=("OK", "BAD"),
            addresses=("http://w/",),
            parameters=(
                Parameter(name="p", type=ArgType.ANY, secret=self.rarely(30)),
                Parameter(name="q", type=ArgType.INT, required=False, default=3),
            ),
            method=Method.HUMAN if self.rarely() else Method.HTTP,
            direct=self.rarely(),
            cancel=("http://c/",) if self.rarely(20) else (),
            options=Options(
                signed=self.rarely(),
                limit=Limit(concurrent=1) if self.rarely(20) else None,
            ),
        )

    def _step(self, name: str, names: list[str]) -> Step:
        if self.rarely():
            return SetStep(name=name, routes=(Route(target=self._target(names)),), save={"n": 5})
        routes = tuple(self._route(names) for _ in range(self._random.randint(1, 4)))
        args = {"p": self._random.choice(ARGS if self.rarely(5) else ARGS[:8])}
        if self.rarely(8):
            args["q"] = self._random.choice(ARGS)
        return ActionStep(
            name=name,
            routes=routes,
            action="work",
            args=args,
            options=Options(
                timeout=self._random.choice((None, 3_000, 30 * DAY)) if not self.rarely() else expression("$vars.n"),
                heartbeat=self._random.choice((None, None, 2_000)),
                approval=self.rarely(),
            ),
            save={"n": expression("$result")} if self.rarely() else {},
            undo=Undo(action="back", states=("OK",)) if self.rarely() else None,
            repeat=(RepeatRule(state="BAD", max=2),) if self.rarely() else (),
        )

    def _route(self, names: list[str]) -> Route:
        target = self._target(names)
        entries: dict[str, Json] = {}
        if self.rarely() and target in names:
            entries = {"n": expression("$vars.n + 1")}
        return Route(
            target=target,
            state=self._random.choice(("OK", "BAD", None)),
            when=self._random.choice(CONDITIONS) if self.rarely(3) else None,
            entries=entries,
        )

    def _target(self, names: list[str]) -> str:
        return self._random.choice((*names, *names, "done", "stopped"))

    def start(self) -> RunStarted:
        return RunStarted(
            at=1_700_000_000_000,
            nonce=nonce(0),
            namespace="default",
            name="r",
            id="run-id",
            ref=DefinitionRef(flow="f", version=1, actions={"work": 1}),
            input={"a": self._random.choice(DATA)},
            parent=Parent(run="p", uuid="u") if self.rarely() else None,
            queued_behind="s" if self.rarely() else "",
            held=self.rarely(),
            start_at=1_700_000_000_000 + self._random.choice((-5, 0, 5)) if self.rarely(8) else None,
            labels={"l": 1} if self.rarely(8) else {},
        )

    def answer(self, run: Run, number: int) -> StepAcked:
        token = run.tokens[0] if run.tokens else None
        uuid = token.activation.uuid if token and token.activation else "0" * 8
        answer = StepAcked(
            at=run.updated_at + self._random.choice((1, 1_000, DAY)),
            nonce=nonce(number),
            by="action",
            step=token.step if token and self.rarely(2) else "",
            uuid=uuid,
            state=self._random.choice(("OK", "OK", "OK", "BAD")),
            data=self._random.choice(DATA),
            variables={"n": self._random.randint(0, 5)} if self.rarely(2) else {},
            direct=self.rarely(2),
            is_value=self.rarely(),
            sent=Sent(duration=3, status=200) if self.rarely(2) else None,
            sender=self._random.choice((Sender.ANY, Sender.ANY, Sender.SERVICE, Sender.PERSON)),
            signed=self.rarely(3),
            response={"status": 200, "headers": {}} if self.rarely() else None,
        )
        if not self.rarely(6):
            return answer
        changes: dict[str, Json] = self._random.choice(
            (
                {"state": "ODD"},
                {"state": "APPROVE"},
                {"uuid": "0" * 32},
                {"step": "S9"},
                {"done": False},
                {"error": StepError("Broken", "why"), "state": "ERROR"},
                {"too_large": "too large"},
            )
        )
        return replace(answer, **changes)


def outcome(
    decided: Callable[..., Decision | None], *args: object, **more: object
) -> Decision | tuple[type, str] | None:
    try:
        return decided(*args, **more)
    except (Refused, LookupError, ValueError) as failure:
        return type(failure), str(failure)


class _Cipher:
    def encrypt(self, value: Json) -> str:
        return f"<{value}>"

    def decrypt(self, text: str) -> Json:
        return text

    def secret(self, name: str) -> Json:
        return name


@pytest.mark.parametrize("seed", range(12))
def test_the_short_way_decides_what_the_handlers_decide(seed: int) -> None:
    maker = Maker(seed)
    for _ in range(25):
        definition = maker.definition()
        start = maker.start()
        begun = decide_by_handlers(definition, None, start, cipher=_Cipher())
        assert decide(definition, None, start, cipher=_Cipher()) == begun
        run = begun.run
        for number in range(1, 9):
            event: Event = maker.answer(run, number)
            if maker.rarely(15):
                event = RunPaused(at=run.updated_at + 1, nonce=nonce(number))
            whole = outcome(decide_by_handlers, definition, run, event, cipher=_Cipher())
            assert outcome(decide, definition, run, event, cipher=_Cipher()) == whole
            if isinstance(whole, Decision):
                run = whole.run


LONG = "($f := function($n) { $n = 0 ? 1 : $f($n - 1) }; $f(30000))"


def test_args_of_the_next_step_are_bounded_together() -> None:
    """The step that is left reads no names; the args of the one that is entered take more than a decision may."""
    names = tuple(f"p{number}" for number in range(12))
    action = Action(
        name="work",
        returns=("OK",),
        addresses=("http://w/",),
        parameters=tuple(Parameter(name=name, type=ArgType.ANY, required=False) for name in names),
    )
    first = ActionStep(name="A", routes=(Route(target="B", state="OK"),), action="work")
    args: dict[str, Json] = dict.fromkeys(names, expression(LONG))
    second = ActionStep(name="B", routes=(Route(target="done", state="OK"),), action="work", args=args)
    definition = Definition(
        flow=Flow(name="f", steps=(first, second)), actions={"work": action}, defaults=Options(timeout=DAY)
    )
    start = RunStarted(
        at=1, nonce=nonce(0), namespace="default", name="r", id="run-id", ref=DefinitionRef(flow="f", version=1)
    )
    run = decide(definition, None, start).run
    assert run.tokens[0].activation is not None
    answer = StepAcked(at=2, nonce=nonce(1), by="action", step="", uuid=run.tokens[0].activation.uuid, state="OK")
    decision = decide(definition, run, answer)
    assert decision == decide_by_handlers(definition, run, answer)
    assert "together" in decision.run.last_err


@pytest.mark.parametrize("when", ["$input.a", " $input.`a` ", "$input.a = true", "$count($input) > 0"])
def test_conditions_use_up_the_same_draws(when: str) -> None:
    """A plain member of the input is read without a draw, so the args after it draw as the handlers have them."""
    action = Action(
        name="work",
        returns=("OK",),
        addresses=("http://w/",),
        parameters=(Parameter(name="p", type=ArgType.ANY, required=False),),
    )
    first = ActionStep(name="A", routes=(Route(target="B", state="OK", when=when),), action="work")
    second = ActionStep(
        name="B", routes=(Route(target="done", state="OK"),), action="work", args={"p": expression("$random()")}
    )
    definition = Definition(
        flow=Flow(name="f", steps=(first, second)), actions={"work": action}, defaults=Options(timeout=DAY)
    )
    ref = DefinitionRef(flow="f", version=1)
    start = RunStarted(at=1, nonce=nonce(0), namespace="default", name="r", id="run-id", ref=ref, input={"a": True})
    run = decide(definition, None, start).run
    assert run.tokens[0].activation is not None
    answer = StepAcked(at=2, nonce=nonce(1), by="action", step="", uuid=run.tokens[0].activation.uuid, state="OK")
    decision = decide(definition, run, answer)
    assert decision.run.tokens[0].step == "B"
    assert decision == decide_by_handlers(definition, run, answer)


def test_most_answers_take_the_short_way() -> None:
    maker = Maker(0)
    begun, taken, ended = 0, 0, 0
    for _ in range(400):
        definition, start = maker.definition(), maker.start()
        begun += isinstance(outcome(straight.started, definition, start), Decision)
        run = decide(definition, None, start, cipher=_Cipher()).run
        decision = outcome(straight.answered, definition, run, maker.answer(run, 1))
        taken += isinstance(decision, Decision)
        ended += isinstance(decision, Decision) and decision.run.ended_at is not None
    assert begun > 100
    assert taken > 50
    assert ended > 10
