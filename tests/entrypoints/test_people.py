"""People: the role `clerk`, the inbox, signed links, and who may answer what."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from msgspec.structs import replace

from chalicelib import hosting
from chalicelib.config import Access, Settings
from chalicelib.entrypoints.http.task_page import MAX_NOTE_CHARACTERS
from chalicelib.hosting import assemble
from chalicelib.model.step_token import StepToken
from chalicelib.service.security.roles import Role
from chalicelib.service.security.task_links import TaskLink
from tests.entrypoints.gateway import Reply, call
from tests.entrypoints.test_access import ADMIN, GUARDED, bearer, made, under
from tests.hosts import Host

FLOW = """action ask method = human; args = (str doc, secret str pin); return = (YES | NO); action_end
/
action pay addr = "http://pay.test/"; args = (int x); return = (PAID | REJECT); approval = required; action_end
/
action work addr = "http://work.test/"; return = (OK); action_end
/
flow asks
    input = (str doc = "d-1", secret str pin);
    step Work => (OK -> Ask) { action = work; };
    deci Ask => (YES -> Pay | NO -> stopped | TIMEOUT -> stopped) {
        action = ask; args = (doc = ${ $input.doc }, pin = ${ $input.pin });
    };
    step Pay => (PAID -> done | REJECT -> stopped | ERROR -> stopped) { action = pay; args = (x = 5); };
flow_end"""

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def guarded(host: Host) -> Host:
    return under(host, GUARDED)


def asked(name: str = "r", doc: str = "d-1", **labels: Any) -> dict[str, Any]:
    """Start a run in which a service has answered; return the answer that a person may give next."""
    assert call("POST", "/fsl", FLOW, headers=ADMIN).status == 200
    body = {"name": name, "input": {"doc": doc, "pin": "s3cret-pin"}, "labels": labels}
    assert call("POST", "/flow/asks/runs", body, headers=ADMIN).status == 201
    assert call("POST", "/step", answer_to("Work", "OK", name)).json == {"outcome": "advanced"}
    return answer_to("Ask", "YES", name)


def answer_to(step: str, state: str, name: str = "r") -> dict[str, Any]:
    run = call("GET", f"/flowrun/{name}", headers=ADMIN).json
    (uuid,) = (token["uuid"] for token in run["spec"]["tokens"] if token["step"] == step)
    return {"flowId": name, "stepName": step, "uuid": uuid, "ackState": state, "done": True}


def inbox(query: str = "", headers: dict[str, str] = ADMIN) -> list[dict[str, Any]]:
    reply = call("GET", f"/task{query}", headers=headers)
    assert reply.status == 200, reply.text
    found: list[dict[str, Any]] = reply.json
    return found


def path_of(url: str) -> str:
    return urlsplit(url).path


def confirmed(url: str, **fields: str) -> Reply:
    """Send the form of the confirmation page."""
    return call("POST", path_of(url), urlencode({"confirm": "yes", **fields}), headers=FORM)


def state_of(name: str = "r") -> tuple[str, str]:
    run = call("GET", f"/flowrun/{name}", headers=ADMIN).json
    return run["spec"]["current_state"], run["spec"]["status"]


# ── who may answer what ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_person_s_answer_needs_a_token_and_never_the_bare_uuid(guarded: Host) -> None:
    answer = asked()
    reply = call("POST", "/step", answer)
    assert (reply.status, reply.code, reply.headers["WWW-Authenticate"]) == (401, "unauthorized", "Bearer")
    token = StepToken("default", "r", answer["uuid"]).encode()
    assert call("POST", f"/step/{token}", {"ackState": "YES"}).status == 401
    assert call("POST", "/step", {**answer, "done": False}).status == 401
    assert state_of() == ("Ask", "running")
    assert call("POST", "/step", answer, headers=bearer(made(Role.CLERK))).json == {"outcome": "advanced"}


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.VIEWER, 403), (Role.ACTION, 403), (Role.CLERK, 200), (Role.OPERATOR, 200), (Role.ADMIN, 200)],
)
@pytest.mark.parametrize("by_token", [False, True])
def test_people_answer_tasks_with_a_role_for_it(guarded: Host, role: Role, status: int, *, by_token: bool) -> None:
    answer = asked()
    headers = bearer(made(role))
    token = StepToken("default", "r", answer["uuid"]).encode()
    reply = call("POST", f"/step/{token}", {"ackState": "YES"}, headers=headers)
    if not by_token:
        reply = call("POST", "/step", answer, headers=headers)
    assert reply.status == status, reply.text


def test_a_clerk_approves_and_does_not_answer_for_the_service(guarded: Host) -> None:
    call("POST", "/step", asked(), headers=ADMIN)
    clerk = bearer(made(Role.CLERK))
    approval = answer_to("Pay", "APPROVE")
    assert call("POST", "/step", approval).status == 401
    assert call("POST", "/step", approval, headers=bearer(made(Role.ACTION))).status == 403
    assert call("POST", "/step", approval, headers=clerk).json == {"outcome": "advanced"}
    paid = answer_to("Pay", "PAID")
    assert paid["uuid"] == approval["uuid"]
    reply = call("POST", "/step", paid, headers=clerk)
    assert (reply.status, reply.code) == (403, "forbidden")
    assert "answered by an action service" in reply.json["message"]
    assert call("POST", "/step", paid).json == {"outcome": "advanced"}
    for repeated in (approval, paid):  # either may have been the last answer of that activation
        assert call("POST", "/step", repeated, headers=clerk).json == {"outcome": "duplicate"}
        assert call("POST", "/step", repeated).json == {"outcome": "duplicate"}


def test_ended_activations_tell_no_more_than_waiting_ones(guarded: Host) -> None:
    answer = asked()
    call("POST", "/step", answer, headers=ADMIN)
    assert call("POST", "/step", answer).status == 401
    clerk = bearer(made(Role.CLERK))
    assert call("POST", "/step", answer, headers=clerk).json == {"outcome": "duplicate"}
    run = call("GET", "/flowrun/r/history", headers=ADMIN).json
    uuid = next(entry["uuid"] for entry in run if entry["step"] == "Work" and entry["uuid"])
    work = {**answer, "stepName": "Work", "uuid": uuid, "ackState": "OK"}
    assert call("POST", "/step", work, headers=clerk).status == 403
    assert call("POST", "/step", work).json == {"outcome": "duplicate"}


def test_tokens_for_callbacks_change_nothing_for_people(host: Host) -> None:
    under(host, GUARDED)
    answer = asked()
    under(host, replace(GUARDED, callbacks=Access.TOKEN))
    assert call("POST", "/step", answer).status == 401
    assert call("POST", "/step", answer, headers=bearer(made(Role.ACTION))).status == 403
    assert call("POST", "/step", answer, headers=bearer(made(Role.CLERK))).json == {"outcome": "advanced"}


def test_without_authentication_the_uuid_is_enough(host: Host) -> None:
    assert call("POST", "/step", asked()).json == {"outcome": "advanced"}


def test_aws_s_sdk_answers_no_task_without_a_token(guarded: Host) -> None:
    token = StepToken("default", "r", asked()["uuid"]).encode()

    def send(request: Any, **_: Any) -> Any:
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        headers = {
            name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()
        }
        reply = call("POST", "/", body, headers=headers)
        from botocore.awsrequest import AWSResponse

        class Raw:
            def stream(self, *_: Any, **__: Any) -> Any:
                yield reply.text.encode()

        return AWSResponse(request.url, reply.status, reply.headers, Raw())

    client = boto3.client(
        "stepfunctions",
        endpoint_url="https://api.test",
        region_name="eu-west-1",
        aws_access_key_id="k",
        aws_secret_access_key="s",
        config=Config(retries={"max_attempts": 0}),
    )
    client.meta.events.register("before-send.sfn.*", send)
    with pytest.raises(ClientError, match="AccessDeniedException"):
        client.send_task_success(taskToken=token, output="{}")
    assert state_of() == ("Ask", "running")


# ── GET /me ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("role", list(Role))
def test_everyone_learns_what_they_may_do(guarded: Host, role: Role) -> None:
    headers = bearer(made(role, "team-a", name="alice", expires_in="30d"))
    me = call("GET", "/me", headers=headers).json
    calls = me.pop("calls")
    assert me == {
        "by": "token alice",
        "role": role,
        "namespace": "team-a",
        "bound": True,
        "auth": "token",
        "expires_at": "2027-02-14T08:00:00.000Z",
        "version": me["version"],
        "callbacks": "open",
        "limits": {"answer": 6_225_920, "value": 5_242_880},
    }
    assert {"GET /me", "GET /healthz"} <= set(calls)
    assert ("GET /task" in calls) is (role is not Role.ACTION)
    assert ("GET /flowrun" in calls) is (role not in (Role.ACTION, Role.CLERK))
    assert ("POST /step" in calls) is (role is not Role.VIEWER)
    assert ("POST /token" in calls) is (role is Role.ADMIN)


def test_the_first_admin_may_name_a_namespace(guarded: Host) -> None:
    me = call("GET", "/me", headers=bearer(ADMIN["Authorization"].removeprefix("Bearer "), X_Echoer_Namespace="b")).json
    assert (me["by"], me["role"], me["namespace"], me["bound"]) == ("admin", "admin", "b", False)
    assert me["expires_at"] is None
    assert call("GET", "/me").status == 401


def test_the_open_server_says_so(host: Host) -> None:
    me = call("GET", "/me").json
    assert (me["by"], me["role"], me["namespace"], me["bound"], me["auth"]) == (
        "api",
        "admin",
        "default",
        False,
        "open",
    )


def test_callers_with_aws_signatures_are_admins(host: Host) -> None:
    under(host, Settings(auth=Access.IAM, callbacks=Access.TOKEN))
    me = call("GET", "/me", arn="arn:aws:iam::1:user/ann").json
    assert (me["by"], me["role"], me["auth"], me["callbacks"]) == ("arn:aws:iam::1:user/ann", "admin", "iam", "token")
    assert call("GET", "/me").status == 401


# ── the inbox ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_clerk_reads_the_inbox_and_nothing_else(guarded: Host) -> None:
    asked(shop="north")
    clerk = bearer(made(Role.CLERK))
    (task,) = inbox(headers=clerk)
    assert (task["flow"], task["labels"], task["kind"]) == ("asks", {"shop": "north"}, "task")
    assert task["routes"] == {"YES": "Pay", "NO": "stopped", "TIMEOUT": "stopped"}
    assert task["args"]["doc"] == "d-1"
    assert call("GET", "/flowrun/r", headers=clerk).status == 403


FILTERS: list[tuple[str, list[str]]] = [
    ("", ["a", "b", "c"]),
    ("?flow=asks", ["a", "b", "c"]),
    ("?flow=other", []),
    ("?label=shop:north", ["a", "b"]),
    ("?label=shop:north&label=urgent:true", ["b"]),
    ("?label=shop:south", []),
    ("?kind=approval", ["c"]),
    ("?kind=task", ["a", "b"]),
    ("?action=pay", ["c"]),
    ("?stepName=Ask", ["a", "b"]),
    ("?flowId=b", ["b"]),
    ("?flowId=none", []),
    ("?due_before=2027-02-14T08:00:30Z", ["a"]),
    ("?order=deadline", ["c", "a", "b"]),
    ("?order=deadline&due_before=2027-02-14T08:00:30Z", ["c", "a"]),
]


@pytest.fixture
def three(guarded: Host) -> Host:
    """Three runs: `a` and `b` wait for an answer, `c`, whose deadline is the soonest, for an approval."""
    for name, labels in (("a", {"shop": "north"}), ("b", {"shop": "north", "urgent": True}), ("c", {})):
        asked(name, **labels)
        guarded.clock.advance(60_000)
    call("POST", "/step", answer_to("Ask", "YES", "c"), headers=ADMIN)
    return guarded


@pytest.mark.parametrize(("query", "names"), FILTERS)
def test_the_inbox_is_filtered(three: Host, query: str, names: list[str]) -> None:
    if query.startswith("?due_before"):
        names = [*names, "c"]  # an approval has the timeout of its action: seven days
    assert [task["flowId"] for task in inbox(query)] == names


@pytest.mark.parametrize("order", ["", "&order=since", "&order=deadline"])
def test_the_inbox_is_read_in_pages(three: Host, order: str) -> None:
    whole = [task["uuid"] for task in inbox(f"?limit=10{order}")]
    found, cursor = list[str](), ""
    for _ in range(4):
        reply = call("GET", f"/task?limit=1{order}{cursor}", headers=ADMIN)
        found += [task["uuid"] for task in reply.json]
        if "x-next-cursor" not in reply.headers:
            break
        cursor = f"&cursor={reply.headers['x-next-cursor']}"
    assert found == whole


@pytest.mark.parametrize(
    "query",
    ["order=name", "kind=person", "due_before=soon", "label=north", "cursor=x", "limit=0", "label=a:1&label=b"],
)
def test_a_filter_of_the_wrong_form_is_a_400(three: Host, query: str) -> None:
    assert call("GET", f"/task?{query}", headers=ADMIN).status == 400


def test_a_cursor_belongs_to_its_order(three: Host) -> None:
    cursor = call("GET", "/task?limit=1", headers=ADMIN).headers["x-next-cursor"]
    assert call("GET", f"/task?order=deadline&cursor={cursor}", headers=ADMIN).status == 400


def test_large_args_end_a_page_early_and_block_nothing(guarded: Host) -> None:
    for name in ("a", "b", "c"):
        asked(name, doc="x" * 1_500_000)
        guarded.clock.advance(1)
    reply = call("GET", "/task", headers=ADMIN)
    (task,) = reply.json
    assert (task["flowId"], task["args"]["pin"]) == ("a", "***")
    shown = task["args"]["doc"]
    assert shown["$ref"] == f"/flowrun/a/activation/{task['uuid']}"
    assert (shown["bytes"], shown["preview"][:3]) == (1_500_002, '"xx')
    stored = call("GET", shown["$ref"], headers=ADMIN).json["args"]["doc"]
    assert call("GET", stored["$ref"], headers=ADMIN).json == "x" * 1_500_000
    rest = call("GET", f"/task?cursor={reply.headers['x-next-cursor']}", headers=ADMIN)
    assert [task["flowId"] for task in rest.json] == ["b"]


def test_a_task_with_more_than_a_response_can_hold_is_listed(guarded: Host) -> None:
    names = ", ".join(f"str a{number}" for number in range(4))
    args = ", ".join(f"a{number} = ${{ $input.doc }}" for number in range(4))
    defined = f"""action many method = human; args = ({names}); return = (OK); action_end
    /
    flow many
        input = (str doc);
        step M => (OK -> done | TIMEOUT -> stopped) {{ action = many; args = ({args}); }};
    flow_end"""
    assert call("POST", "/fsl", defined, headers=ADMIN).status == 200
    body = {"name": "m", "input": {"doc": "y" * 4_000_000}}
    assert call("POST", "/flow/many/runs", body, headers=ADMIN).status == 201
    (task,) = inbox()
    assert {shown["bytes"] for shown in task["args"].values()} == {4_000_002}
    page = call("GET", path_of(task["links"]["OK"]["page"]))
    assert (page.status, len(page.text) < 50_000) == (200, True)


# ── signed links ─────────────────────────────────────────────────────────────────────────────────────────────────────


def links(state: str = "YES", **given: Any) -> dict[str, str]:
    found: dict[str, str] = inbox(**given)[0]["links"][state]
    return found


def test_each_state_has_two_links_for_those_who_may_answer(guarded: Host) -> None:
    asked()
    for role in (Role.CLERK, Role.OPERATOR):
        (task,) = inbox(headers=bearer(made(role)))
        assert set(task["links"]) == {"YES", "NO"}
        for both in task["links"].values():
            assert both["answer"] == f"{both['page']}/answer"
            assert both["page"].startswith("http://127.0.0.1:8080/task/")
    assert inbox(headers=bearer(made(Role.VIEWER)))[0]["links"] == {}


def test_the_page_asks_and_only_its_form_answers(guarded: Host) -> None:
    asked()
    both = links()
    for _ in range(2):
        page = call("GET", path_of(both["page"]))
        assert page.status == 200
    assert state_of() == ("Ask", "running")
    assert "Your answer: <strong>YES</strong>" in page.text
    assert (m := re.search(r'<form method="post" action="([^"]+)">', page.text))
    assert f"/task/{html.unescape(m[1])}" == path_of(both["answer"])
    assert call("GET", path_of(both["answer"])).status == 405
    assert call("POST", path_of(both["page"])).status == 405
    reply = confirmed(both["answer"], note="as agreed & <b>signed</b>")
    assert (reply.status, "was recorded" in reply.text) == (200, True)
    assert state_of()[0] == "Pay"
    entry = next(e for e in call("GET", "/flowrun/r/history", headers=ADMIN).json if e["step"] == "Ask" and e["state"])
    assert (entry["by"], entry["data"]) == ("signed link", {"note": "as agreed & <b>signed</b>"})


def test_the_page_loads_nothing_runs_nothing_and_is_kept_by_no_cache(guarded: Host) -> None:
    hostile = '<img src=x onerror=alert(1)>"\u202egnp.exe'
    asked(doc=hostile)
    page = call("GET", path_of(links()["page"]))
    assert "<img" not in page.text
    assert "\u202e" not in page.text
    assert "\\u202e" in page.text
    assert not any(
        word in page.text for word in ("<script", 'src=x onerror=alert(1)>"', "http://", "https://", "@import")
    )
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert (page.headers["Cache-Control"], page.headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
    assert page.headers["Referrer-Policy"] == "same-origin"


def test_the_page_shows_no_secret(guarded: Host) -> None:
    asked()
    page = call("GET", path_of(links()["page"])).text
    assert "s3cret-pin" not in page
    assert "***" in page


def test_an_approval_has_links(guarded: Host) -> None:
    call("POST", "/step", asked(), headers=ADMIN)
    reject = links("REJECT")
    assert "Approve this request?" in call("GET", path_of(reject["page"])).text
    assert confirmed(links("APPROVE")["answer"]).status == 200
    late = confirmed(reject["answer"])  # the service, which waits now, has a state of that name
    assert (late.status, "Already answered" in late.text) == (200, True)
    assert state_of() == ("Pay", "running")
    assert "Already answered" in call("GET", path_of(reject["page"])).text


def test_a_second_answer_finds_a_friendly_page(guarded: Host) -> None:
    asked()
    yes, no = links()["answer"], links("NO")["answer"]
    assert "was recorded" in confirmed(yes).text
    for url in (yes, no):
        reply = confirmed(url)
        assert (reply.status, "Already answered" in reply.text) == (200, True)


def test_a_link_expires_with_its_task(guarded: Host) -> None:
    asked()
    both = links()
    guarded.clock.advance(30 * 86_400_000 - 1)
    assert call("GET", path_of(both["page"])).status == 200
    guarded.clock.advance(1)
    for reply in (call("GET", path_of(both["page"])), confirmed(both["answer"])):
        assert (reply.status, "has expired" in reply.text) == (410, True)
        assert reply.headers["Content-Type"].startswith("text/html")
    assert state_of() == ("Ask", "running")


def test_a_deleted_run_is_no_error(guarded: Host) -> None:
    asked()
    both = links()
    call("POST", "/flowrun/r/stop", headers=ADMIN)
    assert "Already answered" in call("GET", path_of(both["page"])).text
    call("DELETE", "/flowrun/r", headers=ADMIN)
    assert "Already answered" in confirmed(both["answer"]).text


def _changed_at(place: int) -> Callable[[str], str]:
    def change(text: str) -> str:
        at = place if place >= 0 else len(text) + place
        return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]

    return change


def _of_state(state: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        payload, _, mac = text.partition(".")
        raw = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).replace(b'"YES"', f'"{state}"'.encode())
        return f"{base64.urlsafe_b64encode(raw).rstrip(b'=').decode()}.{mac}"

    return change


@pytest.mark.parametrize(
    "change",
    [
        _changed_at(3),
        _changed_at(-3),
        _of_state("NO"),
        lambda text: text[:-1],
        lambda text: text.partition(".")[0],
        lambda text: text.partition(".")[0] + ".",
        lambda _: "x",
        lambda text: text.replace(".", "..", 1),
        lambda _: "é",
        lambda text: text + "A" * 8_192,
    ],
)
def test_a_changed_link_is_forged(guarded: Host, change: Callable[[str], str]) -> None:
    asked()
    text = path_of(links()["page"]).removeprefix("/task/")
    for reply in (call("GET", f"/task/{change(text)}"), confirmed(f"/task/{change(text)}/answer")):
        assert reply.status in (400, 403)
        assert "No answer was recorded" in reply.text
    assert state_of() == ("Ask", "running")


def test_the_webhook_secret_of_a_service_signs_no_link(guarded: Host) -> None:
    """A server with the same settings and another store has other keys: a setting alone is not enough."""
    answer = asked()
    other = assemble(GUARDED, Host().services.adapters)
    links()
    link = TaskLink("default", "r", "Ask", answer["uuid"], "YES", 1 << 50)
    assert call("GET", f"/task/{other.task_links.sign(link)}").status == 403


def test_a_store_alone_signs_no_link(guarded: Host) -> None:
    answer = asked()
    links()
    other = assemble(replace(GUARDED, webhook_key="another key"), guarded.services.adapters)
    link = TaskLink("default", "r", "Ask", answer["uuid"], "YES", 1 << 50)
    assert call("GET", f"/task/{other.task_links.sign(link)}").status == 403


def test_links_survive_the_rotation_of_the_key_and_another_container(guarded: Host) -> None:
    asked()
    both = links()
    rotated = assemble(replace(GUARDED, webhook_key=f"new,{GUARDED.webhook_key}"), guarded.services.adapters)
    hosting.use(rotated)
    assert call("GET", path_of(both["page"])).status == 200
    hosting.use(assemble(replace(GUARDED, webhook_key="new"), guarded.services.adapters))
    assert call("GET", path_of(both["page"])).status == 403


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ("confirm=yes", {}),
        ('{"confirm": "yes"}', {"Content-Type": "application/json"}),
        ("", FORM),
        ("confirm=no", FORM),
        ("confirm=yes&confirm=yes", FORM),
        ("&".join("confirm=yes" for _ in range(20)), FORM),
        (f"confirm=yes&note={'x' * (MAX_NOTE_CHARACTERS + 1)}", FORM),
        ("confirm=yes&note=%ff", FORM),
    ],
)
def test_only_the_form_of_the_page_answers(guarded: Host, body: str, headers: dict[str, str]) -> None:
    asked()
    reply = call("POST", path_of(links()["answer"]), body, headers=headers)
    assert (reply.status, "No answer was recorded" in reply.text) == (400, True)
    assert state_of() == ("Ask", "running")


def test_the_audit_names_the_run_and_never_the_link(guarded: Host, caplog: pytest.LogCaptureFixture) -> None:
    asked()
    both = links()
    caplog.clear()
    confirmed(both["answer"])
    (record,) = (one for one in caplog.records if one.name == "echoer.audit")
    assert "'signed link' in default: POST /task/{link}/answer ['r', 'Ask', 'YES']: 200" in record.getMessage()
    assert path_of(both["page"]).removeprefix("/task/") not in caplog.text


def test_links_work_on_an_open_server(host: Host) -> None:
    asked()
    assert "was recorded" in confirmed(links(headers={})["answer"]).text


GATEWAY = {"domainName": "abc.execute-api.eu-west-1.amazonaws.com", "path": "/api/task"}


@pytest.mark.parametrize(
    ("settings", "context", "begins"),
    [
        (replace(GUARDED, on_lambda=True), GATEWAY, "https://abc.execute-api.eu-west-1.amazonaws.com/api/task/"),
        (
            replace(GUARDED, on_lambda=True),
            {"domainName": "flows.example", "path": "/task"},
            "https://flows.example/task/",
        ),
        (replace(GUARDED, on_lambda=True), {}, "http://127.0.0.1:8080/task/"),
        (GUARDED, GATEWAY, "http://127.0.0.1:8080/task/"),
        (
            replace(GUARDED, on_lambda=True, url="https://own.example/x/", url_setting="ECHOER_PUBLIC_URL"),
            GATEWAY,
            "https://own.example/x/task/",
        ),
    ],
)
def test_links_lead_to_the_server_s_own_address(
    host: Host, settings: Settings, context: dict[str, str], begins: str
) -> None:
    under(host, settings)
    asked()
    reply = call("GET", "/task", headers=ADMIN, context=context)
    assert reply.json[0]["links"]["YES"]["page"].startswith(begins)
