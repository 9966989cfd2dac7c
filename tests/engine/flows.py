"""Small definitions and events that the engine's tests speak of."""

from __future__ import annotations

from chalicelib.engine.effects import Decision
from chalicelib.engine.events import RunStarted
from chalicelib.engine.machine import decide
from chalicelib.model.actions import Action, ArgType, Options, Parameter, Retry
from chalicelib.model.definition import Definition
from chalicelib.model.flow import ActionStep, Flow, Route
from chalicelib.model.run import DefinitionRef, Run, Token
from chalicelib.model.templates import expression

DAY = 86_400_000
NONCE = "0" * 32


def nonce(n: int) -> str:
    return f"{n:032x}"


def route(text: str) -> tuple[Route, ...]:
    """Routes from `A->x|B->y`."""
    return tuple(Route(state=part.split("->")[0], target=part.split("->")[1]) for part in text.split("|"))


def step(name: str, routes: str, action: str = "work", **more: object) -> ActionStep:
    return ActionStep(name=name, routes=route(routes), action=action, **more)  # type: ignore[arg-type]


WORK = Action(name="work", returns=("OK", "FAIL"), addresses=("http://work.test/",))

TWO_STEPS = Definition(
    flow=Flow(name="two", steps=(step("A", "OK->B|FAIL->A"), step("B", "OK->done|FAIL->stopped"))),
    actions={"work": WORK},
    defaults=Options(timeout=7 * DAY, retry=Retry(max=3, delay=1_000, rate=2.0, cap=300_000)),
)

ASKING = Definition(
    flow=Flow(
        name="asking",
        steps=(step("A", "OK->done", args={"order": expression("$input.order"), "times": 2}),),
        input=(Parameter(name="order", type=ArgType.STR),),
    ),
    actions={
        "work": Action(
            name="work",
            returns=("OK", "LATER"),
            parameters=(
                Parameter(name="order", type=ArgType.STR),
                Parameter(name="times", type=ArgType.INT),
                Parameter(name="note", type=ArgType.ANY, required=False, default=None),
            ),
        )
    },
)


def begun(definition: Definition = TWO_STEPS, at: int = 1_000) -> Decision:
    """The decision that begins a run named `r`."""
    return decide(
        definition,
        None,
        RunStarted(
            at=at,
            nonce=NONCE,
            by="api",
            namespace="default",
            name="r",
            id="run-id",
            ref=DefinitionRef(flow=definition.flow.name, version=1, actions={"work": 1}),
        ),
    )


def token(run: Run) -> Token:
    """The run's only token."""
    (only,) = run.tokens
    return only


def uuid_of(run: Run) -> str:
    activation = token(run).activation
    assert activation is not None
    return activation.uuid
