"""What the crash points cut: scenarios that together make every call of every port."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chalicelib.engine.errors import CommandRefused
from chalicelib.hosting import Services
from chalicelib.model.status import Status
from chalicelib.service.batches.commands import BatchCommand
from chalicelib.service.batches.operator import BatchOrder
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.runs.start import StartOrder
from tests.simulation.stage import Inline, Stage

NS: Final = "alpha"

WORK: Final = """
action work
    addr = "http://work.test/"; method = http; args = (any item = null, secret str key = null); return = (OK | FAIL);
    limit = (concurrent = 2);
action_end
/
action ask  method = human; return = (YES | NO);  action_end
/
action careful  addr = "http://careful.test/"; method = http; return = (OK | FAIL); approval = required;  action_end
/
action idle  addr = "http://idle.test/"; method = http; return = (OK);  action_end
/
action back  addr = "http://back.test/"; method = http; return = (OK);  action_end
/
flow small
    step One => (OK -> done | FAIL -> stopped) { action = work; };
flow_end
/
action far  addr = "http://far.test/"; callback = none; args = (any n = 1); return = (OK);  action_end
/
flow brief  wait Long => (DONE -> done) { for = 5s; }; flow_end
/
flow wide
    vars = (n = 0, secret key = ${ "k-" & $run.name });
    fork Both => (DONE -> Each) {
        join = all;
        branch left { step Left => (OK -> done) { action = work; args = (key = ${ $vars.key }); undo = back on OK; }; };
        branch right {
            wait Right => (GO -> done | TIMEOUT -> done) { events = (GO = "go"); key = "k"; timeout = 1h; };
        };
    };
    each Each => (DONE -> Sub | FAIL -> stopped) {
        items = [1, 2, 3]; max = 2;
        step Item => (OK -> done) { action = work; args = (item = ${ $item }); };
    };
    call Sub => (DONE -> Ask | STOPPED -> stopped) { flow = small; };
    deci Ask => (YES -> Care | NO -> stopped) { action = ask; };
    step Care => (OK -> Long) { action = careful; };
    wait Long => (DONE -> Last) { for = 30m; };
    set Last => (DONE -> Far) { save = (n = ${ $vars.n + 1 }); };
    step Far => (OK -> done) { action = far; };
flow_end
"""

OUTGOING: Final = """
flow tells
    vars = (secret note = ${ "k-" & $run.name });
    emit Tell => (DONE -> Start) { event = "told"; key = "t"; data = { "n": 1 }; };
    start Start => (DONE -> Hold) { flow = brief; name = "begun"; };
    wait Hold => (GO -> Signal | TIMEOUT -> Signal) {
        events   = (GO = "go"); timeout = 1h;
        on_enter = work (item = "in", key = ${ $vars.note });
        on_leave = back;
    };
    emit Signal => (DONE -> done) { event = "told"; to = "hears"; };
flow_end
/
flow hears
    wait First  => (TOLD -> Second) { events = (TOLD = "told"); key = "t"; };
    wait Second => (TOLD -> Third) { events = (TOLD = "told"); key = "t"; timeout = 2h; };
    wait Third  => (TOLD -> stopped | TIMEOUT -> done) { events = (TOLD = "told"); key = "t"; timeout = 2h; };
flow_end
"""

CHAIN: Final = """
flow chain
    vars = (n = 0);
    step One => (OK -> Two) { action = far; };
    step Two => (OK -> Three) { action = far; args = (n = 2); };
    step Three => (OK -> Both) { action = idle; };
    fork Both => (DONE -> Last) {
        join = all;
        branch left { step Left => (OK -> done) { action = far; }; };
        branch right { step Right => (OK -> Again) { action = far; }; step Again => (OK -> done) { action = far; }; };
    };
    step Last => (OK -> done) { action = far; };
flow_end
"""

OWN: Final = """
action hush  addr = "http://hush.test/"; method = http; args = (secret str key = null); return = (OK);  action_end
/
flow_run own
    step One => (OK -> Two | FAIL -> stopped) { action = "work"; args = (item = "%s"); };
    step Two => (OK -> done | FAIL -> stopped) { action = "work"; };
flow_run_end
"""


SCHEDULES: Final = """
flow rest  wait Long => (DONE -> done) { for = 35m; };  flow_end
/
schedule hourly  flow = brief;  every = 1h;  schedule_end
/
schedule once  flow = brief;  at = "2027-01-15T09:30:00Z";  overlap = cancel;  schedule_end
/
schedule often  flow = rest;  every = 30m;  overlap = queue;  schedule_end
"""


IDLES: Final = "flow idles  wait Long => (DONE -> done) { for = 10h; };  flow_end"


@dataclass(frozen=True, slots=True)
class Scenario:
    """`acts` come one after the other, at these moments; each is tried until it is acknowledged or refused."""

    name: str
    acts: tuple[tuple[int, Callable[[Services], object]], ...]
    ends: dict[str, Status]
    """How the runs end that no other run waits for."""
    inline: Inline = Inline.OFF

    def begin(self, stage: Stage) -> None:
        stage.services(0).submitter.submit(NS, WORK)
        for after, act in self.acts:
            stage.loop.at(stage.loop.now + after, lambda act=act: stage.ask("act", NS, act))  # type: ignore[misc]


def _submit(text: str) -> Callable[[Services], object]:
    return lambda services: services.submitter.submit(NS, text)


def _start(flow: str, name: str, key: str | None = None) -> Callable[[Services], object]:
    return lambda services: services.starter.start(NS, StartOrder(flow=flow, name=name, key=key))


def _read(services: Services) -> None:
    """What pages and lists read."""
    services.reader.history(NS, "w", 0, 1_000)
    services.reader.views(NS, RunQuery())
    services.reader.definitions(NS, Kind.FLOW, 10, "")
    services.reader.signals(NS, 10)
    services.runs.changed(NS, 0, 10)
    services.reader.count(NS, RunQuery())
    services.definition_details.versions(NS, Kind.FLOW, "small", 10)
    history = services.reader.history(NS, "w", 0, 1_000)
    services.run_details.compared(services.reader.run(NS, "w"), tuple(history), 0)
    services.activations.find(NS, "w", next(entry.uuid for entry in history if entry.step == "Left" and entry.uuid))


def _stop_all(services: Services) -> None:
    services.batches.create(NS, BatchOrder(command=BatchCommand.STOP, query=RunQuery(flow="idles")))


def _read_batches(services: Services) -> None:
    for batch in services.batches.list(NS, 10, ""):
        services.batches.results(NS, services.batches.get(NS, batch.id), 0, 10)


def _signal(services: Services) -> None:
    services.signaler.signal(NS, services.reader.run(NS, "w"), "go", data={"v": 1})


def _retry(services: Services) -> None:
    try:
        services.operator.retry(NS, "o", step="Both")  # its work was undone
    except CommandRefused:
        return  # the answer to the first try went astray


def _work(services: Services) -> None:
    services.operator.set_vars(NS, "o", {"n": 1})


def _inline(name: str, inline: Inline) -> Scenario:
    acts = ((1, _submit(CHAIN)), (SECOND, _start("chain", "c")))
    return Scenario(name, acts, {"c": Status.SUCCEEDED}, inline)


SECOND: Final = 1_000
MINUTE: Final = 60_000
HOUR: Final = 3_600_000

SCENARIOS: Final = (
    Scenario(
        "a document with a run of its own steps, and its removal",
        (
            (1, _submit(OWN % ("x" * 5_000))),
            (48 * HOUR, lambda services: services.reader.view(NS, "own")),
            (48 * HOUR + 60 * SECOND, lambda services: services.operator.delete_run(NS, "own")),
            (49 * HOUR, lambda services: services.definition_deleter.delete(NS, Kind.ACTION, "idle")),
            (49 * HOUR, _start("small", "s")),
        ),
        {"s": Status.SUCCEEDED},
    ),
    Scenario(
        "every kind of step",
        (
            (1, _start("wide", "w", key="once")),
            (20 * SECOND, lambda services: services.signaler.publish(NS, "go", key="k", data={"v": 1})),
            (50 * HOUR, _read),
        ),
        {"w": Status.SUCCEEDED},
    ),
    Scenario(
        "orders",
        (
            (1, _start("wide", "o")),
            (5, lambda services: services.operator.pause(NS, "o")),
            (60 * SECOND, _work),
            (90 * SECOND, lambda services: services.operator.resume(NS, "o")),
            (100 * SECOND, lambda services: services.operator.stop(NS, "o")),
            (400 * SECOND, _retry),
            # the message of the timer then arrives too early
            (HOUR + 390 * SECOND, lambda services: services.operator.pause(NS, "o")),
            (HOUR + 390 * SECOND + 500, lambda services: services.operator.resume(NS, "o")),
        ),
        {"o": Status.SUCCEEDED},
    ),
    Scenario(
        "a timer that a short pause moves",
        (
            (1, _start("brief", "b")),
            (1 * SECOND, lambda services: services.operator.pause(NS, "b")),
            (1 * SECOND + 2500, lambda services: services.operator.resume(NS, "b")),
        ),
        {"b": Status.SUCCEEDED},
    ),
    Scenario(
        "a batch that stops runs, and a label",
        (
            (1, _submit(IDLES)),
            (SECOND, _start("idles", "first")),
            (SECOND, _start("idles", "second")),
            (MINUTE, lambda services: services.operator.set_labels(NS, "first", {"team": "a"})),
            (HOUR, _stop_all),
            (2 * HOUR, _read_batches),
        ),
        {"first": Status.CANCELED, "second": Status.CANCELED},
    ),
    Scenario(
        "a signal for one run",
        ((1, _start("wide", "w")), (10 * SECOND, _signal)),
        {"w": Status.SUCCEEDED},
    ),
    Scenario(
        "events, runs and notices",
        (
            (1, _submit(OUTGOING)),
            (500, _start("hears", "hears")),
            (SECOND, _start("tells", "t")),
            (SECOND + 5, lambda services: services.operator.pause(NS, "t")),
            (2 * MINUTE, lambda services: services.operator.resume(NS, "t")),
        ),
        {"t": Status.SUCCEEDED, "begun": Status.SUCCEEDED, "hears": Status.SUCCEEDED},
    ),
    Scenario(
        "a schedule that is paused, continued and deleted",
        (
            (1, _submit(SCHEDULES)),
            (HOUR + 20 * MINUTE, lambda services: services.schedules.pause(NS, "hourly")),
            (2 * HOUR + 20 * MINUTE, lambda services: services.schedules.resume(NS, "hourly")),
            (3 * HOUR + 10 * MINUTE, lambda services: services.definition_deleter.delete(NS, Kind.SCHEDULE, "hourly")),
            (3 * HOUR + 10 * MINUTE, lambda services: services.definition_deleter.delete(NS, Kind.SCHEDULE, "often")),
        ),
        {
            "hourly@2027-01-15T09:00:00Z": Status.SUCCEEDED,
            "hourly@2027-01-15T11:00:00Z": Status.SUCCEEDED,
            "once@2027-01-15T09:30:00Z": Status.SUCCEEDED,
            **{f"often@2027-01-15T{8 + n // 2:02}:{n % 2 * 30:02}:00Z": Status.SUCCEEDED for n in range(1, 6)},
        },
    ),
    _inline("inline deliveries on one machine", Inline.MACHINE),
    _inline("inline deliveries in Lambda", Inline.LAMBDA),
)
