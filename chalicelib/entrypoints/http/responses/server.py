"""Responses of the terminal, the doctor and the health check."""

from typing import Literal, TypedDict

from chalicelib.entrypoints.http.responses.common import Count, Moment
from chalicelib.service.doctor.findings import FindingKind


class Reply(TypedDict):
    """The output of a command. `reply` says how to show `raw`; if it is `ERR`, `raw` is the error message."""

    reply: Literal["OK", "Raw", "ERR", "NIL"]
    raw: str


class Finding(TypedDict):
    """A run that makes no progress. `cured` is true if the repair sent its message again."""

    ailment: FindingKind
    run: str
    step: str
    uuid: str
    since: Moment | None
    detail: str
    cured: bool


class Report(TypedDict):
    """The findings among the `looked_at` active runs that were examined. `complete` is true if these were all.
    `callback_url` is where actions answer."""

    findings: list[Finding]
    looked_at: Count
    complete: bool
    callback_url: str


class Health(TypedDict):
    """The server and its store work."""

    status: Literal["ok"]
