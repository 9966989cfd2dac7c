"""Authentication and authorization: every view is called through `authorized`, and changes are recorded in the audit.

    request -> authenticate -> choose the namespace -> check the role -> check the rates -> view
                   401              400, 403               403               429

On AWS, API Gateway calls the Lambda authorizer first. This module does not rely on its result: it checks the token
itself, and reads a token from the store at most every 30 seconds, so that a revocation takes effect.

With ECHOER_AUTH=iam, API Gateway verifies AWS signatures, and IAM policies on `execute-api:Invoke` decide who may call
which method and path. There are no other roles then, and ECHOER_NAMESPACE is the only namespace. The identity comes
from a part of API Gateway's event that clients cannot write; a call without an identity is refused.

While callbacks are open (ECHOER_CALLBACKS=open), anyone who knows the uuid of an activation may answer it for its
action service. Viewers can see uuids; if viewers must not answer steps, set ECHOER_CALLBACKS=token. Callbacks without a
token are not rate-limited, so that no answer of an action is lost. Tasks of people and approvals are different: with
ECHOER_AUTH=token their answers require the role `clerk`, or a signed link (`views.task_links`), whatever
ECHOER_CALLBACKS says.

If the server is open, requests from pages of other origins than ECHOER_ORIGINS are refused, so that a web page can
neither command nor read a server on its visitor's machine. The local server checks the `Host` too, and this for every
path.
"""

from __future__ import annotations

from functools import wraps
from typing import Final

from msgspec.structs import replace

from chalicelib.config import Access
from chalicelib.engine.errors import NotPermitted
from chalicelib.entrypoints.http import errors, strict
from chalicelib.entrypoints.http.audit import record
from chalicelib.entrypoints.http.own_site import OwnSite
from chalicelib.entrypoints.http.request import Request, Response
from chalicelib.entrypoints.http.route import Route, View
from chalicelib.model.json_values import Json
from chalicelib.service.errors import Malformed
from chalicelib.service.observability import work_context
from chalicelib.service.security.namespaces import is_namespace
from chalicelib.service.security.roles import Caller, Forbidden, Role, Unauthorized

NAMESPACE: Final = "x-echoer-namespace"

UNKNOWN_CALLER: Final = "nobody"
"""The caller in the audit of a request that was refused as unauthorized."""

SIGV4: Final = "AWS4-"
"""The beginning of `Authorization` in a request that AWS's SDK signed, for AWS. It is no token of this server."""


def authorized(route: Route) -> View:
    """Return the view of the route, called only for callers who may call it."""
    return route.view if route.role is None else _authorized(route)


def _authorized(route: Route) -> View:
    @wraps(route.view)
    def view(request: Request, **names: str) -> Json:
        audited, result, status = replace(request, caller=UNKNOWN_CALLER), None, 500
        try:
            caller = _authenticate(request, route)
            namespace = _namespace(request, caller, route)
            audited = replace(request, caller=caller.by, bound=caller.bound, namespace=namespace, identity=caller)
            work_context.note(namespace=namespace)
            _check_role_and_rates(audited, caller, route)
            strict.check(route, audited)
            result = _called(route, audited, caller, names)
            status = result.status if isinstance(result, Response) else 200
            return result
        except Exception as error:
            status = int(errors.status_of(error) or 500)
            raise
        finally:
            if route.method != "GET":
                record(audited, route, names.values(), result, status)

    return view


_BY_SIGNER: Final = (
    "step {step!r} is answered by a person: use a signed link of the task, or sign the request with Signature V4, "
    "which is verified for answers if ECHOER_CALLBACKS=token"
)


def _called(route: Route, request: Request, caller: Caller, names: dict[str, str]) -> Json:
    """Return the result of the view. An anonymous caller whose answer needs a person's token is unauthorized."""
    try:
        return route.view(request, **names)
    except NotPermitted as error:
        if not caller.anonymous:
            raise
        if request.services.settings.auth is Access.IAM:
            raise Unauthorized(_BY_SIGNER.format(step=error.step)) from error
        raise Unauthorized(str(error)) from error


def _authenticate(request: Request, route: Route) -> Caller:
    """Return the caller of the request. Raises Unauthorized, Forbidden."""
    settings, authorization = request.services.settings, request.headers.get("authorization")
    if settings.auth is Access.OPEN:
        _refuse_other_sites(request)
        name = "action" if route.is_callback else request.caller
        return Caller(by=name, role=Role.ADMIN, namespace=settings.namespace, bound=False)
    is_anonymous = authorization is None or settings.auth is Access.IAM or authorization.startswith(SIGV4)
    if route.is_callback and settings.callbacks is Access.OPEN and is_anonymous:
        return Caller(by="action", role=Role.ACTION, namespace=settings.namespace, bound=False, anonymous=True)
    if settings.auth is Access.IAM:
        if not request.arn:
            raise Unauthorized("the request has no AWS signature that API Gateway verified; sign it with Signature V4")
        return Caller(by=request.arn, role=Role.ADMIN, namespace=settings.namespace)
    scheme, _, text = (authorization or "").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized("a token is required: send the header `Authorization: Bearer ech_...`")
    return request.services.tokens.caller(text.strip())


def _refuse_other_sites(request: Request) -> None:
    settings, headers = request.services.settings, request.headers
    urls = [settings.url]
    if settings.on_lambda:  # API Gateway does not forward requests for other hosts
        urls.append(f"https://{headers.get('host', '')}")
    site = OwnSite(settings.port, tuple(urls), settings.origins)
    problem = site.page_problem(headers.get("origin"), headers.get("sec-fetch-site"))
    if problem:
        raise Forbidden(problem)


def _namespace(request: Request, caller: Caller, route: Route) -> str:
    """Return the namespace of the request: the caller's, or one that the request names.

    A header names it or, in the callback URL that actions receive, `?namespace=`. Raises Forbidden, Malformed.
    """
    in_url = request.query.text("namespace") if route.is_callback else None
    named = {name for name in (request.headers.get(NAMESPACE), in_url) if name}
    if caller.bound and named - {caller.namespace}:
        raise Forbidden(f"the token is valid only in namespace {caller.namespace!r}")
    if len(named) > 1:
        raise Malformed(f"the header `{NAMESPACE}` and the parameter `namespace` name different namespaces")
    if not all(map(is_namespace, named)):
        raise Malformed(
            f"{named.pop()!r:.80} is not a namespace name; use a-z, 0-9 and -, at most 63 characters, no - at the start"
        )
    return named.pop() if named else caller.namespace


def _check_role_and_rates(request: Request, caller: Caller, route: Route) -> None:
    """Raise Forbidden if the role does not permit the call, TooManyRequests if the caller exceeded its rate."""
    if not route.allows(caller.role):
        wanted = " or ".join(route.roles)
        raise Forbidden(f"{' '.join(route.call)} requires the role {wanted}; the token has the role {caller.role}")
    if route.is_callback and not caller.id:
        return
    settings, name = request.services.settings, f"token {caller.id}" if caller.id else caller.by
    rates = {name: settings.rate, f"namespace {request.namespace}": settings.namespace_rate}
    if settings.auth is not Access.OPEN:
        rates[f"{name}, by {' '.join(route.call)},"] = route.rate
    request.services.rates.take(rates)
