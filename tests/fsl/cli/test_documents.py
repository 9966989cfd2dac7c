"""The commands on documents, without a server."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import jsonschema  # type: ignore[import-untyped]  # no hints are among the requirements
import pytest
from click.testing import CliRunner, Result

from chalicelib.authoring.explain import Setting, explain
from chalicelib.language import KnownNames, format_text, read
from chalicelib.model.actions import DEFAULTS, Action
from chalicelib.model.flow import Flow, FlowRun
from fsl import definition_json
from fsl.cli.main import main

LANGUAGE = Path(__file__).parents[2] / "language"
VALID = sorted((LANGUAGE / "valid").glob("*.fsl"))
ORDER = LANGUAGE / "valid" / "order.fsl"
RELEASE = LANGUAGE / "valid" / "release.fsl"


def fsl(*words: str | Path, text: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], input=text)


# ── fmt ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_fmt_writes_in_place_and_a_second_time_nothing(tmp_path: Path) -> None:
    file = tmp_path / "x.fsl"
    file.write_bytes(b"action a\r\nreturn=(); action_end")
    assert fsl("fmt", "--check", file).exit_code == 1
    assert fsl("fmt", file).exit_code == 0
    assert file.read_bytes() == b"action a\n    return = ();\naction_end\n"
    assert fsl("fmt", "--check", file).exit_code == 0
    assert json.loads(fsl("fmt", "--json", file).stdout) == [{"file": str(file), "ok": True, "changed": False}]


def test_fmt_from_standard_input_to_standard_output() -> None:
    result = fsl("fmt", "-", text=RELEASE.read_text())
    assert (result.exit_code, result.stdout) == (0, format_text(RELEASE.read_text()))


def test_fmt_shows_what_would_change(tmp_path: Path) -> None:
    file = tmp_path / "x.fsl"
    file.write_text("action a return=(); action_end")
    result = fsl("fmt", "--diff", file)
    assert result.exit_code == 1
    assert (
        "\n-action a return=(); action_end\n\\ No newline at end of file\n+action a\n+    return = ();\n"
        in result.stdout
    )
    assert file.read_text() == "action a return=(); action_end"


def test_fmt_leaves_a_text_with_syntax_errors(tmp_path: Path) -> None:
    file = tmp_path / "x.fsl"
    file.write_text("action a return = (")
    result = fsl("fmt", file)
    assert result.exit_code == 1
    assert "FSL105 unclosed-bracket" in result.stderr
    assert file.read_text() == "action a return = ("


def test_no_such_file_is_a_usage_error() -> None:
    assert fsl("fmt", "/no/such.fsl").exit_code == 2


# ── graph ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("form", "begins"),
    [
        ("text", "my_flow_run\n    A  (ci)"),
        ("json", '{\n  "name"'),
        ("mermaid", "stateDiagram-v2"),
        ("dot", "digraph"),
        ("svg", "<svg "),
    ],
)
def test_graph(form: str, begins: str, tmp_path: Path) -> None:
    result = fsl("graph", RELEASE, "--format", form)
    assert result.exit_code == 0
    assert result.stdout.startswith(begins)
    assert fsl("graph", RELEASE, "--format", form, "-o", tmp_path / "out").stdout == ""
    assert (tmp_path / "out").read_text() == result.stdout


def test_graph_asks_which_flow_of_several() -> None:
    result = fsl("graph", ORDER)
    assert result.exit_code == 2
    assert "choose a flow with --flow NAME; the files define: invoice, order" in result.stderr
    picture = fsl("graph", ORDER, "--flow", "order", "--format", "svg").stdout
    assert ElementTree.fromstring(picture).tag.endswith("svg")  # noqa: S314 - we made it ourselves


def test_a_wrong_document_is_not_drawn(tmp_path: Path) -> None:
    file = tmp_path / "x.fsl"
    file.write_text("flow f step A => (OK -> B) { action = none; }; flow_end")
    result = fsl("graph", file)
    assert result.exit_code == 1
    assert "FSL203" in result.stderr


# ── explain ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_explain_says_where_each_setting_comes_from() -> None:
    text = """action a addr = "http://a"; return = (OK); timeout = 2h; heartbeat = 1m; action_end
    /
    action p method = human; return = (OK); action_end
    /
    flow f
        step A => (OK -> B | TIMEOUT when ${ 1 } -> B | else -> done) { action = a; timeout = 90s; };
        step P => (OK -> done) { action = p; };
        wait B => (PAID -> C) { events = (PAID = "paid"); };
        fork C => () { branch x { step D => (OK -> done) { action = a; retry = (max = 1); }; }; };
    flow_end"""
    values = [one.value for one in read(text, KnownNames()).statements]
    flow = next(one for one in values if isinstance(one, Flow))
    actions = {one.name: one for one in values if isinstance(one, Action)}
    a, p, b, c, d = explain(flow, actions, DEFAULTS)
    assert (p.timeout, p.retry, p.heartbeat, p.conditions) == (Setting("30d", "default"), None, None, None)
    assert a.conditions == "one that fails returns ERROR: -> done"
    assert (a.timeout, a.heartbeat, a.on_timeout) == (
        Setting("90s", "step"),
        Setting("1m", "action"),
        "-> B when 1, -> done",
    )
    assert a.retry == Setting("3 deliveries, 1s apart, times 2, up to 5m", "default")
    assert (b.timeout, b.on_timeout, b.on_error) == (Setting("7d", "default"), "stops the run", "stops the run")
    assert (c.timeout, c.on_error) == (Setting("366d", "default"), "stops the run")
    assert (d.timeout, d.retry, d.on_error) == (
        Setting("2h", "action"),
        Setting("1 delivery", "step"),
        "fails its branch",
    )


def test_explain_shows_what_is_signed_and_what_is_secret(tmp_path: Path) -> None:
    text = (LANGUAGE / "valid" / "secrets.fsl").read_text()
    rows = json.loads(fsl("explain", LANGUAGE / "valid" / "secrets.fsl", "--flow", "order", "--json").stdout)
    assert [(row["step"], row["callback"], row["secret"]) for row in rows] == [
        ("Pay", {"value": "signed", "by": "action"}, "card, key, secret, codes, header Authorization, data"),
        ("Keep", {"value": "signed", "by": "step"}, "key, card, secret"),
        ("secret", None, None),
    ]
    shown = fsl("explain", LANGUAGE / "valid" / "secrets.fsl", "--flow", "order").stdout
    assert "callback    signed (action)" in shown
    plain = tmp_path / "x.fsl"
    plain.write_text(text.replace("callback = Signed;", "").replace("callback = signed;", ""))
    assert "callback" not in fsl("explain", plain, "--flow", "order").stdout


def test_explain_as_lines_and_as_json() -> None:
    lines = fsl("explain", ORDER, "--flow", "order").stdout.splitlines()
    assert "Charge  action, action charge" in lines
    assert "  timeout     10m (step)" in lines
    assert max(map(len, lines)) <= 80
    rows = json.loads(fsl("explain", ORDER, "--flow", "order", "--json").stdout)
    assert rows[1]["on_timeout"] == "-> Review"


# ── export, import, schema ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_what_is_exported_fits_the_schema_and_comes_back(path: Path) -> None:
    values = [one.value for one in read(path.read_bytes().decode("utf-8"), KnownNames()).statements]
    exported = [definition_json.exported(value) for value in values]
    jsonschema.validate(exported, definition_json.schema())
    jsonschema.validate(exported[0], definition_json.schema())
    assert definition_json.imported(json.dumps(exported)) == values


def test_export_and_import_are_inverse(tmp_path: Path) -> None:
    exported = fsl("export", ORDER)
    (tmp_path / "x.fsl").write_bytes(fsl("import", "-", text=exported.stdout).stdout_bytes)
    again = fsl("export", tmp_path / "x.fsl")
    assert (exported.exit_code, again.exit_code) == (0, 0)
    assert definition_json.imported(again.stdout) == definition_json.imported(exported.stdout)


def test_one_definition_is_exported_by_its_name() -> None:
    assert json.loads(fsl("export", ORDER, "--name", "pick").stdout)["addresses"] == ["http://pick"]
    assert fsl("export", ORDER, "--name", "nobody").exit_code == 1


def test_the_kinds_are_told_apart() -> None:
    values = [one.value for one in read(ORDER.read_text(), KnownNames()).statements]
    found = definition_json.imported(json.dumps([definition_json.exported(value) for value in values]))
    assert found == values
    assert {type(one) for one in found} == {Action, Flow, FlowRun}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "truncated"),
        ("[1]", "expected an object"),
        ('{"name": "a", "returns": 1}', "Expected `array`, got `int`"),
        ('{"name": "f", "steps": [{"kind": "fly"}]}', "Invalid value 'fly'"),
        (
            '{"name": "f", "steps": [{"kind": "set", "name": "S", "routes": [], "save": {"a": "\\"`"}}]}',
            "an FSL string cannot",
        ),
    ],
)
def test_json_that_is_no_definition_is_refused(text: str, said: str) -> None:
    result = fsl("import", "-", text=text)
    assert result.exit_code == 1
    assert said in result.stderr


def test_the_published_schema_is_what_the_code_makes() -> None:
    assert definition_json.FILE.read_text() == definition_json.schema_text() == fsl("schema").stdout
    jsonschema.Draft202012Validator.check_schema(definition_json.schema())


def test_the_schema_refuses_what_is_no_definition() -> None:
    for wrong in ({}, {"name": "a"} | {"returns": 1}, {"name": "f", "steps": [{"kind": "fly"}]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, definition_json.schema())


# ── byte order marks ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_byte_order_mark_at_the_beginning_of_a_file_is_skipped(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    program, tests, exported = tmp_path / "m.fsl", tmp_path / "m.test.yaml", tmp_path / "m.json"
    flow = "flow m step S => (OK -> done) { action = a; }; flow_end"
    program.write_text(f'action a addr = "http://a.test/"; return = (OK); action_end\n/\n{flow}\n', "utf-8-sig")
    tests.write_text(
        "tests:\n  - name: it ends\n    flow: m\n    actions: {a: OK}\n    expect: {status: succeeded}\n", "utf-8-sig"
    )
    assert fsl("check", program).exit_code == 0
    result = fsl("test", tests)
    assert result.exit_code == 0, result.output
    exported.write_text(fsl("export", program).stdout, "utf-8-sig")
    assert fsl("import", exported).stdout == fsl("import", "-", text=fsl("export", program).stdout).stdout != ""


# ── upgrade ──────────────────────────────────────────────────────────────────────────────────────────────────────────

OLD = """action pay addr = "http://p"; return = (PAID | DECLINED); action_end
/
action refund addr = "http://r"; return = (OK); action_end
/
flow f step A => (PAID -> done | DECLINED -> stopped) { action = pay; undo = refund; }; flow_end  # an order
"""


def test_upgrade_rewrites_a_file_in_place_once(tmp_path: Path) -> None:
    file = tmp_path / "old.fsl"
    file.write_text(OLD)
    assert fsl("check", file).exit_code == 1
    told = fsl("upgrade", "--check", file)
    assert (told.exit_code, file.read_text()) == (1, OLD)
    assert "would be upgraded to 0.4" in told.stderr
    shown = fsl("upgrade", "--diff", file)
    assert (shown.exit_code, file.read_text()) == (1, OLD)
    assert "{ action = pay; undo = refund on PAID; }; flow_end  # an order" in shown.stdout
    assert fsl("upgrade", file).exit_code == 0
    assert file.read_text() == OLD.replace("undo = refund", "undo = refund on PAID")
    assert fsl("check", file).exit_code == 0
    assert json.loads(fsl("upgrade", "--check", "--json", file).stdout) == [
        {"file": str(file), "changed": False, "notes": []}
    ]


def test_upgrade_prints_what_a_person_must_decide(tmp_path: Path) -> None:
    file = tmp_path / "old.fsl"
    file.write_text(OLD.replace("PAID -> done", "PAID -> stopped"))
    told = fsl("upgrade", file)
    assert told.exit_code == 1
    assert f"{file}:5:74: step 'A' never led on" in told.stderr
    file.write_text("flow f step A => (")
    assert fsl("upgrade", file).exit_code == 1
    assert file.read_text() == "flow f step A => ("


def test_explain_names_what_is_sent_around_a_wait() -> None:
    programs = LANGUAGE.parents[1] / "fsl" / "programs"
    (row,) = json.loads(fsl("explain", programs / "watch.fsl", "--json").stdout)
    assert row["notices"] == "on_enter watch, on_leave unwatch"
