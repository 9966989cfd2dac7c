"""What the service cannot do, in its own words. Adapters raise these; entrypoints turn them into answers."""

from __future__ import annotations

from chalicelib.model.errors import EchoerError


class ServiceError(EchoerError):
    """A use case could not be carried out."""

    code = "service-error"


class NotFound(ServiceError):
    """There is no such resource."""

    code = "not-found"

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"there is no {kind} {name!r}")


class Conflict(ServiceError):
    """Somebody else wrote first: what was read is no longer so. Read again and decide again."""

    code = "conflict"


class RunExists(ServiceError):
    """A run of that name exists already."""

    code = "run-exists"

    def __init__(self, name: str) -> None:
        super().__init__(f"a flow_run {name!r} exists already")
        self.name = name


class StillReferred(ServiceError):
    """Something refers to what was to be deleted."""

    code = "still-referred"

    def __init__(self, kind: str, name: str, by: str) -> None:
        super().__init__(f"{kind} {name!r} cannot be deleted: {by} refers to it")


class KeyTaken(ServiceError):
    """The idempotency key was used for another request."""

    code = "key-taken"

    def __init__(self, key: str) -> None:
        super().__init__(f"key {key!r} was used for another request within the last 24 hours")


class Malformed(ServiceError):
    """The request is not of the form that was asked for."""

    code = "malformed"


class Invalid(ServiceError):
    """The request is well formed, and says what cannot be."""

    code = "invalid"


class TooLarge(ServiceError):
    """More than the system takes; the message names the limit."""

    code = "too-large"


class Busy(ServiceError):
    """The store or the queue did not answer, or asked for patience. Trying again later may help."""

    code = "busy"
