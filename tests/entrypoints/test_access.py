"""Access to the API: roles, tokens, namespaces, rates and the audit log."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib import config, hosting
from chalicelib.adapters.sqlite.database import Database
from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.config import Access, BadSetting, Durability, Settings
from chalicelib.entrypoints.http.route import Route
from chalicelib.entrypoints.http.routes import ROUTES
from chalicelib.entrypoints.http.views import task_links
from chalicelib.hosting import assemble
from chalicelib.model.json_values import Json
from chalicelib.service.ports.queues import QueueName
from chalicelib.service.security.roles import Role
from chalicelib.service.security.tokens import TOKEN_CACHE_MS, sha256
from tests.entrypoints.flows import TWO, WORK
from tests.entrypoints.gateway import Reply, call
from tests.entrypoints.steps import NEVER, answered, defined, started
from tests.fakes import KEY
from tests.hosts import Host

FIRST = "the first admin's token, 32 or longer"
GUARDED = Settings(auth=Access.TOKEN, admin_token_sha256=sha256(FIRST))

PAY = """flow pay
    input = (str order);
    wait W => (PAID -> done | TIMEOUT -> stopped) {
        events = (PAID = "paid"); key = ${ $input.order }; timeout = 2d;
    };
flow_end"""
ASK = """action ask method = human; return = (YES | NO); action_end
/
flow asks
    step A => (YES -> done | NO -> stopped) { action = ask; };
flow_end"""


def under(host: Host, settings: Settings) -> Host:
    """Apply the settings to the host."""
    host.rebuild(settings)
    hosting.use(host.services)
    return host


@pytest.fixture
def guarded(host: Host) -> Host:
    return under(host, GUARDED)


def bearer(token: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", **{name.replace("_", "-"): text for name, text in more.items()}}


ADMIN = bearer(FIRST)


def made(role: Role | str, namespace: str = "default", name: str | None = None, **more: Json) -> str:
    """Create a token, and return its text."""
    body = {"name": name or f"{role} {namespace}", "role": role, "namespace": namespace, **more}
    reply = call("POST", "/token", body, headers=ADMIN)
    assert reply.status == 201, reply.text
    return str(reply.json["token"])


class Side:
    """A client with a token for one namespace."""

    def __init__(self, namespace: str, role: Role = Role.ADMIN) -> None:
        self.namespace = namespace
        self.headers = bearer(made(role, namespace))

    def __call__(self, method: str, url: str, body: Any = None) -> Reply:
        return call(method, url, body, headers=self.headers)

    def ok(self, method: str, url: str, body: Any = None) -> Any:
        reply = self(method, url, body)
        assert reply.status < 300, reply.text
        return reply.json


# ── roles ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_public_calls_need_no_token() -> None:
    public = {route.path for route in ROUTES if route.role is None}
    assert public == {
        "/",
        "/console/{file}",
        "/healthz",
        "/openapi.json",
        "/docs",
        "/task/{link}",
        "/task/{link}/answer",
    }


PURE = {"/analyze", "/edit", "/import", "/play"}
"""Calls with a body that change nothing."""


def test_viewers_change_nothing_and_only_admins_see_tokens_and_set_secrets() -> None:
    for route in ROUTES:
        method, path, least = route.method, route.path, route.role
        assert (least is Role.VIEWER) <= (method == "GET" or path in PURE), path
        for_admins = path.startswith("/token") or (path.startswith("/secret") and method != "GET")
        assert for_admins == (least is Role.ADMIN), path


def request_of(route: Route) -> tuple[str, str]:
    """Return the method and a URL of the route."""
    names = {name: name[0] for name in route.path_parameters}
    return route.method, route.path.format(**names)


EVERY_ROUTE = pytest.mark.parametrize("route", ROUTES, ids=lambda route: " ".join(route.call))


@pytest.mark.parametrize("role", list(Role))
@EVERY_ROUTE
def test_a_call_is_allowed_to_its_role_and_to_those_that_cover_it(guarded: Host, route: Route, role: Role) -> None:
    reply = call(*request_of(route), headers=bearer(made(role)))
    if route in task_links.ROUTES:  # a link is the permission, and this is none
        assert (reply.status, "not valid" in reply.text) == (403, True)
        return
    assert (reply.status == 403) is not route.allows(role), reply.text
    assert reply.status != 401
    if reply.status == 403:
        assert (reply.code, f"the role {' or '.join(route.roles)}" in reply.json["message"]) == ("forbidden", True)


@EVERY_ROUTE
def test_without_a_token_only_the_public_calls_and_callbacks_are_answered(guarded: Host, route: Route) -> None:
    reply = call(*request_of(route))
    assert (reply.status == 401) is not (route.role is None or route.is_callback), reply.text
    if reply.status == 401:
        assert (reply.code, reply.headers["WWW-Authenticate"]) == ("unauthorized", "Bearer")


# ── tokens ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "said",
    ["", "Bearer", "Bearer ", "Bearer x", "Basic eDp5", FIRST, f"Bearer {FIRST}x", f"Bearer ech_{'0' * 16}_{'0' * 64}"],
)
def test_what_is_no_token_is_a_401(guarded: Host, said: str) -> None:
    reply = call("GET", "/flowrun", headers={"Authorization": said})
    assert (reply.status, reply.code, reply.headers["WWW-Authenticate"]) == (401, "unauthorized", "Bearer")


def test_the_scheme_is_read_in_any_case(guarded: Host) -> None:
    assert call("GET", "/flowrun", headers={"authorization": f"bearer {FIRST}"}).status == 200


def test_a_token_is_shown_once_and_listed_without_its_secret(guarded: Host) -> None:
    reply = call("POST", "/token", {"name": "ci", "role": "author", "expires_in": "30d"}, headers=ADMIN)
    told = reply.json
    text = told.pop("token")
    assert (reply.status, told) == (
        201,
        {
            "id": text.split("_")[1],
            "name": "ci",
            "role": "author",
            "namespace": "default",
            "created_at": "2027-01-15T08:00:00.000Z",
            "created_by": "admin",
            "expires_at": "2027-02-14T08:00:00.000Z",
            "revoked_at": None,
        },
    )
    listed = call("GET", "/token", headers=ADMIN)
    assert listed.json == [told]
    assert text.split("_")[2] not in listed.text
    assert sha256(text.split("_")[2]) not in listed.text


def test_an_expired_token_is_a_401(guarded: Host) -> None:
    token = bearer(made(Role.VIEWER, expires_in="1h"))
    guarded.clock.advance(3_599_999)
    assert call("GET", "/flowrun", headers=token).status == 200
    guarded.clock.advance(1)
    reply = call("GET", "/flowrun", headers=token)
    assert (reply.status, reply.json["message"]) == (401, "the token has expired")


def test_a_revoked_token_is_a_401_in_every_container(guarded: Host) -> None:
    text = made(Role.VIEWER)
    token, url = bearer(text), f"/token/{text.split('_')[1]}"
    here, there = guarded.services, assemble(GUARDED, guarded.services.adapters)
    hosting.use(there)
    assert call("GET", "/flowrun", headers=token).status == 200
    hosting.use(here)
    assert call("DELETE", url, headers=ADMIN).json["revoked_at"] == "2027-01-15T08:00:00.000Z"
    assert call("GET", "/flowrun", headers=token).json["message"] == "the token was revoked"
    hosting.use(there)
    guarded.clock.advance(TOKEN_CACHE_MS)
    assert call("GET", "/flowrun", headers=token).status == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "", "role": "viewer"}, 400),
        ({"name": "n" * 65, "role": "viewer"}, 400),
        ({"name": "n" * 64, "role": "viewer"}, 201),
        ({"name": "a\nb", "role": "viewer"}, 400),
        ({"name": "a", "role": "king"}, 400),
        ({"name": "a"}, 400),
        ({"name": "a", "role": "viewer", "expires_in": "soon"}, 400),
        ({"name": "a", "role": "viewer", "expires_in": 7}, 400),
        ({"name": "a", "role": "viewer", "expires_in": "0s"}, 422),
        ({"name": "a", "role": "viewer", "expires_in": "3650d"}, 201),
        ({"name": "a", "role": "viewer", "expires_in": "3651d"}, 422),
        ({"name": "a", "role": "viewer", "namespace": "No"}, 422),
        ({"name": "a", "role": "viewer", "namespace": "@access"}, 422),
    ],
)
def test_a_token_must_be_asked_for_rightly(guarded: Host, body: Json, status: int) -> None:
    reply = call("POST", "/token", body, headers=ADMIN)
    assert reply.status == status, reply.text


# ── namespaces ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_token_acts_in_its_namespace_alone(guarded: Host) -> None:
    token = made(Role.ADMIN, "team-a")
    for named, status in (("team-a", 200), ("team-b", 403), ("default", 403), ("@access", 403), ("No", 403)):
        assert call("GET", "/flowrun", headers=bearer(token, X_Echoer_Namespace=named)).status == status, named


def test_the_first_admin_acts_where_it_says(guarded: Host) -> None:
    elsewhere = bearer(FIRST, X_Echoer_Namespace="team-a")
    assert call("POST", "/fsl", WORK, headers=elsewhere).status == 200
    assert call("GET", "/action/work", headers=elsewhere).json["metadata"]["namespace"] == "team-a"
    assert call("GET", "/action/work", headers=ADMIN).status == 404
    for named in ("@access", "Team", "a" * 64, "-a"):
        assert call("GET", "/flowrun", headers=bearer(FIRST, X_Echoer_Namespace=named)).status == 400, named
    assert call("GET", "/flowrun", headers=bearer(FIRST, X_Echoer_Namespace="a" * 63)).status == 200


def test_admins_make_and_revoke_tokens_of_their_own_namespace_alone(guarded: Host) -> None:
    a, b = Side("a"), Side("b")
    assert a.ok("POST", "/token", {"name": "x", "role": "viewer"})["namespace"] == "a"
    assert a("POST", "/token", {"name": "x", "role": "viewer", "namespace": "b"}).status == 403
    theirs = b.ok("GET", "/token")[0]["id"]
    assert a("DELETE", f"/token/{theirs}").status == 404
    assert [one["name"] for one in a.ok("GET", "/token")] == ["admin a", "x"]
    assert [one["name"] for one in b.ok("GET", "/token")] == ["admin b"]


@pytest.fixture(params=["memory", "sqlite"])
def twins(guarded: Host, request: pytest.FixtureRequest) -> Iterator[tuple[Side, Side]]:
    """Create two namespaces with equal names in one store."""
    database = Database.open(":memory:")
    if request.param == "sqlite":
        guarded.rebuild(store=SqliteStore(database))
        hosting.use(guarded.services)
    sides = Side("a"), Side("b")
    for side in sides:
        side.ok("POST", "/fsl", "\n/\n".join((WORK, TWO, PAY, ASK)))
        same = {"input": {"order": "o"}, "labels": {"team": "t"}}
        side.ok("POST", "/flow/two/runs", {"name": "r", "key": "k", **same})
        side.ok("POST", "/flow/pay/runs", {"name": "p", **same})
        side.ok("POST", "/flow/asks/runs", {"name": "q"})
        side.ok("POST", "/event", {"name": "other", "key": "o", "data": side.namespace})
        for queue in (QueueName.DELIVERIES, QueueName.WAKES):
            guarded.work(queue)
    yield sides
    database.close()


READING = [
    "/action",
    "/action/work",
    "/flow",
    "/flow/two",
    "/flowrun",
    "/flowrun?label=team:t",
    "/flowrun?flow=two",
    "/flowrun?status=running",
    "/flowrun/r",
    "/step",
    "/step/r.A",
    "/step/A",
    "/event",
]


def namespaces_in(told: Json) -> set[str]:
    match told:
        case {"namespace": str(found)}:
            return {found}
        case dict():
            return set().union(*map(namespaces_in, told.values()))
        case list():
            return set().union(*map(namespaces_in, told))
    return set()


@pytest.mark.parametrize("url", READING)
def test_equal_names_never_meet_in_what_is_read(twins: tuple[Side, Side], url: str) -> None:
    told = [side.ok("GET", url) for side in twins]
    assert [namespaces_in(one) for one in told] == [{"a"}, {"b"}]


@pytest.mark.parametrize("url", ["/flowrun/r/history", "/flowrun/r/watch", "/task", "/flowrun/r"])
def test_uuids_of_one_namespace_are_unknown_in_another(twins: tuple[Side, Side], url: str) -> None:
    def uuids(told: Json) -> set[str]:
        match told:
            case dict():
                own = {str(told["uuid"])} if told.get("uuid") else set()
                return own.union(*map(uuids, told.values()))
            case list():
                return set().union(*map(uuids, told))
        return set()

    for side in twins:
        side.ok("POST", "/step", answered(side.ok("GET", "/flowrun/r")))
    found = [uuids(side.ok("GET", url)) for side in twins]
    assert found[0]
    assert found[1]
    assert not found[0] & found[1]


def test_the_stream_of_changes_tells_of_one_namespace(twins: tuple[Side, Side], guarded: Host) -> None:
    guarded.clock.advance(1)
    url = "/watch?version=1&" + "&".join(f"resource={kind}" for kind in ("action", "flow", "flowrun", "step", "event"))
    for side, other in itertools.permutations(twins):
        text = side("GET", url).text
        assert f'"namespace":"{side.namespace}"' in text
        assert f'"namespace":"{other.namespace}"' not in text


def test_a_cursor_is_worth_nothing_in_another_namespace(twins: tuple[Side, Side]) -> None:
    a, b = twins
    first = a("GET", "/flowrun?limit=1")
    onward = f"/flowrun?limit=1&cursor={first.headers['x-next-cursor']}"
    assert namespaces_in(a.ok("GET", onward)) == {"a"}
    assert (b("GET", onward).status, b("GET", onward).code) == (400, "malformed")
    by_name = a("GET", "/flow?limit=1").headers["x-next-cursor"]
    assert namespaces_in(b.ok("GET", f"/flow?limit=9&cursor={by_name}")) == {"b"}


def test_orders_and_deletions_stay_in_their_namespace(twins: tuple[Side, Side]) -> None:
    a, b = twins
    uuid = b.ok("GET", "/flowrun/r")["metadata"]["uuid"]
    for order in ("pause", "continue", "stop", "retry", "stop"):
        a.ok("POST", f"/flowrun/r/{order}")
    a.ok("POST", "/command", {"command": "stop p"})
    a.ok("POST", "/command", {"command": "stop q"})
    assert a("DELETE", f"/flowrun/r/{uuid}").status == 404
    for name in ("r", "p", "q"):
        a.ok("DELETE", f"/flowrun/{name}")
    for name in ("two", "pay", "asks"):
        a.ok("DELETE", f"/flow/{name}")
    a.ok("DELETE", "/action/work")
    assert [one["spec"]["status"] for one in b.ok("GET", "/flowrun")] == ["running"] * 3
    assert len(b.ok("GET", "/flow")) == 3
    assert a.ok("GET", "/flowrun") == []


def test_an_event_wakes_no_run_in_another_namespace(twins: tuple[Side, Side], guarded: Host) -> None:
    a, b = twins
    a.ok("POST", "/event", {"name": "paid", "key": "o"})
    b.ok("POST", "/flowrun/r/signal", {"name": "paid"})
    while not all(guarded.work(queue) == [] and not list(guarded.queue.receive(queue, 1, 0)) for queue in QUEUES):
        pass
    status = [side.ok("GET", "/flowrun/p")["spec"]["status"] for side in twins]
    assert status == ["succeeded", "running"]
    assert [one["metadata"]["name"] for one in a.ok("GET", "/event")].count("paid") == 1


QUEUES = (QueueName.WAKES, QueueName.DELIVERIES)


def test_an_idempotency_key_is_one_namespace_s_own(twins: tuple[Side, Side]) -> None:
    again = {"name": "r", "key": "k", "input": {"order": "o"}, "labels": {"team": "t"}}
    first, second = (side("POST", "/flow/two/runs", again) for side in twins)
    assert (first.status, second.status) == (200, 200)
    assert first.json["metadata"]["uuid"] != second.json["metadata"]["uuid"]


# ── callbacks ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_action_receives_its_callback_url_and_its_answer_arrives(twins: tuple[Side, Side], guarded: Host) -> None:
    """No token is required: the uuid authorizes the answer."""
    sent = [json.loads(call_.body) for call_ in guarded.actions.calls]
    assert [one["callbackUrl"].partition("?")[2] for one in sent] == ["namespace=a", "namespace=b"]
    for side, request in zip(twins, sent, strict=True):
        body = answered(side.ok("GET", "/flowrun/r"))
        assert body["uuid"] == request["uuid"]
        assert call("POST", "/step?" + request["callbackUrl"].partition("?")[2], body).json == {"outcome": "advanced"}
        assert side.ok("GET", "/flowrun/r")["spec"]["current_state"] == "B"


def test_the_default_namespace_needs_no_name_in_the_url(guarded: Host) -> None:
    defined_as_admin = call("POST", "/fsl", f"{WORK}\n/\n{TWO}", headers=ADMIN)
    assert defined_as_admin.status == 200
    run = call("POST", "/flow/two/runs", {"name": "r", "input": {"order": "o"}}, headers=ADMIN).json
    guarded.work()
    assert guarded.actions.requests[-1]["callbackUrl"] == "http://127.0.0.1:8080/step"
    assert call("POST", "/step", answered(run)).json == {"outcome": "advanced"}


def test_a_uuid_of_another_namespace_is_a_404(twins: tuple[Side, Side]) -> None:
    """With a token, without a token, and in the default namespace."""
    a, b = twins
    theirs = answered(b.ok("GET", "/flowrun/r"))
    assert a("POST", "/step", theirs).status == 404
    for url in ("/step?namespace=a", "/step", "/step?namespace=nowhere"):
        assert (call("POST", url, theirs).status, call("POST", url, theirs).code) == (404, "never-issued"), url
    assert call("POST", "/step?namespace=@access", theirs).status == 400
    assert call("POST", "/step?namespace=a", theirs, headers={"X-Echoer-Namespace": "b"}).status == 400
    assert a("POST", "/step?namespace=b", theirs).status == 403
    assert b.ok("GET", "/flowrun/r")["spec"]["current_state"] == "A"


def test_callbacks_can_be_made_to_need_a_token(guarded: Host) -> None:
    under(guarded, replace(GUARDED, callbacks=Access.TOKEN))
    author = Side("a", Role.AUTHOR)
    author.ok("POST", "/fsl", f"{WORK}\n/\n{TWO}")
    body = answered(author.ok("POST", "/flow/two/runs", {"name": "r", "input": {"order": "o"}}))
    assert call("POST", "/step?namespace=a", body).status == 401
    assert Side("a", Role.VIEWER)("POST", "/step", body).status == 403
    assert Side("b", Role.ACTION)("POST", "/step", body).status == 404
    action = Side("a", Role.ACTION)
    assert action("GET", "/flowrun/r").status == 403
    assert action.ok("POST", "/step?namespace=a", body) == {"outcome": "advanced"}


def test_a_wrong_token_is_refused_though_none_would_do(guarded: Host) -> None:
    assert call("POST", "/step", {"flowId": "r"}, headers=bearer("x")).status == 401


# ── the caller in the audit log ──────────────────────────────────────────────────────────────────────────────────────


def test_the_history_says_by_whom(guarded: Host) -> None:
    author = bearer(made(Role.AUTHOR, name="Ada"))
    call("POST", "/fsl", f"{WORK}\n/\n{TWO}", headers=author)
    call("POST", "/flow/two/runs", {"name": "r", "input": {"order": "o"}}, headers=author)
    call("POST", "/flowrun/r/stop", headers=ADMIN)
    entries = call("GET", "/flowrun/r/history", headers=author).json
    assert [entry["by"] for entry in entries] == ["token Ada", "admin"]


def test_every_change_leaves_a_line_in_the_audit(guarded: Host, caplog: pytest.LogCaptureFixture) -> None:
    author, viewer = bearer(made(Role.AUTHOR, "a", "Ada")), bearer(made(Role.VIEWER, "a", "Vic"))
    caplog.clear()
    call("POST", "/fsl", WORK, headers=author)
    call("DELETE", "/action/work", headers=viewer)
    call("DELETE", "/action/work", headers=author)
    call("DELETE", "/action/work", headers=author)
    call("POST", "/command", {"command": "del flow x"}, headers=author)
    call("POST", "/event", {"name": "e"}, headers=bearer("x"))
    call("POST", "/step?namespace=a", {"flowId": "r", "stepName": "A", "uuid": NEVER}, headers={})
    call("GET", "/action", headers=author)
    call("POST", "/token", {"name": "T", "role": "viewer"}, headers=ADMIN)
    lines = [one for one in caplog.records if one.name == "echoer.audit"]
    assert [tuple(vars(one)[field] for field in ("who", "namespace", "call", "names", "status")) for one in lines] == [
        ("token Ada", "a", "POST /fsl", ["work"], 200),
        ("token Vic", "a", "DELETE /action/{name}", ["work"], 403),
        ("token Ada", "a", "DELETE /action/{name}", ["work"], 200),
        ("token Ada", "a", "DELETE /action/{name}", ["work"], 404),
        ("token Ada", "a", "POST /command", ["del flow x"], 200),
        ("nobody", "default", "POST /event", [], 401),
        ("action", "a", "POST /step", ["r", "A"], 404),
        ("admin", "default", "POST /token", [vars(lines[-1])["names"][0], "T"], 201),
    ]
    assert lines[0].getMessage() == "'token Ada' in a: POST /fsl ['work']: 200"
    assert "ech_" not in caplog.text


def test_a_name_cannot_forge_a_line(guarded: Host, caplog: pytest.LogCaptureFixture) -> None:
    call("DELETE", "/action/x%0A'admin' in a: all is well", headers=ADMIN)
    assert [one.getMessage().count("\n") for one in caplog.records if one.name == "echoer.audit"] == [0]


# ── rates ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_token_has_a_rate(guarded: Host) -> None:
    tokens = [bearer(made(Role.VIEWER, name="same")) for _ in range(2)]
    under(guarded, replace(GUARDED, rate=2))
    assert [call("GET", "/flowrun", headers=tokens[0]).status for _ in range(3)] == [200, 200, 429]
    refused = call("GET", "/flowrun", headers=tokens[0])
    assert (refused.code, refused.headers["Retry-After"]) == ("too-many-requests", "1")
    assert call("GET", "/flowrun", headers=tokens[1]).status == 200
    assert call("GET", "/healthz", headers=tokens[0]).status == 200
    guarded.clock.advance(499)
    assert call("GET", "/flowrun", headers=tokens[0]).status == 429
    guarded.clock.advance(1)
    assert [call("GET", "/flowrun", headers=tokens[0]).status for _ in range(2)] == [200, 429]


TINY = "flow f wait A => (DONE -> done) { for = 1s; }; flow_end"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/analyze", {"text": TINY}),
        ("/edit", {"text": TINY, "do": [{"op": "rename", "step": "A", "to": "B"}]}),
        ("/play", {"fsl": TINY, "flow": "f"}),
    ],
)
def test_texts_are_worked_on_ten_times_per_second_and_token(guarded: Host, path: str, body: dict[str, Any]) -> None:
    token, other = bearer(made(Role.VIEWER, name="one")), bearer(made(Role.VIEWER, name="two"))
    assert [call("POST", path, body, headers=token).status for _ in range(10)] == [200] * 10
    refused = call("POST", path, body, headers=token)
    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (429, "too-many-requests", "1")
    assert f"POST {path}" in refused.json["message"]
    assert call("POST", path, body, headers=other).status == 200
    assert call("GET", "/flowrun", headers=token).status == 200
    guarded.clock.advance(100)
    assert [call("POST", path, body, headers=token).status for _ in range(2)] == [200, 429]


def test_an_open_server_works_on_texts_without_that_rate(host: Host) -> None:
    assert {call("POST", "/analyze", {"text": TINY}).status for _ in range(12)} == {200}


def test_a_namespace_has_a_rate(guarded: Host) -> None:
    tokens = [bearer(made(Role.VIEWER, "a", f"t{number}")) for number in range(3)]
    other = bearer(made(Role.VIEWER, "b"))
    under(guarded, replace(GUARDED, namespace_rate=2))
    assert [call("GET", "/flowrun", headers=token).status for token in tokens] == [200, 200, 429]
    refused = call("GET", "/flowrun", headers=tokens[0])
    assert (refused.code, refused.headers["Retry-After"]) == ("too-many-requests", "1")
    assert call("GET", "/flowrun", headers=other).status == 200
    guarded.clock.advance(499)
    assert call("GET", "/flowrun", headers=tokens[0]).status == 429
    guarded.clock.advance(1)
    assert [call("GET", "/flowrun", headers=token).status for token in tokens] == [200, 429, 429]


def test_rates_do_not_apply_to_answers_of_actions(guarded: Host) -> None:
    under(guarded, replace(GUARDED, rate=1, namespace_rate=1))
    body = {"flowId": "r", "stepName": "A", "uuid": NEVER, "ackState": "OK", "done": True}
    assert {call("POST", "/step", body).status for _ in range(9)} == {404}


def test_without_a_setting_there_is_no_rate(guarded: Host) -> None:
    viewer = bearer(made(Role.VIEWER))
    assert {call("GET", "/flowrun", headers=viewer).status for _ in range(50)} == {200}


# ── without authentication ───────────────────────────────────────────────────────────────────────────────────────────


def test_without_authentication_no_token_is_needed(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    run = started()
    call("POST", "/step", answered(run), headers={"Authorization": "Basic of the service's own"})
    call("POST", "/flowrun/r/stop")
    assert [entry["by"] for entry in call("GET", "/flowrun/r/history").json] == ["api", "action", "api"]
    assert not [one for one in caplog.records if one.name == "echoer.audit"]


def test_without_authentication_there_are_namespaces_too(host: Host) -> None:
    defined(WORK)
    assert call("GET", "/action/work", headers={"X-Echoer-Namespace": "other"}).status == 404


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:8080", 200),
        ("http://localhost:8080", 200),
        ("http://[::1]:8080", 200),
        ("http://localhost:3000", 403),
        ("http://127.0.0.1", 403),
        ("https://127.0.0.1:8080", 403),
        ("https://evil.example", 403),
        ("http://127.0.0.1.evil.example", 403),
        ("null", 403),
        ("http://[", 403),
    ],
)
def test_without_authentication_other_origins_are_refused(host: Host, origin: str, status: int) -> None:
    assert call("POST", "/fsl", WORK, headers={"Origin": origin}).status == status
    assert call("GET", "/flowrun", headers={"Origin": origin}).status == status


@pytest.mark.parametrize(
    ("fetch_site", "status"), [("none", 200), ("same-origin", 200), ("same-site", 403), ("cross-site", 403)]
)
def test_without_authentication_browsers_say_whose_page_asks(host: Host, fetch_site: str, status: int) -> None:
    """A page that only embeds the server's addresses sends no `Origin`."""
    for method, url, body in (("GET", "/flowrun", None), ("POST", "/fsl", WORK)):
        assert call(method, url, body, headers={"Sec-Fetch-Site": fetch_site}).status == status


def test_on_lambda_the_pages_of_the_server_itself_are_known_by_its_host(host: Host) -> None:
    under(host, Settings(on_lambda=True))
    for origin, status in (("https://api.test", 200), ("http://api.test", 403), ("https://evil.example", 403)):
        assert call("GET", "/flowrun", headers={"Origin": origin}).status == status


def test_with_authentication_origins_are_not_checked(guarded: Host) -> None:
    assert call("GET", "/flowrun", headers={**ADMIN, "Origin": "https://console.example"}).status == 200


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_authentication_is_off_except_on_lambda() -> None:
    assert config.from_environment({}).auth is Access.OPEN
    assert "no authentication" in (config.from_environment({}).notices[0])
    on_lambda = {"AWS_LAMBDA_FUNCTION_NAME": "echoer-api"}
    assert (config.from_environment(on_lambda).auth, config.from_environment(on_lambda).admin_token_sha256) == (
        Access.TOKEN,
        None,
    )
    assert config.from_environment({**on_lambda, "ECHOER_AUTH": "open"}).auth is Access.OPEN


def test_a_container_without_authentication_logs_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ECHOER_BACKEND", "memory")
    for auth, said in (("open", True), ("token", False)):
        monkeypatch.setenv("ECHOER_AUTH", auth)
        hosting.forget()
        caplog.clear()
        hosting.services()
        assert ("no authentication" in caplog.text) is said
    hosting.forget()


def test_settings_are_read() -> None:
    made_of = config.from_environment(
        {
            "ECHOER_AUTH": "token",
            "ECHOER_CALLBACKS": "token",
            "ECHOER_ADMIN_TOKEN_SHA256": sha256(FIRST).upper(),
            "ECHOER_RATE": "100000",
            "ECHOER_NAMESPACE_RATE": "7",
            "ECHOER_MAX_STEPS": "5",
            "ECHOER_SHARDS": "64",
            "ECHOER_KEEP": "90d",
            "ECHOER_DURABILITY": "Power",
            "ECHOER_PROCESSES": "3",
            "ECHOER_SECRETS_KEY": f"{KEY}, {KEY}",
            "ECHOER_ORIGINS": "HTTPS://Console.Example:443, http://[::1]:8081,https://console.example",
            "ECHOER_SERVERS": "http://127.0.0.1:08080",
        }
    )
    assert made_of == Settings(
        processes=3,
        delivery_log=True,
        inline_delivery=True,
        auth=Access.TOKEN,
        callbacks=Access.TOKEN,
        admin_token_sha256=sha256(FIRST),
        rate=100_000,
        namespace_rate=7,
        max_steps=5,
        shards=64,
        keep=90 * 86_400_000,
        durability=Durability.POWER,
        secrets_key=f"{KEY}, {KEY}",
        origins=("https://console.example", "http://[::1]:8081"),
        servers=("http://127.0.0.1:8080",),
    )


@pytest.mark.parametrize("host", [{}, {"ECHOER_BACKEND": "aws"}])
def test_inline_delivery_is_on_unless_it_is_switched_off(host: dict[str, str]) -> None:
    found = [config.from_environment({**host, **more}) for more in ({}, {"ECHOER_INLINE_DELIVERY": "off"})]
    assert [settings.inline_delivery for settings in found] == [True, False]


@pytest.mark.parametrize(
    "said",
    [
        {"ECHOER_AUTH": "none"},
        {"ECHOER_INLINE_DELIVERY": "yes"},
        {"ECHOER_CALLBACKS": "maybe"},
        {"ECHOER_ADMIN_TOKEN_SHA256": "secret"},
        {"ECHOER_ADMIN_TOKEN_SHA256": "g" * 64},
        {"ECHOER_RATE": "-1"},
        {"ECHOER_SHARDS": "5"},
        {"ECHOER_SHARDS": "2"},
        {"ECHOER_SHARDS": "256"},
        {"ECHOER_RATE": "100001"},
        {"ECHOER_NAMESPACE_RATE": "many"},
        {"ECHOER_MAX_STEPS": "0"},
        {"ECHOER_KEEP": "soon"},
        {"ECHOER_DURABILITY": "disk"},
        {"ECHOER_PROCESSES": "0"},
        {"ECHOER_PROCESSES": "17"},
        {"ECHOER_PROCESSES": "2", "ECHOER_DB": ":memory:"},
        {"ECHOER_PROCESSES": "2", "ECHOER_BACKEND": "aws"},
        {"ECHOER_SECRETS_KEY": "k" * 31},
        {"ECHOER_SECRETS_KEY": "k" * 32 + " short"},
        {"ECHOER_ORIGINS": "*"},
        {"ECHOER_ORIGINS": "null"},
        {"ECHOER_ORIGINS": "https://a.example, console.example"},
        {"ECHOER_ORIGINS": "https://console.example/"},
        {"ECHOER_ORIGINS": "https://*.example"},
        {"ECHOER_ORIGINS": "https://user@console.example"},
        {"ECHOER_ORIGINS": "https://console.example:0"},
        {"ECHOER_ORIGINS": "https://console.example:65536"},
        {"ECHOER_SERVERS": "ws://flows.example"},
        {"ECHOER_NAMESPACE": "@access"},
        {"ECHOER_NAMESPACE": "a" * 64},
    ],
)
def test_settings_that_cannot_be_are_named(said: Mapping[str, str]) -> None:
    with pytest.raises(BadSetting, match=next(iter(said))):
        config.from_environment(said)


@pytest.mark.parametrize(
    ("given", "url", "setting"),
    [
        ({}, "http://127.0.0.1:8080", ""),
        ({"ECHOER_PORT": "9000"}, "http://127.0.0.1:9000", ""),
        ({"ECHOER_PUBLIC_URL": "https://flows.example/api"}, "https://flows.example/api", "ECHOER_PUBLIC_URL"),
        (
            {"ECHOER_PUBLIC_URL": "https://flows.example", "ECHOER_URL": "https://other.example"},
            "https://flows.example",
            "ECHOER_PUBLIC_URL",
        ),
        ({"ECHOER_URL": "https://flows.example"}, "https://flows.example", "ECHOER_URL"),
        ({"ECHOER_URL": "http://127.0.0.1:9000"}, "http://127.0.0.1:8080", ""),
        ({"ECHOER_URL": "http://localhost:9000/"}, "http://127.0.0.1:8080", ""),
        ({"ECHOER_URL": "flows.example"}, "http://127.0.0.1:8080", ""),
        ({"ECHOER_URL": "http://[::1"}, "http://127.0.0.1:8080", ""),
    ],
)
def test_the_server_s_own_address_is_not_that_of_the_client(given: Mapping[str, str], url: str, setting: str) -> None:
    read = config.from_environment({"ECHOER_AUTH": "iam", **given})
    assert (read.url, read.url_setting, read.has_public_url) == (url, setting, bool(setting))
    assert any("set ECHOER_PUBLIC_URL" in notice for notice in read.notices) is (setting == "ECHOER_URL")


def test_a_public_address_that_is_no_url_is_refused() -> None:
    with pytest.raises(BadSetting, match="ECHOER_PUBLIC_URL"):
        config.from_environment({"ECHOER_PUBLIC_URL": "flows.example"})


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://127.0.0.1:8080", False),
        ("http://127.0.0.1:9000", True),
        ("http://localhost", True),
        ("https://flows.example", False),
        ("http://10.0.0.7:9000", False),
    ],
)
def test_a_public_address_on_this_machine_must_have_the_port(url: str, *, warned: bool) -> None:
    notice = config.from_environment({"ECHOER_PUBLIC_URL": url}).address_notice(8080)
    assert (notice is not None) is warned
    assert notice is None or "listens on port 8080" in notice


def test_a_server_without_a_first_admin_says_how_to_get_a_token() -> None:
    (notice,) = config.from_environment({"ECHOER_AUTH": "token"}).notices
    assert "ECHOER_ADMIN_TOKEN_SHA256=" in notice
    assert "fsl token create" in notice
    assert config.from_environment({"ECHOER_AUTH": "token", "ECHOER_ADMIN_TOKEN_SHA256": sha256(FIRST)}).notices == ()


# ── fsl token ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def fsl() -> Iterator[Callable[..., Any]]:
    """Run commands on a server with tokens. The import is late: errors of `fsl` are not errors of the API."""
    from click.testing import CliRunner

    from fsl.cli.main import main
    from fsl.local.server import LocalServer

    with LocalServer(replace(GUARDED, port=0, url="http://127.0.0.1:0", db=":memory:")) as running:

        def typed(*words: str, token: str = FIRST, said: str = "") -> Any:
            environment = {"ECHOER_URL": running.url, "ECHOER_TOKEN": token}
            return CliRunner().invoke(main, words, said, env=environment, prog_name="fsl")

        yield typed


def test_the_command_makes_lists_and_revokes(fsl: Callable[..., Any]) -> None:
    text = fsl("token", "create", "ci", "--role", "viewer", "--expires-in", "30d").stdout.strip()
    assert fsl("list", token=text).exit_code == 0
    refused = fsl("token", "list", token=text)
    assert (refused.exit_code, "requires the role admin" in refused.stderr) == (1, True)
    assert fsl("token", "create", "x", "--role", "king").exit_code == 2
    told = json.loads(fsl("token", "create", "robot", "--role", "author", "--namespace", "team-a", "--json").stdout)
    assert (told["namespace"], told["token"][:4]) == ("team-a", "ech_")
    assert fsl("token", "list").stdout.splitlines()[1].split()[1:4] == ["ci", "viewer", "admin"]
    listed = json.loads(fsl("token", "list", "--namespace", "team-a", "--json").stdout)
    assert [one["name"] for one in listed] == ["robot"]
    token_id = text.split("_")[1]
    assert fsl("token", "revoke", token_id).stdout == f"token {token_id} (ci) was revoked\n"
    assert fsl("token", "revoke", told["id"]).exit_code == 1
    assert fsl("list", token=text).exit_code == 1


def test_the_command_sets_lists_and_deletes_secrets(fsl: Callable[..., Any]) -> None:
    """A value is read from a pipe, and is never shown."""
    assert fsl("secret", "set", "team.ci-token", said="t0p\n").stdout == "secret team.ci-token was set\n"
    told = [fsl("secret", "list"), fsl("secret", "list", "--json"), fsl("secret", "set", "x", "--json", said="t0p")]
    assert told[0].stdout.splitlines()[1].split()[::4] == ["team.ci-token", "admin"]
    assert json.loads(told[1].stdout)[0].keys() == {"name", "set_at", "set_by"}
    assert not any("t0p" in one.stdout + one.stderr for one in told)
    assert fsl("secret", "set", "empty", said="\n").exit_code == 1
    author = fsl("token", "create", "a", "--role", "author").stdout.strip()
    assert [
        fsl("secret", "list", token=author).exit_code,
        fsl("secret", "set", "x", token=author, said="y").exit_code,
    ] == [0, 1]
    assert fsl("secret", "list", "--namespace", "team-a", "--json").stdout.strip() == "[]"
    assert fsl("secret", "delete", "team.ci-token").stdout == "secret team.ci-token was deleted\n"
    assert fsl("secret", "delete", "team.ci-token").exit_code == 1
