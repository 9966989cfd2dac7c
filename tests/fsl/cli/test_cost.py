"""`fsl cost`: runs and flows, here and on Step Functions."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsl.client import Client
from tests.fsl.conftest import Cli

FLOWS = """
action resize addr = "http://127.0.0.1:9/never"; args = (str file); return = (RESIZED | DAMAGED); action_end
/
flow pictures
    input = (list files);
    each Resize => (DONE -> Tell | FAIL -> stopped) {
        items = ${ $input.files };
        step One => (RESIZED -> done | DAMAGED -> stopped) { action = resize; args = (file = ${ $item }); };
    };
    call Tell => (DONE -> done | STOPPED -> stopped) { flow = told; };
flow_end
/
flow told set Told => (DONE -> done); flow_end
/
flow waits wait W => (E -> done | TIMEOUT -> stopped) { events = (E = "e"); timeout = 365d; }; flow_end
/
flow asks wait W => (E -> done) { events = (E = "e"); }; flow_end
"""


@pytest.fixture(scope="module", autouse=True)
def ended(client: Client) -> None:
    client.submit(FLOWS)
    client.start("told", {"name": "c-1"})
    client.ended("c-1", 20)


def test_a_run_is_compared_as_it_went(fsl: Cli) -> None:
    found = fsl.json("cost", "c-1", "--compare", "sfn")
    assert found["step_functions"]["standard"] == {"transitions": 1, "usd": 0.000025, "complete": True}
    lines = fsl("cost", "c-1", "--compare", "sfn").stdout.splitlines()
    assert lines[0].split() == ["run", "c-1", "counted", "per", "million", "runs"]
    assert lines[2].split()[-4:] == ["1", "state", "transitions", "$25.00"]


def test_a_flow_of_the_server_is_played_with_what_it_refers_to(fsl: Cli) -> None:
    found = fsl.json("cost", "pictures", "--compare", "sfn", "--input", 'files=["a", "b", "c"]', "--items", "3")
    assert found["played"]["step_functions"]["standard"]["transitions"] == 5
    assert found["played"]["writes"] > 0
    assert (found["played"]["status"], found["played"]["error"]) == ("succeeded", "")
    ways = {name: found["transitions"][name] for name in ("least", "most", "loops", "eaches", "items")}
    assert ways == {"least": 4, "most": 5, "loops": False, "eaches": ["Resize"], "items": 3}


def test_a_file_needs_no_server(fsl: Cli, tmp_path: Path) -> None:
    file = tmp_path / "told.fsl"
    file.write_text(FLOWS)
    shown = fsl("cost", str(file), "--flow", "told", "--compare", "sfn", "--server", "http://127.0.0.1:9")
    assert shown.exit_code == 0
    assert "flow told, played" in shown.stdout
    assert "the shortest way" in shown.stdout
    assert fsl("cost", str(file), "--compare", "sfn").exit_code == 2


def test_a_flow_that_cannot_be_played(fsl: Cli) -> None:
    missing = fsl("cost", "pictures", "--compare", "sfn")
    assert missing.exit_code == 0
    assert "not played: the input does not fit flow 'pictures': files: is missing" in missing.stdout
    found = fsl.json("cost", "waits", "--compare", "sfn")
    assert found["played"]["step_functions"]["express"]["fits"] is False
    assert "it took longer than the 5 minutes" in fsl("cost", "waits", "--compare", "sfn").stdout


def test_an_idle_month(fsl: Cli) -> None:
    found = fsl.json("cost", "--idle")
    assert found["usd"] == pytest.approx(sum(found["usd_by_part"].values()))
    assert 0 < found["usd"] < 1
    assert fsl("cost", "--idle").stdout.splitlines()[-2].split() == ["in", "all", f"${found['usd']:.2f}"]
    assert "or say --idle" in fsl("cost", "--items", "2").stderr
    assert "or say --idle" in fsl("cost", "c-1", "--idle").stderr


def test_wrong_targets(fsl: Cli, tmp_path: Path) -> None:
    nothing = fsl("cost", "nothing", "--compare", "sfn")
    assert (nothing.exit_code, "there is no flow 'nothing'" in nothing.stderr) == (1, True)
    file = tmp_path / "x.fsl"
    file.write_text(FLOWS)
    assert "add --compare sfn" in fsl("cost", str(file)).stderr
    assert fsl("cost", "c-1", "--compare", "other").exit_code == 2
