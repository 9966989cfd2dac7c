"""Who may call what: the door asks here before every view, and what was changed is told to the log `echoer.audit`.

    request ──> who is it? ──> in which namespace? ──> does the role suffice? ──> within the rates? ──> the view
                    401             400, 403                  403                      429

On AWS, API Gateway asks before (`gate`) whether a token is anybody's. What it then says is not relied on here: a
container reads a token once in 30 seconds, and so hears of its end.

Under ECHOER_AUTH=iam it is API Gateway that verifies (`Authorization` holds an AWS signature), and IAM policies on
`execute-api:Invoke` that say who may call which method and path; there are no other roles then, in the one namespace
ECHOER_NAMESPACE. Only API Gateway can say whose the signature was, in a part of its event that no client writes; a
call that it let in unasked has no name there, and is refused.

While callbacks are open (ECHOER_CALLBACKS), whoever knows an activation's uuid may answer it, as services written for
echoer do; a viewer sees uuids. Where viewers must not answer steps, callbacks need tokens. A callback without a token
is held to no rate: an action's answer must not be lost to one.

In open mode a page from elsewhere that a browser shows must not command the server on its user's machine, so requests
that bear another site's `Origin` are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import wraps
from typing import Final
from urllib.parse import urlsplit

from chalicelib.config import Access
from chalicelib.entrypoints.http import errors
from chalicelib.entrypoints.http.adapter import Answer, Call, Request, View
from chalicelib.entrypoints.http.audit import record
from chalicelib.model.json_values import Json
from chalicelib.service.errors import Malformed
from chalicelib.service.observability import work_context
from chalicelib.service.security.namespaces import is_namespace
from chalicelib.service.security.roles import Caller, Forbidden, Role, Unauthorized

STEP: Final[Call] = ("POST", "/step")

NAMESPACE: Final = "x-echoer-namespace"

NULL_OBSERVER: Final = "nobody"

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")

LEAST: Final[Mapping[Call, Role | None]] = {
    ("GET", "/"): None,
    ("GET", "/healthz"): None,
    ("GET", "/openapi.json"): None,
    ("GET", "/docs"): None,
    ("GET", "/watch"): Role.VIEWER,
    ("GET", "/doctor"): Role.VIEWER,
    ("GET", "/action"): Role.VIEWER,
    ("GET", "/action/{name}"): Role.VIEWER,
    ("GET", "/flow"): Role.VIEWER,
    ("GET", "/flow/{name}"): Role.VIEWER,
    ("GET", "/flow/{name}/graph"): Role.VIEWER,
    ("GET", "/flowrun"): Role.VIEWER,
    ("GET", "/flowrun/{name}"): Role.VIEWER,
    ("GET", "/flowrun/{name}/graph"): Role.VIEWER,
    ("GET", "/flowrun/{name}/history"): Role.VIEWER,
    ("GET", "/flowrun/{name}/watch"): Role.VIEWER,
    ("GET", "/task"): Role.VIEWER,
    ("GET", "/step"): Role.VIEWER,
    ("GET", "/step/{name}"): Role.VIEWER,
    ("GET", "/event"): Role.VIEWER,
    STEP: Role.ACTION,
    ("POST", "/flow/{name}/runs"): Role.OPERATOR,
    ("POST", "/flowrun/{name}/pause"): Role.OPERATOR,
    ("POST", "/flowrun/{name}/continue"): Role.OPERATOR,
    ("POST", "/flowrun/{name}/stop"): Role.OPERATOR,
    ("POST", "/flowrun/{name}/retry"): Role.OPERATOR,
    ("POST", "/flowrun/{name}/signal"): Role.OPERATOR,
    ("POST", "/flowrun/{name}/vars"): Role.OPERATOR,
    ("POST", "/event"): Role.OPERATOR,
    ("POST", "/doctor/repair"): Role.OPERATOR,
    ("POST", "/command"): Role.AUTHOR,
    ("POST", "/fsl"): Role.AUTHOR,
    ("POST", "/action"): Role.AUTHOR,
    ("POST", "/flow"): Role.AUTHOR,
    ("POST", "/flowrun"): Role.AUTHOR,
    ("DELETE", "/action/{name}"): Role.AUTHOR,
    ("DELETE", "/action/{name}/{uuid}"): Role.AUTHOR,
    ("DELETE", "/flow/{name}"): Role.AUTHOR,
    ("DELETE", "/flow/{name}/{uuid}"): Role.AUTHOR,
    ("DELETE", "/flowrun/{name}"): Role.AUTHOR,
    ("DELETE", "/flowrun/{name}/{uuid}"): Role.AUTHOR,
    ("GET", "/secret"): Role.AUTHOR,
    ("PUT", "/secret/{name}"): Role.ADMIN,
    ("DELETE", "/secret/{name}"): Role.ADMIN,
    ("POST", "/token"): Role.ADMIN,
    ("GET", "/token"): Role.ADMIN,
    ("DELETE", "/token/{token_id}"): Role.ADMIN,
}
"""The least role that each call needs; None: it is for everybody, and tells of no namespace. One that
were left out would need an admin; a test holds that none is."""


def is_gated(call: Call, callbacks: Access) -> bool:
    """Whether whoever calls that is to be known before: `callbacks` says it of the answers to steps."""
    return callbacks is not Access.OPEN if call == STEP else LEAST.get(call, Role.ADMIN) is not None


def guarded(table: Mapping[Call, View]) -> dict[Call, View]:
    """The same calls, for those who may do them."""
    return {call: _guarded(call, view, LEAST.get(call, Role.ADMIN)) for call, view in table.items()}


def _guarded(call: Call, view: View, least: Role | None) -> View:
    if least is None:
        return view

    @wraps(view)
    def ask(request: Request, **names: str) -> Json:
        asked, made, status = replace(request, by=NULL_OBSERVER), None, 500
        try:
            caller = _caller(request, call)
            asked = replace(request, by=caller.by, bound=caller.bound, namespace=_namespace(request, caller, call))
            work_context.note(namespace=asked.namespace)
            _admit(asked, caller, call, least)
            made = view(asked, **names)
            status = made.status if isinstance(made, Answer) else 200
            return made
        except Exception as error:
            status = int(errors.status_of(error) or 500)
            raise
        finally:
            if call[0] != "GET":
                record(asked, call, names.values(), made, status)

    return ask


def _caller(request: Request, call: Call) -> Caller:
    """Who asks. Raises Unauthorized, Forbidden."""
    settings, said = request.services.settings, request.headers.get("authorization")
    if settings.auth is Access.OPEN:
        _refuse_other_sites(request)
        by = "action" if call == STEP else request.by
        return Caller(by=by, role=Role.ADMIN, namespace=settings.namespace, bound=False)
    if call == STEP and settings.callbacks is Access.OPEN and (said is None or settings.auth is Access.IAM):
        return Caller(by="action", role=Role.ACTION, namespace=settings.namespace, bound=False)
    if settings.auth is Access.IAM:
        if not request.arn:
            raise Unauthorized("API Gateway tells of no AWS signature: it must authorize this call by IAM")
        return Caller(by=request.arn, role=Role.ADMIN, namespace=settings.namespace)
    scheme, _, text = (said or "").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized("a token is needed: Authorization: Bearer ech_...")
    return request.services.tokens.caller(text.strip())


def _refuse_other_sites(request: Request) -> None:
    origin = request.headers.get("origin")
    own = _host_of(request.services.settings.url)
    if origin is not None and _host_of(origin) not in {own, *LOOPBACK} - {None}:
        raise Forbidden(f"pages of {origin!r:.80} may not command this server")


def _host_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _namespace(request: Request, caller: Caller, call: Call) -> str:
    """The namespace that the request is for: the caller's, or one that it names. Raises Forbidden, Malformed.

    It is named by a header, or, in the URL that actions call back, by `?namespace=`.
    """
    in_url = request.query.text("namespace") if call == STEP else None
    named = {name for name in (request.headers.get(NAMESPACE), in_url) if name}
    if caller.bound and named - {caller.namespace}:
        raise Forbidden(f"the token is of namespace {caller.namespace!r} alone")
    if len(named) > 1 or not all(map(is_namespace, named)):
        raise Malformed("one namespace can be named, of a-z, 0-9 and -, at most 63, no dash at first")
    return named.pop() if named else caller.namespace


def _admit(request: Request, caller: Caller, call: Call, least: Role) -> None:
    """The caller may do that now. Raises Forbidden, TooManyRequests."""
    if not caller.role.covers(least):
        raise Forbidden(f"{' '.join(call)} needs the role {least}; the token has the role {caller.role}")
    if call == STEP and not caller.id:
        return
    settings, who = request.services.settings, f"token {caller.id}" if caller.id else caller.by
    request.services.rates.take({who: settings.rate, f"namespace {request.namespace}": settings.namespace_rate})
