"""Versions of definitions, differences of flows, and their schemas, over HTTP."""

from __future__ import annotations

from chalicelib.config import Access, Backend, Settings
from chalicelib.service.details.definitions import MAX_READ_DEFINITIONS
from chalicelib.service.security.tokens import sha256
from tests.entrypoints.flows import TWO, WORK
from tests.entrypoints.gateway import call
from tests.entrypoints.steps import defined
from tests.hosts import Host

CHANGED = """flow two
    timeout = 2h;
    step A => (OK -> C | FAIL -> stopped | else -> A) { action = work; args = (times = 5); };
    step C => (OK -> done | FAIL -> stopped) { action = other; args = (order = "o"); timeout = 1m; };
flow_end"""
OTHER = 'action other addr = "http://other.test/"; args = (str order); return = (OK | FAIL); action_end'


def test_versions_are_listed_newest_first_with_who_made_them(host: Host) -> None:
    token = "an admin's token that is long enough for it"
    settings = Settings(backend=Backend.MEMORY, auth=Access.TOKEN, admin_token_sha256=sha256(token))
    host.rebuild(settings)
    headers = {"Authorization": f"Bearer {token}"}
    for text in (WORK, TWO, OTHER, CHANGED):
        host.clock.advance(1_000)
        assert call("POST", "/fsl", text, headers=headers).status == 200
    found = call("GET", "/flow/two/versions", headers=headers)
    assert [one["version"] for one in found.json] == [2, 1]
    assert all(one["created_by"] for one in found.json)
    assert found.json[0]["created_at"] > found.json[1]["created_at"]
    assert found.json[0]["uuid"] == found.json[1]["uuid"]
    assert call("GET", "/action/other/versions", headers=headers).json[0]["version"] == 1


def test_versions_are_paged(host: Host) -> None:
    defined(OTHER)
    for number in range(5):
        defined(OTHER.replace("other.test", f"other{number}.test"))
    page = call("GET", "/action/other/versions?limit=4")
    assert [one["version"] for one in page.json] == [6, 5, 4, 3]
    rest = call("GET", f"/action/other/versions?limit=4&cursor={page.headers['x-next-cursor']}")
    assert [one["version"] for one in rest.json] == [2, 1]
    assert "x-next-cursor" not in rest.headers
    assert call("GET", "/flow/none/versions").status == 404


def test_a_difference_names_steps_routes_actions_and_settings(host: Host) -> None:
    defined(WORK, OTHER, TWO)
    defined(CHANGED)
    found = call("GET", "/flow/two/diff?from=1&to=2").json
    assert (found["from"], found["to"]) == (1, 2)
    assert [one["step"] for one in found["steps"]["added"]] == ["C"]
    assert [one["step"] for one in found["steps"]["removed"]] == ["B"]
    (changed,) = found["steps"]["changed"]
    assert changed["step"] == "A"
    assert changed["routes"] == {"added": ["OK -> C", "else -> A"], "removed": ["OK -> B"]}
    assert changed["settings"] == [{"name": "args.times", "before": 2, "after": 5}]
    assert {"step": "C", "route": "OK -> done"} in found["routes"]["added"]
    assert {"step": "B", "route": "OK -> done"} in found["routes"]["removed"]
    assert found["actions"] == {"added": ["other"], "removed": []}
    settings = [one for one in found["settings"] if one["name"] != "input"]
    assert settings == [{"name": "timeout", "before": None, "after": 7_200_000}]
    assert "-    step B => (OK -> done | FAIL -> stopped)" in found["text"]
    assert call("GET", "/flow/two/diff").json == found
    assert call("GET", "/flow/two/diff?from=2&to=2").json["steps"] == {"added": [], "removed": [], "changed": []}
    assert call("GET", "/flow/two/diff?from=1&to=9").status == 404


def test_the_first_version_differs_from_nothing(host: Host) -> None:
    defined(WORK, TWO)
    found = call("GET", "/flow/two/diff").json
    assert (found["from"], found["to"], found["text"]) == (1, 1, "")


def test_a_flow_has_schemas_of_its_input_events_and_actions(host: Host) -> None:
    defined(
        OTHER,
        "action ask method = human; args = (str what = null); return = (YES | NO); action_end",
        "event paid args = (str order, float amount); event_end",
        """flow f
            input = (str order, int n = 3);
            step A => (OK -> B | FAIL -> stopped) { action = other; args = (order = ${ $input.order }); };
            deci B => (YES -> W | NO -> stopped) { action = ask; };
            wait W => (PAID -> done) { events = (PAID = "paid"); timeout = 1d; };
        flow_end""",
    )
    found = call("GET", "/flow/f/schema").json
    assert found["input"]["properties"] == {"order": {"type": "string"}, "n": {"type": "integer", "default": 3}}
    assert found["input"]["required"] == ["order"]
    assert found["events"]["paid"]["properties"]["amount"] == {"type": "number"}
    sent = found["actions"]["other"]["sent"]
    assert sent["properties"]["order"] == {"type": "string"}
    assert {"order", "uuid", "callbackUrl", "ackStates"} <= set(sent["required"])
    assert found["actions"]["other"]["answers"]["properties"]["ackState"] == {"enum": ["OK", "FAIL", "ERROR"]}
    assert found["actions"]["ask"]["states"] == ["YES", "NO"]
    assert call("GET", "/flow/none/schema").status == 404


# ── expect ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_document_is_submitted_if_versions_are_as_expected(host: Host) -> None:
    defined(WORK, TWO)
    other = WORK.replace("work.test", "other.test")
    stale = call("POST", "/fsl?expect=action:work@2&expect=flow:two@1", other)
    assert (stale.status, stale.code) == (409, "changed")
    assert [(one["kind"], one["name"], one["version"]) for one in stale.json["error"]["found"]] == [
        ("action", "work", 1)
    ]
    assert stale.json["error"]["found"][0]["at"] is not None
    assert call("POST", "/fsl?expect=action:work@2&dry_run=true", other).status == 409
    assert call("GET", "/action/work").json["metadata"]["version"] == 1
    assert call("POST", "/fsl?expect=action:work@1&expect=flow:two@1&expect=flow:new@0", other).status == 200
    assert call("POST", "/fsl?expect=action:work@1", other).status == 409
    assert call("POST", "/fsl?expect=flow:new@1", other).json["error"]["found"][0] == {
        "kind": "flow", "name": "new", "version": 0, "by": "", "at": None,
    }  # fmt: skip


def test_a_deleted_definition_has_version_0(host: Host) -> None:
    defined(WORK)
    assert call("DELETE", "/action/work").status == 200
    assert call("POST", "/fsl?expect=action:work@1", WORK).status == 409
    assert call("POST", "/fsl?expect=action:work@0", WORK).status == 200


def test_a_wrong_expectation_is_malformed(host: Host) -> None:
    for wrong in ("work@1", "action:work", "action:@1", "thing:work@1", "action:work@x"):
        assert call("POST", f"/fsl?expect={wrong}", WORK).code == "malformed", wrong


def test_what_uses_a_definition(host: Host) -> None:
    host.submit(
        'action a addr = "http://a.test"; args = (str x); return = (OK); action_end\n/\n'
        'flow inner step A => (OK -> done) { action = a; args = (x = "1"); }; flow_end\n/\n'
        "flow outer call I => (DONE -> done) { flow = inner; }; flow_end\n/\n"
        'hook pager addr = "http://a.test"; on = (run.failed); flow = inner; hook_end\n/\n'
        'schedule nightly flow = outer; cron = "0 2 * * *"; schedule_end'
    )
    users = {"kind": "flow", "name": "inner", "version": 1}
    assert call("GET", "/action/a/used_by").json == {"used_by": [users], "complete": True}
    assert [(one["kind"], one["name"]) for one in call("GET", "/flow/inner/used_by").json["used_by"]] == [
        ("flow", "outer"),
        ("hook", "pager"),
    ]
    assert [one["name"] for one in call("GET", "/flow/outer/used_by").json["used_by"]] == ["nightly"]
    assert call("GET", "/flow/none/used_by").status == 404


def test_users_are_searched_among_so_many_definitions(host: Host) -> None:
    names = [f"f{number:04}" for number in range(MAX_READ_DEFINITIONS + 1)]
    for first in range(0, len(names), 90):
        texts = (f"flow {name} set S => (DONE -> done); flow_end" for name in names[first : first + 90])
        host.submit("\n/\n".join(texts))
    found = call("GET", "/flow/f0000/used_by").json
    assert found == {"used_by": [], "complete": False}
