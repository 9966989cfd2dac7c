"""Dispatch of a call to the caller for its method.

The libraries of a method are imported with its first call: most containers use few methods.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import assert_never

from chalicelib.adapters.actions.egress import ANYWHERE, EgressPolicy, GuardedCaller
from chalicelib.model.actions import Method
from chalicelib.model.times import Instant
from chalicelib.service.ports.actions import Call, Caller, NotTaken, Reply


class Dispatcher:
    """Implements `ports.Caller` for every method.

    `now` returns milliseconds since 1970. `sqs_endpoint` is the endpoint of queues that an action names without a URL;
    None is AWS's. `egress` restricts the addresses of actions. `operations` makes the caller of operations of AWS.
    """

    def __init__(
        self,
        now: Callable[[], Instant],
        *,
        sqs_endpoint: str | None = None,
        egress: EgressPolicy = ANYWHERE,
        operations: Callable[[], Caller] | None = None,
    ) -> None:
        self._now = now
        self._egress = egress
        self._sqs_endpoint = sqs_endpoint
        self._make_operations = operations

    def post(self, call: Call) -> Reply:
        match call.method:
            case Method.HTTP | Method.HTTPS:
                return self._http.post(call)
            case Method.QUEUE | Method.LAMBDA:
                return self._aws.post(call)
            case Method.AWS:
                return self._operations.post(call)
            case Method.GRPC:
                return self._grpc.post(call)
            case Method.EVENTS:
                return self._event_bus.post(call)
            case Method.HUMAN:
                return NotTaken.own("the action is answered by a person: it has no address", final=True)
            case _:
                assert_never(call.method)

    @cached_property
    def _http(self) -> Caller:
        from chalicelib.adapters.actions.http_caller import HttpCaller

        return HttpCaller(self._now, egress=self._egress)

    @cached_property
    def _aws(self) -> Caller:
        from chalicelib.adapters.actions.aws_caller import AwsCaller

        return GuardedCaller(AwsCaller(sqs_endpoint=self._sqs_endpoint), self._egress, always_hosts=False)

    @cached_property
    def _operations(self) -> Caller:
        if self._make_operations is None:
            raise LookupError("this dispatcher calls no operations of AWS")
        return self._make_operations()

    @cached_property
    def _event_bus(self) -> Caller:
        from chalicelib.adapters.actions.event_bus import EventBusCaller

        return EventBusCaller()

    @cached_property
    def _grpc(self) -> Caller:
        from chalicelib.adapters.actions.grpc_caller import GrpcCaller

        return GuardedCaller(GrpcCaller(), self._egress, always_hosts=True)
