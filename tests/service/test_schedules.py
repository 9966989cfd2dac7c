"""Schedules: which slots start runs, and what becomes of the others."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.model.json_values import encode
from chalicelib.model.recurrence.schedule import Overlap, Schedule, run_name, start_of
from chalicelib.model.status import Status
from chalicelib.model.templates import expression
from chalicelib.model.times import Instant, instant
from chalicelib.service.documents.results import FslRefused
from chalicelib.service.errors import Invalid, NotFound, StillReferred
from chalicelib.service.messages import Tick
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.ports.schedules import MAX_RECENT_SLOTS, ScheduleState, SlotOutcome
from chalicelib.service.schedules.commands import MAX_BACKFILL
from chalicelib.service.schedules.decisions import MAX_COUNTED_SLOTS, MAX_QUEUED_SLOTS, TOLERANCE_MS
from chalicelib.service.schedules.scheduler import MAX_DECISIONS
from chalicelib.service.schedules.starting import StartFailed
from tests.fakes import START
from tests.hosts import NS, Host

FLOWS = """
action work  addr = "http://work.test/"; method = http; args = (str day = "-"); return = (OK | BAD);  action_end
/
flow job
    input = (str day);
    step One => (OK -> done | BAD -> stopped) { action = work; args = (day = ${ $input.day }); };
    output = { slot: ${ $scheduled }, day: ${ $input.day } };
flow_end
/
flow long
    wait Rest => (DONE -> done) { for = 90m; };
flow_end
/
flow sees
    vars = (slot = ${ $scheduled });
    set Note => (DONE -> Sub) { save = (same = ${ $scheduled = $vars.slot }); };
    call Sub => (DONE -> done) { flow = bare; };
    labels = (slot = ${ $scheduled });
flow_end
/
flow bare
    set Note => (DONE -> done) { save = (slot = ${ $exists($scheduled) }); };
    output = ${ $vars.slot };
flow_end
"""
MINUTE, HOUR = 60_000, 3_600_000
DAY = 24 * HOUR


@pytest.fixture
def host() -> Host:
    host = Host()
    host.submit(FLOWS)
    return host


def define(host: Host, name: str = "nightly", flow: str = "long", **changes: Any) -> Schedule:
    """Define the next version of a schedule, as a submission does."""
    if not changes.keys() & {"cron", "every", "at"}:
        changes["every"] = HOUR
    schedule = Schedule(name=name, flow=flow, **changes)
    definitions = host.services.adapters.store.definitions
    newest = definitions.latest(NS, Kind.SCHEDULE, [name], deleted=True).get(name)
    made = Definition(
        kind=Kind.SCHEDULE,
        name=name,
        version=newest.version + 1 if newest else 1,
        uuid=newest.uuid if newest and not newest.deleted else f"{name}-{newest.version if newest else 0}",
        text="",
        value=encode(schedule),
        created_at=host.clock.now(),
    )
    host.services.scheduler.announce(NS, made)
    definitions.submit(NS, [made], [])
    host.settle()
    return schedule


def state(host: Host, name: str = "nightly") -> ScheduleState:
    found = host.services.schedules.view(NS, name).state
    assert found is not None
    return found


def runs(host: Host) -> list[str]:
    """Return the names of all runs that no other run waits for, the oldest first."""
    found = host.services.runs.list(NS, RunQuery(limit=1_000)).runs
    return [run.name for run in reversed(found) if run.parent is None]


def slots(host: Host, name: str = "nightly") -> list[tuple[int, SlotOutcome]]:
    """Return the last slots, the oldest first: the minutes since the start of the test, and the outcome."""
    return [((one.slot - START) // MINUTE, one.outcome) for one in reversed(state(host, name).recent)]


def moment(text: str) -> Instant:
    found = instant(text)
    assert found is not None
    return found


def slot_of(run: str) -> Instant:
    return moment(run.partition("@")[2])


# ── slots ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_slot_starts_the_run_that_is_named_after_it(host: Host) -> None:
    schedule = define(host, flow="job", cron="0 2 * * *", zone="Europe/Berlin", input={"day": expression("$scheduled")})
    host.run_until(moment("2027-03-30T12:00:00Z"))
    names = runs(host)
    assert names[-3:] == [
        "nightly@2027-03-28T03:00:00+02:00",
        "nightly@2027-03-29T02:00:00+02:00",
        "nightly@2027-03-30T02:00:00+02:00",
    ]
    assert "nightly@2027-03-27T02:00:00+01:00" in names
    assert len(names) == len(set(names))
    run = host.run(names[-1])
    assert run.scheduled == "2027-03-30T02:00:00+02:00"
    assert run.output == {"slot": run.scheduled, "day": run.scheduled}
    assert run.input == {"day": run.scheduled}
    assert run.created_at == moment(run.scheduled)
    assert run.queued_behind == ""
    assert [entry.by for entry in host.services.reader.history(NS, run.name, 0, 1)] == [f"schedule {schedule.name}"]


def test_a_run_knows_its_slot_everywhere_and_its_children_do_not(host: Host) -> None:
    define(host, flow="sees", every=HOUR, labels={"at": expression("$scheduled")})
    host.pass_time(HOUR)
    (name,) = runs(host)
    run = host.run(name)
    slot = name.partition("@")[2]
    assert run.vars == {"slot": slot, "same": True}
    assert run.labels == {"slot": slot, "at": slot}
    assert run.output is False


def test_an_interval_is_aligned_to_the_epoch(host: Host) -> None:
    host.pass_time(7 * MINUTE + 1)
    schedule = define(host, flow="bare", every=15 * MINUTE)
    host.pass_time(HOUR)
    first = START - START % (15 * MINUTE) + 15 * MINUTE
    assert runs(host) == [run_name(schedule, first + number * 15 * MINUTE) for number in range(4)]


def test_a_single_slot(host: Host) -> None:
    schedule = define(host, flow="bare", at="2027-12-31T22:00:00Z", zone="America/New_York")
    host.run_until(moment("2028-02-01T00:00:00Z"))
    assert runs(host) == ["nightly@2027-12-31T17:00:00-05:00"] == [run_name(schedule, moment("2027-12-31T22:00:00Z"))]
    view = host.services.schedules.view(NS, "nightly")
    assert view.next is None
    assert view.state is not None
    assert view.state.wake_at is None


def test_jitter_delays_a_start_always_by_the_same(host: Host) -> None:
    schedule = define(host, flow="bare", every=HOUR, jitter=30_000)
    host.pass_time(24 * HOUR + 30_000)
    delays = []
    for name in runs(host):
        slot = slot_of(name)
        delays.append(host.run(name).created_at - slot)
        assert delays[-1] == start_of(schedule, slot) - slot
    assert len(delays) == 24
    assert all(0 <= delay <= 30_000 for delay in delays)
    assert len(set(delays)) > 12


# ── overlap ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_skip_leaves_slots_out_while_the_previous_run_goes_on(host: Host) -> None:
    define(host)
    host.pass_time(4 * HOUR)
    first = HOUR - START % HOUR
    assert [at for at, _ in slots(host)] == [first // MINUTE + 60 * number for number in range(4)]
    assert [outcome for _, outcome in slots(host)] == ["started", "skipped", "started", "skipped"]
    assert state(host).recent[0].reason == f"run '{runs(host)[1]}' has not ended"
    assert len(runs(host)) == 2
    assert state(host).counts == {"started": 2, "skipped": 2}


def test_a_paused_previous_run_has_not_ended(host: Host) -> None:
    define(host)
    host.pass_time(HOUR)
    host.services.operator.pause(NS, runs(host)[0])
    host.pass_time(5 * HOUR)
    assert len(runs(host)) == 1


def test_queue_starts_a_slot_when_the_previous_run_ends(host: Host) -> None:
    define(host, overlap=Overlap.QUEUE)
    host.pass_time(6 * HOUR)
    names = runs(host)
    assert [(host.run(name).created_at - host.run(names[0]).created_at) // MINUTE for name in names] == [
        0,
        90,
        180,
        270,
    ]
    assert [slot_of(name) - moment(names[0].partition("@")[2]) for name in names] == [
        number * HOUR for number in range(4)
    ]
    assert len(state(host).queue) == 2
    assert host.run(names[0]).queued_behind == "nightly"


def test_a_queue_is_bounded(host: Host) -> None:
    define(host, every=60_000, overlap=Overlap.QUEUE)
    host.pass_time(3 * 60_000)
    host.services.operator.pause(NS, runs(host)[0])
    host.pass_time((MAX_QUEUED_SLOTS + 3) * MINUTE)
    assert len(state(host).queue) == MAX_QUEUED_SLOTS
    newest = state(host).recent[0]
    assert (newest.outcome, newest.reason) == ("skipped", f"{MAX_QUEUED_SLOTS} slots wait already")


def test_a_queue_goes_on_when_the_previous_run_is_stopped_or_deleted(host: Host) -> None:
    define(host, overlap=Overlap.QUEUE)
    host.pass_time(2 * HOUR + MINUTE)
    (first,) = runs(host)
    host.services.operator.stop(NS, first)
    host.settle()
    assert len(runs(host)) == 2


def test_allow_starts_every_slot(host: Host) -> None:
    define(host, overlap=Overlap.ALLOW)
    host.pass_time(4 * HOUR)
    assert [outcome for _, outcome in slots(host)] == ["started"] * 4


def test_cancel_stops_the_previous_run(host: Host) -> None:
    define(host, overlap=Overlap.CANCEL)
    host.pass_time(3 * HOUR)
    names = runs(host)
    assert [host.run(name).status for name in names] == [Status.CANCELED, Status.CANCELED, Status.RUNNING]
    assert host.run(names[0]).last_err == "the next slot of schedule 'nightly' is due"


def test_cancel_spares_the_previous_run_if_the_next_cannot_start(host: Host) -> None:
    define(host, overlap=Overlap.CANCEL)
    host.pass_time(HOUR)
    define(host, overlap=Overlap.CANCEL, input={"unknown": 1})
    host.pass_time(HOUR)
    assert [outcome for _, outcome in slots(host)] == ["started", "failed"]
    assert host.run(runs(host)[0]).status is Status.RUNNING


# ── slots that were missed ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_slot_over_the_limit_of_its_flow_is_skipped(host: Host) -> None:
    """The flow asks for it: the doctor has nothing to report."""
    limit = "limit = (concurrent = 1, overflow = skip);"
    host.submit(f"flow only {limit} wait Rest => (DONE -> done) {{ for = 90m; }}; flow_end")
    define(host, flow="only", overlap=Overlap.ALLOW)
    host.pass_time(2 * HOUR)
    assert [outcome for _, outcome in slots(host)] == ["started", "skipped"]
    assert "the limit of flow 'only' is reached" in state(host).recent[0].reason
    assert len(runs(host)) == 1
    assert host.services.doctor.examine(NS, 10).findings == ()


def stand_still(host: Host, milliseconds: int) -> None:
    """Let time pass in which nothing works: no message is received, and nothing is swept."""
    host.clock.advance(milliseconds)


def test_a_slot_that_is_a_little_late_is_not_missed(host: Host) -> None:
    define(host, flow="bare")
    stand_still(host, HOUR - START % HOUR + TOLERANCE_MS)
    host.settle()
    assert [outcome for _, outcome in slots(host)] == ["started"]


def test_of_frequent_slots_only_those_of_the_last_minute_are_made_up(host: Host) -> None:
    define(host, flow="bare", every=20_000)
    stand_still(host, 4 * MINUTE)
    host.settle()
    assert [outcome for _, outcome in slots(host)] == ["missed", "started", "started", "started", "started"]
    assert state(host).recent[-1].count == 8


def test_a_single_slot_that_is_missed(host: Host) -> None:
    define(host, flow="bare", at="2027-01-15T09:00:00Z")
    stand_still(host, HOUR + TOLERANCE_MS + 1)
    host.settle()
    (missed,) = state(host).recent
    assert (missed.outcome, missed.reason) == ("missed", "it was found more than 5m late")
    assert state(host).wake_at is None


def test_missed_slots_are_not_made_up(host: Host) -> None:
    define(host, flow="bare")
    stand_still(host, 10 * HOUR + 30 * MINUTE)
    host.settle()
    assert runs(host) == []
    (missed,) = state(host).recent
    assert (missed.outcome, missed.count, missed.slot) == ("missed", 10, START - START % HOUR + HOUR)
    assert missed.reason == "it was found more than 1m late"
    host.pass_time(HOUR)
    assert len(runs(host)) == 1


def test_slots_within_catch_up_are_made_up(host: Host) -> None:
    schedule = define(host, flow="bare", catch_up=3 * HOUR, overlap=Overlap.ALLOW)
    stand_still(host, 10 * HOUR + 30 * MINUTE)
    host.settle()
    now = host.clock.now()
    assert runs(host) == [run_name(schedule, (now // HOUR - number) * HOUR) for number in (2, 1, 0)]
    assert [outcome for _, outcome in slots(host)] == ["missed", "started", "started", "started"]
    assert state(host).recent[-1].count == 7


def test_very_many_missed_slots_cost_a_few_decisions(host: Host) -> None:
    define(host, flow="bare", every=1_000)
    before = state(host).version
    stand_still(host, 30 * DAY)
    host.services.scheduler.tick(Tick(namespace=NS, schedule="nightly", sent_at=0, version=0))
    assert state(host).version - before < 200
    assert state(host).recent[-1].outcome in ("started", "missed")
    assert MAX_COUNTED_SLOTS <= state(host).counts[SlotOutcome.MISSED] < 3 * MAX_COUNTED_SLOTS


def test_many_slots_that_are_made_up_take_several_messages(host: Host) -> None:
    define(host, flow="bare", every=MINUTE, catch_up=DAY, overlap=Overlap.ALLOW)
    stand_still(host, 2 * HOUR)
    tick = Tick(namespace=NS, schedule="nightly", sent_at=0, version=0)
    assert host.services.scheduler.tick(tick) is not None
    assert len(runs(host)) == MAX_DECISIONS // 2
    host.settle()
    host.pass_time(30_000)
    assert len(runs(host)) == 120


def test_the_last_slots_are_remembered(host: Host) -> None:
    define(host, flow="bare")
    host.pass_time(30 * HOUR)
    assert [at for at, _ in slots(host)] == [60 * number for number in range(21, 31)]
    assert len(state(host).recent) == MAX_RECENT_SLOTS
    assert state(host).counts == {SlotOutcome.STARTED: 30}


# ── commands ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_paused_schedule_starts_nothing_and_skips_what_passes(host: Host) -> None:
    define(host, flow="bare")
    host.pass_time(HOUR)
    assert host.services.schedules.pause(NS, "nightly").next is None
    host.services.schedules.pause(NS, "nightly")
    host.pass_time(5 * HOUR)
    assert len(runs(host)) == 1
    view = host.services.schedules.resume(NS, "nightly")
    assert view.next == START - START % HOUR + 7 * HOUR
    host.services.schedules.resume(NS, "nightly")
    newest = state(host).recent[0]
    assert (newest.outcome, newest.count, newest.reason) == ("skipped", 5, "the schedule was paused")
    host.pass_time(HOUR)
    assert len(runs(host)) == 2


def test_a_slot_that_is_due_when_the_schedule_is_paused_is_started(host: Host) -> None:
    define(host, flow="bare")
    stand_still(host, HOUR - START % HOUR)
    host.services.schedules.pause(NS, "nightly")
    host.pass_time(5 * HOUR)
    assert len(runs(host)) == 1


def test_queued_slots_wait_for_the_end_of_a_pause(host: Host) -> None:
    define(host, overlap=Overlap.QUEUE)
    host.pass_time(2 * HOUR + MINUTE)
    host.services.schedules.pause(NS, "nightly")
    host.pass_time(5 * HOUR)
    assert len(runs(host)) == 1
    host.services.schedules.resume(NS, "nightly")
    host.settle()
    assert len(runs(host)) == 2


def test_a_run_that_a_person_starts(host: Host) -> None:
    define(host)
    host.pass_time(HOUR + 10 * MINUTE)
    host.services.schedules.pause(NS, "nightly")
    found = host.services.schedules.run(NS, "nightly", by="ann")
    assert found.created
    assert found.run == f"nightly@{found.slot}"
    assert host.run(found.run).scheduled == found.slot
    assert not host.services.schedules.run(NS, "nightly").created
    assert state(host).running == runs(host)[0]  # it has not ended, so later slots wait for its end
    host.pass_time(90 * MINUTE)
    later = host.services.schedules.run(NS, "nightly")
    assert state(host).running == later.run


def test_a_run_that_cannot_start_is_refused(host: Host) -> None:
    define(host, input={"unknown": 1})
    with pytest.raises(StartFailed, match="unknown"):
        host.services.schedules.run(NS, "nightly")
    assert state(host).recent == ()


def test_past_slots_are_run_once(host: Host) -> None:
    schedule = define(host, flow="bare", overlap=Overlap.SKIP)
    host.pass_time(5 * HOUR)
    since, until = START - 3 * HOUR, host.clock.now()
    done = host.services.schedules.backfill(NS, "nightly", since, until)
    first = -(-since // HOUR) * HOUR
    assert [one.run for one in done.started] == [run_name(schedule, first + n * HOUR) for n in range(len(done.started))]
    assert len(done.started) == 3 + (START % HOUR == 0)
    assert len(done.existed) == 5
    again = host.services.schedules.backfill(NS, "nightly", since, until)
    assert again.started == []
    assert len(again.existed) == len(done.started) + 5
    assert len(runs(host)) == len(again.existed)


def test_a_backfill_is_bounded(host: Host) -> None:
    define(host, flow="bare", every=MINUTE)
    schedules, now = host.services.schedules, host.clock.now()
    with pytest.raises(Invalid, match="ends in the future"):
        schedules.backfill(NS, "nightly", now, now + 1)
    with pytest.raises(Invalid, match=r"begins at .*, after its end"):
        schedules.backfill(NS, "nightly", now, now - 1)
    with pytest.raises(Invalid, match=f"more than {MAX_BACKFILL} slots; divide it: the first {MAX_BACKFILL} end at"):
        schedules.backfill(NS, "nightly", now - DAY, now)
    assert runs(host) == []
    assert len(schedules.backfill(NS, "nightly", now - (MAX_BACKFILL - 1) * MINUTE, now).started) >= MAX_BACKFILL - 1


def test_slots_that_cannot_start_are_named_by_a_backfill(host: Host) -> None:
    define(host, flow="job")
    now = host.clock.now()
    done = host.services.schedules.backfill(NS, "nightly", now - HOUR, now)
    assert "day: is missing" in next(iter(done.failed.values()))


def test_the_next_slots(host: Host) -> None:
    define(host, cron="0 2 * * *", zone="Europe/Berlin")
    since = moment("2026-03-28T01:00:00Z")
    assert host.services.schedules.next_slots(NS, "nightly", 3, since) == [
        "2026-03-28T02:00:00+01:00",
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:00:00+02:00",
    ]
    define(host, "once", at="2026-03-28T01:00:00Z")
    assert host.services.schedules.next_slots(NS, "once", 3, since) == ["2026-03-28T01:00:00Z"]
    assert host.services.schedules.next_slots(NS, "once", 3, since + 1) == []


def test_there_must_be_such_a_schedule(host: Host) -> None:
    for call in (host.services.schedules.view, host.services.schedules.pause, host.services.schedules.run):
        with pytest.raises(NotFound, match="there is no schedule 'none'"):
            call(NS, "none")


# ── failures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_start_that_fails_is_recorded_and_blocks_nothing(host: Host) -> None:
    define(host, flow="job", input={"day": expression("$scheduled")})
    host.pass_time(HOUR)
    host.submit("flow job  input = (int number); wait Rest => (DONE -> done) { for = 1s; };  flow_end")
    host.pass_time(2 * HOUR)
    host.submit("flow job  input = (str day); wait Rest => (DONE -> done) { for = 1s; };  flow_end")
    host.pass_time(HOUR)
    assert [outcome for _, outcome in slots(host)] == ["started", "failed", "failed", "started"]
    reason = state(host).recent[1].reason
    assert reason.startswith("the input does not fit flow 'job': day: is not an input of the flow")


def test_a_run_of_that_name_which_is_not_of_the_slot_fails_the_slot(host: Host) -> None:
    schedule = define(host, flow="bare")
    taken = run_name(schedule, START - START % HOUR + HOUR)
    host.start("bare", taken)
    host.pass_time(2 * HOUR)
    assert [outcome for _, outcome in slots(host)] == ["failed", "started"]
    assert state(host).recent[1].reason == f"a flow_run '{taken}' exists already"


# ── definitions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_new_version_keeps_its_place(host: Host) -> None:
    define(host, flow="bare")
    stand_still(host, HOUR - START % HOUR + MINUTE)
    define(host, flow="bare", overlap=Overlap.ALLOW)  # a slot of the old version is due and not decided yet
    assert len(runs(host)) == 1
    host.pass_time(3 * HOUR)
    assert len(runs(host)) == 4


def test_a_slot_of_the_old_version_is_started_as_the_old_version_has_it(host: Host) -> None:
    define(host, flow="bare")
    stand_still(host, HOUR - START % HOUR + MINUTE)
    schedule = define(host, flow="job", every=2 * HOUR, input={"day": "new"})
    assert [host.run(name).definition.flow for name in runs(host)] == ["bare"]
    host.pass_time(5 * HOUR)
    assert {host.run(name).definition.flow for name in runs(host)[1:]} == {"job"}
    assert all(slot_of(name) % (2 * HOUR) == 0 for name in runs(host)[1:])
    assert schedule.timing == (None, 2 * HOUR, None, "UTC")


def test_slots_before_a_new_version_are_not_its_own(host: Host) -> None:
    define(host, flow="bare", every=DAY)
    host.pass_time(5 * HOUR)
    define(host, flow="bare", every=HOUR, catch_up=DAY)
    assert runs(host) == []
    host.pass_time(HOUR)
    assert len(runs(host)) == 1


def test_a_schedule_that_was_deleted_and_defined_again_begins_anew(host: Host) -> None:
    define(host, flow="bare", catch_up=DAY)
    host.pass_time(2 * HOUR)
    host.services.schedules.pause(NS, "nightly")
    found = host.services.adapters.store.definitions.latest(NS, Kind.SCHEDULE, ["nightly"])["nightly"]
    host.services.adapters.store.definitions.delete(NS, found)
    host.pass_time(3 * HOUR)
    assert len(runs(host)) == 2
    define(host, flow="bare", catch_up=DAY)
    assert state(host).paused_at is None
    host.pass_time(HOUR)
    assert len(runs(host)) == 3


def test_a_deleted_schedule_leaves_nothing_behind(host: Host) -> None:
    define(host, flow="bare")
    definitions = host.services.adapters.store.definitions
    definitions.delete(NS, definitions.latest(NS, Kind.SCHEDULE, ["nightly"])["nightly"])
    host.pass_time(2 * HOUR)
    assert runs(host) == []
    assert host.services.adapters.store.schedules.load(NS, ["nightly"]) == {}


def test_a_message_waits_for_its_definition(host: Host) -> None:
    now = host.clock.now()
    early = Tick(namespace=NS, schedule="nightly", sent_at=now, version=1)
    assert host.services.scheduler.tick(early) == 1_000
    define(host, flow="bare")
    assert host.services.scheduler.tick(early) is None
    host.pass_time(7 * MINUTE)
    never = Tick(namespace=NS, schedule="other", sent_at=now, version=1)
    assert host.services.scheduler.tick(never) is None


# ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────────

SUBMITTED = """
schedule nightly
    flow = job;  cron = "0 2 * * *";  zone = "Europe/Berlin";  input = (day = ${ $substring($scheduled, 0, 10) });
schedule_end
"""


def test_a_schedule_that_is_submitted_runs(host: Host) -> None:
    host.submit(SUBMITTED)
    host.pass_time(DAY)
    (name,) = runs(host)
    assert name == "nightly@2027-01-16T02:00:00+01:00"
    assert host.run(name).input == {"day": "2027-01-16"}


def test_a_schedule_may_start_a_flow_of_its_own_document(host: Host) -> None:
    host.submit(
        SUBMITTED.replace("job", "fresh")
        + "/ flow fresh  input = (str day);  wait W => (DONE -> done) { for = 1s; };  flow_end"
    )
    host.pass_time(DAY)
    assert len(runs(host)) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('at = "2027-01-15T08:00:00Z"', "schedule 'x' never starts a run: 2027-01-15T08:00:00Z has passed; it is"),
        ('cron = "0 0 31 2 *"', "schedule 'x' never starts a run: '0 0 31 2 *' never matches"),
        ('cron = "0 0 31 2 *"; zone = "Europe/Paris"; input = (day = "x")', "flow 'bare' has no input 'day'"),
    ],
)
def test_a_schedule_that_can_never_start_a_run_is_refused(host: Host, text: str, message: str) -> None:
    with pytest.raises(FslRefused) as refused:
        host.submit(f"schedule x  flow = bare;  {text};  schedule_end")
    assert message in " ".join(one.message for one in refused.value.diagnostics)
    assert host.services.reader.definitions(NS, Kind.SCHEDULE, 10, "") == []


def test_a_document_whose_single_slot_has_passed_may_be_submitted_again(host: Host) -> None:
    text = 'schedule x  flow = bare;  at = "2027-01-15T09:00:00Z";  %s  schedule_end'
    host.submit(text % "")
    host.pass_time(2 * HOUR)
    host.submit(text % "")
    host.submit(text % "overlap = allow;")
    host.pass_time(2 * HOUR)
    assert runs(host) == ["x@2027-01-15T09:00:00Z"]
    with pytest.raises(FslRefused):
        host.submit(text.replace("09:00", "09:30") % "")


def test_a_flow_that_a_schedule_starts_is_not_deleted(host: Host) -> None:
    host.submit(SUBMITTED)
    with pytest.raises(StillReferred, match="flow 'job' cannot be deleted: schedule 'nightly' refers to it"):
        host.services.definition_deleter.delete(NS, Kind.FLOW, "job")
    host.services.definition_deleter.delete(NS, Kind.SCHEDULE, "nightly")
    host.services.definition_deleter.delete(NS, Kind.FLOW, "job")


def test_a_deleted_schedule_stops(host: Host) -> None:
    host.submit(SUBMITTED)
    host.pass_time(DAY)
    host.services.definition_deleter.delete(NS, Kind.SCHEDULE, "nightly")
    assert host.services.adapters.store.schedules.load(NS, ["nightly"]) == {}
    host.pass_time(3 * DAY)
    assert len(runs(host)) == 1
    with pytest.raises(NotFound):
        host.services.schedules.view(NS, "nightly")


def test_a_dry_run_schedules_nothing(host: Host) -> None:
    host.services.submitter.submit(NS, SUBMITTED, dry_run=True)
    host.pass_time(3 * DAY)
    assert runs(host) == []
