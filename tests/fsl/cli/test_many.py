"""Commands over many runs, pauses of actions and flows, and the archive, against a server in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from fsl.cli.many.archive_file import ArchiveFile, read
from fsl.client import Client
from tests.fsl.conftest import Cli

PROGRAM = """
action ask addr = "http://127.0.0.1:9/never"; return = (YES | NO); retry = (max = 50, delay = 1h); action_end
/
flow NAME
    step First => (YES -> done | NO -> stopped) { action = ask; };
flow_end
"""


@pytest.fixture
def flow(client: Client, request: pytest.FixtureRequest) -> str:
    """The name of a flow of which three runs wait."""
    name = f"many_{crc32(request.node.name.encode()):x}"
    client.submit(PROGRAM.replace("NAME", name))
    for number in range(3):
        client.start(name, {"name": f"{name}-{number}", "labels": {"n": number}})
    return name


def statuses(client: Client, flow: str) -> list[str]:
    return sorted(one["spec"]["status"] for one in client.every("flowrun", flow=flow))


def test_many_runs_are_stopped_retried_and_deleted(fsl: Cli, client: Client, flow: str) -> None:
    trial = fsl("stop", "--flow", flow, "--dry-run")
    assert trial.exit_code == 0
    assert "3 runs matched: 3 would" in trial.stdout
    assert statuses(client, flow) == ["running"] * 3
    stopped = fsl.json("stop", "--flow", flow, "--reason", "over", "--yes", "--rate", "1000")
    assert (stopped["matched"], stopped["done"], stopped["results"]) == (3, 3, [])
    assert statuses(client, flow) == ["canceled"] * 3
    assert fsl("retry", "--flow", flow, "--label", "n=1", "--yes", "--rate", "1000").exit_code == 0
    assert statuses(client, flow) == ["canceled", "canceled", "running"]
    refused = fsl("delete", "--flow", flow, "--status", "running,canceled", "--yes", "--rate", "1000")
    assert refused.exit_code == 1
    assert "2 done, 1 refused" in refused.stdout
    assert f"{flow}-1" in refused.stdout
    assert statuses(client, flow) == ["running"]


def test_runs_are_paused_continued_and_migrated(fsl: Cli, client: Client, flow: str) -> None:
    assert fsl("pause", "--flow", flow, "--yes").exit_code == 0
    assert statuses(client, flow) == ["paused"] * 3
    assert fsl("continue", "--flow", flow, "--yes").exit_code == 0
    assert statuses(client, flow) == ["running"] * 3
    client.submit(PROGRAM.replace("NAME", flow).replace("NO -> stopped", "NO -> done"))
    assert fsl("migrate", "--flow", flow, "--of-version", "1", "--to", "latest", "--yes").exit_code == 0
    assert {one["spec"]["flow_version"] for one in client.every("flowrun", flow=flow)} == {2}


def test_a_confirmation_is_needed(fsl: Cli, client: Client, flow: str) -> None:
    refused = fsl("stop", "--flow", flow)
    assert refused.exit_code == 2
    assert "3 runs would stop" in refused.stderr
    assert statuses(client, flow) == ["running"] * 3
    assert fsl("stop", "--flow", "nothing-of-it").exit_code == 1


def test_a_run_and_filters_exclude_each_other(fsl: Cli, flow: str) -> None:
    assert fsl("stop", f"{flow}-0", "--flow", flow).exit_code == 2
    assert fsl("pause", "--reason").exit_code == 2
    assert fsl("retry", "--step", "First").exit_code == 2
    assert fsl("pause", "action").exit_code == 1
    assert fsl("pause", "thing", "x").exit_code == 2


def test_batches_are_listed_shown_and_stopped(fsl: Cli, flow: str) -> None:
    made = fsl.json("stop", "--flow", flow, "--yes")
    assert made["id"] in [one["id"] for one in fsl.json("batch", "list")]
    assert fsl("batch", "show", made["id"]).exit_code == 0
    assert fsl.json("batch", "watch", made["id"])["done"] == 3
    assert "done" in fsl("batch", "stop", made["id"]).stdout
    assert "0 of 3 runs are left" in fsl("batch", "continue", made["id"]).stdout
    assert fsl.json("batch", "continue", made["id"])["status"] == "done"
    assert fsl("batch", "show", "nothing").exit_code == 1


def test_actions_and_flows_are_paused(fsl: Cli, client: Client, flow: str) -> None:
    assert fsl("pause", "flow", flow).stdout == f"flow {flow} is paused\n"
    assert client.start(flow, {"name": f"{flow}-9"})["spec"]["status"] == "pending"
    assert fsl.json("continue", "flow", flow)["paused"] is False
    assert fsl("pause", "action", "nothing").exit_code == 1


def test_ended_runs_are_archived_and_deleted(fsl: Cli, client: Client, flow: str, tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    for number in (0, 1):
        client.order(f"{flow}-{number}", "stop")
    histories = {f"{flow}-{number}": client.history(f"{flow}-{number}") for number in (0, 1)}
    kept = fsl.json("archive", "--older", "0s", "--flow", flow, "--to", str(path), "--keep")
    assert (kept["saved"], kept["deleted"]) == (2, 0)
    done = fsl.json("archive", "--older", "0s", "--flow", flow, "--to", str(path))
    assert (done["saved"], done["deleted"], done["runs"]) == (0, 2, 2)
    assert statuses(client, flow) == ["running"]
    for name, entries in histories.items():
        assert fsl.json("history", name, "--file", str(path)) == entries
    listed = fsl("history", "--file", str(path)).stdout
    assert all(name in listed for name in histories)
    assert fsl("history", "nothing", "--file", str(path)).exit_code == 1


def test_large_values_are_saved_whole(client: Client, tmp_path: Path, fsl: Cli, flow: str) -> None:
    text = "x" * 50_000
    client.submit(f"flow {flow}_l input = (any v); wait W => (DONE -> done) {{ for = 1ms; }}; flow_end")
    client.start(f"{flow}_l", {"name": f"{flow}_l", "input": {"v": [text, {"deep": text}]}})
    assert list(client.watch(f"{flow}_l"))
    path = tmp_path / "large.jsonl"
    assert fsl.json("archive", "--older", "0s", "--flow", f"{flow}_l", "--to", str(path), "--keep")["saved"] == 1
    (found,) = read(path)
    assert found.run["spec"]["input"] == {"v": [text, {"deep": text}]}


def run_of(name: str, seq: int = 2) -> dict[str, Any]:
    return {"metadata": {"name": name, "uuid": f"id-{name}"}, "spec": {"seq": seq}}


def test_an_incomplete_end_is_cut_off_and_written_again(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    file = ArchiveFile(path)
    file.write(run_of("a"), [{"seq": 1}, {"seq": 2}])
    file.flush()
    whole = path.read_bytes()
    file.write(run_of("b"), [{"seq": 1}, {"seq": 2}])
    file.flush()
    file.close()
    every = path.read_bytes()
    for cut in range(len(whole), len(every)):
        path.write_bytes(every[:cut])
        again = ArchiveFile(path)
        assert again.known == {"id-a": 2}
        again.write(run_of("b"), [{"seq": 1}, {"seq": 2}])
        again.flush()
        again.close()
        assert path.read_bytes() == every
    assert [(one.name, len(one.entries)) for one in read(path)] == [("a", 2), ("b", 2)]


@pytest.mark.parametrize("text", ["no json\n", '{"entry": {}}\n', "[1]\n"])
def test_another_file_is_refused(fsl: Cli, tmp_path: Path, text: str) -> None:
    path = tmp_path / "other"
    path.write_text(text)
    refused = fsl("history", "a", "--file", str(path))
    assert refused.exit_code == 1
    assert "line 1" in refused.stderr
