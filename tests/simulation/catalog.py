"""The actions that drawn flows send, and the undos that their steps have."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.model.actions import (
    Action,
    ArgType,
    Breaker,
    Limit,
    Method,
    Options,
    Parameter,
    Retry,
    Undo,
    Verb,
)
from chalicelib.model.templates import expression

STATES: Final = ("OK", "ODD", "FAIL")
"""What actions declare. Few steps route ODD."""

SECRET: Final = "S3CR3T"
"""What every run keeps, and only some actions may see."""

TOKEN: Final = {"token": expression("$vars.token")}
UNDOER: Final = "undoer"
"""The flow that undoes calls."""

UNDOS: Final = (
    Undo(action="undo", args=TOKEN),
    Undo(action="undo", args=TOKEN, states=("OK",)),
    Undo(action="undo", args=TOKEN, states=("FAIL",)),
    Undo(action="undo", args={**TOKEN, "note": expression("$result.v")}, states=STATES),
    Undo(action="undo", args={**TOKEN, "note": expression("$result.missing")}, states=("OK",)),
    Undo(action="undo", args={**TOKEN, "note": expression("$string($result)")}, states=("OK",)),
    Undo(action=UNDOER, args={"n": expression("$result.v")}, states=("OK",), is_flow=True),
)
BROKEN_UNDOS: Final = UNDOS[4:]
"""They may have an arg that cannot be made: it yields nothing, or has the wrong type."""
UNDOS_OF_CALLS: Final = (
    Undo(action="undo", args=TOKEN, states=("DONE",)),
    Undo(action=UNDOER, states=("DONE",), is_flow=True),
)
TRUSTED: Final = ("plain", "human", "undo")
"""Actions that are sent the secret."""

DIRECT: Final = ("direct", "fetched")
"""Actions without callback."""

ON_STATUS: Final = {"ODD": (409,), "FAIL": (404, 422)}
"""The statuses that lead to a state of theirs."""

CANCELED: Final = ("brisk", "shared", "alive")
"""Actions that are notified when an activation is abandoned."""

_PARAMETERS: Final = (
    Parameter(name="token", type=ArgType.STR, secret=True),
    Parameter(name="note", type=ArgType.INT, required=False, default=0),
    Parameter(name="why", type=ArgType.STR, required=False, default=""),
)

_SEEN: Final = Parameter(name="seen", type=ArgType.ANY, required=False, default=0)
SEES: Final = {"seen": [expression("$vars.n"), expression("$result.v ?? 0"), expression("$uuid()")]}
"""An arg that has another value whenever it is evaluated."""

BREAKER: Final = Breaker(failures=2, pause=300_000)
"""It is open for longer than a handler lives, so what was read before it opened is known to be old."""


def _action(name: str, method: Method = Method.HTTP, **options: Any) -> Action:
    return Action(
        name=name,
        returns=STATES,
        method=method,
        addresses=(f"http://{name}.test/",),
        parameters=_PARAMETERS if name == "undo" else (*(_PARAMETERS[:1] if name in TRUSTED else ()), _SEEN),
        secret_data=name == "brisk",
        direct=name in DIRECT,
        verb=Verb.GET if name == "fetched" else Verb.POST,
        statuses=ON_STATUS if name in DIRECT else {},
        breaker=BREAKER if name == "guarded" else None,
        cancel=(f"http://{name}.test/cancel",) if name in CANCELED else (),
        options=Options(**options),
    )


_KEY: Final = expression("$string($vars.n % 2)")

ACTIONS: Final = (
    _action("plain"),
    _action("brisk", timeout=20_000, retry=Retry(max=2, delay=100)),
    _action("alive", timeout=600_000, heartbeat=30_000),
    _action("asked", timeout=3_600_000, approval=True),
    _action("human", Method.HUMAN, timeout=7_200_000),
    _action("scarce", timeout=20_000, limit=Limit(concurrent=1)),
    _action("keyed", timeout=60_000, heartbeat=20_000, limit=Limit(concurrent=1, key=_KEY)),
    _action("shared", timeout=60_000, limit=Limit(concurrent=2, per_second=0.5, burst=2, key=_KEY)),
    _action("crowded", timeout=60_000, limit=Limit(concurrent=3)),
    _action("paced", timeout=60_000, limit=Limit(per_second=0.2)),
    _action("guarded", timeout=1_200_000, retry=Retry(max=3, delay=100_000)),
    _action("direct", timeout=600_000),
    _action("fetched", timeout=60_000, retry=Retry(max=2, delay=500)),
    _action("noted", retry=Retry(max=2, delay=500), limit=Limit(concurrent=1, per_second=0.5, key=_KEY)),
    _action("undo", timeout=120_000, retry=Retry(max=5, delay=500)),
)
"""What the flows send: an action for each of the ways in which one can be waited for."""

_USUAL: Final = ("plain", "plain", "scarce", "brisk", "alive", "asked", "human")
_LIMITED: Final = ("scarce", "keyed", "keyed", "shared", "crowded", "paced")

SENT: Final = (
    _USUAL,
    _USUAL,
    _USUAL,
    _LIMITED,
    ("guarded", "guarded", "guarded", "plain"),
    (*DIRECT, *DIRECT, "plain"),
    (*_USUAL, *_LIMITED, "guarded", *DIRECT),
)
"""What the steps of one flow send."""
