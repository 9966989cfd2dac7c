"""Every limit of the API from both sides: a value at the limit is accepted, one beyond it changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from chalicelib.asl import read as asl
from chalicelib.engine.values.size_limits import MAX_LABEL_NAME, MAX_LABEL_VALUE, MAX_LABELS, MAX_VALUE_BYTES
from chalicelib.entrypoints.http import exchange
from chalicelib.entrypoints.http.query import MAX_LIMIT
from chalicelib.entrypoints.http.reading import MAX_NAME_CHARACTERS, MAX_TEXT_CHARACTERS, MAX_TOKEN_NAME_CHARACTERS
from chalicelib.entrypoints.http.views import authoring, doctor, schedules, timers, values
from chalicelib.entrypoints.http.views.starts import MAX_WAIT_S
from chalicelib.model.json_values import DEEPEST
from chalicelib.service.documents.versions import MAX_CREATED, MAX_CREATED_BYTES, MAX_DEFINITION_BYTES
from chalicelib.service.events.publish import MAX_TTL_MS
from tests.cpu import units
from tests.entrypoints.flows import TWO, WORK
from tests.entrypoints.gateway import Reply, call
from tests.entrypoints.steps import answered, defined, started
from tests.hosts import Host

BIG = """flow big
    input = (any x = null, any y = null);
    wait W => (DONE -> done) { for = 1h; };
flow_end"""


def text(size: int) -> str:
    """Return a string with that many bytes as JSON."""
    return "x" * (size - 2)


def within(size: int) -> dict[str, str]:
    """Return two values that have that many bytes as one JSON object."""
    half = text(size // 2)
    rest = size - len(msgspec.json.encode({"x": half, "y": ""})) + 2
    made = {"x": half, "y": text(rest)}
    assert len(msgspec.json.encode(made)) == size
    return made


def begin(**body: Any) -> Reply:
    defined(BIG)
    return call("POST", "/flow/big/runs", body)


def publish(**body: Any) -> Reply:
    return call("POST", "/event", {"name": "n", **body})


def ordered(order: str, **body: Any) -> Reply:
    started()
    return call("POST", f"/flowrun/r/{order}", body)


def answer(**changed: Any) -> Reply:
    return call("POST", "/step", answered(started(), **changed))


def listed(url: str) -> Reply:
    defined(WORK, TWO)
    return call("GET", url)


def next_times(count: int) -> Reply:
    defined(BIG, "schedule s every = 1h; flow = big; schedule_end")
    return call("GET", f"/schedule/s/next?n={count}")


def valued(query: str) -> Reply:
    started()
    return call("GET", f"/flowrun/r/value?of=vars&{query}")


def imported(size: int) -> Reply:
    machine = '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}'
    return call("POST", "/import", {"asl": machine + " " * (size - len(machine))})


def nested(depth: int) -> Any:
    """Return a body of that depth, including its own level."""
    value: Any = [0]
    for _ in range(depth - 2):
        value = [value]
    return value


Send = Callable[[int], Reply]

LIMITS: list[tuple[str, Send, int, int]] = [
    ("a run's name", lambda n: begin(name="r" * n), MAX_NAME_CHARACTERS, 400),
    ("an idempotency key", lambda n: begin(key="k" * n), MAX_NAME_CHARACTERS, 400),
    ("an event's name", lambda n: publish(name="e" * n), MAX_NAME_CHARACTERS, 400),
    ("an event's key", lambda n: publish(key="k" * n), MAX_TEXT_CHARACTERS, 400),
    ("an event's ttl", lambda n: publish(ttl=n / 1000), MAX_TTL_MS, 422),
    ("an event's data", lambda n: publish(data=text(n)), MAX_VALUE_BYTES, 413),
    ("a run's event's name", lambda n: ordered("signal", name="e" * n), MAX_NAME_CHARACTERS, 400),
    ("a run's event's data", lambda n: ordered("signal", name="e", data=text(n)), MAX_VALUE_BYTES, 413),
    ("labels", lambda n: begin(labels={f"l{k}": k for k in range(n)}), MAX_LABELS, 413),
    ("a label's name", lambda n: begin(labels={"l" * n: 1}), MAX_LABEL_NAME, 413),
    ("a label's text", lambda n: begin(labels={"l": "v" * n}), MAX_LABEL_VALUE, 413),
    ("a label's list", lambda n: begin(labels={"l": [text(n - 2)]}), MAX_LABEL_VALUE, 413),
    ("an input", lambda n: begin(input=within(n)), MAX_VALUE_BYTES, 413),
    ("the variables that a person sets", lambda n: ordered("vars", vars=within(n)), MAX_VALUE_BYTES, 413),
    ("the variables that an answer sets", lambda n: answer(globalVariables=within(n)), MAX_VALUE_BYTES, 413),
    ("the data of an answer", lambda n: answer(data=text(n)), MAX_VALUE_BYTES, 413),
    ("the data of a report", lambda n: answer(data=text(n), done=False), MAX_VALUE_BYTES, 413),
    (
        "a token's name",
        lambda n: call("POST", "/token", {"name": "t" * n, "role": "viewer"}),
        MAX_TOKEN_NAME_CHARACTERS,
        400,
    ),
    ("a reason", lambda n: ordered("stop", reason="r" * n), MAX_TEXT_CHARACTERS, 400),
    ("depth of a body", lambda n: publish(data=nested(n)), DEEPEST, 400),
    ("a list's length", lambda n: listed(f"/flowrun?limit={n}"), MAX_LIMIT, 400),
    ("a list of timers", lambda n: listed(f"/timer?limit={n}"), timers.MAX_LIMIT, 400),
    ("what the doctor looks at", lambda n: listed(f"/doctor?limit={n}"), doctor.MAX_RUNS, 400),
    ("next times", lambda n: next_times(n), schedules.MAX_NEXT_SLOTS, 400),
    ("depth of a value", lambda n: valued(f"depth={n}"), values.MAX_DEPTH, 400),
    ("children of a value", lambda n: valued(f"count={n}"), values.MAX_COUNT, 400),
    ("a text to analyze", lambda n: call("POST", "/analyze", {"text": "#" * n}), authoring.MAX_TEXT_BYTES, 413),
    ("a machine to import", lambda n: imported(n), asl.MAX_BYTES, 413),
    ("a parameter", lambda n: listed(f"/flowrun?flow={'f' * n}"), MAX_TEXT_CHARACTERS, 400),
]


@pytest.mark.parametrize(("what", "send", "limit", "status"), LIMITS, ids=[what for what, *_ in LIMITS])
def test_the_limit_is_taken_and_one_more_is_refused(host: Host, what: str, send: Send, limit: int, status: int) -> None:
    refused = send(limit + 1)
    assert (refused.status, refused.code) == (status, {400: "malformed", 413: "too-large", 422: "invalid"}[status]), (
        refused.text[:300]
    )
    assert call("GET", "/event").json == []
    runs = call("GET", "/flowrun").json
    assert [(run["metadata"]["name"], run["spec"]["status"], run["spec"]["global_variable"]) for run in runs] in (
        [],
        [("r", "running", {})],
    )
    for run in runs:
        call("POST", f"/flowrun/{run['metadata']['name']}/stop")
        assert call("DELETE", f"/flowrun/{run['metadata']['name']}").status == 200
    taken = send(limit)
    assert taken.status in (200, 201), taken.text[:300]


def test_a_name_in_a_path_may_be_so_long_and_no_longer(host: Host) -> None:
    assert call("GET", f"/flowrun/{'r' * MAX_TEXT_CHARACTERS}").code == "not-found"
    assert call("GET", f"/flowrun/{'r' * (MAX_TEXT_CHARACTERS + 1)}").code == "malformed"


def test_a_run_is_watched_for_so_long_and_no_longer(host: Host) -> None:
    started()
    assert call("GET", f"/flowrun/r/watch?after=99&wait={MAX_WAIT_S}").json == []
    assert call("GET", f"/flowrun/r/watch?after=99&wait={MAX_WAIT_S + 1}").code == "malformed"


def test_a_flow_s_own_labels_are_bounded_too(host: Host) -> None:
    labels = ", ".join(f"l{number} = {number}" for number in range(MAX_LABELS))
    defined(f"flow labelled labels = ({labels}); wait W => (DONE -> done) {{ for = 1h; }}; flow_end")
    assert call("POST", "/flow/labelled/runs", {"name": "a", "labels": {"l0": "mine"}}).status == 201
    refused = call("POST", "/flow/labelled/runs", {"name": "b", "labels": {"more": 1}})
    assert (refused.status, refused.code) == (413, "too-large")
    assert [run["metadata"]["name"] for run in call("GET", "/flowrun").json] == ["a"]


# ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────────


def actions(count: int, *, note: int = 0, sign: str = "x") -> str:
    comment = "/*" + sign * note + "*/" if note else ""
    return "\n/\n".join(
        f"action a{number} {comment} method = human; return = (OK); action_end" for number in range(count)
    )


def test_a_document_makes_so_many_things_and_no_more(host: Host) -> None:
    refused = call("POST", "/fsl", actions(MAX_CREATED + 1))
    assert (refused.status, refused.code) == (413, "too-large")
    assert call("GET", "/action").json == []
    defined(actions(MAX_CREATED))


def test_a_definition_has_so_many_bytes_and_no_more(host: Host) -> None:
    defined(actions(1, note=100))
    (stored,) = host.services.reader.definitions("default", "action", 1, "")  # type: ignore[arg-type]
    room = MAX_DEFINITION_BYTES - len(msgspec.json.encode(stored)) + 100
    refused = call("POST", "/fsl", actions(1, note=room + 1))
    assert (refused.status, refused.code) == (413, "too-large")
    assert str(MAX_DEFINITION_BYTES) in refused.json["message"]
    assert call("GET", "/action/a0").json["metadata"]["version"] == 1
    defined(actions(1, note=room))


def test_a_document_makes_so_many_bytes_and_no_more(host: Host) -> None:
    sign = "\N{GRINNING FACE}"  # four bytes each, so that the limit on characters is not reached first
    note = MAX_CREATED_BYTES // 40 // 4
    refused = call("POST", "/fsl", actions(41, note=note, sign=sign))
    assert (refused.status, refused.code) == (413, "too-large")
    assert str(MAX_CREATED_BYTES) in refused.json["message"]
    assert call("GET", "/action").json == []
    defined(actions(39, note=note, sign=sign))


@pytest.mark.parametrize("sign", ["/", ")", "${", '"'])
def test_a_megabyte_of_signs_is_refused_quickly(host: Host, sign: str) -> None:
    """FSL of such a text is answered with 400 within 2 s of a core of 2024."""
    text_of_signs = sign * (1_048_000 // len(sign))
    replies: list[Reply] = []
    assert units(lambda: replies.append(call("POST", "/fsl", text_of_signs)), 400) <= 400
    assert replies[0].status == 400, replies[0].text[:200]


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> int:
    """Limit responses to 20,000 bytes."""
    monkeypatch.setattr(exchange, "MAX_RESPONSE_BYTES", 20_000)
    return 20_000


def test_an_answer_that_lambda_would_not_pass_on_is_refused(host: Host, narrow: int) -> None:
    defined(BIG)
    for number in range(40):
        call("POST", "/flow/big/runs", {"name": f"r{number}", "input": {"x": '"' * 30}})
    refused = call("GET", "/flowrun?limit=40")
    assert (refused.status, refused.code) == (413, "too-large")
    fitting = max(number for number in range(1, 41) if call("GET", f"/flowrun?limit={number}").status == 200)
    assert len(json.dumps(call("GET", f"/flowrun?limit={fitting}").text)) <= narrow
    assert call("GET", f"/flowrun?limit={fitting + 1}").status == 413


def test_a_change_with_a_too_large_response_is_confirmed_briefly(host: Host, narrow: int) -> None:
    """The resource was created, so the response cannot be refused any more."""
    whole = begin(name="a", input={"x": text(1_000)})
    assert whole.json["spec"]["input"]["x"] == text(1_000)
    short = begin(name="b", input={"x": text(15_000), "y": text(10_000)})
    assert (short.status, short.json["metadata"]["name"]) == (201, "b")
    assert "spec" not in short.json
    assert str(narrow) in short.json["message"]
