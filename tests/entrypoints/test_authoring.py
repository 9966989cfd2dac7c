"""Calls for editors: what a text means, and plays."""

from __future__ import annotations

from chalicelib.authoring.edit.operations import MAX_OPERATIONS
from tests.entrypoints.gateway import call
from tests.hosts import Host

TEXT = """# how an order is paid
action pay addr = "https://pay.example/"; args = (float amount); return = (PAID | FAILED); action_end
/
flow order
    input = (float amount);
    step Pay => (PAID -> done | FAILED -> Ask) { action = pay; args = (amount = ${ $input.amount }); };
    step Ask => (PAID -> done | FAILED -> stopped) { action = pay; args = (amount = 1.0); };
flow_end
"""


def test_a_text_is_analyzed_without_being_stored(host: Host) -> None:
    found = call("POST", "/analyze", {"text": TEXT, "layout": True}).json
    assert found["diagnostics"] == []
    assert [(one["kind"], one["name"], one["change"]) for one in found["statements"]] == [
        ("action", "pay", "created"),
        ("flow", "order", "created"),
    ]
    assert [TEXT[one["name_span"][0] : one["name_span"][1]] for one in found["steps"]] == ["Pay", "Ask"]
    assert [one["line"] for one in found["steps"]] == [6, 7]
    assert found["graphs"]["order"]["layout"]["boxes"]
    assert found["explain"]["order"][0]["retry"] == {
        "value": "3 deliveries, 1s apart, times 2, up to 5m",
        "by": "default",
    }
    assert found["formatted"].startswith("# how an order is paid")
    assert call("GET", "/flow/order").status == 404


def test_what_can_be_read_of_a_wrong_text_is_analyzed(host: Host) -> None:
    text = TEXT.replace("FAILED -> Ask", "FAILED -> Aks")
    found = call("POST", "/analyze", {"text": text}).json
    assert [one["code"] for one in found["diagnostics"] if one["severity"] == "error"] == ["FSL204"]
    assert [one["title"] for one in found["fixes"]] == ["Change to Ask"]
    fix = found["fixes"][0]
    assert text[: fix["span"][0]] + fix["insert"] + text[fix["span"][1] :] == TEXT
    assert {one["change"] for one in found["statements"]} == {None}
    assert [one["name"] for one in found["steps"]] == ["Pay", "Ask"]
    broken = call("POST", "/analyze", {"text": TEXT.replace("=> (PAID", "=> PAID", 1)}).json
    assert broken["formatted"] is None
    assert broken["diagnostics"]


def test_words_and_a_hover_text_are_offered_for_a_place(host: Host) -> None:
    host.submit('action ship addr = "http://ship.test/"; return = (SENT); action_end')
    text = TEXT.replace("{ action = pay; args = (amount = 1.0); }", "{ action = ; }")
    line = text.splitlines()[6]
    found = call("POST", "/analyze", {"text": text, "at": {"line": 7, "column": line.index("= ;") + 3}}).json
    assert {one["label"] for one in found["offers"]} >= {"pay", "ship"}
    found = call("POST", "/analyze", {"text": TEXT, "at": {"line": 6, "column": 10}}).json
    assert "Pay" in found["hover"]["markdown"]


def test_the_inputs_of_a_flow_are_listed_with_their_types(host: Host) -> None:
    text = 'flow f input = (str a, secret str b = null, list c = [1, "x"]); set S => (); flow_end'
    whole = "flow g input = map; set S => (); flow_end"
    found = call("POST", "/analyze", {"text": f"{text}\n/\n{whole}"}).json
    assert found["inputs"] == {
        "f": [
            {"name": "a", "type": "str", "required": True, "secret": False},
            {"name": "b", "type": "str", "required": False, "secret": True, "default": None},
            {"name": "c", "type": "list", "required": False, "secret": False, "default": [1, "x"]},
        ],
        "g": [{"name": "", "type": "map", "required": True, "secret": False}],
    }


def test_the_name_at_a_place_has_its_definition_and_all_its_places(host: Host) -> None:
    column = TEXT.splitlines()[5].index("Ask") + 1
    found = call("POST", "/analyze", {"text": TEXT, "at": {"line": 6, "column": column}}).json["symbol"]
    assert (found["kind"], found["name"]) == ("step", "Ask")
    assert TEXT[slice(*found["definition"])] == "Ask"
    assert TEXT[found["definition"][0] - 5 :].startswith("step Ask")
    assert found["span"] in found["places"]
    assert len(found["places"]) == 2
    assert call("POST", "/analyze", {"text": TEXT, "at": {"line": 1, "column": 1}}).json["symbol"] is None


def test_a_flow_is_edited_without_being_stored(host: Host) -> None:
    host.submit('action tell addr = "http://tell.test/"; return = (TOLD | LOST); action_end')
    text = TEXT.replace("# how", "# 😀 how")
    add = {"op": "add", "kind": "step", "name": "Tell", "after": "Pay", "on": "PAID", "action": "tell"}
    found = call("POST", "/edit", {"text": text, "flow": "order", "do": [add]}).json
    assert "step Tell => (TOLD -> done | LOST -> stopped) { action = tell; };" in found["text"]
    changed = text
    for one in reversed(found["edits"]):
        changed = changed[: one["from"]] + one["insert"] + changed[one["to"] :]
    assert changed == found["text"]
    assert call("GET", "/flow/order").status == 404


def test_an_edit_that_cannot_be_done_says_which_and_why(host: Host) -> None:
    def refused(*do: object, text: str = TEXT, flow: str = "order") -> tuple[int, str, str]:
        found = call("POST", "/edit", {"text": text, "flow": flow, "do": list(do)})
        return found.status, found.json["error"]["code"], found.json["message"]

    rename = {"op": "rename", "step": "Pay", "to": "Charge"}
    status, code, message = refused(rename, {"op": "delete", "step": "Aks"})
    assert (status, code) == (422, "invalid")
    assert message == "do[1]: flow 'order' has no step 'Aks': did you mean 'Ask'?"
    status, code, message = refused(rename, {"op": "renam", "step": "Pay"})
    assert (status, code) == (400, "malformed")
    assert "do[1]" in message
    assert message == "`do[1]`: 'renam' is no operation: did you mean 'rename'?"
    assert refused({**rename, "stpe": "x"})[2] == "`do[0]`: 'stpe' is no field of 'rename': did you mean 'step'?"
    kind = refused({"op": "add", "kind": "stpe", "name": "x"})[2]
    assert kind == "`do[0]`: 'stpe' is no kind of step: did you mean 'step'?"
    assert "expected one of add, rename" in refused({"op": "xyz"})[2]
    status, code, message = refused(rename, {"op": "rename", "step": "Pay"})
    assert (status, "to" in message, "do[1]" in message) == (400, True, True)
    assert refused()[0] == 400
    assert refused(rename, flow="ordre")[2] == "the text has no flow 'ordre': did you mean 'order'?"
    broken = TEXT.replace("=> (PAID", "=> PAID", 1)
    found = call("POST", "/edit", {"text": broken, "flow": "order", "do": [rename]})
    assert (found.status, found.json["error"]["code"]) == (422, "unreadable")
    assert found.json["error"]["diagnostics"][0]["line"] == 6
    assert call("POST", "/edit", {"text": "x" * (1024 * 1024 + 1), "do": [rename]}).status == 413


def test_an_edited_text_is_no_larger_than_one_that_is_sent(host: Host) -> None:
    text = f"{'# ' + 'x' * (1024 * 1024 - len(TEXT.encode()) - 4)}\n{TEXT}"
    rename = {"op": "rename", "step": "Pay", "to": "Charge" * 20}
    assert call("POST", "/edit", {"text": text, "do": [rename]}).status == 413
    assert call("POST", "/edit", {"text": text, "do": [{**rename, "to": "P"}]}).status == 200


def test_an_edit_has_so_many_operations_and_no_more(host: Host) -> None:
    op = {"op": "set", "step": "Pay", "property": "timeout", "value": "1m"}
    found = call("POST", "/edit", {"text": TEXT, "do": [op] * MAX_OPERATIONS})
    assert [one["insert"] for one in found.json["edits"]] == [" timeout = 1m;"]
    assert call("POST", "/edit", {"text": TEXT, "do": [op] * (MAX_OPERATIONS + 1)}).status == 400


def test_a_bad_request_is_refused(host: Host) -> None:
    assert call("POST", "/analyze", {"text": TEXT, "at": {"line": 99, "column": 1}}).status == 400
    for text, lines in (("", 1), ("x", 1), ("x\n", 2), ("x\r\ny", 2), ("x\x0cy\u2028z", 1)):
        at = {"text": text, "at": {"line": lines, "column": 1}}
        assert call("POST", "/analyze", at).status == 200
        refused = call("POST", "/analyze", {**at, "at": {"line": lines + 1, "column": 1}})
        assert (refused.status, refused.code) == (400, "malformed")
    assert call("POST", "/analyze", {"text": 1}).status == 400
    assert call("POST", "/analyze", {"text": "x" * (1024 * 1024 + 1)}).status == 413
    assert call("POST", "/play", {"fsl": "flow"}).status == 400
    assert call("POST", "/play", {}).status == 422
    assert call("POST", "/play", {"flow": "nothing"}).status == 404
    assert call("POST", "/play", {"fsl": TEXT}).status == 422  # the input is missing
    assert call("POST", "/play", {"fsl": TEXT, "script": [{"answr": {}}]}).status == 400


def test_a_play_goes_on_with_its_state_and_one_more_move(host: Host) -> None:
    body = {"fsl": TEXT, "flow": "order", "input": {"amount": 2.0}}
    first = call("POST", "/play", body).json
    assert [(one["step"], one["due"], one["args"]) for one in first["waits"]] == [("Pay", True, {"amount": 2.0})]
    assert first["visits"]["current"] == ["step:Pay"]
    move = {"answer": {"step": "Pay", "state": "PAID", "data": {"id": 1}}}
    ended = call("POST", "/play", {**body, "continue": first["state"], "event": move}).json
    assert (ended["status"], ended["output"], ended["waits"]) == ("succeeded", {"id": 1}, [])
    assert ended["visits"]["nodes"]["step:Pay"] == 1
    assert ended == call("POST", "/play", {**body, "script": ended["state"]["script"]}).json
    assert call("GET", "/flowrun").json == []
