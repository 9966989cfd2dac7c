"""Query parameters that calls declare: name, description and JSON schema. `Query` reads and checks them."""

from __future__ import annotations

from typing import Final

import msgspec

from chalicelib.entrypoints.http import query, reading
from chalicelib.model.json_values import Json
from chalicelib.model.status import Status
from chalicelib.service.security import namespaces

_MAX_INTEGER: Final = 10**15
_STATUS: Final = "|".join(Status)


class Parameter(msgspec.Struct, frozen=True):
    """A query parameter. An optional parameter with an empty value counts as not given."""

    name: str
    description: str
    schema: Json = msgspec.field(default_factory=lambda: {"type": "string", "maxLength": reading.MAX_TEXT_CHARACTERS})
    required: bool = False


def integer(minimum: int, maximum: int, **more: Json) -> Json:
    """Return the schema of an integer within these bounds."""
    return {"type": "integer", "minimum": minimum, "maximum": maximum, **more}


MOMENT: Final[Json] = {"type": "string", "format": "date-time"}
DURATION: Final[Json] = {"type": "string", "pattern": reading.DURATION, "minLength": 1}
NAMESPACE: Final[Json] = {"type": "string", "pattern": f"^({namespaces.NAMESPACE_NAME.pattern})?$"}

NAME: Final = Parameter("metadata.name", "Return only the resource with this name.")
LIMIT: Final = Parameter(
    "limit", "The maximum number of entries.", integer(1, query.MAX_LIMIT, default=query.DEFAULT_LIMIT)
)
CURSOR: Final = Parameter("cursor", "Continue after the previous page: the value of its header `x-next-cursor`.")
AFTER: Final = Parameter("after", "Return entries with a `seq` greater than this.", integer(0, _MAX_INTEGER, default=0))
SEQ_CURSOR: Final = Parameter(
    "cursor",
    "The value of `x-next-cursor` of the previous page. It takes precedence over `after`.",
    integer(0, _MAX_INTEGER),
)
SUMMARY: Final = "summary"
FULL: Final = "full"
VIEW: Final = Parameter(
    "view",
    "`summary`: in brief; `full`: the whole shape. By default the whole shape if the response stays small.",
    {"type": "string", "enum": [SUMMARY, FULL, ""]},
)
VALUES: Final = Parameter(
    "values",
    '`short`: values above 1 KiB are shown as `{"$cut": {"type", "bytes"}}`.',
    {"type": "string", "enum": ["short", ""]},
)
VERSION: Final = Parameter("version", "Return this version instead of the newest one.", integer(1, 10**9))
LABEL: Final = Parameter(
    "label",
    "Return only what has this label, written as `KEY:VALUE`. Given several times, all of them.",
    {"type": "string", "pattern": "^[^:]+:", "maxLength": reading.MAX_TEXT_CHARACTERS},
)
FILTERS: Final = (
    Parameter(
        "status",
        f"Return runs with one of these statuses, separated by commas: {', '.join(Status)}.",
        {"type": "string", "pattern": f"^({_STATUS})(,({_STATUS}))*$", "maxLength": reading.MAX_TEXT_CHARACTERS},
    ),
    Parameter("flow", "Return runs of this flow."),
    Parameter("version", "Return runs of this version of their flow.", integer(1, 10**9)),
    LABEL,
    Parameter("since", "Return runs that started at this time or later.", MOMENT),
    Parameter("until", "Return runs that started at this time or earlier.", MOMENT),
    Parameter("error", "Return runs that failed, or were canceled, with an error of this name."),
    Parameter("parent", "Return runs that the run of this name called."),
    Parameter("name_prefix", "Return runs of which the name begins with this."),
    Parameter("undo", "Return runs of which an undo failed.", {"type": "string", "enum": ["failed", ""]}),
    Parameter("waiting_for", "Return runs that wait for an event of this name."),
    Parameter(
        "due_before",
        "Return live runs with a deadline before this time that are not paused; the next one first.",
        MOMENT,
    ),
)
"""The filters of runs. All that are given must hold."""
RUNS: Final = (NAME, *FILTERS, LIMIT, CURSOR)
