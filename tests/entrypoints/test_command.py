"""The terminal's commands."""

from __future__ import annotations

import pytest

from chalicelib.entrypoints.http.terminal.text_table import table
from chalicelib.service.ports.actions import NotTaken, Taken
from tests.entrypoints.flows import DIRECT, RELEASE, TWO, WORK
from tests.entrypoints.gateway import call
from tests.entrypoints.steps import defined, started
from tests.hosts import Host

PAYING = """
action charge addr = "http://work.test/"; return = (PAID); undo = refund; action_end
/
action refund addr = "http://work.test/"; return = (REFUNDED); action_end
/
flow pay step Charge => (PAID -> stopped) { action = charge; }; flow_end
"""


def said(command: str) -> tuple[str, str]:
    reply = call("POST", "/command", {"command": command})
    assert reply.status == 200
    assert list(reply.json) == ["reply", "raw"]
    return reply.json["reply"], reply.json["raw"]


@pytest.mark.parametrize("text", [RELEASE, "  " + WORK.replace("action work", "ACTION work"), f"# a note\n{WORK}\n/"])
def test_fsl_is_submitted(host: Host, text: str) -> None:
    reply, raw = said(text)
    assert reply == "OK"
    assert raw.startswith("action ")
    assert raw.endswith(" created")


def test_bad_fsl_is_shown_with_the_place_of_its_mistake(host: Host) -> None:
    reply, raw = said(TWO)
    assert reply == "ERR"
    assert "FSL203" in raw
    assert "^^^^" in raw


def test_lists_are_tables(host: Host) -> None:
    defined(WORK, DIRECT)
    uuid = call("GET", "/flowrun/direct").json["metadata"]["uuid"]
    assert said("LIST FlowRun /") == (
        "Raw",
        "+--------+---------+--------------------------------------+---------+-------+\n"
        "| NAME   | TYPE    | UUID                                 | VERSION | STATE |\n"
        "+--------+---------+--------------------------------------+---------+-------+\n"
        f"| direct | flowrun | {uuid} | 1       | A     |\n"
        "+--------+---------+--------------------------------------+---------+-------+",
    )
    assert "| work" in said("list action")[1]
    assert "| direct |" in said("list step/")[1]
    assert said("list flow_run") == said("list flowrun")


def test_nothing_is_nil(host: Host) -> None:
    assert {said(command) for command in ("", " / ", "list flow", "list event", "list action")} == {("NIL", "")}


def test_resources_are_shown(host: Host) -> None:
    started()
    call("POST", "/event", {"name": "paid"})
    assert "| http://work.test/ | str order | OK " in said("get action work")[1]
    assert "OK -> B" in said("get flow two")[1]
    assert "| running | A " in said("get flowrun r")[1]
    assert "| A    | r " in said("get step r.A")[1]
    assert "RunStarted" in said("history r")[1]
    assert "| paid |" in said("list event")[1]


def test_names_with_spaces_are_in_backticks(host: Host) -> None:
    started("my run")
    assert said("stop `my run` `no longer needed`") == ("OK", "")
    assert call("GET", "/flowrun/my%20run").json["spec"]["last_err"] == "no longer needed"
    assert said("del flowrun `my run`") == ("OK", "")


def test_runs_take_commands(host: Host) -> None:
    started()
    for command, status in [
        ("pause r", "paused"),
        ("continue r", "running"),
        ("stop r", "canceled"),
        ("retry r B", "running"),
    ]:
        assert said(command) == ("OK", "")
        assert call("GET", "/flowrun/r").json["spec"]["status"] == status
    assert said("retry r")[0] == "ERR"


def test_undos_that_failed_are_repeated(host: Host) -> None:
    defined(PAYING)
    closed = [True]
    host.actions.script = lambda request: (
        NotTaken("the bank is closed", final=True)
        if closed[0] and request["ackStates"] == ["REFUNDED"]
        else Taken({"ackState": request["ackStates"][0]})
    )
    call("POST", "/flow/pay/runs", {"name": "r"})
    host.settle()
    assert call("GET", "/flowrun/r").json["spec"]["failed_undos"]
    closed.clear()
    closed.append(False)
    assert said("retry r --undo") == ("OK", "")
    host.settle()
    assert not call("GET", "/flowrun/r").json["spec"]["failed_undos"]
    assert said("retry r --undo") == ("ERR", "cannot retry the undos of 'r': none has failed")
    assert "--undo" in said("help retry")[1]


def test_definitions_are_deleted_with_or_without_their_uuid(host: Host) -> None:
    defined(WORK, TWO)
    uuid = call("GET", "/flow/two").json["metadata"]["uuid"]
    assert said("del action work")[0] == "ERR"
    assert said("DEL flow two nonsense") == ("ERR", "there is no flow 'two'")
    assert said(f"DEL flow two {uuid}") == ("OK", "")
    assert said("del action work") == ("OK", "")


@pytest.mark.parametrize(
    ("command", "advice"),
    [
        ("lits flow", "unknown command 'lits' (did you mean list?); type help for a list of commands"),
        ("list", "wrong number of arguments; usage: list TYPE"),
        ("get flow", "wrong number of arguments; usage: get TYPE NAME"),
        ("del flow a b c", "wrong number of arguments; usage: del TYPE NAME [UUID]"),
        (
            "list flwo",
            "unknown type 'flwo' (did you mean flow?); "
            "the types are action, flow, flowrun, step, event, eventtype, config, schedule, hook",
        ),
        ("get flowrun nope", "there is no flow_run 'nope'"),
        ("get event x", "cannot get one event; `list event` shows all events"),
        ("del step r.A", "cannot delete a step; only definitions and flowruns can be deleted"),
        ("help lsit", "unknown command 'lsit' (did you mean list?); type help for a list of commands"),
    ],
)
def test_wrong_usage_is_answered_with_advice(host: Host, command: str, advice: str) -> None:
    assert said(command) == ("ERR", advice)


PEOPLE = """
action review method = human; args = (str id); return = (AGREE | REJECT); action_end
/
action ship addr = "http://work.test/"; args = (str id); return = (OK); approval = required; action_end
/
flow look
    input = (str id, any more = null);
    step Review => (AGREE -> Wait | REJECT -> stopped) { action = review; };
    wait Wait => (PAID -> Ship) { events = (PAID = "paid"); key = ${ $input.id }; save = (paid = ${ $event.data }); };
    step Ship => (OK -> done | ERROR -> stopped) { action = ship; };
flow_end
"""


def test_a_run_is_started_and_moved_by_people(host: Host) -> None:
    defined(PEOPLE)
    assert said("run look id=404 more=1 --name r --label team=ops") == ("OK", "r")
    assert call("GET", "/flowrun/r").json["spec"]["input"] == {"id": "404", "more": 1}
    assert "| r.Review | review | AGREE " in said("task")[1]
    assert said("answer r.Review AGREE `by phone`") == ("OK", "advanced")
    assert said('event paid {"amount": 1} --key 404') == ("OK", "r")
    host.settle()
    assert '| paid | {"amount":1} |' in said("vars r")[1]
    assert said("task r")[0] == "Raw"
    assert said("reject r.Ship wrong address") == ("OK", "advanced")
    assert call("GET", "/flowrun/r").json["spec"]["last_err"] == "ApprovalRejected: wrong address"
    assert "ApprovalRejected: wrong address" in said("list flowrun --label team=ops")[1]
    assert said("list flowrun --label team=dev") == ("NIL", "")
    assert said("task") == ("NIL", "")


def test_an_event_is_published_and_declared(host: Host) -> None:
    assert said("event paid") == ("OK", "")
    assert said("event paid args = (str id); event_end") == ("OK", "event paid version 1 created")
    assert said("event paid nonsense")[0] == "ERR"
    assert said("signal r paid") == ("ERR", "there is no flow_run 'r'")


def test_variables_and_labels(host: Host) -> None:
    started()
    assert '| b    | {"c":[1]} |' in said('vars r a=1 `b={"c": [1]}`')[1]
    assert "| a " not in said("vars r --remove a")[1]
    assert "| ticket | OPS-12 |" in said("label r ticket=OPS-12")[1]
    assert said("label r --remove ticket") == ("NIL", "")
    assert said("vars r nonsense") == ("ERR", "'nonsense' must have the form NAME=VALUE")


def test_a_run_is_mended(host: Host) -> None:
    defined(WORK, TWO)
    call("POST", "/flow/two/runs", {"name": "r", "input": {"order": "1"}})
    defined(TWO.replace("flow_end", "    step C => (OK -> done) { action = work; args = (times = 1); };\nflow_end"))
    assert "| 0     | A    | A  | yes  |" in said("migrate r --dry-run")[1]
    assert said("migrate r")[0] == "OK"
    assert call("GET", "/flowrun/r").json["spec"]["flow_version"] == 2
    assert said("goto r C --reason enough") == ("OK", "")
    assert call("GET", "/flowrun/r").json["spec"]["current_state"] == "C"
    assert said("goto r Nowhere")[0] == "ERR"
    assert said("stop r wrong customer") == ("OK", "")
    assert said("retry r A --version 1 --input order=2 --var x=1") == ("OK", "")
    found = call("GET", "/flowrun/r").json["spec"]
    assert (found["flow_version"], found["input"], found["current_state"]) == (1, {"order": "2"}, "A")
    assert "+    step C" in said("diff two 1 2")[1]


def test_what_a_run_sent_its_items_and_its_cost(host: Host) -> None:
    each = """flow many each E => (DONE -> done) {
        items = [1, 2]; step One => (OK, FAIL -> done) { action = work; args = (order = "o", times = ${ $item }); };
    }; flow_end"""
    defined(WORK, each)
    call("POST", "/flow/many/runs", {"name": "r"})
    host.settle()
    assert "| 0     | 0.0   | running | One  |" in said("items r E")[1]
    assert said("items r --status failed") == ("NIL", "")
    uuid = next(one["uuid"] for one in call("GET", "/flowrun/r").json["spec"]["tokens"] if one["step"] == "One")
    assert '| args | {"order":"o","times":1} |' in " ".join(said(f"sent r {uuid}")[1].split())
    assert "| writes" in said("cost r")[1]


def test_many_runs_are_commanded(host: Host) -> None:
    defined(WORK, TWO)
    for name in ("r", "s"):
        call("POST", "/flow/two/runs", {"name": name, "input": {"order": "1"}})
    host.settle()
    reply, first = said("batch stop --flow two --name-prefix r --arg reason=enough")
    assert reply == "OK"
    host.settle()
    assert call("GET", "/flowrun/r").json["spec"]["last_err"] == "enough"
    assert call("GET", "/flowrun/s").json["spec"]["status"] == "running"
    assert f"| {first} | stop | done   | 1       | 1 " in said(f"batch {first}")[1]
    assert first in said("batch")[1]
    assert said("batch stop")[0] == "ERR"
    assert said("batch stop a b")[0] == "ERR"
    assert said(f"batch stop {first}")[0] == "Raw"
    assert said("batch retry --flow two --rate fast") == (
        "ERR",
        "--rate must be a number of runs per second, not 'fast'",
    )
    _, dry = said("batch retry --flow two --dry-run --rate 5")
    host.settle()
    assert "| s   | refused |" in said(f"batch {dry}")[1]


def test_what_a_hook_delivered(host: Host) -> None:
    defined('hook pager addr = "http://work.test/in"; on = (run.started); hook_end')
    assert said("deliveries pager") == ("NIL", "")
    assert said("deliveries nothing")[0] == "ERR"


def test_actions_and_flows_are_paused(host: Host) -> None:
    started()
    assert {
        said(f"{command} {kind}")[0] for command in ("pause", "continue") for kind in ("action work", "flow two")
    } == {"OK"}
    assert said("pause hook x")[0] == "ERR"


@pytest.mark.parametrize(
    ("command", "advice"),
    [
        ("retry r --versoin 2", "unknown option --versoin (did you mean version?); usage: retry RUN [STEP]"),
        ("retry r --version", "--version needs a value; usage: retry RUN [STEP]"),
        ("answer Review AGREE", "'Review' must have the form RUN.STEP"),
        ("list flow --status failed", "a list of type flow takes no filters"),
        ("label r a:b=1", "the name of a label must have no colon"),
    ],
)
def test_wrong_options_are_answered_with_advice(host: Host, command: str, advice: str) -> None:
    started()
    reply, raw = said(command)
    assert (reply, raw.startswith(advice)) == ("ERR", True), raw


def test_help_lists_every_command(host: Host) -> None:
    reply, raw = said("HELP")
    assert reply == "Raw"
    assert "  del TYPE NAME [UUID]\n" in raw
    assert said("help Get")[1].startswith("get TYPE NAME\n\nShow an action")
    assert said("help flow_run")[1].startswith("flow_run NAME")


def test_table_cells_may_have_lines_and_wide_letters() -> None:
    assert table(["a", "b"], [["x\ny", "流程"], ["", "\x1b[31m"]]) == (
        "+---+------------+\n| A | B          |\n+---+------------+\n| x | 流程       |\n| y |            |\n"
        "|   | \\u001b[31m |\n+---+------------+"
    )
