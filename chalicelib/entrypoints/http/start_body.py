"""The body of the call that starts a run: apart from the others, so that a new function loads it alone."""

from __future__ import annotations

from typing import Annotated

import msgspec

from chalicelib.entrypoints.http.reading import Moment, Name
from chalicelib.model import times
from chalicelib.model.json_values import Json, ready
from chalicelib.model.times import Instant
from chalicelib.service.errors import Malformed

Labels = Annotated[dict[str, Json], msgspec.Meta(extra_json_schema={"propertyNames": {"pattern": "^[^:]+$"}})]
"""Labels of a run. A colon separates name and value in the query of a list, so a name has none. It is not empty."""


class StartBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The input of the new run: an object with the inputs of the flow, or any value if the flow takes one. `name`
    defaults to a generated name; `key` makes the request idempotent. Before `start_at`, an RFC 3339 time, the run is
    `pending`."""

    input: Json = {}
    name: Name | None = None
    labels: Labels = {}
    key: Name | None = None
    start_at: Moment | None = None

    def start_moment(self) -> Instant | None:
        """Return when the run starts; None: at once. Raises Malformed."""
        return None if self.start_at is None else moment_of("start_at", self.start_at)


def moment_of(name: str, text: str) -> Instant:
    """Return the time in a field. Raises Malformed, which names the field."""
    found = times.instant(text)
    if found is None:
        raise Malformed(f"`{name}` must be an RFC 3339 time such as 2026-01-31T12:00:00Z, not {text!r:.60}")
    return found


ready(StartBody)
