"""Complete the run of release.fsl with the Python client that openapi-python-client generated.

python example.py URL TOKEN DOCUMENT RUN
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TypeVar

from echoer_client import AuthenticatedClient
from echoer_client.api.definitions import get_action_name, post_fsl
from echoer_client.api.events import post_event
from echoer_client.api.runs import get_flowrun, get_flowrun_name, get_flowrun_name_history
from echoer_client.api.server import get_me
from echoer_client.api.steps import get_step_name, get_task, post_step
from echoer_client.models import AnswerBody, Error, FslBody, SignalBody

T = TypeVar("T")


def good(found: T | Error | None) -> T:
    """Return a successful answer."""
    if found is None or isinstance(found, Error):
        raise SystemExit(f"the server refused: {found}")
    return found


def main(url: str, token: str, document: str, run: str) -> None:
    """Submit the document, and answer each step with the first state of its action."""
    client = AuthenticatedClient(base_url=url, token=token)
    assert good(get_me.sync(client=client)).role == "admin"
    text = Path(document).read_text().replace("my_flow_run", run)
    assert len(good(post_fsl.sync(client=client, body=FslBody(data=text))).results) == 6
    steps = 0
    while not (found := good(get_flowrun_name.sync(run, client=client))).ended:
        assert isinstance(found.spec.tokens, list)
        waiting = found.spec.tokens[0]
        step = good(get_step_name.sync(f"{run}.{waiting.step}", client=client))
        action = good(get_action_name.sync(step.spec.action_run.action_name, client=client))
        answer = AnswerBody(
            flow_id=run, step_name=waiting.step, uuid=waiting.uuid, ack_state=action.spec.return_states[0], done=True
        )
        assert good(post_step.sync(client=client, body=answer)).outcome == "advanced"
        steps += 1
    assert (found.spec.status, found.spec.current_state, steps) == ("succeeded", "done", 4)
    history = good(get_flowrun_name_history.sync(run, client=client))
    assert [entry.seq for entry in history] == list(range(1, len(history) + 1))
    assert run in [one.metadata.name for one in good(get_flowrun.sync(client=client))]
    event = good(post_event.sync(client=client, body=SignalBody(name="released", key=run, data={"run": run})))
    assert (event.spec.name, event.woken.count) == ("released", 0)
    assert good(get_task.sync(client=client)) == []
    print(f"python: {run} is {found.spec.current_state} after {steps} steps")


main(*sys.argv[1:])
