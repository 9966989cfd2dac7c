"""What tokens of runs wait for."""

from typing import TypedDict

from chalicelib.entrypoints.http.responses.common import Count, Moment
from chalicelib.service.details.kinds import WaitKind


class Waiting(TypedDict):
    """What a token waits for, and until when. `event` is the first of `events`; `key` that of the events, or the value
    of the key of the action's limit. `child` is the run of which the end is awaited. `person` is true if a person must
    answer or approve. `states` are what may be answered. `left` counts the branches or items that have not ended."""

    kind: WaitKind
    until: Moment | None
    action: str
    event: str
    events: list[str]
    key: str
    child: str
    person: bool
    states: list[str]
    retry_at: Moment | None
    left: Count
