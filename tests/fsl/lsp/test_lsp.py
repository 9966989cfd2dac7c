"""The language server: results for texts, and one session over pipes as from an editor."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from lsprotocol import types
from pygls.lsp.client import LanguageClient

from chalicelib.authoring import occurrences, symbols
from chalicelib.authoring.keywords import BOUND_NAMES, STATEMENTS, TYPES, properties_of
from chalicelib.authoring.symbols import workspace_of
from chalicelib.language.source import Span
from fsl.lsp.editing import code_actions, references
from fsl.lsp.results import completions, diagnostics, document_symbols, edits, hover
from fsl.lsp.text import Text

URI = "file:///x.fsl"
ACTIONS = """action ci
    addr   = "http://ci";
    args   = (str project, int count = 3);
    return = (SUCCESS | FAIL);
    timeout = 30m;
action_end
/
action pay method = human; return = (PAID); undo = ci (project = "p"); action_end
/
action hide
    args     = (secret str token = secret "hide.token", str other);
    return   = (OK);
    data     = secret;
    callback = signed;
action_end
/
flow invoice input = (str order); wait Rest => () { for = 1s; }; flow_end
/
"""
FLOW = """flow release
    step Build => (SUCCESS -> Pay | FAIL -> stopped) { action = ci; args = (project = "p"); };
    step Pay => (PAID -> done) { action = pay; retry = (max = 2); };
flow_end
"""


STEP_PROPERTIES = list(properties_of("step"))


def offered(text: str) -> list[str]:
    """Return the labels that are offered at the `^` of a text, after the actions above."""
    whole = ACTIONS + text.replace("^", "")
    document = Text(whole)
    position = document.range(Span(len(ACTIONS) + text.index("^"), len(ACTIONS) + text.index("^"))).start
    return [one.label for one in completions(document, position, workspace_of({URI: whole}))]


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("^", list(STATEMENTS)),
        ("fl^", list(STATEMENTS)),
        ("event order.paid ^", ["args", "event_end"]),
        ("event order.paid args = (^", list(TYPES)),
        ("config x = ^", []),
        ("config x ^", []),
        ("action x method = ^; action_end", ["http", "https", "grpc", "human", "queue", "lambda", "aws"]),
        ("action x args = (^); action_end", ["str", "int", "float", "bool", "list", "map", "any", "secret"]),
        ("action x args = (secret ^); action_end", ["str", "int", "float", "bool", "list", "map", "any"]),
        ("action x args = (secret str a = ^", ["secret"]),
        ("action x args = (str a = ^", []),
        ("action x headers = (A = ^", ["secret"]),
        ("action x data = ^", ["secret"]),
        ("action x callback = ^", ["signed", "open", "none"]),
        ("flow f input = (secret ^", ["str", "int", "float", "bool", "list", "map", "any"]),
        ("flow f vars = (^", ["secret"]),
        ("flow f step A => () { action = hide; args = (token = ^", ["secret"]),
        ("flow f step A => () { action = hide; args = (other = ^", []),
        ("action x retry = (max = 1, ^", ["max", "delay", "rate", "cap"]),
        ("flow f step A => (^) { action = ci; }; flow_end", ["SUCCESS", "FAIL", "ERROR", "TIMEOUT", "when", "else"]),
        ("flow f step A => (OK -> ^) {}; step B => (); flow_end", ["A", "B", "done", "stopped"]),
        ("flow f step A => (OK ^", ["when"]),
        ("flow f wait A => (^", ["DONE", "TIMEOUT", "ERROR", "when", "else"]),
        ("flow f step A => () { action = ^", ["ci", "pay", "hide"]),
        ("flow f step A => () { action = ci; args = (^", ["project", "count"]),
        ("flow f step A => () { args = (^); action = ci; };", ["project", "count"]),
        ("flow f call A => () { flow = ^", ["invoice"]),
        ("flow f call A => () { flow = invoice; input = (^", ["order"]),
        ("flow f fork A => () { ^", ["join", "timeout", "abandoned", "vars", "save", "repeat", "branch"]),
        ("flow f fork A => () { branch b { ^", [
            "vars", "step", "deci", "wait", "fork", "each", "call", "set", "emit", "start", "use",
        ]),
        ("flow f emit A => (^", ["DONE", "TIMEOUT", "ERROR", "when", "else"]),
        ("flow f emit A => () { data = ^", []),
        ("flow f start A => () { flow = ^", ["invoice"]),
        ("flow f start A => () { flow = invoice; input = (^", ["order"]),
        ("flow f wait A => () { on_leave = ^", ["ci", "pay", "hide"]),
        ("flow f use ^", ["invoice"]),
        ("flow f use invoice ^", ["as"]),
        ("flow f use invoice as ^", []),
        ("flow f fork A => () { abandoned = ^", ["keep"]),
        ("flow f step A => () { repeat = (^", ["max", "delay", "rate", "cap", "jitter"]),
        ("flow f step A => () { undo = ^", ["ci", "pay", "hide", "invoice"]),
        ("flow f step A => () { undo = ci (a = 1) ^", ["on"]),
        ("flow f step A => () { undo = ci ^", ["on"]),
        ("flow f step A => () { action = ci; undo = pay (a = 1) on ^", ["SUCCESS", "FAIL"]),
        ("flow f step A => () { action = ci; undo = pay on SUCCESS | ^", ["FAIL"]),
        ("flow f step A => () { undo = pay on ^; action = ci; };", ["SUCCESS", "FAIL"]),
        ("flow f step A => () { action = ci; undo = pay on SUCCESS ^", []),
        ("flow f step A => () { action = ci; undo = pay on SUCCESS; ^ };", STEP_PROPERTIES),
        ("flow f call A => () { flow = invoice; undo = pay on ^", ["DONE"]),
        ("action ci return = (SUCCESS | FAIL); undo = pay on SUCCESS | ^", ["FAIL"]),
        ("flow f step A => (OK -> stopped (^", ["error", "cause"]),
        ("flow f step A => (OK -> done (^", ["output"]),
        ("flow f step A => (OK -> A (^", []),
        ("flow f input = ^", ["any", "map", "list"]),
        ("flow f fork A => () { join = ^", ["all", "any"]),
        ("flow f set A => () { ^", ["save"]),
        ("flow f step A => () { action = ^ # comment", ["ci", "pay", "hide"]),
        ("flow f vars = (a = ${ $^", [f"${name}" for name in BOUND_NAMES]),
        ('flow f vars = (a = "^', []),
        ("flow f step ^", []),
    ],
)  # fmt: skip
def test_completion(text: str, labels: list[str]) -> None:
    assert offered(text) == labels


EDITED = """config rate = 2;
/
flow order
    input  = (str id, map shop);
    vars   = (tries = 0);
    step Build => (SUCCESS -> Pay (paid = 1) | FAIL -> stopped) {
        action = ci;
        args   = (project = ${ $input.id & $config.rate & $vars.tries });
        save   = (tries = ${ $vars.tries + 1 });
    };
    call Pay => (DONE -> done | STOPPED -> Build) { flow = invoice; input = (order = ${ $input.`id` }); };
flow_end
"""


@pytest.mark.parametrize(
    ("expression", "labels"),
    [
        ("$error.^", ["name", "cause", "step", "state", "status", "data"]),
        ("$input.^", ["id", "shop"]),
        ("$input.i^ } ", ["id", "shop"]),
        ("$vars . ^", ["tries", "paid"]),
        ("$config.^", ["rate"]),
        ("$step.^", ["name", "uuid", "token", "attempt", "entered_at"]),
        ("$item.^", []),
    ],
)
def test_completion_of_members(expression: str, labels: list[str]) -> None:
    assert offered(EDITED.replace("$input.id & $config.rate & $vars.tries }", expression)) == labels


@pytest.mark.parametrize(
    ("word", "places"),
    [
        ("ci;", ["ci", "ci", "ci"]),
        ("invoice;", ["invoice", "invoice"]),
        ("Pay (", ["Pay", "Pay"]),
        ("tries + 1", ["tries"] * 4),
        ("id & ", ["id", "`id`", "id"]),
        ("rate &", ["rate", "rate"]),
        ("order = ${", ["order", "order"]),
        ("FAIL ->", []),
    ],
)
def test_references(word: str, places: list[str]) -> None:
    whole = ACTIONS + EDITED
    text, at = Text(whole), whole.index(word, len(ACTIONS))
    found = references({URI: whole}, text, text.range(Span(at, at)).start, declarations=True)
    assert sorted(whole[one.span.start : one.span.end] for one in found) == sorted(places)


def test_references_without_declarations() -> None:
    text, at = Text(EDITED), EDITED.index("tries")
    found = references({URI: EDITED}, text, text.range(Span(at, at)).start, declarations=False)
    assert len(found) == 3


def rename(word: str, new: str) -> str:
    """Return the edited document after the name that begins at `word` was renamed."""
    edits = occurrences.renamed({URI: EDITED}, EDITED, EDITED.index(word), new)
    text = EDITED
    for place, written in sorted(edits, key=lambda one: one[0].span.start, reverse=True):
        text = text[: place.span.start] + written + text[place.span.end :]
    return text


def test_a_step_is_renamed_where_it_is_compared_and_where_its_flow_is_used() -> None:
    text = (
        'flow a step Pay => (OK -> Pay | ERROR when ${ $error.step = "Pay" or "Pay" != $step.name } -> done); '
        "flow_end\n/\n"
        "flow b use a as `x_`; step Pay => (OK -> x_Pay); flow_end"
    )
    edits = occurrences.renamed({URI: text}, text, text.index("Pay"), "Charge")
    changed = text
    for place, written in sorted(edits, key=lambda one: one[0].span.start, reverse=True):
        changed = changed[: place.span.start] + written + changed[place.span.end :]
    first, second = text.split("/\n")
    assert changed == first.replace("Pay", "Charge") + "/\n" + second.replace("x_Pay", "x_Charge")


def test_a_rename_changes_every_place_of_the_name_and_nothing_else() -> None:
    assert rename("tries", "n") == EDITED.replace("tries", "n")
    assert rename("Pay (", "Charge") == EDITED.replace("Pay", "Charge")
    assert rename("rate &", "fee") == EDITED.replace("rate", "fee")
    spaced = rename("id &", "order id")
    assert '(str "order id", map shop)' in spaced
    assert spaced.count("$input.`order id`") == 2


@pytest.mark.parametrize(
    ("word", "new", "problem"),
    [
        ("Pay (", "Build", "there is already a step 'Build'"),
        ("Pay (", "Done", "'Done' is a reserved name"),
        ("Pay (", " ", "a name has 1 to"),
        ("tries", "a`b", "contains `"),
        ("FAIL ->", "X", "there is no action, flow, step"),
    ],
)
def test_a_rename_that_cannot_be_done_says_why(word: str, new: str, problem: str) -> None:
    with pytest.raises(occurrences.NotRenamed, match=problem):
        rename(word, new)


@pytest.mark.parametrize(
    ("text", "title", "fixed"),
    [
        ("step A => (SUCCESS -> dne | FAIL -> A) {", "Change to done", "step A => (SUCCESS -> done | FAIL -> A) {"),
        (
            "step A => (SUCCESS -> done | FAIL -> failed) {",
            "Change to stopped",
            "(SUCCESS -> done | FAIL -> stopped) {",
        ),
        ("step my-A => (SUCCESS, FAIL -> done) {", 'Change to "my-A"', 'step "my-A" => (SUCCESS, FAIL -> done) {'),
        ("step A => (SUCCESS -> done ) {", "Add the route FAIL -> stopped", "done | FAIL -> stopped ) {"),
        ("${ $input.projct }", "Change to project", "${ $input.project }"),
        ("${ $vars.n }", "Declare the variable n", "flow fixed\n    vars = (n = null);"),
    ],
)
def test_quick_fixes(text: str, title: str, fixed: str) -> None:
    routes = text if text.startswith("step") else "step A => (SUCCESS -> done | FAIL -> stopped) {"
    value = text if text.startswith("$") else '"p"'
    whole = (
        f"{ACTIONS}flow fixed input = (str project); {routes} action = ci; args = (project = {value}); }};\nflow_end"
    )
    document = Text(whole)
    found = code_actions(URI, document, document.range(Span(0, len(whole))), workspace_of({URI: whole}))
    actions = {one.title: one.edit for one in found}
    edit = actions[title]
    assert edit
    assert edit.changes
    [change] = edit.changes[URI]
    start, end = document.offset(change.range.start), document.offset(change.range.end)
    assert fixed in whole[:start] + change.new_text + whole[end:]


def test_completion_in_a_flow_offers_properties_steps_and_its_end() -> None:
    labels = offered("flow f input = (str a);\n ^\nflow_end")
    assert {"timeout", "labels", "step", "fork", "flow_end"} <= set(labels)
    assert "branch" not in labels


def test_diagnostics_have_places_in_utf_16() -> None:
    text = Text('action a addr = "😀"; retrun = (OK); action_end')
    found = diagnostics(text, workspace_of({}))
    places = {one.code: (one.range.start.character, one.range.end.character) for one in found}
    assert places["FSL208"] == (22, 28)
    assert text.offset(types.Position(0, 22)) == 21
    assert next(one.message for one in found if one.code == "FSL208").endswith("(did you mean 'return'?)")


def test_documents_know_each_other() -> None:
    alone = [one.code for one in diagnostics(Text(FLOW), workspace_of({URI: FLOW}))]
    assert "FSL203" in alone
    assert diagnostics(Text(FLOW), workspace_of({URI: FLOW, "file:///actions.fsl": ACTIONS})) == []


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("action = c|i", "**action ci** (str project, int count = 3) → SUCCESS | FAIL"),
        ("-> P|ay", "- timeout: 30d (default)"),
        ("step Bu|ild", "- timeout: 30m (action)"),
        ("step Bu|ild", "- on TIMEOUT: stops the run"),
        ("st|ep Build", "**step**: sends an action and waits for its answer"),
        ("re|try", "**retry**: how deliveries are retried"),
        ("-> sto|pped", "The run ends."),
        ("(proj|ect = ", "str project"),
    ],
)
def test_hover(word: str, shown: str) -> None:
    whole = ACTIONS + FLOW
    at = whole.index(word.replace("|", ""), len(ACTIONS)) + word.index("|")
    found = hover(Text(whole), Text(whole).range(Span(at, at)).start, workspace_of({URI: whole}))
    assert found is not None
    assert isinstance(found.contents, types.MarkupContent)
    assert shown in found.contents.value


def test_hover_shows_what_is_secret_and_what_is_signed() -> None:
    text = ACTIONS + "flow f step Hide => (OK -> done) { action = hide; args = (other = 1); }; flow_end"
    workspace = workspace_of({URI: text})
    action = symbols.hover(text, text.index("hide", len(ACTIONS)), workspace)
    assert action is not None
    assert action[0].startswith('**action hide** (secret str token = secret "hide.token", str other) → OK')
    assert "Answers must be signed.\n\nThe data of answers is secret." in action[0]
    good = text.replace("other = 1", 'other = "1"')
    step = symbols.hover(good, good.index("Hide", len(ACTIONS)), workspace_of({URI: good}))
    assert step is not None
    assert "- callback: signed (action)\n- secret: token, data" in step[0]


def test_there_is_no_hover_without_a_word() -> None:
    assert hover(Text(" \n "), types.Position(0, 0), workspace_of({})) is None
    assert symbols.definition("", 0, URI, workspace_of({})) is None


@pytest.mark.parametrize(
    ("word", "target"),
    [("action = c|i", "ci\n"), ("-> P|ay", "Pay =>"), ("step Bui|ld", "Build =>"), ("release", "release")],
)
def test_definition(word: str, target: str) -> None:
    texts = {URI: FLOW, "file:///actions.fsl": ACTIONS}
    at = FLOW.index(word.replace("|", "")) + max(word.find("|"), 0)
    place = symbols.definition(FLOW, at, URI, workspace_of(texts))
    assert place is not None
    assert texts[place.uri][place.span.start :].startswith(target)


def test_symbols() -> None:
    found = [
        (one.name, one.detail, [step.name for step in one.children or []])
        for one in document_symbols(Text(ACTIONS + FLOW))
    ]
    assert found == [
        ("ci", "action", []),
        ("pay", "action", []),
        ("hide", "action", []),
        ("invoice", "flow", ["Rest"]),
        ("release", "flow", ["Build", "Pay"]),
    ]


def test_formatting() -> None:
    found = edits(Text("action a return=(); action_end"))
    assert found is not None
    assert [one.new_text for one in found] == ["action a\n    return = ();\naction_end\n"]
    assert edits(Text(found[0].new_text)) == []
    assert edits(Text("action a return=(")) is None


@pytest.mark.parametrize("cut", range(0, len(ACTIONS + FLOW), 7))
def test_an_unfinished_document_raises_nothing(cut: int) -> None:
    text = Text((ACTIONS + FLOW)[:cut])
    workspace = workspace_of({URI: text.text})
    end = text.range(Span(cut, cut)).start
    completions(text, end, workspace)
    hover(text, end, workspace)
    document_symbols(text)
    assert diagnostics(text, workspace) is not None


def test_an_editor_is_served_over_pipes(tmp_path: Path) -> None:
    (tmp_path / "actions.fsl").write_text(ACTIONS)
    asyncio.run(asyncio.wait_for(_session(tmp_path / "flow.fsl"), 60))


async def _session(path: Path) -> None:
    client = LanguageClient("test", "1")
    published: asyncio.Queue[types.PublishDiagnosticsParams] = asyncio.Queue()

    @client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)  # type: ignore[untyped-decorator]  # pygls gives it no type
    def received(params: types.PublishDiagnosticsParams) -> None:
        published.put_nowait(params)

    await client.start_io(sys.executable, "-c", "from fsl.lsp.server import serve; serve()")
    folder = types.WorkspaceFolder(path.parent.as_uri(), "x")
    await client.initialize_async(
        types.InitializeParams(capabilities=types.ClientCapabilities(), workspace_folders=[folder])
    )
    client.initialized(types.InitializedParams())
    item = types.TextDocumentItem(path.as_uri(), "fsl", 1, FLOW.replace("-> Pay", "-> Pya"))
    client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    assert [one.code for one in (await published.get()).diagnostics if one.severity == 1] == ["FSL204"]
    whole = types.TextDocumentContentChangeWholeDocument(FLOW)
    version = types.VersionedTextDocumentIdentifier(version=2, uri=path.as_uri())
    client.text_document_did_change(types.DidChangeTextDocumentParams(version, [whole]))
    assert not (await published.get()).diagnostics
    document = types.TextDocumentIdentifier(path.as_uri())
    at = types.Position(1, FLOW.splitlines()[1].index("ci;"))
    found = await client.text_document_definition_async(types.DefinitionParams(document, at))
    assert isinstance(found, types.Location)
    assert found.uri.endswith("/actions.fsl")
    assert found.range.start == types.Position(0, 7)
    offered_ = await client.text_document_completion_async(types.CompletionParams(document, at))
    assert isinstance(offered_, list)
    assert [one.label for one in offered_] == ["ci", "pay", "hide"]
    renamed = await client.text_document_rename_async(types.RenameParams(document, at, "build"))
    assert renamed
    assert renamed.changes
    assert sorted(uri.rsplit("/", 1)[1] for uri in renamed.changes) == ["actions.fsl", "flow.fsl"]
    options = types.FormattingOptions(4, insert_spaces=True)
    laid_out = await client.text_document_formatting_async(types.DocumentFormattingParams(document, options))
    assert laid_out
    await client.shutdown_async(None)
    client.exit(None)
    await client.stop()  # type: ignore[no-untyped-call]  # pygls gives it no type
