"""Errors of the service. Adapters and use cases raise them; entry points turn them into responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from chalicelib.model.errors import EchoerError
from chalicelib.model.times import Instant

if TYPE_CHECKING:
    from chalicelib.asl.export import Placed


class ServiceError(EchoerError):
    """A use case failed."""

    code = "service-error"


class NotFound(ServiceError):
    """There is no such resource."""

    code = "not-found"

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"there is no {kind} {name!r}")


class BlobMissing(ServiceError):
    """A blob to which a head refers is not stored. This can happen while the run is being deleted."""

    def __init__(self, run: str, key: str) -> None:
        super().__init__(f"blob {key!r} of run {run!r} is missing")


class Conflict(ServiceError):
    """Another writer committed first. Read again and decide again."""

    code = "conflict"


class RunExists(ServiceError):
    """A run of that name exists."""

    code = "run-exists"

    def __init__(self, name: str) -> None:
        super().__init__(f"a flow_run {name!r} exists already")
        self.name = name


class LimitReached(ServiceError):
    """So many runs of the flow are in progress as its limit allows, and others do not start (`overflow = skip`)."""

    code = "limit-reached"


class StillReferred(ServiceError):
    """The definition cannot be deleted because something refers to it."""

    code = "still-referred"

    def __init__(self, kind: str, name: str, by: str) -> None:
        super().__init__(f"{kind} {name!r} cannot be deleted: {by} refers to it")


class KeyTaken(ServiceError):
    """The idempotency key was used for another request."""

    code = "key-taken"

    def __init__(self, key: str) -> None:
        super().__init__(f"key {key!r} was used for another request within the last 24 hours")


class FoundVersion(msgspec.Struct, frozen=True):
    """The newest version of a definition; version 0 if it is not defined."""

    kind: str
    name: str
    version: int
    by: str = ""
    at: Instant | None = None


class Changed(ServiceError):
    """Definitions do not have the versions that the request expects. Nothing was changed."""

    code = "changed"

    def __init__(self, found: Sequence[FoundVersion]) -> None:
        listed = ", ".join(f"{one.kind} {one.name!r} has version {one.version}" for one in found)
        super().__init__(f"definitions have changed: {listed}")
        self.found = tuple(found)


class Malformed(ServiceError):
    """The request does not have the required form."""

    code = "malformed"


class Invalid(ServiceError):
    """The request is well formed, but its content is not valid."""

    code = "invalid"


class NotInAsl(Invalid):
    """The flow uses what AWS Step Functions has not; `problems` says what, and where."""

    code = "not-in-asl"

    def __init__(self, flow: str, problems: Sequence[Placed]) -> None:
        errors = [one for one in problems if one.problem.level == "error"]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        first = errors[0]
        where = f"line {first.line}: {first.problem.message}{more}"
        super().__init__(f"flow {flow!r} cannot be expressed in Amazon States Language: {where}")
        self.problems = tuple(problems)


class TooLarge(ServiceError):
    """A limit is exceeded; the message names it."""

    code = "too-large"


class Busy(ServiceError):
    """The store or the queue did not answer, or asked to slow down. Try again later."""

    code = "busy"
