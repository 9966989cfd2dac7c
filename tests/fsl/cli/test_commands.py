"""The commands, against a server in this process."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click
import pytest

from fsl import api_calls
from fsl.cli.runs.start import input_of
from fsl.client import Client
from fsl.local.demo import submit
from tests.fsl.conftest import RELEASE, Cli, until

NO_OBSERVER = Cli("http://127.0.0.1:9")


@pytest.fixture(scope="module")
def done(client: Client, release: str) -> str:
    """The name of a run of the example that is done."""
    run = submit(client, release)
    assert [entry["to"] for entry in client.watch(run, seconds=20)] == ["A", "D", "B", "C", "done"]
    return run


@pytest.fixture
def waiting(client: Client, asking: str, request: pytest.FixtureRequest) -> str:
    """The name of a run that waits for its only step."""
    name = request.node.name.replace("[", "-").replace("]", "")
    run = str(client.start(asking, {"name": name, "labels": {"test": name}})["metadata"]["name"])
    until(lambda: len(client.history(run)) == 2)  # the first delivery has failed
    return run


# ── apply ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_apply_prints_what_changed(fsl: Cli, tmp_path: Path) -> None:
    """Created, unchanged, updated; a dry run changes nothing."""
    file = tmp_path / "tea.fsl"
    file.write_text('action brew\n  addr = "http://x/brew";\n  return = (OK);\naction_end\n/\n')
    assert "dry run" in fsl("apply", "--dry-run", str(file)).stdout
    assert fsl.json("apply", str(file))["results"] == [
        {
            "file": str(file),
            "kind": "action",
            "name": "brew",
            "version": 1,
            "uuid": until(lambda: _uuid(fsl)),
            "change": "created",
        }
    ]
    assert fsl("apply", str(file)).stdout.splitlines()[1].split() == ["unchanged", "action", "brew", "1"]
    file.write_text(file.read_text().replace("OK", "OK | BAD"))
    assert fsl("apply", str(file)).stdout.splitlines()[1].split() == ["updated", "action", "brew", "2"]


def _uuid(fsl: Cli) -> str:
    return str(fsl.json("get", "action", "brew")["metadata"]["uuid"])


def test_apply_shows_what_is_wrong(fsl: Cli) -> None:
    """Diagnostics with carets on standard error; exit code 1."""
    text = "flow f\n  step A => (OK -> B) { action = nothing; };\nflow_end\n/"
    result = fsl("apply", "-", text=text)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "stdin:2:20: error FSL204" in result.stderr
    assert "^" in result.stderr
    refused = fsl("apply", "-", "--json", text=text)
    assert refused.exit_code == 1
    codes = {one["code"] for one in json.loads(refused.stdout)["error"]["diagnostics"]}
    assert codes == {"FSL203", "FSL204"}


def test_apply_refuses_a_run_that_exists(fsl: Cli, done: str) -> None:
    """A conflict without diagnostics is reported in one line."""
    result = fsl("apply", "-", text=RELEASE)
    assert result.exit_code == 1
    assert "exists already" in result.stderr


# ── list, get, del ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_list_shows_the_newest_runs(fsl: Cli, done: str, waiting: str) -> None:
    """Name, flow, status, state, time; newest first."""
    lines = [line.split() for line in fsl("list").stdout.splitlines()]
    assert lines[0] == ["name", "flow", "status", "state", "begun"]
    assert lines[1][:4] == [waiting, "ask_once", "running", "Ask"]
    assert [line[0] for line in lines if "done" in line] == [done]


def test_list_filters(fsl: Cli, done: str, waiting: str) -> None:
    """By status, flow, label and time; `--limit` and `--all`."""

    def names(*words: str) -> list[str]:
        return [one["metadata"]["name"] for one in fsl.json("list", "flowrun", *words)]

    assert names("--status", "succeeded") == [done]
    assert names("--flow", "ask_once", "--label", f"test={waiting}") == [waiting]
    assert names("--since", "2099-01-01T00:00:00Z") == []
    assert done in names("--since", "1h")
    assert len(names("--limit", "1")) == 1
    assert "--all" in fsl("list", "--limit", "1").stderr
    assert {done, waiting} <= set(names("--limit", "1", "--all"))


def test_brief_json_has_no_steps_and_no_variables(fsl: Cli, waiting: str) -> None:
    """`--full` has them."""
    (brief,) = fsl.json("list", "--label", f"test={waiting}")
    assert (brief["metadata"]["name"], brief["spec"]["status"]) == (waiting, "running")
    assert not {"steps", "global_variable", "input"} & set(brief["spec"])
    (full,) = fsl.json("list", "--label", f"test={waiting}", "--full")
    assert {"steps", "global_variable", "input"} <= set(full["spec"])
    assert fsl("list", "--label", "nothing").exit_code == 2


def test_list_tells_why_a_run_failed(fsl: Cli, waiting: str) -> None:
    """A column of its own, if there is an error."""
    words = ("list", "--label", f"test={waiting}")
    assert "error" not in fsl(*words).stdout
    fsl("stop", waiting, "--reason", "the shop is closed")
    lines = fsl(*words).stdout.splitlines()
    assert lines[0].split()[-1] == "error"
    assert "the shop is closed" in lines[1]


def test_steps_are_those_that_wait(fsl: Cli, done: str, waiting: str) -> None:
    """Of live runs, however old they are; `--status` lists the steps of other runs."""
    found = fsl.json("list", "step", "--limit", "1", "--all")
    assert waiting in {one["spec"]["flow_id"] for one in found}
    assert all(not one["spec"]["action_run"]["done"] for one in found)
    assert done in {one["spec"]["flow_id"] for one in fsl.json("list", "step", "--status", "succeeded")}


def test_times_have_a_zone(fsl: Cli, waiting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The local one, or UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "America/Caracas")
        time.tzset()
        try:
            assert " UTC-0400" in fsl("list", "--label", f"test={waiting}").stdout
            assert " UTC\n" in fsl("list", "--label", f"test={waiting}", "--utc").stdout
        finally:
            patch.undo()
            time.tzset()


def test_another_namespace(fsl: Cli, done: str) -> None:
    assert done in fsl("list", "--all").stdout
    assert done not in fsl("list", "--all", "--namespace", "elsewhere").stdout
    assert fsl("list", "--namespace", "Not One").exit_code == 1


@pytest.mark.parametrize("kind", ["action", "flow", "step", "event"])
def test_every_kind_is_listed(fsl: Cli, client: Client, waiting: str, kind: str) -> None:
    """As a table for people, as an array for programs."""
    client.call(api_calls.POST_EVENT, json={"name": "rain", "key": "k"})
    found = fsl.json("list", kind)
    assert found
    assert found[0]["metadata"]["name"] in fsl("list", kind).stdout


def test_get_shows_one(fsl: Cli, done: str) -> None:
    """A definition as its text, a run with its steps, a step by RUN.STEP."""
    assert "return = (AGREE | REJECT | NEXT | FAIL);" in fsl("get", "action", "approval").stdout
    shown = fsl("get", "flowrun", done).stdout
    assert "succeeded" in shown
    assert ["A", "ci", "SUCCESS", "0"] in [line.split() for line in shown.splitlines()]
    assert fsl.json("get", "step", f"{done}.D")["spec"]["response"] == {"state": "AGREE"}
    assert "approval" in fsl("get", "step", f"{done}.D").stdout


def test_what_is_not_there(fsl: Cli) -> None:
    """Exit code 1, one line, and the API's error as JSON."""
    result = fsl("get", "flowrun", "nobody", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["code"] == "not-found"
    assert result.stderr == "error: there is no flow_run 'nobody'\n"
    assert fsl("get", "event", "nobody").exit_code == 1


def test_del_asks_for_confirmation_unless_yes_is_given(fsl: Cli, waiting: str) -> None:
    """A pipe allows no confirmation; a run that has not ended is kept; one that has ended is deleted."""
    assert fsl("del", "flowrun", waiting).exit_code == 2
    refused = fsl("del", "flowrun", waiting, "--yes")
    assert (refused.exit_code, "cannot be deleted" in refused.stderr) == (1, True)
    fsl("stop", waiting)
    assert fsl.json("del", "flowrun", waiting, "--yes")["deleted"]["name"] == waiting
    assert fsl("get", "flowrun", waiting).exit_code == 1


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_run_starts_a_run(fsl: Cli, asking: str) -> None:
    """The name is printed; the same key returns the same run."""
    first = fsl("run", asking, "--key", "k1", "--label", "team=x")
    assert first.exit_code == 0
    assert fsl.json("run", asking, "--key", "k1", "--label", "team=x")["metadata"]["name"] == first.stdout.strip()
    assert fsl.json("get", "flowrun", first.stdout.strip())["metadata"]["labels"] == {"team": "x"}
    assert fsl("run", "nothing").exit_code == 1
    assert fsl("run", asking, "--input", "no").exit_code == 2


def test_input_is_taken_in_three_ways(tmp_path: Path) -> None:
    """K=V, JSON, a file; later ones win; a value that is no JSON is text."""
    file = tmp_path / "order.json"
    file.write_text('{"a": 1, "list": [1]}')
    given = [f"@{file}", '{"a": 2, "b": true}', "c=12.5", "d=anna", 'e="5"', "f=x=y"]
    assert input_of(given) == {"a": 2, "list": [1], "b": True, "c": 12.5, "d": "anna", "e": "5", "f": "x=y"}


TYPED = """
flow typed
    input  = (str id, any more = null, int n = 1);
    output = ${ $input };
    set S => (DONE -> done);
flow_end
"""


def test_input_has_the_types_that_the_flow_declares(fsl: Cli, client: Client) -> None:
    """Text stays text; where any value is declared, JSON is JSON. `--wait` prints the output."""
    client.submit(TYPED)
    given = ("--input", "id=404", "--input", "more=404", "--input", "n=2")
    assert fsl.json("run", "typed", *given, "--wait")["spec"]["output"] == {"id": "404", "more": 404, "n": 2}
    printed = fsl("run", "typed", "--input", 'id="x y"', "--input", "more=[]", "--wait").stdout
    assert json.loads(printed) == {"id": "x y", "more": [], "n": 1}
    refused = fsl("run", "typed", "--input", "id=true", "--input", "n=x")
    assert (refused.exit_code, "n" in refused.stderr) == (1, True)


def test_wait_exits_with_the_result(fsl: Cli, client: Client, asking: str, waiting: str) -> None:
    """0 with the output, 1 with the reason on standard error, 4 if the run has not ended in time."""
    client.submit('flow fails set S => (DONE -> stopped (error = "Broken", cause = "no luck")); flow_end')
    failed = fsl("run", "fails", "--name", "w-1", "--wait")
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert failed.stderr == "w-1 failed: Broken: no luck\n"
    late = fsl("run", asking, "--name", "w-2", "--wait", "--timeout", "10ms")
    assert (late.exit_code, late.stdout) == (4, "")
    assert late.stderr == "w-2 has not ended: it is running at Ask\n"
    assert fsl("run", asking, "--wait", "--timeout", "soon").exit_code == 2
    assert fsl("run", asking, "--timeout", "1s").exit_code == 2
    assert fsl("run", asking, "--wait", "--watch").exit_code == 2


def test_a_run_can_start_later(fsl: Cli, asking: str) -> None:
    """After a duration, or at a time; until then it is pending."""
    assert fsl.json("run", asking, "--start-at", "2h")["spec"]["status"] == "pending"
    assert fsl.json("run", asking, "--start-at", "2030-01-01T00:00:00Z")["spec"]["status"] == "pending"
    assert fsl("run", asking, "--start-at", "soon").exit_code == 1
    assert fsl("run", asking, "--start-at", "999999999999d").exit_code == 2


@pytest.mark.parametrize("bad", ["plain", "@/nothing/there", "{", "=1"])
def test_input_that_cannot_be_read_is_a_usage_error(fsl: Cli, bad: str) -> None:
    """Exit code 2, and nothing is sent."""
    assert fsl("run", "f", "--input", bad).exit_code == 2


def test_history_is_complete(fsl: Cli, done: str) -> None:
    """One line for each transition."""
    entries = fsl.json("history", done)
    assert [(entry["seq"], entry["from"], entry["to"]) for entry in entries] == [
        (1, "ready", "A"), (2, "A", "D"), (3, "D", "B"), (4, "B", "C"), (5, "C", "done")
    ]  # fmt: skip
    assert len(fsl("history", done).stdout.splitlines()) == 6


def test_watch_follows_to_the_end(fsl: Cli, done: str, waiting: str) -> None:
    """0 if the run succeeded, 1 if not; with --json an object on each line."""
    followed = fsl("watch", done)
    assert followed.exit_code == 0
    assert followed.stdout.splitlines()[1].endswith("  A -> D by StepAcked SUCCESS")
    assert followed.stdout.splitlines()[-1] == f"{done} succeeded"
    lines = fsl("watch", done, "--json", "--after", "3").stdout.splitlines()
    assert [json.loads(line)["to"] for line in lines] == ["C", "done"]
    fsl("stop", waiting, "--reason", "enough")
    assert fsl("watch", waiting).exit_code == 1


def test_run_and_watch(fsl: Cli, client: Client, release: str) -> None:
    """`run --watch` ends as the run does."""
    client.submit(release.replace("flow_run my_flow_run", "flow rel").replace("flow_run_end", "flow_end"))
    result = fsl("run", "rel", "--name", "rel_1", "--watch")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "run rel_1")
    assert result.stdout.splitlines()[-1] == "rel_1 succeeded"


def test_orders_move_a_run(fsl: Cli, waiting: str) -> None:
    """pause, continue, stop, retry; what a run cannot do is refused."""
    assert fsl.json("pause", waiting)["spec"]["status"] == "paused"
    assert fsl("continue", waiting).stdout.splitlines()[1].split() == [waiting, "running", "Ask"]
    assert fsl("retry", waiting).exit_code == 1
    assert fsl.json("stop", waiting, "--reason", "enough")["spec"]["status"] == "canceled"
    assert fsl("retry", waiting, "--step", "Nowhere").exit_code == 1
    assert fsl.json("retry", waiting, "--step", "Ask")["spec"]["status"] == "running"


# ── around ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("words", [("list",), ("get", "flow", "x"), ("watch", "x"), ("run", "x"), ("shell",)])
def test_no_server_is_exit_code_three(words: tuple[str, ...]) -> None:
    """One line with advice, no traceback; with --json an object."""
    result = NO_OBSERVER(*words, text="list flow /\n")
    assert (result.exit_code, result.stdout) == (3, "")
    assert len(result.stderr.splitlines()) == 1
    assert "fsl local" in result.stderr
    assert NO_OBSERVER.json(*words, text="list flow /\n")["error"]["code"] == "unreachable"


@pytest.mark.parametrize(
    "words", [("list", "bogus"), ("nothing",), ("get",), ("local", "--once"), ("list", "--limit", "0")]
)
def test_wrong_usage_is_exit_code_two(fsl: Cli, words: tuple[str, ...]) -> None:
    """The error is printed on standard error."""
    result = fsl(*words)
    assert (result.exit_code, result.stdout if len(words) > 1 else "") == (2, "")


def test_a_server_that_is_named_wrongly(fsl: Cli) -> None:
    """Exit code 2 for what is no URL, 1 for a server that is not Echoer's."""
    assert fsl("list", "--server", "nonsense").exit_code == 2


def test_every_command_has_help_with_an_example(fsl: Cli) -> None:
    """`fsl COMMAND --help` says what it does and how it is typed; all but the local ones speak JSON."""
    from fsl.cli.main import main

    for name in main.list_commands(click.Context(main)):
        shown = fsl(name, "--help")
        assert shown.exit_code == 0
        assert f"fsl {name}" in shown.stdout.partition("Options:")[0].partition("\n")[2] or name == "version"
        speaks_json_anyway = ("export", "schema")
        assert "--json" in shown.stdout or name in ("local", "completion", "lsp", *speaks_json_anyway)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(fsl: Cli, shell: str) -> None:
    """A script for each shell."""
    assert "_FSL_COMPLETE" in fsl("completion", shell).stdout


def test_version(fsl: Cli) -> None:
    """For people and for programs."""
    assert fsl("version").stdout.startswith("fsl ")
    assert set(fsl.json("version")) == {"fsl", "language", "python"}


def test_a_demo_finds_a_name_of_its_own(client: Client, release: str, done: str) -> None:
    """A run that exists already is left alone: the next one gets a number."""
    assert done == "my_flow_run"
    assert submit(client, release) == "my_flow_run_2"
    assert submit(client, release) == "my_flow_run_3"


def test_hooks_and_configs_of_a_server(fsl: Cli, client: Client, tmp_path: Path) -> None:
    """They are applied, listed, shown and deleted; a hook shows its deliveries."""
    file = tmp_path / "more.fsl"
    file.write_text(
        'config REGION = "eu"; / event cli.rain args = (float litres); event_end'
        ' / hook pager addr = "http://127.0.0.1:9/in"; on = (run.canceled); hook_end'
    )
    assert [one["kind"] for one in fsl.json("apply", str(file))["results"]] == ["config", "event", "hook"]
    assert ["REGION", "1", '"eu"'] in [line.split() for line in fsl("list", "config").stdout.splitlines()]
    assert "float litres" in fsl("list", "eventtype").stdout
    assert "run.canceled" in fsl("list", "hook").stdout
    assert "http://127.0.0.1:9/in" in fsl("hook", "list").stdout
    assert "hook_end" in fsl("hook", "show", "pager").stdout
    assert fsl.json("hook", "deliveries", "pager") == []
    assert fsl.json("hook", "show", "pager")["last_delivery"] is None
    for kind, name in (("hook", "pager"), ("config", "REGION"), ("eventtype", "cli.rain")):
        assert fsl("del", kind, name, "--yes").exit_code == 0
        assert fsl("get", kind, name).exit_code == 1
