"""Hooks: what they are notified of, exactly when a transition was committed, and what becomes of failing ones."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any, TypeVar, cast

import pytest
from msgspec import structs

from chalicelib.engine.announcements import announcements
from chalicelib.model.hooks import Hook, HookEvent
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.service import messages
from chalicelib.service.doctor.findings import FindingKind
from chalicelib.service.doctor.run_checks import RunChecks
from chalicelib.service.doctor.stuck import MAX_RUNS, StuckWatch
from chalicelib.service.errors import StillReferred, TooLarge
from chalicelib.service.hooks.announce import HookAnnouncer
from chalicelib.service.hooks.book import MAX_HOOKS
from chalicelib.service.hooks.notify import MAX_AGE_MS, MAX_DELAY_MS, PROBE_AFTER_MS
from chalicelib.service.messages import Announce, Notify
from chalicelib.service.ports.actions import Call, Caller, NotTaken, Reply, Taken
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.ports.queues import QueueName
from chalicelib.service.ports.runs import Listing, RunQuery, RunStore
from chalicelib.service.security.webhooks import key_of, signature
from tests.hosts import NS, Host

M = TypeVar("M", Announce, Notify)
HOUR = 3_600_000
FLOWS = """
action work addr = "http://w.test/"; args = (any x = null); return = (OK | BAD); undo = release on OK; action_end
/
action release addr = "http://r.test/"; return = (DONE); action_end
/
action review method = human; return = (AGREE | REJECT); action_end
/
flow f
    input  = (str team = "payments");
    labels = (team = ${ $input.team });
    step A => (OK -> B | BAD -> stopped (error = "Declined", cause = "no money")) { action = work; };
    step B => (OK -> done | BAD -> stopped) { action = work; };
flow_end
/
flow asks
    step Review => (AGREE -> done | REJECT -> stopped) { action = review; };
flow_end
"""
ALL = "run.started, run.succeeded, run.failed, run.canceled, run.stuck, undo.failed, task.opened"


class World:
    """A host whose actions answer as `states` says, and whose hooks reply as `hook` says."""

    def __init__(self, text: str = "", *, hooks: str = "") -> None:
        self.states: dict[str, Json] = {}
        self.hook: Callable[[dict[str, Any]], Reply] = lambda _: Taken()
        self.host = Host(self._reply)
        self.host.submit(FLOWS + (f"/ {hooks}" if hooks else ""))

    def _reply(self, request: dict[str, Any]) -> Reply:
        if "specversion" in request:
            return self.hook(request)
        state = self.states.get(request["stepName"], request["ackStates"][0])
        return state if isinstance(state, NotTaken) else Taken({"ackState": state})

    @property
    def calls(self) -> list[Call]:
        return [call for call in self.host.actions.calls if call.content_type == "application/cloudevents+json"]

    @property
    def sent(self) -> list[dict[str, Any]]:
        return [json.loads(call.body) for call in self.calls]

    @property
    def types(self) -> list[str]:
        return [one["type"].removeprefix("echoer.") for one in self.sent]

    def received(self, kind: type[M]) -> list[M]:
        """Receive every message that is due, without handling it. Return those of that kind."""
        found = []
        for queue in (QueueName.WAKES, QueueName.DELIVERIES):
            while received := self.host.queue.receive(queue, 10, 0):
                found += [messages.decode(one.body) for one in received]
        return [one for one in found if isinstance(one, kind)]

    def deliver(self) -> None:
        """Handle the deliveries that are due, and no other message."""
        for received in self.host.queue.receive(QueueName.DELIVERIES, 10, 0):
            self.host.handle(messages.decode(received.body))
            self.host.queue.delete(QueueName.DELIVERIES, [received.receipt])


def hook(more: str = "", on: str = ALL, name: str = "h") -> str:
    return f'hook {name} addr = "https://{name}.example/in"; on = ({on}); {more} hook_end'


# ── what is announced ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_is_announced_from_its_start_to_its_end() -> None:
    world = World(hooks=hook())
    world.host.start("f")
    world.host.settle()
    assert world.types == ["run.started", "run.succeeded"]
    run = world.host.run()
    first, last = world.sent
    assert last == {
        "specversion": "1.0",
        "id": last["id"],
        "source": "urn:echoer:default",
        "type": "echoer.run.succeeded",
        "subject": "r",
        "time": "2027-01-15T08:00:00.000Z",
        "datacontenttype": "application/json",
        "data": {
            "namespace": "default",
            "run": "r",
            "run_id": run.id,
            "flow": "f",
            "flow_version": 1,
            "status": "succeeded",
            "labels": {"team": "payments"},
            "started_at": "2027-01-15T08:00:00.000Z",
            "ended_at": "2027-01-15T08:00:00.000Z",
            "step": None,
            "detail": None,
            "parent": None,
        },
    }
    assert first["data"]["labels"] == {"team": "payments"}
    assert first["id"] != last["id"]


def test_a_failure_has_its_error() -> None:
    world = World(hooks=hook())
    world.states = {"B": "BAD"}
    world.host.start("f")
    world.host.settle()
    assert world.types == ["run.started", "run.failed"]
    assert world.sent[1]["data"]["error"] == {
        "name": "Stopped",
        "cause": "step 'B' returned BAD, which leads to stopped",
        "step": "B",
    }
    world.states = {"A": "BAD"}
    world.host.start("f", name="declined")
    world.host.settle()
    assert world.sent[-1]["data"]["error"] == {"name": "Declined", "cause": "no money", "step": "A"}


def test_an_undo_that_failed_is_announced_before_the_end() -> None:
    refusal: Reply = NotTaken("no", final=True, status=400)
    replies = iter([Taken({"ackState": "OK"}), Taken({"ackState": "BAD"}), refusal])
    world = World(hooks=hook(on="undo.failed, run.failed"))

    def script(request: dict[str, Any]) -> Reply:
        return Taken() if "specversion" in request else next(replies)

    world.host.actions.script = script
    world.host.start("f")
    world.host.settle()
    assert world.types == ["undo.failed", "run.failed"]
    data = world.sent[0]["data"]
    assert (data["step"], data["detail"], data["status"]) == ("A", "ERROR: no", "failed")


def test_a_task_is_announced_when_it_is_opened() -> None:
    world = World(hooks=hook(on="task.opened, run.canceled"))
    world.host.start("asks")
    world.host.settle()
    [task] = world.sent
    assert (task["type"], task["subject"], task["data"]["step"]) == ("echoer.task.opened", "r", "Review")
    assert task["data"]["deadline"] == "2027-02-14T08:00:00.000Z"
    assert "uuid" not in json.dumps(task["data"])
    world.host.services.operator.stop(NS, "r", reason="enough", by="me")
    world.host.settle()
    assert world.types == ["task.opened", "run.canceled"]


def test_a_run_that_ends_again_after_a_retry_is_announced_again() -> None:
    world = World(hooks=hook(on="run.failed, run.succeeded"))
    world.states = {"A": "BAD"}
    world.host.start("f")
    world.host.settle()
    world.states = {}
    world.host.services.operator.retry(NS, "r", step="A", by="me")
    world.host.settle()
    assert world.types == ["run.failed", "run.succeeded"]
    assert len({one["id"] for one in world.sent}) == 2


@pytest.mark.parametrize(
    ("filters", "runs"),
    [
        ("", ["billing", "payments", "asks"]),
        ("flow = f;", ["billing", "payments"]),
        ('labels = (team = "payments");', ["payments"]),
        ('flow = asks; labels = (team = "payments");', []),
    ],
)
def test_a_hook_is_notified_only_of_the_runs_that_it_names(filters: str, runs: list[str]) -> None:
    world = World(hooks=hook(filters, on="run.started"))
    world.host.start("f", name="billing", team="billing")
    world.host.start("f", name="payments")
    world.host.start("asks", name="asks")
    world.host.settle()
    assert [one["subject"] for one in world.sent] == runs


def test_a_breaker_that_opens_is_announced_once_and_again_when_it_opens_anew() -> None:
    world = World(hooks=hook("flow = asks;", on="action.paused"))
    world.host.submit("""action weak addr = "http://w"; return = (OK); retry = (max = 9, delay = 1s, rate = 1.0);
        breaker = (failures = 2, pause = 1m); action_end
        /
        flow weakly step A => (OK -> done) { action = weak; }; flow_end""")
    world.states["A"] = NotTaken("refused", final=False)
    world.host.start("weakly")
    world.host.pass_time(90_000)
    [paused] = world.sent
    assert (paused["type"], paused["subject"]) == ("echoer.action.paused", "weak")
    assert paused["data"]["failures"] == 2
    assert paused["data"]["open_until"] > paused["time"]
    world.states["A"] = "OK"
    world.host.pass_time(3_600_000)
    assert world.host.run().status is Status.SUCCEEDED
    world.states["A"] = NotTaken("refused", final=False)
    world.host.start("weakly", "s")
    world.host.pass_time(30_000)
    assert [one["subject"] for one in world.sent] == ["weak", "weak"]
    assert len({one["id"] for one in world.sent}) == 2


def test_labels_are_compared_as_texts() -> None:
    run = Host(lambda _: Taken())
    run.submit("flow f labels = (n = ${ 7.0 }, b = true); wait W => () { for = 1s; }; flow_end")
    head = run.start("f")
    on = (HookEvent.RUN_STARTED,)
    assert Hook(name="h", on=on, labels={"n": 7, "b": True}).wants(HookEvent.RUN_STARTED, head)
    assert Hook(name="h", on=on, labels={"n": "7", "b": "true"}).wants(HookEvent.RUN_STARTED, head)
    assert not Hook(name="h", on=on, labels={"n": 8}).wants(HookEvent.RUN_STARTED, head)
    assert not Hook(name="h", on=on, labels={"m": 7}).wants(HookEvent.RUN_STARTED, head)


def test_each_hook_gets_its_own_copy_and_secrets_are_masked() -> None:
    world = World(hooks=f"{hook(on='run.started', name='a')} / {hook(on='run.started', name='b')}")
    world.host.submit("""
        flow hides input = (secret str token); labels = (token = ${ $input.token });
            wait W => (DONE -> done) { for = 1s; }; flow_end
    """)
    world.host.start("hides", token="s3cret-token")
    world.host.settle()
    assert [call.addresses for call in world.calls] == [("https://a.example/in",), ("https://b.example/in",)]
    assert world.sent[0] == world.sent[1]
    assert b"s3cret-token" not in world.calls[0].body
    assert b"sealed" not in world.calls[0].body


# ── exactly when it was committed ────────────────────────────────────────────────────────────────────────────────────


def test_the_message_of_a_transition_that_was_not_committed_has_no_effect() -> None:
    """Two writers decide one head, and both send their messages: only what was committed is announced."""
    world = World(hooks=hook(on="run.canceled"))
    host = world.host
    host.actions.script = lambda _: Taken()
    host.start("f")
    host.settle()
    host.services.operator.stop(NS, "r", reason="x", by="me")
    [announce] = world.received(Announce)
    assert (announce.version, announce.written) == (host.run().version, host.run().written)
    host.handle(structs.replace(announce, written="another"))
    assert world.received(Notify) == []
    host.handle(announce)
    assert [one.hook for one in world.received(Notify)] == ["h"]


def test_a_transition_that_others_followed_is_found_in_the_history() -> None:
    """Also in its pages. A message with the same number of another writer has no effect."""
    world = World(hooks=hook(on="run.failed"))
    host = world.host
    world.states = {"A": "BAD"}
    host.start("f")
    world.deliver()
    [announce] = world.received(Announce)
    for n in range(12):
        host.services.operator.retry(NS, "r", step="A", by=f"me {n}")
        world.deliver()
    world.received(Announce)
    assert host.run().tail[0].seq > announce.seq
    host.handle(structs.replace(announce, mark="of another"))
    assert world.received(Notify) == []
    for _ in range(2):
        host.handle(announce)
    first, again = world.received(Notify)
    assert json.loads(first.body)["type"] == "echoer.run.failed"
    assert first == again


def test_a_message_before_the_commit_waits_for_it() -> None:
    world = World(hooks=hook(on="run.started"))
    world.host.start("f")
    [announce] = world.received(Announce)
    assert world.host.handle(structs.replace(announce, version=announce.version + 1)) == 1_000
    assert world.received(Notify) == []


def test_runs_that_no_hook_wants_send_no_message_more() -> None:
    world = World(hooks=hook(on="run.canceled"))
    plain = World()
    for each in (world, plain):
        each.host.start("f")
        each.host.settle()
    assert world.host.queue.sent == plain.host.queue.sent
    assert world.calls == []


def test_hooks_are_read_once_in_ten_seconds_and_never_for_a_callback() -> None:
    world = World()
    host, reads = world.host, Reads(world.host.store.definitions)
    host.actions.script = lambda _: Taken()
    host.rebuild(store=Counted(host.store, reads))
    host.start("f")
    host.settle()
    assert reads.lists == 1
    for name in ("x", "y"):
        host.start("f", name=name)
    host.settle()
    host.clock.advance(10_001)
    for name in ("x", "y"):
        host.answer("A", "OK", name=name)
    host.settle()
    assert reads.lists == 1
    host.answer("B", "OK", name="x")
    assert reads.lists == 2


class Reads:
    def __init__(self, definitions: Any) -> None:
        self._definitions = definitions
        self.lists = 0

    def list(self, *args: Any) -> Any:
        self.lists += 1
        return self._definitions.list(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._definitions, name)


class Counted:
    def __init__(self, store: Any, definitions: Reads) -> None:
        self._store = store
        self.definitions = definitions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_a_transition_announces_what_changed_and_nothing_else() -> None:
    world = World()
    world.host.actions.script = lambda _: Taken()
    world.host.start("f")
    world.host.settle()
    head: Run = world.host.run()
    assert announcements(head, head, ()) == ()
    assert [one.event for one in announcements(None, head, ())] == ["run.started"]


def test_a_run_that_is_deleted_at_once_is_announced() -> None:
    """Also if the message was handled before: then twice, with the same id."""
    world = World(hooks=hook(on="run.canceled"))
    host = world.host
    for name in ("at once", "later", "much later"):
        host.start("asks", name=name)
        host.settle()
        host.services.operator.stop(NS, name, by="me")
        if name != "at once":
            host.settle()
        if name == "much later":
            host.pass_time(HOUR)
        host.services.operator.delete_run(NS, name)
        host.settle()
    ids = [(one["subject"], one["id"]) for one in world.sent]
    assert [name for name, _ in ids] == ["at once", "later", "later", "much later"]
    assert len(set(ids)) == 3


# ── delivery ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_notification_is_signed_with_the_key_of_the_namespace() -> None:
    world = World(hooks=hook(on="run.started"))
    world.host.start("f")
    world.host.settle()
    [call] = world.calls
    headers, host = call.headers, world.host
    key = key_of(host.services.settings.webhook_key.encode(), NS)
    assert headers["webhook-id"] == json.loads(call.body)["id"]
    assert headers["webhook-signature"] == signature(key, headers["webhook-id"], host.clock.now(), call.body)


def test_a_hook_that_fails_is_tried_again_with_the_same_request_until_it_accepts() -> None:
    world = World(hooks=hook(on="run.succeeded"))
    replies = [NotTaken("down", final=False, status=503)] * 4 + [NotTaken("gone", final=True, status=404)]
    world.hook = lambda _: replies.pop(0) if replies else Taken()
    world.host.start("f")
    world.host.settle()
    assert world.host.run().status == "succeeded"
    world.host.pass_time(HOUR)
    assert len(world.calls) == 6
    assert len({(call.body, call.headers["webhook-id"]) for call in world.calls}) == 1
    log = world.host.services.hook_log.of(NS, "h")
    assert [(one.status, one.error, one.next_at is None) for one in log.deliveries] == [
        (None, "", True),
        (404, "gone", False),
        *[(503, "down", False)] * 4,
    ]
    assert (log.failures, log.failing_since) == (0, None)


def test_a_hook_is_asked_to_wait_as_long_as_it_says() -> None:
    world = World(hooks=hook(on="run.started"))
    replies = [NotTaken("slow down", final=False, retry_after=HOUR)]
    world.hook = lambda _: replies.pop(0) if replies else Taken()
    world.host.start("f")
    world.host.settle()
    world.host.pass_time(HOUR - 1_000)
    assert len(world.calls) == 1
    world.host.pass_time(2_000)
    assert len(world.calls) == 2


def test_a_notification_is_given_up_after_a_day_and_shown() -> None:
    world = World(hooks=hook(on="run.started"))
    world.hook = lambda _: NotTaken("x" * 1_000, final=False)
    world.host.start("f")
    world.host.pass_time(MAX_AGE_MS + 2 * HOUR)
    log = world.host.services.hook_log.of(NS, "h")
    assert 25 < log.failures < 50
    assert len(log.deliveries) == 20
    assert log.deliveries[0].next_at is None
    assert len(log.deliveries[0].error) == 200
    findings = world.host.services.doctor.examine(NS, 10).findings
    [finding] = [one for one in findings if one.kind is FindingKind.FAILING_HOOK]
    assert finding.detail.startswith(f"hook 'h': {log.failures} deliveries in a row have failed: xxx")
    assert finding.since == log.failing_since
    assert world.host.run().status == "succeeded"


def test_a_hook_that_fails_briefly_is_no_finding() -> None:
    world = World(hooks=hook(on="run.started"))
    world.hook = lambda _: NotTaken("down", final=False)
    world.host.start("f")
    world.host.pass_time(60_000)
    assert world.host.services.hook_log.of(NS, "h").failures > 1
    assert [one for one in world.host.services.doctor.examine(NS, 10).findings if one.kind == "hook"] == []


def test_while_a_hook_fails_only_one_notification_at_a_time_is_attempted() -> None:
    world = World(hooks=f"{hook(on='run.started', name='down')} / {hook(on='run.started', name='up')}")
    world.host.rebuild(caller=Failing(world.host.actions, "https://down.example/in"))
    for n in range(20):
        world.host.start("asks", name=f"r{n}")
    world.host.settle()

    def attempts() -> list[int]:
        addresses = [call.addresses[0] for call in world.calls]
        return [addresses.count(f"https://{name}.example/in") for name in ("down", "up")]

    assert attempts() == [1, 20]
    world.host.pass_time(PROBE_AFTER_MS + 10)
    assert attempts() == [2, 20]


class Failing:
    """A caller that one address refuses."""

    def __init__(self, caller: Caller, address: str) -> None:
        self._caller = caller
        self._address = address

    def post(self, call: Call) -> Reply:
        reply = self._caller.post(call)
        return NotTaken("down", final=False) if self._address in call.addresses else reply


def test_a_changed_address_is_used_by_what_waits_and_a_deleted_hook_gets_nothing() -> None:
    world = World(hooks=hook(on="run.started"))
    replies = [NotTaken("down", final=False)]
    world.hook = lambda _: replies.pop(0) if replies else Taken()
    world.host.start("f")
    world.host.settle()
    world.host.submit('hook h addr = "https://new.example/"; on = (run.failed); hook_end')
    world.host.pass_time(HOUR)
    assert [call.addresses[0] for call in world.calls] == ["https://h.example/in", "https://new.example/"]
    replies.append(NotTaken("down", final=False))
    world.host.submit(hook(on="run.started"))
    world.host.start("f", name="second")
    world.host.settle()
    world.host.services.definition_deleter.delete(NS, Kind.HOOK, "h")
    world.host.pass_time(HOUR)
    assert len(world.calls) == 3


def test_a_flow_that_a_hook_names_cannot_be_deleted() -> None:
    world = World(hooks=hook("flow = f;"))
    with pytest.raises(StillReferred, match="hook 'h'"):
        world.host.services.definition_deleter.delete(NS, Kind.FLOW, "f")
    world.host.services.definition_deleter.delete(NS, Kind.HOOK, "h")
    world.host.services.definition_deleter.delete(NS, Kind.FLOW, "f")


def test_a_hook_that_another_container_submitted_is_known_after_ten_seconds() -> None:
    world = World()
    world.host.start("f", name="before")
    first = world.host.services
    world.host.rebuild()
    world.host.submit(hook(on="run.started"))
    world.host.services = first
    world.host.start("f", name="early")
    world.host.clock.advance(10_000)
    world.host.start("f", name="late")
    world.host.settle()
    assert [one["subject"] for one in world.sent] == ["late"]


def test_a_notification_is_attempted_at_least_every_hour() -> None:
    world = World(hooks=hook(on="run.started"))
    attempts: list[int] = []

    def refuse(_: dict[str, Any]) -> Reply:
        attempts.append(world.host.clock.now())
        return NotTaken("down", final=False)

    world.hook = refuse
    world.host.start("f")
    world.host.pass_time(MAX_AGE_MS)
    pauses = [after - before for before, after in itertools.pairwise(attempts)]
    assert max(pauses) <= MAX_DELAY_MS
    assert min(pauses) >= 2_500
    assert max(pauses) > MAX_DELAY_MS // 2


def test_a_namespace_has_so_many_hooks_and_no_more() -> None:
    world = World()
    world.host.submit(" / ".join(hook(on="run.started", name=f"h{n}") for n in range(MAX_HOOKS)))
    with pytest.raises(TooLarge, match="the namespace would have 101 hooks; the limit is 100"):
        world.host.submit(hook(name="more"))
    world.host.submit(hook(on="run.failed", name="h7"))
    world.host.start("asks")
    world.host.settle()
    assert len(world.calls) == MAX_HOOKS - 1


# ── stuck runs ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_stuck_run_is_announced_once_a_day() -> None:
    world = World(hooks=hook(on="run.stuck"))
    host = world.host
    host.actions.script = lambda request: Taken() if "specversion" in request else Taken({"ackState": "NEVER"})
    host.start("f")
    host.settle()
    for _ in range(3):
        host.services.stuck_watch.look()
        host.pass_time(6 * 60_000)
    [one] = world.sent
    assert (one["type"], one["subject"], one["data"]["step"]) == ("echoer.run.stuck", "r", "A")
    assert "the HTTP response of its action is not a valid answer" in one["data"]["detail"]
    host.clock.advance(24 * HOUR)
    host.services.stuck_watch.look()
    host.settle()
    assert world.types == ["run.stuck", "run.stuck"]


def test_live_runs_are_looked_at_only_where_a_hook_wants_to_know() -> None:
    world = World(hooks=hook(on="run.failed"))
    host = world.host
    host.actions.script = lambda _: Taken({"ackState": "NEVER"})
    host.start("f")
    host.settle()
    host.services.stuck_watch.look()
    host.submit(hook('labels = (team = "other");', on="run.stuck"))
    host.services.stuck_watch.look()
    host.settle()
    assert world.calls == []


def test_one_of_several_processes_looks() -> None:
    world = World(hooks=hook(on="run.stuck"))
    host = world.host
    host.actions.script = lambda request: Taken() if "specversion" in request else Taken({"ackState": "NEVER"})
    host.start("f")
    host.settle()
    for _ in range(3):
        host.rebuild()
        host.services.stuck_watch.look()
    host.settle()
    assert len(world.calls) == 1


def test_so_many_live_runs_are_looked_at() -> None:
    """The newest ones: with pages of 100, no more than the limit is read."""
    world = World(hooks=hook(on="run.stuck"))
    host = world.host
    pages: list[int] = []

    class Endless:
        """A store with more live runs than are looked at."""

        def __getattr__(self, name: str) -> Any:
            return getattr(host.store.runs, name)

        def list(self, namespace: str, query: RunQuery) -> Listing:
            pages.append(query.limit)
            return Listing(tuple([run] * query.limit), "more")

    host.start("asks")
    host.settle()
    run = host.run()
    checks = RunChecks(cast(RunStore, Endless()), host.services.definition_cache, host.clock)
    watch = StuckWatch(
        host.store,
        cast(RunStore, Endless()),
        checks,
        host.services.hook_book,
        HookAnnouncer(host.services.runs, host.services.hook_book, host.queue, host.clock),
        host.queue,
        host.clock,
    )
    watch.look()
    assert sum(pages) == MAX_RUNS
