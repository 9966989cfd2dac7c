"""The words by which details of runs are shown: kinds of waits, statuses of items, origins of args."""

from __future__ import annotations

from enum import StrEnum


class WaitKind(StrEnum):
    """What a token waits for."""

    ACTION = "action"
    """The answer of an action that was sent, or its next delivery."""
    PERSON = "person"
    """The answer of a person to a task."""
    APPROVAL = "approval"
    """A person must approve before the action is sent."""
    LIMIT = "limit"
    """Its action is in the queue of a limit."""
    BREAKER = "breaker"
    """Its action is not sent while the breaker of the action is open."""
    RETRY = "retry"
    """The next delivery, after one that failed; or the next look at the result of a job."""
    EVENT = "event"
    TIMER = "timer"
    CONDITION = "condition"
    CHILD = "child"
    """The end of another run."""
    BRANCHES = "branches"
    ITEMS = "items"
    PUBLISH = "publish"
    """Its event is being published."""
    START = "start"
    """The run that it starts is being stored."""
    REPEAT = "repeat"
    """The delay before the step is done again."""
    UNDO = "undo"
    """Work below it is being undone."""
    TURN = "turn"
    """The run waits for a permit of its flow's limit."""
    PAUSED = "paused"
    """Nothing is sent, because the run is paused: `continue` sends it."""


class ItemStatus(StrEnum):
    """How far an item is."""

    WAITING = "waiting"
    """It has not started."""
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class ArgsOrigin(StrEnum):
    """Where the args of an activation are known from."""

    HEAD = "head"
    """The head of the run: it waits for this activation."""
    LOG = "log"
    """The record of its first delivery."""
    HISTORY = "history"
    """They were evaluated again, as far as the history has what they read."""
