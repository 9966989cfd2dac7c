"""What a run sent, its items, its cost and its versions, at the terminal."""

from __future__ import annotations

import json

import pytest

from fsl.client import Client
from tests.fsl.conftest import Cli, until

DOCUMENT = """
action resize
    addr = "http://127.0.0.1:9/never"; args = (str file); return = (RESIZED | DAMAGED); retry = (max = 1);
action_end
/
action wait_for addr = "http://127.0.0.1:9/never"; args = (int n); return = (OK); retry = (max = 50, delay = 1h);
action_end
/
flow pictures
    input = (list files);
    each Resize => (DONE -> done | FAIL -> done) {
        items = ${ $input.files }; tolerate = 10;
        step One => (RESIZED -> done | DAMAGED -> stopped) { action = resize; args = (file = ${ $item }); };
    };
flow_end
/
flow slow step Wait => (OK -> done) { action = wait_for; args = (n = 1); }; flow_end
/
flow outer call Call => (DONE -> done | STOPPED -> stopped) { flow = slow; }; flow_end
/
flow large output = ${ { "text": $pad("x", 40000) } }; set S => (DONE -> done); flow_end
"""


@pytest.fixture(scope="module", autouse=True)
def runs(client: Client) -> None:
    client.submit(DOCUMENT)
    client.start("pictures", {"name": "d-1", "input": {"files": ["a", "b"]}})
    client.start("slow", {"name": "d-2"})
    client.start("outer", {"name": "d-3"})
    client.ended("d-1", 20)
    until(lambda: len(client.history("d-2")) == 2)  # the first delivery has failed
    until(lambda: client.get("flowrun", "d-3")["spec"]["children"])  # a message starts the called run


def test_what_a_step_was_sent_and_what_came_back(fsl: Cli) -> None:
    shown = fsl("sent", "d-2.Wait").stdout
    assert ["arg", "n", "1"] in [line.split() for line in shown.splitlines()]
    assert "header webhook-signature" in shown
    assert "http://127.0.0.1:9/never refused the connection" in shown
    uuid = fsl.json("sent", "d-2.Wait")["uuid"]
    assert [(one["step"], one["uuid"]) for one in fsl.json("sent", "d-2")] == [("Wait", uuid)]
    assert fsl("sent", "d-2", "--uuid", uuid).stdout == shown
    missing = fsl("sent", "d-9.Wait")
    assert (missing.exit_code, "d-9.Wait" in missing.stderr) == (1, True)


def test_the_items_of_an_each(fsl: Cli) -> None:
    lines = fsl("items", "d-1", "Resize", "--status", "failed").stdout.splitlines()
    assert lines[0].startswith("Resize: ")
    assert [line.split()[:3] for line in lines[2:]] == [["0", "0.0", "failed"], ["1", "0.1", "failed"]]
    assert {one["error_name"] for one in fsl.json("items", "d-1", "Resize")["items"]} == {"Undeliverable"}


def test_the_cost_of_a_run(fsl: Cli) -> None:
    assert fsl.json("cost", "d-1")["writes"] > 0
    assert ["writes", str(fsl.json("cost", "d-2")["writes"])] in [
        line.split() for line in fsl("cost", "d-2").stdout.splitlines()
    ]


def test_get_shows_what_a_run_waits_for(fsl: Cli) -> None:
    lines = [line.split() for line in fsl("get", "flowrun", "d-2").stdout.splitlines()]
    assert ["Wait", "wait_for", "(waiting)", "1"] in lines
    assert any(line[:3] == ["Wait", "retry", "wait_for,"] for line in lines)
    child = fsl.json("list", "--parent", "d-3")[0]["metadata"]["name"]
    shown = fsl("get", "flowrun", "d-3").stdout
    assert f"child {child}" in shown
    assert "d-3 (+1)" in fsl("list").stdout
    assert f"  {child}" in fsl("list", "--children").stdout
    assert "d-3 at Call" in fsl("get", "flowrun", child).stdout


def test_a_large_output_is_printed_whole(fsl: Cli) -> None:
    assert len(json.loads(fsl("run", "large", "--wait").stdout)["text"]) == 40_000


def test_the_difference_of_two_versions(fsl: Cli, client: Client) -> None:
    client.submit(DOCUMENT.replace("args = (n = 1); }; flow_end", "args = (n = 2); timeout = 1d; }; flow_end"))
    shown = fsl("diff", "slow").stdout.splitlines()
    assert shown[:2] == ["* step Wait: args.n", "* step Wait: timeout"]
    assert any(line.startswith("+flow slow") for line in shown)
    assert [one["version"] for one in fsl.json("diff", "slow", "--versions")] == [2, 1]
    assert fsl.json("diff", "slow", "--from", "1", "--to", "2")["flow"] == "slow"
    assert fsl("diff", "slow", "--from", "7").exit_code == 1


def test_the_newest_of_many_filters(fsl: Cli) -> None:
    assert [one["metadata"]["name"] for one in fsl.json("list", "--flow", "pictures", "--name-prefix", "d-")] == ["d-1"]
    assert fsl.json("list", "--name-prefix", "nothing") == []
    assert fsl("list", "flow", "--version", "x").exit_code == 2
    assert fsl("list", "task").exit_code == 2
