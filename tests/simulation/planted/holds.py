"""Bugs put in on purpose into pauses of actions and flows, and into batches."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from chalicelib.engine import suspensions
from chalicelib.service.batches.worker import BatchWorker
from chalicelib.service.deliveries.delivery_check import DeliveryChecker
from chalicelib.service.holds.commands import HoldOperator
from chalicelib.service.holds.gate import HoldGate
from chalicelib.service.ports.batches import BatchStatus
from chalicelib.service.runs import commands


def _not_held(_: Any) -> Any:
    """Deliveries do not look whether their action is paused."""
    return lambda self, run, activation, invocation, message: None


def _not_parked(_: Any) -> Any:
    """What waits is not put in the queue."""
    return lambda self, kind, name, run, uuid="": None


def _released_before(right: Any) -> Any:
    """The queue is served by the request that ends the pause, before it ends."""

    def release(self: Any, message: Any) -> Any:
        return right(self, replace(message, version=0))

    return release


def _no_release(_: Any) -> Any:
    """Nothing is sent on when a pause ends."""

    def resume(self: Any, namespace: str, kind: Any, name: str) -> None:
        holds, version = self._book.read(namespace)
        if name in holds.of(kind):
            self._book.write(namespace, holds.changed(kind, name, None), version)

    return resume


def _time_goes_on(_: Any) -> Any:
    """Time-outs are not suspended."""
    return lambda transition, paused: None


def _flow_not_held(_: Any) -> Any:
    """A paused flow starts its runs."""
    return lambda self, namespace, flow: False


def _retried_at_once(right: Any) -> Any:
    """A retry does not look whether the flow is paused."""
    return lambda **fields: right(**{**fields, "held": False})


def _suspended_for_good(_: Any) -> Any:
    """An activation that goes on stays suspended."""
    return lambda transition, token, activation: None


def _ends_early(right: Any) -> Any:
    """A batch is done after its first slice."""

    def command(self: Any, namespace: str, batch: Any) -> Any:
        return replace(right(self, namespace, batch), status=BatchStatus.DONE)

    return command


def _slice_forgotten(right: Any) -> Any:
    """The message of the next slice is not sent."""

    def send(self: Any, namespace: str, batch: Any, before: Any, began: int) -> None:
        if batch.recorded == before.recorded:
            right(self, namespace, batch, before, began)

    return send


HOLD_BUGS: Final = (
    ("deliveries of a paused action are sent", DeliveryChecker, "_check_action", _not_held),
    ("what a pause holds is not parked", HoldGate, "park", _not_parked),
    ("queue of a pause served too early", HoldGate, "release", _released_before),
    ("end of a pause sends nothing", HoldOperator, "resume", _no_release),
    ("time-outs during a pause", suspensions, "suspend_due", _time_goes_on),
    ("paused flow starts runs", HoldGate, "holds_flow", _flow_not_held),
    ("paused flow retries runs", commands, "RunRetried", _retried_at_once),
    ("suspended activation never goes on", suspensions, "resume", _suspended_for_good),
    ("batch ends with its first slice", BatchWorker, "_command", _ends_early),
    ("batch forgets its next slice", BatchWorker, "_send", _slice_forgotten),
)
"""Name, owner and attribute of each bug, and what makes the wrong from the right."""
