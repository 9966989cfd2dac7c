"""`fsl import` of machines: files, templates, values, problems, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fsl.cli.main import main

ORDER = {
    "StartAt": "Pay",
    "States": {"Pay": {"Type": "Task", "Resource": "${PayArn}", "Next": "Yes"}, "Yes": {"Type": "Succeed"}},
}
PAY = "arn:aws:lambda:eu-west-1:123456789012:function:pay"
TEMPLATE = """
Resources:
  Pay: {Type: AWS::Serverless::Function, Properties: {FunctionName: pay}}
  Order:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: sm/order.asl.yaml
      DefinitionSubstitutions: {PayArn: !GetAtt Pay.Arn, Wait: 5}
  Refund:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      StateMachineType: EXPRESS
      Definition:
        StartAt: A
        States:
          A: {Type: Task, Resource: "arn:aws:states:::sqs:sendMessage.waitForTaskToken", End: true}
"""
ORDER_YAML = """
StartAt: Wait
States:
  Wait: {Type: Wait, Seconds: "${Wait}", Next: Yes}
  Yes: {Type: Task, Resource: "${PayArn}", End: true}
"""


def fsl(*words: str | Path, text: str | None = None) -> Result:
    return CliRunner().invoke(main, ["import", *(str(word) for word in words)], input=text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sm").mkdir()
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "sm" / "order.asl.yaml").write_text(ORDER_YAML)
    (tmp_path / "order.asl.json").write_text(json.dumps(ORDER))
    return tmp_path


def test_a_machine_is_printed_and_passes_the_check(folder: Path) -> None:
    result = fsl(folder / "order.asl.json", "--var", f"PayArn={PAY}")
    assert (result.exit_code, "error" in result.stderr) == (0, False)
    assert "flow order" in result.stdout
    (folder / "order.fsl").write_text(result.stdout)
    assert CliRunner().invoke(main, ["check", str(folder / "order.fsl")]).exit_code == 0


def test_a_problem_is_printed_with_its_place_and_the_text_all_the_same(folder: Path) -> None:
    broken = {"StartAt": "A", "States": {"A": {"Type": "Pass", "InputPath": "x", "End": True}}}
    result = fsl("-", text=json.dumps(broken))
    assert result.exit_code == 1
    assert "flow machine" in result.stdout
    assert "stdin:/States/A/InputPath: error a path must begin with `$` at column 1\n" in result.stderr
    note = fsl(folder / "order.asl.json")
    assert note.exit_code == 0
    assert f"{folder / 'order.asl.json'}:/States/Pay/Resource: note a template fills in" in note.stderr


@pytest.mark.parametrize("text", ["{", "a: [", "[]", '{"StartAt": "A"}', '{"States": {}}', "StartAt: A"])
def test_a_text_that_is_no_machine_is_an_error(text: str) -> None:
    result = fsl("--asl", "-", text=text)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error" in result.stderr


def test_every_machine_of_a_template_is_imported(folder: Path) -> None:
    result = fsl("--from", folder / "template.yaml")
    assert result.exit_code == 1
    place = f"{folder / 'template.yaml'}:/Resources/Refund/Properties/Definition/States/A/Resource"
    assert f"{place}: error Express workflows do not support `.waitForTaskToken`" in result.stderr
    assert "flow order" in result.stdout
    assert "for = 5s" in result.stdout
    assert "flow refund" in result.stdout
    assert fsl(folder / "template.yaml").stdout == result.stdout
    only = fsl(folder / "template.yaml", "--machine", "Order", "--name", "orders")
    assert (only.exit_code, "flow orders" in only.stdout, "refund" in only.stdout) == (0, True, False)


def test_a_file_takes_the_values_of_the_template(folder: Path) -> None:
    result = fsl(folder / "sm" / "order.asl.yaml", "--from", folder / "template.yaml")
    assert (result.exit_code, "for = 5s" in result.stdout) == (0, True)
    other = fsl(folder / "order.asl.json", "--from", folder / "template.yaml")
    assert "no machine of the template has" in other.stderr


def test_machines_are_written_to_files(folder: Path) -> None:
    result = fsl("--from", folder / "template.yaml", "--output", f"{folder}/flows/")
    assert result.stdout == ""
    assert sorted(path.name for path in (folder / "flows").iterdir()) == ["order.fsl", "refund.fsl"]
    assert fsl("--from", folder / "template.yaml", "--output", folder / "all.fsl").exit_code == 1
    assert "flow refund" in (folder / "all.fsl").read_text()


def test_machines_of_the_same_name_become_flows_of_different_names(folder: Path) -> None:
    (folder / "sm" / "order.asl.json").write_text(json.dumps(ORDER))
    result = fsl(folder / "order.asl.json", folder / "sm" / "order.asl.json", "--var", f"PayArn={PAY}")
    assert result.exit_code == 0
    assert [line for line in result.stdout.splitlines() if line.startswith("flow ")] == ["flow order", "flow order_2"]
    (folder / "all.fsl").write_text(result.stdout)
    assert CliRunner().invoke(main, ["check", str(folder / "all.fsl")]).exit_code == 0


def test_json_for_programs(folder: Path) -> None:
    found = json.loads(fsl("--from", folder / "template.yaml", "--json").stdout)
    assert found["ok"] is False
    assert [machine["name"] for machine in found["machines"]] == ["order", "refund"]
    (problem, *_) = found["machines"][1]["problems"]
    assert problem["pointer"] == "/Resources/Refund/Properties/Definition/States/A/Resource"
    assert problem["level"] == "error"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "Usage"),
        (("--var", "x"), "must have the form"),
        (("--name", "x"), "give FILES"),
        (("missing.json",), "cannot read missing.json"),
        (("--from", "template.yaml", "--name", "x"), "--name is for one machine"),
        (("--from", "template.yaml", "--machine", "x"), "there is no machine 'x': there are Order, Refund"),
    ],
)
def test_a_wrong_call_exits_with_2(folder: Path, words: tuple[str, ...], message: str) -> None:
    result = fsl(*(folder / word if word == "template.yaml" else word for word in words))
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Resources: {}", "no state machine"),
        ("Resources: 1", "no template"),
        ("a: [", "no YAML"),
        ("- 1", "no template"),
    ],
)
def test_a_template_that_is_none_is_an_error(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "t.yaml").write_text(text)
    result = fsl("--from", tmp_path / "t.yaml")
    assert result.exit_code == 1
    assert words in result.stderr
