"""Echoer's walks and expressions: `python -m bench.engine.own_program`."""

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Final

from bench.engine.samples import EXPRESSIONS, LIMIT, ORDER, STATES
from bench.engine.serving import Case, serve
from chalicelib.engine.events import RunStarted, StepAcked
from chalicelib.engine.machine import decide
from chalicelib.engine.paging import turn_page
from chalicelib.expressions import Draw
from chalicelib.expressions.compiled import Compiled
from chalicelib.model.actions import Action, Options
from chalicelib.model.definition import Definition
from chalicelib.model.flow import ActionStep, Flow, Route
from chalicelib.model.run import DefinitionRef, Run, decode_run, encode
from chalicelib.model.status import Status

_AT: Final = 1_800_000_000_000
_REF: Final = DefinitionRef(flow="walk", version=1, actions={"work": 1})
_NONCES: Final = [f"{number:032x}" for number in range(1_000)]


def definition(states: int) -> Definition:
    """A flow of so many steps, each with a guarded route to the next one."""
    names = [f"S{number}" for number in range(states)]
    steps = tuple(
        ActionStep(
            name=name,
            action="work",
            routes=(Route(target=target, state="OK", when=f"$vars.amount < {LIMIT}"), Route(target="stopped")),
        )
        for name, target in zip(names, [*names[1:], "done"], strict=True)
    )
    work = Action(name="work", returns=("OK",), addresses=("http://work.test/",))
    flow = Flow(name="walk", steps=steps, vars={"amount": 0})
    return Definition(flow=flow, actions={"work": work}, defaults=Options(timeout=86_400_000))


def start(of: Definition) -> Run:
    """Start a run."""
    event = RunStarted(at=_AT, nonce=_NONCES[-1], namespace="default", name="r", id="run-id", ref=_REF)
    return decide(of, None, event).run


def answer(of: Definition, run: Run, number: int) -> Run:
    """Answer the run's step: the event of one transition."""
    activation = run.tokens[0].activation
    uuid = activation.uuid if activation else ""
    event = StepAcked(
        at=_AT + number,
        nonce=_NONCES[number],
        by="action",
        step="",
        uuid=uuid,
        state="OK",
        variables={"amount": number},
    )
    return decide(of, run, event).run


def walk(of: Definition, states: int) -> int:
    """Take a run from its start to its end in memory. Return the number of its transitions."""
    run = start(of)
    for number in range(states):
        run = answer(of, run, number)
    return _ended(run, states)


def stored_walk(of: Definition, states: int) -> int:
    """The same, where each transition reads the head from JSON and writes it, as the stores do."""
    data = encode(start(of))
    for number in range(states):
        run = decode_run(data)
        after, _ = turn_page(run, answer(of, run, number))
        data = encode(after)
    return _ended(decode_run(data), states)


def _ended(run: Run, states: int) -> int:
    if run.status is not Status.SUCCEEDED:
        raise RuntimeError(f"the walk ended as {run.status}")
    return states


def _evaluated(compiled: Compiled) -> int:
    compiled.evaluate({"input": ORDER}, Draw())
    return 1


def _parsed(sources: Callable[[], str]) -> int:
    Compiled(sources())
    return 1


def cases() -> dict[str, Case]:
    """All cases by name."""
    found: dict[str, Case] = {}
    for states in STATES:
        found[f"walk-{states}"] = partial(walk, definition(states), states)
        found[f"stored-{states}"] = partial(stored_walk, definition(states), states)
    for name, source in EXPRESSIONS.items():
        found[f"evaluate-{name}"] = partial(_evaluated, Compiled(source))
        found[f"parse-{name}"] = partial(_parsed, partial(_spaced, source, count()))
    return found


def _spaced(source: str, numbers: "count[int]") -> str:
    return source + " " * (next(numbers) % 2)


if __name__ == "__main__":
    serve(cases())
