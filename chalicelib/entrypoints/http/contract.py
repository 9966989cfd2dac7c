"""What each call takes and answers, beside its view: the tables from which the OpenAPI document is made.

A test drives every call by what stands here, and holds that nothing else is ever answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from chalicelib.entrypoints.http import bodies, query, responses
from chalicelib.entrypoints.http.adapter import Call
from chalicelib.entrypoints.http.views import runs, secrets, tokens, watch
from chalicelib.entrypoints.http.views.graphs import FORMATS
from chalicelib.model.json_values import Json
from chalicelib.model.status import Status
from chalicelib.service.security import namespaces

TEXT: Final[Json] = {"type": "string"}
_BLANK: Final = r"\s\x1c-\x1f\x85"
FSL: Final[Json] = {
    "type": "string",
    "description": "an FSL document; what begins with a brace is taken for JSON",
    "pattern": f"^[{_BLANK}]*([^{{{_BLANK}]|$)",
}
STREAM: Final[Json] = {
    "type": "object",
    "description": "each event of the stream; its data is the resource as it was after the change",
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$", "description": "the moment, as `version` takes it"},
        "data": {"type": "string", "contentMediaType": "application/json"},
        "retry": {"type": "integer"},
    },
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter behind the `?`. One that is empty counts as not given."""

    name: str
    told: str
    schema: Json = field(default_factory=lambda: {"type": "string", "maxLength": bodies.LONGEST})
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One call. `answer` and `made` are types: of a 200, and of a 201; `texts`: answers of other content types.

    `refused` are the statuses that only some calls have; `paged`: `x-next-cursor` tells where the list goes on;
    `named`: the answer's metadata names a resource of that path.
    """

    group: str
    answer: Any = None
    made: Any = None
    texts: Mapping[str, Json] = field(default_factory=dict)
    body: type[msgspec.Struct] | None = None
    fsl: bool = False
    query: tuple[Parameter, ...] = ()
    refused: tuple[int, ...] = ()
    paged: bool = False
    named: str = ""


REFUSALS: Final = {
    400: "malformed: the message says what and where",
    401: "a token is needed, or for this step a signature, and this is none that counts",
    403: "the token's role or namespace does not allow it; or a page from elsewhere asks an open server",
    404: "there is no such thing",
    409: "the state of things forbids it",
    413: "more than is taken: the message names the limit",
    422: "well formed, and refused: the message says why",
    429: "too many requests: come again after `Retry-After` seconds",
    500: "something went wrong here; the log tells more under the id in the message",
    503: "try again after `Retry-After` seconds",
}
ANYWHERE: Final = (429, 500, 503)
GUARDED: Final = (400, 403, 413)
"""Of what is not for everybody; 401 beside it, where tokens are needed."""


# ── parameters ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _whole(least: int, most: int, **more: Json) -> Json:
    return {"type": "integer", "minimum": least, "maximum": most, **more}


_DURATION: Final[Json] = {"type": "string", "pattern": bodies.DURATION}
_STATUS: Final = "|".join(Status)

NAME: Final = Parameter("metadata.name", "only the one of that name")
LIMIT: Final = Parameter("limit", "at most so many", _whole(1, query.MOST, default=query.LIMIT))
CURSOR: Final = Parameter("cursor", "go on where the `x-next-cursor` of the answer before said")
AFTER: Final = Parameter("after", "entries with higher numbers", _whole(0, 10**15, default=0))
SEQ_CURSOR: Final = Parameter("cursor", "says the same as `after`, and more loudly", _whole(0, 10**15))
FORMAT: Final = Parameter("format", "how it is drawn", {"type": "string", "enum": [*FORMATS], "default": "json"})
NAMESPACE: Final[Json] = {"type": "string", "pattern": f"^({namespaces.NAMESPACE_NAME.pattern})?$"}
VERSION: Final = Parameter("version", "that version instead of the newest", _whole(1, 10**9))
RUNS: Final = (
    NAME,
    Parameter(
        "status",
        f"one or several of {', '.join(Status)}, joined by commas",
        {"type": "string", "pattern": f"^({_STATUS})(,({_STATUS}))*$", "maxLength": bodies.LONGEST},
    ),
    Parameter("flow", "runs of that flow"),
    Parameter(
        "label",
        "runs with that label, KEY:VALUE",
        {"type": "string", "pattern": "^[^:]+:", "maxLength": bodies.LONGEST},
    ),
    Parameter("since", "runs that began then or later", {"type": "string", "format": "date-time"}),
    LIMIT,
    CURSOR,
)
DOCTOR: Final = (
    Parameter("silent", "activations of which nothing was heard for so long are overdue too: 30m", _DURATION),
    Parameter("limit", "among at most so many live runs", _whole(1, 10_000, default=1_000)),
)
WATCHED: Final = (
    Parameter(
        "resource",
        "what to tell of; may be given several times",
        {"type": "array", "minItems": 1, "items": {"type": "string", "enum": [*watch.SOURCES]}},
        required=True,
    ),
    Parameter("version", "changes after that moment; those from now on if nothing is said", _whole(0, 10**16 - 1)),
    Parameter(
        "lastEventId", "what an EventSource saw last; a `last-event-id` header says the same", _whole(0, 10**16 - 1)
    ),
)


# ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _submits(kind: Any, path: str = "") -> Told:
    """A call that takes FSL statements of one kind: one resource for one statement, a list for several."""
    return Told(
        group="definitions" if path != "flowrun" else "runs",
        answer=kind | list[kind],
        body=bodies.FslBody,
        refused=(404, 409, 413, 422),
    )


def _defined(kind: Any, path: str) -> dict[Call, Told]:
    one = Told(group="definitions", answer=kind, refused=(404, 409))
    return {
        ("POST", f"/{path}"): _submits(kind, path),
        ("GET", f"/{path}"): Told(group="definitions", answer=list[kind], query=(NAME, LIMIT, CURSOR), paged=True),
        ("GET", f"/{path}/{{name}}"): Told(
            group="definitions", answer=kind, query=(VERSION,), refused=(404,), named=path
        ),
        ("DELETE", f"/{path}/{{name}}"): one,
        ("DELETE", f"/{path}/{{name}}/{{uuid}}"): one,
    }


def _order(body: type[msgspec.Struct], *refused: int, answer: Any = responses.Run) -> Told:
    """An order to a run."""
    return Told(group="runs", answer=answer, body=body, refused=(404, 409, 413, *refused))


_DRAWN: Final = {media: TEXT for media, _ in FORMATS.values() if media != "application/json"}
_GRAPH: Final[dict[str, Any]] = {
    "answer": responses.Graph,
    "texts": {media.partition(";")[0]: schema for media, schema in _DRAWN.items()},
    "refused": (404,),
}
_ENTRIES: Final[dict[str, Any]] = {"group": "runs", "answer": list[responses.Entry], "refused": (404,), "paged": True}
_GONE: Final = Told(group="runs", answer=responses.Run, refused=(404, 409))

CONTRACT: Final[dict[Call, Told]] = {
    ("GET", "/"): Told(group="server", answer=Literal["echoer"]),
    ("GET", "/healthz"): Told(group="server", answer=responses.Health),
    ("GET", "/openapi.json"): Told(group="server", answer=dict[str, Json]),
    ("GET", "/docs"): Told(group="server", texts={"text/html": TEXT}),
    ("POST", "/command"): Told(group="server", answer=responses.Reply, body=bodies.CommandBody, refused=(413,)),
    ("GET", "/watch"): Told(group="runs", texts={"text/event-stream": STREAM}, query=WATCHED),
    ("GET", "/doctor"): Told(group="server", answer=responses.Report, query=DOCTOR),
    ("POST", "/doctor/repair"): Told(
        group="server", answer=responses.Report, query=DOCTOR, body=bodies.NoBody, refused=(413,)
    ),
    ("POST", "/fsl"): Told(
        group="definitions",
        answer=responses.Submission,
        body=bodies.FslBody,
        fsl=True,
        query=(Parameter("dry_run", "check, and tell what would change", {"type": "boolean", "default": False}),),
        refused=(404, 409, 413, 422),
    ),
    **_defined(responses.Action, "action"),
    **_defined(responses.Flow, "flow"),
    ("GET", "/flow/{name}/graph"): Told(group="definitions", query=(FORMAT, VERSION), **_GRAPH),
    ("POST", "/flow/{name}/runs"): Told(
        group="runs",
        answer=responses.Run,
        made=responses.Run,
        body=bodies.StartBody,
        refused=(404, 409, 413, 422),
        named="flowrun",
    ),
    ("POST", "/flowrun"): _submits(responses.Run, "flowrun"),
    ("GET", "/flowrun"): Told(group="runs", answer=list[responses.Run], query=RUNS, paged=True),
    ("GET", "/flowrun/{name}"): Told(group="runs", answer=responses.Run, refused=(404,), named="flowrun"),
    ("GET", "/flowrun/{name}/graph"): Told(group="runs", query=(FORMAT,), **_GRAPH),
    ("GET", "/flowrun/{name}/history"): Told(query=(AFTER, SEQ_CURSOR, LIMIT), **_ENTRIES),
    ("GET", "/flowrun/{name}/watch"): Told(
        query=(
            AFTER,
            SEQ_CURSOR,
            Parameter("wait", "seconds", _whole(0, runs.LONGEST_WAIT, default=runs.USUAL_WAIT)),
            LIMIT,
        ),
        **_ENTRIES,
    ),
    ("POST", "/flowrun/{name}/pause"): _order(bodies.NoBody),
    ("POST", "/flowrun/{name}/continue"): _order(bodies.NoBody),
    ("POST", "/flowrun/{name}/stop"): _order(bodies.StopBody),
    ("POST", "/flowrun/{name}/retry"): _order(bodies.RetryBody, 422),
    ("POST", "/flowrun/{name}/signal"): _order(bodies.RunSignalBody, answer=responses.Event),
    ("POST", "/flowrun/{name}/vars"): _order(bodies.VarsBody),
    ("DELETE", "/flowrun/{name}"): _GONE,
    ("DELETE", "/flowrun/{name}/{uuid}"): _GONE,
    ("GET", "/task"): Told(
        group="steps",
        answer=list[responses.Task],
        query=(Parameter("flowId", "of one run"), Parameter("stepName", "of one step"), LIMIT),
    ),
    ("POST", "/step"): Told(
        group="steps",
        answer=responses.Outcome,
        body=bodies.AnswerBody,
        query=(
            Parameter(
                "namespace",
                "the run's, where it is not the default one",
                NAMESPACE,
            ),
        ),
        refused=(401, 404, 409, 413, 422),
    ),
    ("GET", "/step"): Told(group="steps", answer=list[responses.Step], query=RUNS, paged=True),
    ("GET", "/step/{name}"): Told(group="steps", answer=responses.Step, refused=(404,)),
    ("POST", "/event"): Told(group="events", answer=responses.Event, body=bodies.SignalBody, refused=(413, 422)),
    ("GET", "/event"): Told(group="events", answer=list[responses.Event], query=(NAME, LIMIT)),
    ("PUT", "/secret/{name}"): Told(
        group="secrets", answer=responses.Secret, body=secrets.SecretBody, refused=(413, 422)
    ),
    ("GET", "/secret"): Told(group="secrets", answer=list[responses.Secret]),
    ("DELETE", "/secret/{name}"): Told(group="secrets", answer=responses.Secret, refused=(404,)),
    ("POST", "/token"): Told(group="tokens", made=responses.NewAccessToken, body=tokens.TokenBody, refused=(413, 422)),
    ("GET", "/token"): Told(group="tokens", answer=list[responses.AccessToken]),
    ("DELETE", "/token/{token_id}"): Told(group="tokens", answer=responses.AccessToken, refused=(404,)),
}
"""Every call. A test holds that none is left out."""

GROUPS: Final = {
    "definitions": "Actions and flows, in versions. FSL defines them; see the language's manual.",
    "runs": "Flow runs: starting, finding, following, ordering.",
    "steps": "What runs wait for, and the answers of actions and people.",
    "events": "What somebody publishes for runs to wait for.",
    "secrets": "What a namespace keeps for its actions, under names; values are told to nobody.",
    "tokens": "Who may call.",
    "server": "The server itself, its terminal, and its doctor.",
}

RULES: Final[dict[str, Json]] = {
    "AnswerBody": {
        "anyOf": [
            {"properties": {"done": {"const": False}}},
            {"required": ["ackState"], "properties": {"ackState": {"type": "string", "minLength": 1}}},
        ]
    }
}
"""What types cannot say of bodies."""

OPTIONAL: Final = frozenset({bodies.NoBody, bodies.StartBody, bodies.StopBody, bodies.RetryBody})
"""Bodies that may be left out, which says the same as an empty object."""
