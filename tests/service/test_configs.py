"""Values of the configuration: a run reads them as `$config.NAME`, and keeps the versions that it began with."""

from __future__ import annotations

import pytest

from chalicelib.model.json_values import Json
from chalicelib.model.run import DefinitionRef
from chalicelib.service.documents.results import FslRefused
from chalicelib.service.errors import StillReferred
from chalicelib.service.ports.actions import Taken
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.ports.runs import RunQuery
from tests.hosts import NS, Host, accept

DOCUMENT = """
config REGION = "eu"; / config LIMITS = { "max": 2, "names": ["a", "b"] }; / config UNUSED = 1;
/
action release addr = "http://r.test/"; args = (str region); return = (DONE); action_end
/
action work
    addr = "http://w.test/"; args = (str region, any x = null); return = (OK | BAD);
    undo = release (region = ${ $config.REGION }) on OK;
action_end
/
flow f
    vars   = (names = ${ $config.LIMITS.names });
    labels = (region = ${ $config.REGION });
    output = ${ $config.LIMITS.max };
    step A => (OK when ${ $config.LIMITS.max = 2 } -> B | OK -> stopped | BAD -> stopped) {
        action = work; args = (region = ${ $config.REGION }); save = (seen = ${ $config.REGION });
    };
    wait B => (DONE -> C) { for = ${ $config.LIMITS.max & "h" }; };
    step C => (OK -> done | BAD -> stopped) { action = work; args = (region = ${ "to " & $config.REGION }); };
flow_end
"""
HOUR = 3_600_000


def sent(host: Host) -> list[tuple[str, Json]]:
    return [(request["stepName"], request["region"]) for request in host.actions.requests]


def test_a_run_reads_the_configuration_wherever_expressions_are() -> None:
    host = Host()
    host.submit(DOCUMENT)
    run = host.start("f")
    assert run.definition == DefinitionRef(
        flow="f", version=1, actions={"work": 1, "release": 1}, configs={"REGION": 1, "LIMITS": 1}
    )
    host.pass_time(2 * HOUR)
    run = host.run()
    assert (run.status, run.output, run.labels) == ("succeeded", 2, {"region": "eu"})
    assert run.vars == {"names": ["a", "b"], "seen": "eu"}
    assert sent(host) == [("A", "eu"), ("C", "to eu")]


def test_a_run_keeps_the_version_that_it_began_with() -> None:
    host = Host()
    host.submit(DOCUMENT)
    host.start("f")
    host.settle()
    host.submit('config REGION = "us";')
    host.rebuild()
    host.start("f", name="new")
    host.pass_time(2 * HOUR)
    assert sent(host) == [("A", "eu"), ("A", "us"), ("C", "to eu"), ("C", "to us")]
    assert host.run("new").definition.configs == {"REGION": 2, "LIMITS": 1}
    assert host.run("new").definition.version == 1


def test_an_undo_of_an_action_reads_the_configuration() -> None:
    answers = {"A": "OK", "C": "BAD"}
    host = Host(lambda request: Taken({"ackState": answers.pop(request["stepName"], "DONE")}))
    host.submit(DOCUMENT)
    host.start("f")
    host.pass_time(2 * HOUR)
    assert host.run().status == "failed"
    assert sent(host) == [("A", "eu"), ("C", "to eu"), ("A", "eu")]


def test_a_run_with_steps_of_its_own_reads_the_configuration_of_its_document() -> None:
    host = Host()
    host.submit(
        "config SPAN = 3; / flow_run r output = ${ $config.SPAN };"
        ' wait W => (DONE -> done) { for = ${ $config.SPAN & "h" }; }; flow_run_end'
    )
    host.rebuild()
    host.pass_time(3 * HOUR)
    assert (host.run().status, host.run().output) == ("succeeded", 3)
    assert host.run().definition.configs == {"SPAN": 1}


def test_an_unknown_name_is_refused_at_submission() -> None:
    host = Host()
    host.submit("config REGION = 1;")
    with pytest.raises(FslRefused, match="config 'RGION' does not exist") as refused:
        host.submit("flow f output = ${ $config.RGION }; wait W => (DONE -> done) { for = 1s; }; flow_end")
    assert [one.hint for one in refused.value.diagnostics] == ["did you mean 'REGION'?"]


def test_a_config_is_deleted_only_when_nothing_reads_it() -> None:
    host = Host(accept)
    host.submit(DOCUMENT)
    delete = host.services.definition_deleter.delete
    delete(NS, Kind.CONFIG, "UNUSED")
    with pytest.raises(StillReferred, match="flow 'f'"):
        delete(NS, Kind.CONFIG, "LIMITS")
    host.start("f")
    host.submit("flow f wait W => (DONE -> done) { for = 1s; }; flow_end")
    with pytest.raises(StillReferred, match="flow_run 'r', which is running,"):
        delete(NS, Kind.CONFIG, "LIMITS")
    with pytest.raises(StillReferred, match="action 'work'"):
        delete(NS, Kind.CONFIG, "REGION")


def test_an_action_that_undoes_another_cannot_be_deleted() -> None:
    host = Host()
    host.submit(DOCUMENT)
    host.submit("flow f wait W => (DONE -> done) { for = 1s; }; flow_end")
    with pytest.raises(StillReferred, match="action 'work'"):
        host.services.definition_deleter.delete(NS, Kind.ACTION, "release")


def test_a_schedule_reads_the_newest_configuration() -> None:
    host = Host(accept)
    host.submit(DOCUMENT)
    host.submit("""
        flow g input = (str region); wait W => (DONE -> done) { for = 1m; }; flow_end
        /
        schedule hourly
            flow = g; every = 1h; input = (region = ${ $config.REGION }); labels = (max = ${ $config.LIMITS.max });
        schedule_end
    """)
    host.pass_time(HOUR)
    host.submit('config REGION = "us";')
    host.pass_time(HOUR)
    runs = host.services.runs.list(NS, RunQuery(flow="g")).runs
    assert [(run.input, run.labels["max"]) for run in runs] == [({"region": "us"}, 2), ({"region": "eu"}, 2)]
    with pytest.raises(FslRefused, match="config 'NOPE' does not exist"):
        host.submit("schedule s flow = g; every = 1h; input = (region = ${ $config.NOPE }); schedule_end")
    with pytest.raises(StillReferred):
        host.services.definition_deleter.delete(NS, Kind.CONFIG, "LIMITS")
