"""Send requests that schemathesis generates from the OpenAPI document to the app, for every call.

No response is a 5xx. Its status, content type, schema and headers are documented, and it has no other fields. The app
accepts requests that the document allows, and refuses others as malformed. The requests are the same each time.
`ECHOER_CONTRACT_CASES=1000 pytest tests/contract` sends more of them, and `--log-cli-level=info` counts them.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from zlib import crc32

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from jsonschema_rs import Draft202012Validator
from schemathesis import Case, CheckContext, HookContext, Response
from schemathesis.core.failures import Failure
from schemathesis.openapi.checks import RejectedPositiveData
from schemathesis.specs.openapi import checks

from app import app
from chalicelib import hosting
from chalicelib.adapters.sqlite.database import Database
from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.config import Access, Backend, Settings
from chalicelib.entrypoints.http import task_page
from chalicelib.entrypoints.http.auth import NAMESPACE
from chalicelib.entrypoints.http.openapi.document import document
from chalicelib.entrypoints.http.routes import ROUTES
from chalicelib.model.json_values import Json
from chalicelib.model.step_token import StepToken
from chalicelib.service.security.tokens import sha256
from fsl.local.http.gateway import Gateway
from tests.entrypoints import story
from tests.entrypoints.gateway import call
from tests.hosts import Host

LOG: Final = logging.getLogger("echoer.contract")
CASES: Final = int(os.environ.get("ECHOER_CONTRACT_CASES", "25"))
ADMIN: Final = "the token of the contract's admin, long enough"
AS_ADMIN: Final = {"Authorization": f"Bearer {ADMIN}"}
OPEN: Final = Settings(backend=Backend.MEMORY)
TOKENS: Final = Settings(
    backend=Backend.MEMORY, auth=Access.TOKEN, callbacks=Access.TOKEN, admin_token_sha256=sha256(ADMIN)
)

CONFIG: Final[dict[str, Any]] = {
    "generation": {"deterministic": True},
    "checks": {
        "positive_data_acceptance": {"expected-statuses": ["2xx", "404", "409", "413", "422"]},
        "response_schema_conformance": {"validate-formats": True},
    },
}
THOROUGH: Final = settings(
    max_examples=CASES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),  # the host has state, so a failing request cannot be shrunk
    suppress_health_check=list(HealthCheck),
)
QUICK: Final = settings(THOROUGH, max_examples=max(2, CASES // 10))

PUBLIC: Final = {route.call for route in ROUTES if route.role is None}


def holds_whole_float(value: Json) -> bool:
    """Return whether the value holds a number such as 29.0 anywhere."""
    if isinstance(value, dict):
        return any(map(holds_whole_float, value.values()))
    if isinstance(value, list):
        return any(map(holds_whole_float, value))
    return isinstance(value, float) and value.is_integer()


UNSAYABLE: Final[tuple[Callable[[Case[Any], Json], bool], ...]] = (
    lambda case, error: error["code"] == "fsl-malformed",  # FSL has a grammar of its own
    lambda case, error: "cursor" in error["detail"] and "integer" not in error["detail"],  # cursors come from responses
    lambda case, error: "`name` must have printable characters only" in error["detail"],  # Unicode defines them
    lambda case, error: "because `done` is true" in error["detail"],  # rules between fields would spoil clients
    lambda case, error: "`error` needs an `ackState`" in error["detail"],
    lambda case, error: "unknown field" in error["detail"],  # of a type that another call takes with more fields
    lambda case, error: "exclude each other" in error["detail"],
    lambda case, error: case.path == "/batch",  # the fields of `with` are those of the call that `do` names
    lambda case, error: case.path == "/play",  # what it needs of its fields depends on the others
    lambda case, error: holds_whole_float(case.body),  # as in a query
    lambda case, error: "and the text has" in error["detail"],  # as many lines as another field
    lambda case, error: "belongs to `of=" in error["detail"],
    lambda case, error: "`select`" in error["detail"],  # its filters are those of a list, as parameters
    lambda case, error: "name different namespaces" in error["detail"],  # by one of two
    lambda case, error: any(
        isinstance(value, float) for value in case.query.values()
    ),  # 29.0 is an integer in JSON only
)
"""Requests that the document allows and the server refuses as malformed, since JSON Schema cannot express the rule."""


def schema_of(under: Settings, **more: Json) -> schemathesis.BaseSchema:
    """Return the document under these settings, with the app to send requests to."""
    config = schemathesis.Config.from_dict({**CONFIG, **more})
    schema = schemathesis.openapi.from_dict(document(ROUTES, under), config=config)
    schema.app = Gateway(app, threading.Event())

    @schema.hook
    def filter_failure(context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
        if type(failure).__name__ == "AllowHeaderMismatch" and case.path == "/":
            return False  # the document does not describe AWS's protocol, which is `POST /`
        if type(failure).__name__ == "JsonSchemaError" and case.query.get("raw"):
            return False  # the value itself, of any form
        if not isinstance(failure, RejectedPositiveData):
            return True
        if case.path.startswith("/task/"):
            return False  # no schema can describe what is signed
        return not any(is_so(case, response.json()["error"]) for is_so in UNSAYABLE)

    return schema


KINDS: Final = ("action", "flow", "flowrun", "step", "schedule", "hook")


@dataclass
class Seen:
    """A host with runs, and the statuses of its responses."""

    host: Host
    statuses: Counter[int] = field(default_factory=Counter)

    def known(self) -> dict[str, list[Any]]:
        """Return the existing resources by the names that paths use, and valid answers to steps."""
        lists = {kind: call("GET", f"/{kind}", headers=AS_ADMIN).json for kind in KINDS}
        return {
            **{kind: [one["metadata"] for one in found] for kind, found in lists.items()},
            "secret": [{"name": one["name"]} for one in call("GET", "/secret", headers=AS_ADMIN).json],
            "step token": [{"name": _token(step)} for step in lists["step"] if step["metadata"]["uuid"]],
            "task": [
                {"link": both["page"].rpartition("/")[2]}
                for task in call("GET", "/task", headers=AS_ADMIN).json
                for both in task["links"].values()
            ],
            "token": [{"token_id": one["id"]} for one in call("GET", "/token", headers=AS_ADMIN).json],
            "answer": [
                {"flowId": step["spec"]["flow_id"], "stepName": step["metadata"]["name"], **_pick(step, "uuid")}
                for step in lists["step"]
            ],
        }


def _token(step: Json) -> str:
    return StepToken("default", step["spec"]["flow_id"], step["metadata"]["uuid"]).encode()


def _pick(resource: Json, name: str) -> dict[str, str]:
    return {name: resource["metadata"][name]}


def _prepared(host: Host, under: Settings) -> Seen:
    """Run the first half of the story on SQLite. One run has ended, and another one waits for a person."""
    store: Any = SqliteStore(Database(":memory:", full_sync=False, lock_file=None))
    host.rebuild(OPEN, store=store)
    hosting.use(host.services)
    story.settle(host)
    call("POST", "/flowrun/ship_7/stop")
    for number in range(4):
        call("POST", "/flow/shipping/runs", {"name": f"ended-{number}"})
        call("POST", f"/flowrun/ended-{number}/stop")
    call("POST", "/flow/order/runs", {"name": "o-9", "input": {"order": "o-9", "amount": 5000}})
    call("POST", "/action", {"data": "action alone method = human; return = (YES | NO); action_end"})
    call("POST", "/flow", {"data": "flow alone wait W => (DONE -> done) { for = 1s; }; flow_end"})
    call("POST", "/schedule", {"data": "schedule alone flow = shipping; every = 1d; schedule_end"})
    call("POST", "/hook", {"data": 'hook alone addr = "http://127.0.0.1:9/"; on = (run.failed); hook_end'})
    call("POST", "/token", {"name": "ci", "role": "viewer"})
    call("PUT", "/secret/ci.token", {"value": "x"})
    host.rebuild(under)
    hosting.use(host.services)
    return Seen(host)


@pytest.fixture
def seen(host: Host, request: pytest.FixtureRequest) -> Iterator[Seen]:
    found = _prepared(host, OPEN)
    yield found
    LOG.info("%s: %d requests, %s", request.node.name, found.statuses.total(), dict(sorted(found.statuses.items())))
    assert any(status < 300 for status in found.statuses), "no request of these was carried out"


def meet(case: Case[Any], seen: Seen) -> None:
    """Make every second valid request refer to an existing resource."""
    body = case.body if isinstance(case.body, (dict, str)) else ""
    said = sorted(map(repr, (*case.path_parameters.items(), *case.query.items(), body)))
    drawn = crc32("".join(said).encode(errors="replace"))
    if case.meta is None or not case.meta.generation.mode.is_positive or drawn % 2:
        return
    known = seen.known()
    case.headers.pop(NAMESPACE, None)
    kind = "step token" if case.operation.label == "POST /step/{name}" else case.path.split("/")[1]
    if found := known.get(kind, []):
        one = found[drawn // 2 % len(found)]
        case.path_parameters.update({name: one[name] for name in case.path_parameters if name in one})
    if case.operation.label == "POST /step" and known["answer"] and isinstance(case.body, dict):
        case.body.update(known["answer"][drawn // 2 % len(known["answer"])])


# ── undocumented fields ──────────────────────────────────────────────────────────────────────────────────────────────


def closed(schema: Any) -> Any:
    """Return the schema without additional properties in objects."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    more = {"additionalProperties": False} if isinstance(schema.get("properties"), dict) else {}
    return {name: closed(one) for name, one in schema.items()} | more


COMPONENTS: Final = {name: closed(schema) for name, schema in document(ROUTES, OPEN)["components"]["schemas"].items()}
OF_HTTP: Final = {"content-type", "content-length", "cache-control"}
OF_PAGES: Final = set(map(str.lower, task_page.HEADERS))


def nothing_else(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """Check that the response has no undocumented field or header."""
    told = case.operation.definition.raw["responses"].get(str(response.status_code))
    if told is None or response.request.method != case.operation.method.upper():
        return  # status_code_conformance and unsupported_method look at these
    more = OF_PAGES if "text/html" in told["content"] else set()
    assert set(response.headers) <= OF_HTTP | more | set(told.get("headers", ())), response.headers
    content = told["content"].get("application/json")
    if content is not None and not case.query.get("raw") and response.headers["content-type"] == ["application/json"]:
        schema = {**content["schema"], "components": {"schemas": COMPONENTS}}
        Draft202012Validator(schema).validate(response.json())


# ── every call ───────────────────────────────────────────────────────────────────────────────────────────────────────

ANYBODY = schema_of(OPEN)
CALLERS = schema_of(
    TOKENS,
    auth={"openapi": {"token": {"bearer": ADMIN}}},
    generation={"deterministic": True, "mode": "positive"},
    phases={"coverage": {"enabled": False}},
)


@ANYBODY.parametrize()
@THOROUGH
def test_the_server_answers_as_the_document_says(seen: Seen, case: Case[Any]) -> None:
    meet(case, seen)
    response = case.call()
    seen.statuses[response.status_code] += 1
    case.validate_response(response, additional_checks=[nothing_else])


@pytest.fixture
def guarded(host: Host) -> Seen:
    return _prepared(host, TOKENS)


CONFORMANCE: Final = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    nothing_else,
]


@CALLERS.parametrize()
@QUICK
def test_where_tokens_are_needed_nobody_is_answered_without_one(guarded: Seen, case: Case[Any]) -> None:
    """Requests without a token, or with an invalid one, are refused. With a token the responses match the document."""
    case.call_and_validate(checks=[*CONFORMANCE, checks.ignored_auth])
    if (case.method, case.path) not in PUBLIC:
        response = case.call(headers={"Authorization": "Bearer ech_0"})
        case.validate_response(response, checks=CONFORMANCE)
        assert response.status_code == 401


@pytest.mark.parametrize("under", [OPEN, TOKENS], ids=["open", "tokens"])
def test_runs_are_followed_along_the_links(host: Host, under: Settings) -> None:
    """Send chains of calls, each built from the response of the previous one."""
    counted: Counter[str] = Counter()

    class Walk((ANYBODY if under is OPEN else CALLERS).as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            _prepared(host, under)

        def before_call(self, case: Case[Any]) -> None:
            positive = case.meta is not None and case.meta.generation.mode.is_positive
            if positive and case.operation.label == "POST /flow/{name}/runs":
                case.path_parameters, case.body = {"name": "shipping"}, {}
                case.headers.pop(NAMESPACE, None)

        def validate_response(self, response: Response, case: Case[Any], **more: Any) -> None:
            counted[f"{case.operation.label} {response.status_code}"] += 1
            case.validate_response(response, additional_checks=[nothing_else], **more)

    _prepared(host, under)  # loads the evaluator, which sets the recursion limit, before Hypothesis looks at it
    Walk.run(settings=settings(THOROUGH, max_examples=CASES, stateful_step_count=8))
    LOG.info("along the links: %d requests, %s", counted.total(), dict(sorted(counted.items())))
    assert sum(found for call, found in counted.items() if re.fullmatch(r"POST /flowrun/{name}/\w+ 200", call))
