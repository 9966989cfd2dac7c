"""`migrate`: a run in progress moves to another version; what it waits for goes on, and what does not fit is named."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

import pytest

from chalicelib.engine.errors import CommandRefused, DoesNotFit, NeverIssued
from chalicelib.model.pending_undo import PinnedUndo
from chalicelib.model.run import Pinned, Run, decode_run, encode
from chalicelib.model.status import Status
from chalicelib.service.ports.actions import NotTaken, Taken
from tests.hosts import NS, Host, accept

ACTIONS: Final = """
action work addr = "http://a.test/"; args = (str what, int n = 0); return = (OK | BAD); action_end
/
action ask  method = human; args = (str what); return = (YES | NO); action_end
/
"""
FLOW: Final = """
flow f
    input = (int amount = 7);
    vars = (rate = 1);
    step A => (OK -> B | BAD -> stopped) { action = work; args = (what = "A", n = ${ $input.amount }); };
    step B => (OK -> done) { action = work; args = (what = "B"); };
flow_end
"""


def waiting(flow: str = FLOW, script: Any = accept) -> Host:
    """Return a host on which run `r` of flow `f` waits."""
    host = Host(script)
    host.submit(ACTIONS + flow)
    host.start("f")
    host.settle()
    assert host.run().status is Status.RUNNING
    return host


def migrated(host: Host, flow: str, **options: Any) -> Run:
    host.submit(ACTIONS + flow)
    found = host.services.operator.migrate(NS, "r", "latest", by="me", **options)
    host.settle()
    assert (found.moved, found.fits) == (True, True)
    return host.run()


def refused(host: Host, flow: str, **options: Any) -> str:
    """Return why the run cannot move; nothing has changed, and a dry run says the same."""
    host.submit(ACTIONS + flow)
    before = host.run()
    with pytest.raises(DoesNotFit) as refusal:
        host.services.operator.migrate(NS, "r", "latest", **options)
    dry = host.services.operator.migrate(NS, "r", "latest", dry_run=True, **options)
    assert (dry.tokens, dry.problems, dry.fits, dry.moved) == (
        refusal.value.fits,
        refusal.value.problems,
        False,
        False,
    )
    assert host.run() == before
    return str(refusal.value)


def sent(host: Host) -> list[str]:
    return [request["what"] for request in host.actions.requests]


def test_an_activation_keeps_its_uuid_and_its_answer_is_taken() -> None:
    host = waiting()
    uuid = host.uuid("A")
    run = migrated(host, FLOW.replace('"B"', '"C"').replace("vars = (rate = 1)", "vars = (rate = 1, extra = 5)"))
    assert (host.uuid("A"), run.definition.version, run.vars) == (uuid, 2, {"rate": 1, "extra": 5})
    host.answer("A", "OK")
    host.settle()
    assert sent(host) == ["A", "C"]
    (entry,) = [one for one in host.services.reader.history(NS, "r", 0, 99) if one.event == "VersionChanged"]
    assert (entry.data, entry.by) == ({"from": 1, "to": 2}, "me")


def test_every_delivery_is_the_same_request_before_and_after() -> None:
    answers = iter([NotTaken("it is busy", final=False), Taken()])
    host = waiting(script=lambda _: next(answers, Taken()))
    text = FLOW.replace('what = "A"', 'what = "other"').replace("$input.amount", "$input.amount + 1")
    more = ACTIONS.replace("(OK | BAD)", "(NEW | OK | BAD)").replace("int n = 0", 'int n = 0, str more = "m"')
    host.submit(more + text.replace("step A", "step X").replace("vars = (", "vars = (new = 1, "))
    host.services.operator.migrate(NS, "r", 2, steps={"A": "X"})
    host.pass_time(10_000)
    first, second = host.actions.calls
    assert first.body == second.body
    answer = host.actions.requests[1]
    assert answer["stepName"] == "A"
    host.answer("A", "OK", uuid=answer["uuid"])
    host.settle()
    assert host.run().tokens[0].step == "B"


def test_a_renamed_step_needs_its_new_name() -> None:
    host = waiting()
    renamed = FLOW.replace("step A", "step First")
    assert "version 2 has no step 'A'" in refused(host, renamed)
    assert "no step 'Nowhere'" in refused(host, renamed, steps={"A": "Nowhere"})
    run = migrated(host, renamed, steps={"A": "First"})
    assert run.tokens[0].step == "First"
    host.answer("First", "OK")
    host.settle()
    assert sent(host) == ["A", "B"]


def test_a_late_answer_to_a_step_that_is_gone_is_a_duplicate() -> None:
    host = waiting()
    uuid = host.uuid("A")
    host.answer("A", "OK")
    migrated(host, FLOW.replace("step A", "step Z").replace("-> A", "-> Z"))
    assert host.answer("A", "OK", uuid=uuid) == "duplicate"
    with pytest.raises(NeverIssued, match="for a step 'A0'"):
        host.answer("A0", "OK", uuid=uuid)


def test_another_action_does_not_fit() -> None:
    text = FLOW.replace(
        'action = work; args = (what = "A", n = ${ $input.amount });', 'action = ask; args = (what = "A");'
    )
    why = refused(waiting(), text.replace("(OK -> B | BAD -> stopped)", "(YES -> B | NO -> stopped)"))
    assert "action 'work' is under way, and version 2 sends 'ask'" in why


def test_another_kind_does_not_fit() -> None:
    wait = "wait A => (DONE -> B) { for = 3s; }; step Q => (OK -> B) {"
    assert "kind" in refused(waiting(), FLOW.replace("step A => (OK -> B | BAD -> stopped) {", wait))


def test_a_state_that_may_be_answered_must_be_declared() -> None:
    host = waiting()
    host.submit(ACTIONS.replace("(OK | BAD)", "(OK)") + FLOW.replace(" | BAD -> stopped", ""))
    with pytest.raises(DoesNotFit, match="may answer BAD"):
        host.services.operator.migrate(NS, "r", "latest")


EVENT: Final = """
flow f
    wait E => (GO -> done | TIMEOUT -> stopped) { events = (GO = "go"); timeout = 1h; };
flow_end
"""


def test_a_wait_for_events_hears_those_of_the_new_version() -> None:
    host = waiting(EVENT)
    migrated(host, EVENT.replace('"go"', '"start"'))
    host.services.signaler.publish(NS, "go")
    host.settle()
    assert host.run().status is Status.RUNNING
    host.services.signaler.publish(NS, "start")
    host.settle()
    assert host.run().status is Status.SUCCEEDED


def test_a_condition_is_judged_by_the_new_version_at_once() -> None:
    host = waiting("flow f vars = (n = 1); wait C => (DONE -> done) { condition = ${ $vars.n > 5 }; }; flow_end")
    migrated(host, "flow f vars = (n = 1); wait C => (DONE -> done) { condition = ${ $vars.n > 0 }; }; flow_end")
    host.pass_time(10)
    assert host.run().status is Status.SUCCEEDED


def test_a_timer_keeps_its_moment() -> None:
    host = waiting("flow f wait T => (DONE -> done) { for = 1h; }; flow_end")
    migrated(host, "flow f wait T => (DONE -> done) { for = 9h; }; flow_end")
    host.pass_time(3_600_000)
    assert host.run().status is Status.SUCCEEDED


def test_a_person_who_was_asked_answers() -> None:
    flow = 'flow f step A => (YES -> done | NO -> stopped) { action = ask; args = (what = "A"); }; flow_end'
    host = waiting(flow)
    migrated(host, flow.replace("NO -> stopped", "NO -> done"))
    assert [task.args for task in host.services.inbox.open(NS, 10)] == [{"what": "A"}]
    host.answer("A", "NO")
    assert host.run().status is Status.SUCCEEDED


CALL: Final = """
flow child step W => (OK -> done | BAD -> stopped) { action = work; args = (what = "child"); }; flow_end
/
flow other step W => (OK -> done | BAD -> stopped) { action = work; args = (what = "other"); }; flow_end
/
flow f
    call C => (DONE -> done | STOPPED -> stopped) { flow = child; };
flow_end
"""


def test_a_call_waits_for_the_same_flow() -> None:
    host = waiting(CALL)
    assert "waits for a run of flow 'child'" in refused(host, CALL.replace("flow = child", "flow = other"))
    migrated(host, CALL.replace("STOPPED -> stopped", "STOPPED -> done"))
    child = host.run().tokens[0].activation.wait.child  # type: ignore[union-attr]
    host.answer("W", "BAD", name=child)
    host.settle()
    assert host.run().status is Status.SUCCEEDED


FORK: Final = """
flow f
    fork F => (DONE -> done | FAIL -> stopped) {
        branch left { step L => (OK -> done | BAD -> stopped) { action = work; args = (what = "L"); }; };
        branch right { step R => (OK -> R2) { action = work; args = (what = "R"); };
                       step R2 => (OK -> done) { action = work; args = (what = "R2"); }; };
    };
flow_end
"""


def test_branches_go_on_and_each_is_examined() -> None:
    host = waiting(FORK)
    host.answer("L", "OK")
    middle = FORK.replace('"R2"', '"mended"')
    third = 'branch third { step T => (OK -> done) { action = work; args = (what = "T"); }; }; };\nflow_end'
    assert "branch 'third' is new" in refused(host, FORK.replace("    };\nflow_end", third))
    assert "its branch 'left' has ended" in refused(host, FORK.replace("branch left", "branch other"))
    assert "token '0.right' at 'R'" in refused(host, FORK.replace("step R =>", "step RR =>"))
    migrated(host, middle)
    host.answer("R", "OK")
    host.settle()
    assert sent(host) == ["L", "R", "mended"]
    host.answer("R2", "OK")
    assert host.run().output == {"left": None, "right": None}


EACH: Final = """
flow f
    each E => (DONE -> done | FAIL -> stopped) {
        items = ["a", "b", "c"]; max = 1;
        step I => (OK -> done | BAD -> stopped) { action = work; args = (what = ${ $item }); };
    };
flow_end
"""


def test_items_that_have_not_begun_use_the_new_version() -> None:
    host = waiting(EACH)
    assert "single" in refused(host, EACH.replace("max = 1;", "max = 1; batch = 2;"))
    migrated(host, EACH.replace("${ $item }", '${ $item & "!" }'))
    for _ in range(3):
        host.answer("I", "OK")
        host.settle()
    assert sent(host) == ["a", "b!", "c!"]
    assert host.run().status is Status.SUCCEEDED


def test_a_paused_run_moves_and_an_ended_one_does_not() -> None:
    host = waiting()
    host.services.operator.pause(NS, "r")
    assert migrated(host, FLOW.replace('"B"', '"C"')).status is Status.PAUSED
    host.services.operator.resume(NS, "r")
    host.answer("A", "OK")
    host.settle()
    assert sent(host) == ["A", "C"]
    host.services.operator.stop(NS, "r")
    with pytest.raises(CommandRefused, match="is canceled: it cannot move to another version"):
        host.services.operator.migrate(NS, "r", 1)


UNDO: Final = """
action give addr = "http://a.test/"; args = (str what); return = (OK); action_end
/
action back addr = "http://b.test/"; args = (str what); return = (OK); action_end
/
flow f
    step A => (OK -> B) { action = give; args = (what = "A"); undo = back (what = "undo"); };
    step B => (OK -> done) { action = work; args = (what = "B"); };
flow_end
"""


def test_work_is_undone_as_the_version_said_that_did_it() -> None:
    host = waiting(UNDO)
    host.answer("A", "OK")
    host.settle()
    migrated(host, 'flow f step B => (OK -> done) { action = work; args = (what = "B"); }; flow_end')
    host.services.operator.stop(NS, "r")
    host.settle()
    assert sent(host) == ["A", "B", "undo"]
    undo = host.actions.requests[-1]
    host.answer(undo["stepName"], "OK", uuid=undo["uuid"])
    assert (host.run().status, host.run().undone) == (Status.CANCELED, ("A",))


def test_a_new_timeout_counts_from_the_move() -> None:
    host = waiting()
    run = migrated(host, FLOW.replace("vars =", "timeout = 1h; vars ="))
    assert run.deadline == host.clock.now() + 3_600_000
    host.pass_time(3_600_000)
    assert host.run().status is Status.FAILED


def test_a_limit_of_which_it_has_no_permit_does_not_fit() -> None:
    host = waiting()
    assert "no permit" in refused(host, FLOW.replace("vars =", "limit = (concurrent = 1); vars ="))


def test_a_dry_run_says_what_fits() -> None:
    host = waiting()
    host.submit(ACTIONS + FLOW.replace('"B"', '"C"'))
    found = host.services.operator.migrate(NS, "r", 2, dry_run=True)
    assert (found.fits, found.moved, found.version_before, found.version) == (True, False, 1, 2)
    assert [(token.token, token.step, token.target) for token in found.tokens] == [("0", "A", "A")]
    assert host.run().definition.version == 1


def test_names_of_many_former_steps_are_offloaded_with_the_head() -> None:
    """They are known for late answers, which are duplicates."""
    last = 'step A => (OK -> done | BAD -> stopped) { action = work; args = (what = "A"); };'
    former: set[str] = set()
    host = waiting(f"flow f {last} flow_end")
    for version in range(4):
        names = [f"V{version}_{number}_{'x' * 90}" for number in range(550)]
        steps = " ".join(f"set {name} => (DONE -> {after});" for name, after in pairwise([*names, "done"]))
        assert set(migrated(host, f"flow f {last} {steps} flow_end").former_steps) == former
        former |= set(names)
    stored = host.store.runs.load(NS, "r")
    assert stored is not None
    assert len(encode(stored)) < 4_000
    host.answer("A", "OK")
    assert host.run().status is Status.SUCCEEDED


def test_a_head_keeps_what_a_move_has_pinned() -> None:
    host = waiting(UNDO)
    host.answer("A", "OK")
    host.settle()
    run = migrated(
        host, 'flow f step C => (OK -> done) { action = work; args = (what = "C"); }; flow_end', steps={"B": "C"}
    )
    activation = run.tokens[0].activation
    assert activation is not None
    assert activation.pinned == Pinned(step="B", states=("OK", "BAD"), args=("what", "n"))
    assert run.undos[0].pinned == PinnedUndo()
    assert decode_run(encode(run)) == run


SECRET: Final = """
action pay addr = "http://a.test/"; args = (str what, secret str key = secret "KEY"); return = (OK);
    retry = (max = 5, delay = 1m); action_end
/
flow f step A => (OK -> done) { action = pay; args = (what = "A"); }; flow_end
"""


def test_a_secret_of_the_namespace_is_read_at_each_delivery() -> None:
    host = Host(lambda _: NotTaken("it is busy", final=False))
    host.services.secrets.put(NS, "KEY", "first", by="me")
    host.submit(SECRET)
    host.start("f")
    host.settle()
    host.submit(SECRET.replace('what = "A"', 'what = "B"'))
    host.services.operator.migrate(NS, "r", "latest")
    host.services.secrets.put(NS, "KEY", "second", by="me")
    host.pass_time(60_000)
    assert [(one["what"], one["key"]) for one in host.actions.requests[:2]] == [("A", "first"), ("A", "second")]
    assert b"second" not in encode(host.run())
    assert "refer to other secrets" in refused(host, SECRET.replace('secret "KEY"', 'secret "OTHER"'))
