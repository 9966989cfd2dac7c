"""The HTTP interface (API.md), every call of it: what is asked for, and the view that answers."""

from __future__ import annotations

from typing import Final

from chalice.app import Authorizer, Blueprint

from chalicelib.config import Access
from chalicelib.entrypoints.http import adapter, auth
from chalicelib.entrypoints.http.adapter import Answer, Request, View
from chalicelib.entrypoints.http.views import command, definitions, doctor, events, graphs, runs, secrets, tokens, watch
from chalicelib.model.json_values import Json
from chalicelib.service.ports.definitions import Kind


def root(_: Request) -> Json:
    """Who answers here."""
    return "echoer"


def healthz(request: Request) -> Json:
    """Work is accepted: the store answers."""
    request.services.reader.definitions(request.namespace, Kind.ACTION, 1, "")
    return {"status": "ok"}


def contract(request: Request) -> Json:
    """This contract, as OpenAPI 3.1."""
    from chalicelib.entrypoints.http import openapi  # only those who read it pay for what it loads

    return openapi.document(TABLE, request.services.settings)


def page(request: Request) -> Json:
    """This contract, as a page."""
    from chalicelib.entrypoints.http import openapi, openapi_page

    text = openapi_page.page(openapi.document(TABLE, request.services.settings), openapi.exchanges())
    return Answer(text, headers={"Content-Type": "text/html; charset=utf-8"})


TABLE: Final[dict[tuple[str, str], View]] = {
    ("GET", "/"): root,
    ("GET", "/healthz"): healthz,
    ("GET", "/openapi.json"): contract,
    ("GET", "/docs"): page,
    ("POST", "/command"): command.execute,
    ("GET", "/watch"): watch.watch,
    ("GET", "/doctor"): doctor.examine,
    ("POST", "/doctor/repair"): doctor.repair,
    # definitions
    ("POST", "/fsl"): definitions.submit,
    ("POST", "/action"): definitions.submit_only("action"),
    ("GET", "/action"): definitions.list_of(Kind.ACTION),
    ("GET", "/action/{name}"): definitions.get(Kind.ACTION),
    ("DELETE", "/action/{name}"): definitions.delete(Kind.ACTION),
    ("DELETE", "/action/{name}/{uuid}"): definitions.delete(Kind.ACTION),
    ("POST", "/flow"): definitions.submit_only("flow"),
    ("GET", "/flow"): definitions.list_of(Kind.FLOW),
    ("GET", "/flow/{name}/graph"): graphs.of_flow,
    ("GET", "/flow/{name}"): definitions.get(Kind.FLOW),
    ("DELETE", "/flow/{name}"): definitions.delete(Kind.FLOW),
    ("DELETE", "/flow/{name}/{uuid}"): definitions.delete(Kind.FLOW),
    # runs
    ("POST", "/flow/{name}/runs"): runs.start,
    ("POST", "/flowrun"): definitions.submit_only(definitions.FLOW_RUN),
    ("GET", "/flowrun"): runs.list_runs,
    ("GET", "/flowrun/{name}"): runs.get,
    ("GET", "/flowrun/{name}/graph"): graphs.of_run,
    ("GET", "/flowrun/{name}/history"): runs.history,
    ("GET", "/flowrun/{name}/watch"): runs.watch,
    ("POST", "/flowrun/{name}/pause"): runs.pause,
    ("POST", "/flowrun/{name}/continue"): runs.resume,
    ("POST", "/flowrun/{name}/stop"): runs.stop,
    ("POST", "/flowrun/{name}/retry"): runs.retry,
    ("POST", "/flowrun/{name}/signal"): events.signal_run,
    ("POST", "/flowrun/{name}/vars"): runs.set_vars,
    ("DELETE", "/flowrun/{name}"): runs.delete,
    ("DELETE", "/flowrun/{name}/{uuid}"): runs.delete,
    # steps, tasks, events
    ("GET", "/task"): runs.tasks,
    ("POST", "/step"): runs.answer,
    ("GET", "/step"): runs.list_steps,
    ("GET", "/step/{name}"): runs.get_step,
    ("POST", "/event"): events.publish,
    ("GET", "/event"): events.list_signals,
    # secrets, tokens
    ("PUT", "/secret/{name}"): secrets.put_secret,
    ("GET", "/secret"): secrets.list_secrets,
    ("DELETE", "/secret/{name}"): secrets.delete_secret,
    ("POST", "/token"): tokens.make_token,
    ("GET", "/token"): tokens.list_tokens,
    ("DELETE", "/token/{token_id}"): tokens.revoke_token,
}


def routes(gate: Authorizer | None, callbacks: Access) -> Blueprint:
    """The routes of all calls. `gate`: whom API Gateway asks before it lets in what is not for everybody."""
    gates = {call: gate for call in TABLE if auth.is_gated(call, callbacks)} if gate else {}
    return adapter.routes(__name__, auth.guarded(TABLE), gates)
