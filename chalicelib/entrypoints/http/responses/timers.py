"""Responses about timers."""

from typing import Literal, TypedDict

from chalicelib.entrypoints.http.responses.common import Moment


class Timer(TypedDict):
    """A timer that is set: of a run, or of a schedule (its next slot).

    `what` says what ends then: `run` (its timeout), `deletion` (of a run that has ended), `heartbeat`, `slot` (of a
    schedule), or what a token waits for. `token`, `step` and `uuid` are those of the token; empty if it is the run.
    """

    at: Moment
    kind: Literal["run", "schedule"]
    name: str
    what: str
    token: str
    step: str
    uuid: str
