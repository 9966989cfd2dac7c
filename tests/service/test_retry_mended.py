"""`retry` with another version, input, variables, step or token: what was done stays done, what was wrong is mended."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.engine.errors import DoesNotFit, InputRefused, NoSuchStep, NoSuchToken
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.service.errors import Invalid, NotFound
from chalicelib.service.ports.actions import NotTaken, Reply, Taken
from tests.hosts import NS, Host

ACTIONS = """
action work addr = "http://a.test/"; args = (str what, int n = 0); return = (OK | BAD); action_end
/
"""
FLOW = """
flow f
    input = (int amount, secret str card);
    vars = (rate = 1);
    step A => (OK -> B) { action = work; args = (what = "A"); };
    step B => (OK -> done) { action = work; args = (what = "B", n = ${ $input.amount * $vars.rate }); };
flow_end
"""


def host_for(text: str, *, fails: str) -> Host:
    """Return a host on which the flow's run `r` has failed, because `work` with that `what` was refused once."""
    refused: list[str] = []

    def reply(request: dict[str, Any]) -> Reply:
        if request["what"] == fails and not refused:
            refused.append(fails)
            return NotTaken("it is closed", final=True)
        return Taken({"ackState": "OK", "data": request["n"]})

    host = Host(reply)
    host.submit(ACTIONS + text)
    return host


def sent(host: Host) -> list[tuple[str, int]]:
    """Return what was sent: `what` and `n` of each request."""
    return [(request["what"], request["n"]) for request in host.actions.requests]


def retried(host: Host, **options: Any) -> Run:
    host.services.operator.retry(NS, "r", by="me", **options)
    host.settle()
    return host.run()


def entries(host: Host, event: str) -> list[Any]:
    return [entry for entry in host.services.reader.history(NS, "r", 0, 1_000) if entry.event == event]


def failed(text: str = FLOW, fails: str = "B", **given: Any) -> Host:
    host = host_for(text, fails=fails)
    host.start("f", **(given or ({"amount": 7, "card": "0815"} if text is FLOW else {"amount": 7})))
    host.settle()
    assert host.run().status is Status.FAILED
    return host


def test_a_mended_version_completes_the_run() -> None:
    host = failed()
    host.submit(ACTIONS + FLOW.replace("$input.amount * $vars.rate", "$input.amount + 100"))
    run = retried(host, version="latest", reason="the sum was wrong")
    assert (run.status, run.definition.version) == (Status.SUCCEEDED, 2)
    assert sent(host) == [("A", 0), ("B", 7), ("B", 107)]
    (changed,) = entries(host, "VersionChanged")
    assert (changed.data, changed.by) == ({"from": 1, "to": 2, "reason": "the sum was wrong"}, "me")


def test_an_older_version_is_given_by_its_number() -> None:
    host = host_for(FLOW, fails="B")
    host.submit(ACTIONS + FLOW.replace("rate = 1", "rate = 2"))
    host.start("f", amount=7, card="0815")
    host.settle()
    assert retried(host, version=1).definition.version == 1
    assert sent(host) == [("A", 0), ("B", 14), ("B", 14)]  # variables that exist keep their values


def test_variables_and_input_are_mended() -> None:
    host = failed()
    run = retried(host, variables={"rate": 3}, new_input={"amount": 5})
    assert (run.status, run.vars["rate"], run.input["amount"]) == (Status.SUCCEEDED, 3, 5)
    assert sent(host)[-1] == ("B", 15)
    assert entries(host, "InputChanged")[0].data == {"input": {"amount": 5}}
    assert entries(host, "VarsSet")[0].vars == {"rate": 3}


def test_a_mended_secret_is_encrypted() -> None:
    host = failed()
    run = retried(host, new_input={"card": "4711"})
    assert "4711" not in str(run)
    assert "4711" not in str(entries(host, "InputChanged"))


@pytest.mark.parametrize(
    ("given", "problem"),
    [({"amount": "x"}, "must be of type int"), ({"amonut": 1}, "did you mean 'amount'"), ([1], "must be a map")],
)
def test_an_input_that_does_not_fit_changes_nothing(given: Any, problem: str) -> None:
    host = failed()
    before = host.run()
    with pytest.raises(InputRefused, match=problem):
        host.services.operator.retry(NS, "r", new_input=given)
    assert host.run() == before


def test_a_new_version_brings_its_variables_and_defaults() -> None:
    host = failed()
    text = FLOW.replace("vars = (rate = 1)", "vars = (rate = 1, fee = ${ $input.amount + 1 })")
    text = text.replace("int amount,", "int amount, int tip = 1000,")
    host.submit(ACTIONS + text.replace("$input.amount * $vars.rate", "$vars.fee + $input.tip"))
    assert retried(host, version=2).vars == {"rate": 1, "fee": 8}
    assert sent(host)[-1] == ("B", 1008)


def test_what_a_version_needs_and_the_run_lacks_is_named() -> None:
    host = failed()
    host.submit(ACTIONS + FLOW.replace("int amount,", "int amount, int tip,"))
    with pytest.raises(DoesNotFit, match="tip: is missing"):
        retried(host, version="latest")
    assert retried(host, version="latest", new_input={"tip": 1}).status is Status.SUCCEEDED


def test_a_step_that_the_version_lacks_is_refused_per_token() -> None:
    host = failed()
    host.submit(ACTIONS + FLOW.replace("step B", "step C").replace("-> B)", "-> C)"))
    with pytest.raises(DoesNotFit, match="token '0' at 'B': version 2 has no step 'B'") as refused:
        retried(host, version="latest")
    assert [fit.problem for fit in refused.value.fits] == ["version 2 has no step 'B'"]
    assert retried(host, version="latest", step="C").status is Status.SUCCEEDED


def test_versions_that_are_not_there_are_refused() -> None:
    host = failed()
    with pytest.raises(NotFound, match="version 9"):
        retried(host, version=9)
    with pytest.raises(NotFound):
        host.services.operator.retry(NS, "nobody", version=1)
    host.submit(f'{ACTIONS}flow_run own step A => (OK -> done) {{ action = work; args = (what = "B"); }}; flow_run_end')
    host.settle()
    host.services.operator.stop(NS, "own") if host.run("own").status is Status.RUNNING else None
    with pytest.raises(Invalid, match="steps of its own"):
        host.services.operator.retry(NS, "own", version="latest")


FORK = """
flow f
    input = (int amount);
    fork F => (DONE -> done | FAIL -> stopped) {
        branch left {
            step L1 => (OK -> L2) { action = work; args = (what = "L1"); };
            step L2 => (OK -> done) { action = work; args = (what = "L2"); };
        };
        branch right {
            vars = (k = 1);
            step R1 => (OK -> R2) { action = work; args = (what = "R1"); };
            step R2 => (OK -> done) { action = work; args = (what = "R2", n = ${ $vars.k }); };
        };
    };
flow_end
"""


def test_a_branch_continues_at_another_step_and_the_others_stay_done() -> None:
    host = failed(FORK, fails="R2")
    assert retried(host, step="R1").status is Status.SUCCEEDED
    assert [what for what, _ in sent(host)] == ["L1", "R1", "L2", "R2", "R1", "R2"]


def test_variables_of_a_branch_are_mended_by_its_token() -> None:
    host = failed(FORK, fails="R2")
    assert retried(host, token="0.right", variables={"k": 9}).status is Status.SUCCEEDED
    assert sent(host)[-1] == ("R2", 9)
    assert "k" not in host.run().vars


def test_a_version_mends_a_step_in_a_branch() -> None:
    host = failed(FORK, fails="R2")
    host.submit(ACTIONS + FORK.replace("n = ${ $vars.k }", "n = ${ $vars.m }").replace("(k = 1)", "(k = 1, m = 5)"))
    assert retried(host, version="latest").status is Status.SUCCEEDED
    assert [what for what, _ in sent(host)] == ["L1", "R1", "L2", "R2", "R2"]
    assert sent(host)[-1] == ("R2", 5)


def test_a_step_that_moves_to_another_branch_does_not_fit() -> None:
    host = failed(FORK, fails="R2")
    text = FORK.replace("step L2", "step X").replace("-> L2", "-> X").replace("step R2", "step L2")
    host.submit(ACTIONS + text.replace("-> R2", "-> L2").replace("step X", "step R2").replace("-> X", "-> R2"))
    with pytest.raises(DoesNotFit, match="step 'R2' is in branch 'left' of 'F', and the token is in branch 'right'"):
        retried(host, version="latest")


EACH = """
flow f
    input = (int amount);
    each E => (DONE -> done | FAIL -> stopped) {
        items = ["a", "b", "c"]; max = 3;
        step I1 => (OK -> I2) { action = work; args = (what = ${ $item & "1" }); };
        step I2 => (OK -> done) { action = work; args = (what = ${ $item & "2" }); };
    };
flow_end
"""


def test_an_item_continues_at_another_step() -> None:
    host = failed(EACH, fails="b2")
    with pytest.raises(NoSuchToken, match="top level"):
        retried(host, step="I1", token="0")
    assert retried(host, step="I1", token="0.1").status is Status.SUCCEEDED
    assert [what for what, _ in sent(host)].count("b1") == 2
    assert [what for what, _ in sent(host)].count("a1") == 1


def test_which_token_must_be_clear() -> None:
    host = failed(EACH, fails="b2")
    with pytest.raises(NoSuchStep):
        retried(host, step="nowhere")
    with pytest.raises(NoSuchToken, match=r"no token '0\.9'"):
        retried(host, token="0.9")


def test_the_kind_of_a_step_may_not_change_under_a_token_unless_a_step_is_given() -> None:
    host = failed(FORK, fails="R2")
    text = 'flow f input = (int amount); step F => (OK -> done) { action = work; args = (what = "F"); }; flow_end'
    host.submit(ACTIONS + text)
    with pytest.raises(DoesNotFit, match="kind"):
        retried(host, version="latest")
    assert retried(host, version="latest", step="F").status is Status.SUCCEEDED


UNDO = """
action give addr = "http://a.test/"; args = (str what, int n = 0); return = (OK | BAD); action_end
/
action back addr = "http://b.test/"; args = (str what, int n = 0); return = (OK); action_end
/
flow f
    input = (int amount);
    step A => (OK -> B) { action = give; args = (what = "A"); undo = back (what = "undo") on OK; };
    step B => (OK -> C) { action = work; args = (what = "B"); };
    step C => (OK -> done | BAD -> stopped) { action = work; args = (what = "C"); };
flow_end
"""


def test_what_an_older_version_did_is_undone_after_the_step_is_gone() -> None:
    """A run that was stopped without being undone keeps its undos. Here an output that could not be made did that."""
    text = UNDO.replace("flow_end", "    output = ${ $need($vars.nothing) };\nflow_end")
    host = host_for(text, fails="-")
    host.start("f", amount=1)
    host.settle()
    assert (host.run().status, len(host.run().undos)) == (Status.FAILED, 1)
    step = 'step Z => (BAD -> done | OK -> stopped) { action = work; args = (what = "Z"); };'
    later = f"flow f input = (int amount); {step} flow_end"
    host.submit(ACTIONS + later)
    run = retried(host, version="latest", step="Z")
    assert run.status is Status.FAILED
    assert [what for what, _ in sent(host)] == ["A", "B", "C", "Z", "undo"]
    assert run.undos == ()
