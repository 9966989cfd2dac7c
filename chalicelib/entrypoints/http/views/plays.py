"""`POST /play`: plays of flows, and of recorded runs, on a virtual clock. They change nothing."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias, TypeVar

import msgspec

from chalicelib.entrypoints.http import reading, responses
from chalicelib.entrypoints.http.parameters import Parameter
from chalicelib.entrypoints.http.reading import Moment, Text
from chalicelib.entrypoints.http.request import Request, Response
from chalicelib.entrypoints.http.route import Route
from chalicelib.entrypoints.http.start_body import Labels, moment_of
from chalicelib.entrypoints.http.views.authoring import REQUESTS_PER_S, check_size
from chalicelib.model.json_values import Json
from chalicelib.play.moves import Move
from chalicelib.service.errors import Malformed
from chalicelib.service.security.roles import Role

# The play, the presenters of this module and what they need are imported when a view is called: a cold start does not
# pay for them.

_FORMATS: Final = ("json", "test")
_YAML: Final = "text/yaml; charset=utf-8"
_T = TypeVar("_T")
_Number: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=10**9)]


class PlayState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The state of a play: the moves so far."""

    script: tuple[Move, ...] = ()


class PlayBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is played: the FSL text `text` (`fsl` means the same), or `flow` of the namespace, in `version` or the
    newest. `moves` (`script` means the same) are made one after the other. To go on, send `continue` (the `state` of
    the last answer) and `event`, the next move. `secrets` are placeholders by name. With `after`, the history in the
    answer begins after that entry.

    With `run`, the recorded facts of that run are replayed up to entry `upto` (by default all) with the run's own
    definition, or with `text`, or with `flow` and `version`; the moves go on from there. `input`, `labels` and `at` are
    those of the run, and are left out."""

    text: str | None = None
    fsl: str | None = None
    flow: Text = ""
    version: _Number | None = None
    input: Json = {}
    labels: Labels = {}
    at: Moment | None = None
    moves: tuple[Move, ...] | None = None
    script: tuple[Move, ...] | None = None
    state: PlayState | None = msgspec.field(name="continue", default=None)
    event: Move | None = None
    run: Text = ""
    upto: _Number | None = None
    after: Annotated[int, msgspec.Meta(ge=0, le=10**9)] = 0
    secrets: dict[str, str] = {}


def play(request: Request) -> Json:
    """Play a flow, or a recorded run, on a virtual clock, without storing anything.

    The same body gives the same play. Actions are not called: each delivery waits for a move that answers it or lets it
    fail. Secrets have placeholder values.

    Of a `run`, the facts that its history keeps are decided again. `differs` is the first entry that is decided
    otherwise, as it was `recorded` and as it is `now` (null: there is none); the play stands after that decision. A run
    whose facts do not suffice is refused with `cannot-replay`.

    With `format=test` the answer is a test for `fsl test`, in YAML: what was asked, answered, published and commanded,
    and what became of the run. A play that no test can repeat is refused with `no-test`.
    """
    from chalicelib.entrypoints.http.presenters import plays
    from chalicelib.play.session import Play
    from chalicelib.play.session import play as played

    body = reading.read(request.body, PlayBody)
    form = _form_of(request)
    text = _either(body.text, body.fsl, "text", "fsl") or ""
    check_size(text)
    script = _either(body.moves, body.script, "moves", "script")
    if body.state is not None and script is not None:
        raise Malformed("a play has either `moves` or `continue`")
    script = body.state.script if body.state is not None else script or ()
    if body.event is not None:
        script = (*script, body.event)
    wanted = Play(
        text=text,
        flow=body.flow,
        version=body.version,
        input=body.input,
        labels=body.labels,
        at=None if body.at is None else moment_of("at", body.at),
        script=script,
        run=body.run,
        upto=body.upto,
        secrets=body.secrets,
    )
    if form == "test":
        from chalicelib.play.case_text import case_text

        return Response(case_text(request.services, request.namespace, wanted), headers={"Content-Type": _YAML})
    return plays.played(played(request.services, request.namespace, wanted), body.after)


def _form_of(request: Request) -> str:
    wanted = (request.query.text("format") or "json").lower()
    if wanted not in _FORMATS:
        raise Malformed(f"`format` must be one of {', '.join(_FORMATS)}, not {wanted!r:.60}")
    return wanted


def _either(value: _T | None, synonym: _T | None, name: str, other: str) -> _T | None:
    if value is not None and synonym is not None:
        raise Malformed(f"`{name}` and `{other}` mean the same: give one of them")
    return value if value is not None else synonym


_FORMAT: Final = Parameter(
    "format",
    "`test`: the play as a test for `fsl test`.",
    {"type": "string", "enum": [*_FORMATS], "default": "json"},
)
ROUTES: Final = (
    Route(
        method="POST",
        path="/play",
        view=play,
        group="definitions",
        role=Role.VIEWER,
        rate=REQUESTS_PER_S,
        query=(_FORMAT,),
        body=PlayBody,
        answers={200: responses.Played},
        media={_YAML.partition(";")[0]: {"description": "A file for `fsl test`."}},
        errors=(404, 409, 413, 422),
    ),
)
