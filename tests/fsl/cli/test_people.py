"""Tasks, approvals, events, signals and variables, at the terminal."""

from __future__ import annotations

import hashlib

import pytest

from chalicelib.config import Access, Settings
from fsl import api_calls
from fsl.client import Client
from fsl.local.server import LocalServer
from tests.fsl.conftest import Cli, until

DOCUMENT = """
action review method = human; args = (str id); return = (AGREE | REJECT); action_end
/
action ship addr = "http://127.0.0.1:9/never"; args = (str id); return = (OK); approval = required; action_end
/
flow look
    input = (str id);
    step Review => (AGREE -> done (output = ${ $result }) | REJECT -> stopped) { action = review; };
flow_end
/
flow send
    input = (str id);
    step Ship => (OK -> done | ERROR -> stopped) { action = ship; };
flow_end
/
flow pay
    vars = (tries = 1);
    wait Pay => (PAID -> done) { events = (PAID = "paid"); key = "k"; save = (got = ${ $event.data }); };
flow_end
"""


@pytest.fixture(scope="module", autouse=True)
def flows(client: Client) -> None:
    client.submit(DOCUMENT)


def start(client: Client, flow: str, name: str) -> str:
    given = {} if flow == "pay" else {"id": name}
    client.start(flow, {"name": name, "input": given})
    return name


def shown(fsl: Cli, *words: str) -> list[list[str]]:
    """Return the words of each line that the command prints."""
    result = fsl(*words)
    assert result.exit_code == 0, result.output
    return [line.split() for line in result.stdout.splitlines()]


def test_the_inbox_lists_tasks_and_shows_how_one_is_answered(fsl: Cli, client: Client) -> None:
    run = start(client, "look", "t-1")
    until(lambda: fsl.json("task", run))
    assert [f"{run}.Review", "review", "AGREE", "|", "REJECT"] in [line[:5] for line in shown(fsl, "task")]
    assert [one["flowId"] for one in fsl.json("task", run)] == [run]
    one = shown(fsl, "task", f"{run}.Review")
    assert ["id", run] in one
    assert ["fsl", "answer", f"{run}.Review", "REJECT"] in one
    refused = fsl("task", "t-0.Review")
    assert (refused.exit_code, "there is no task 't-0.Review'" in refused.stderr) == (1, True)


def test_a_task_is_answered_by_its_name_or_its_uuid(fsl: Cli, client: Client) -> None:
    for name in ("t-2", "t-3"):
        start(client, "look", name)
    uuid = until(lambda: fsl.json("task", "t-3"))[0]["uuid"]
    assert fsl("answer", "t-2.Review").exit_code == 2
    assert fsl("answer", "t-2.Review", "AGREE", "--data", '{"by": "Ann"}').exit_code == 0
    assert fsl.json("get", "flowrun", "t-2")["spec"]["output"] == {"by": "Ann"}
    assert fsl("answer", "t-2.Review", "AGREE", "--uuid", uuid).exit_code == 1
    assert fsl.json("answer", "t-3.Review", "AGREE", "--uuid", uuid) == {"outcome": "advanced"}


def test_an_approval_keeps_its_reason(fsl: Cli, client: Client) -> None:
    start(client, "send", "a-1")
    until(lambda: fsl.json("task", "a-1"))
    assert fsl("approve", "a-1.Ship", "--reason", "checked with Ann").stdout == "the step was answered\n"
    approved = next(one for one in fsl.json("history", "a-1") if one["event"] == "StepApproved")
    assert approved["data"] == {"reason": "checked with Ann"}


def test_a_rejection_keeps_its_reason(fsl: Cli, client: Client) -> None:
    start(client, "send", "a-2")
    until(lambda: fsl.json("task", "a-2"))
    assert fsl("approve", "a-2.Ship", "--reject", "--reason", "wrong address").exit_code == 0
    error = fsl.json("get", "flowrun", "a-2")["spec"]["error"]
    assert (error["name"], error["cause"]) == ("ApprovalRejected", "wrong address")
    assert ["a-2", "send", "failed", "stopped"] in [line[:4] for line in shown(fsl, "list")]
    assert "ApprovalRejected: wrong address" in fsl("list").stdout


def test_an_event_says_which_runs_it_reached(fsl: Cli, client: Client) -> None:
    start(client, "pay", "p-1")
    assert "reached 0 runs; it is stored until" in fsl("event", "paid", "--key", "other").stdout
    words = ("event", "paid", "--key", "k", "--data", '{"amount": 1}', "--ttl", "0s", "--id", "once")
    result = fsl(*words)
    assert "event paid reached 1 run: p-1; " in result.stdout
    until(lambda: fsl.json("vars", "p-1") == {"tries": 1, "got": {"amount": 1}})  # a worker wakes the run
    assert fsl.json(*words)["woken"]["count"] == 0


def test_a_signal_reaches_one_run(fsl: Cli, client: Client) -> None:
    start(client, "pay", "p-2")
    start(client, "pay", "p-3")
    assert fsl("signal", "p-2", "paid", "--data", "cash").stdout == "event paid was sent to p-2\n"
    assert fsl.json("get", "flowrun", "p-2")["spec"]["status"] == "succeeded"
    assert fsl.json("get", "flowrun", "p-3")["spec"]["status"] == "running"
    assert fsl("signal", "p-2", "paid").exit_code == 1


def test_variables_are_shown_set_and_removed(fsl: Cli, client: Client) -> None:
    run = start(client, "pay", "p-4")
    assert shown(fsl, "vars", run) == [["variable", "value"], ["tries", "1"]]
    changed = fsl.json("vars", run, "a=1", "b=x=y", '{"c": [true]}', "--remove", "tries")
    assert changed == {"a": 1, "b": "x=y", "c": [True]}
    assert fsl("vars", run, "nothing").exit_code == 2
    assert fsl("vars", run, "{").exit_code == 2


def test_labels_are_shown_set_and_removed(fsl: Cli, client: Client) -> None:
    run = start(client, "pay", "p-5")
    assert fsl.json("label", run, "ticket=OPS-12", "urgent=true") == {"ticket": "OPS-12", "urgent": True}
    assert fsl.json("label", run, "--remove", "urgent") == {"ticket": "OPS-12"}
    assert shown(fsl, "label", run) == [["label", "value"], ["ticket", "OPS-12"]]
    assert [one["metadata"]["name"] for one in fsl.json("list", "--label", "ticket=OPS-12")] == [run]


def test_a_clerk_answers_with_the_terminal(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clerk may read the inbox and answer its tasks, and nothing else."""
    admin = "an-admin-token-of-this-test-1234567890"
    digest = hashlib.sha256(admin.encode()).hexdigest()
    settings = Settings(port=0, url="http://127.0.0.1:0", db=":memory:", auth=Access.TOKEN, admin_token_sha256=digest)
    with LocalServer(settings) as server:
        owner = Client(server.url, admin, "shop")
        owner.submit(DOCUMENT)
        start(owner, "look", "c-1")
        until(lambda: owner.page("task").items)
        token = owner.call(api_calls.POST_TOKEN, json={"name": "cleo", "role": "clerk"}).json()["token"]
        monkeypatch.setenv("ECHOER_TOKEN", token)
        clerk = Cli(server.url)
        assert "c-1.Review" in clerk("task").stdout
        assert clerk("answer", "c-1.Review", "AGREE").stdout == "the step was answered\n"
        refused = clerk("list")
        assert (refused.exit_code, "requires the role viewer" in refused.stderr) == (1, True)
        monkeypatch.setenv("ECHOER_TOKEN", admin)
        assert ["c-1", "look", "succeeded"] in [line[:3] for line in shown(clerk, "list", "--namespace", "shop")]
        assert "c-1" not in clerk("list").stdout
