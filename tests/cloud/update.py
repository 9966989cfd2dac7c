"""Runs that go on while the stack is updated under them."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import requests

from tests.acceptance.actions import Actions
from tests.acceptance.api import Api

FLOW: Final = "under_update"
WAITING: Final = 6
"""Runs that are started before the update begins and end after it."""
_START_EVERY_S: Final = 2.0
_END_TIMEOUT_S: Final = 150.0
"""Longer than a message stays invisible after its function was stopped in the middle."""

_DOCUMENT: Final = """
action {name} addr = "{url}"; args = (int n); return = (OK | FAIL); retry = (max = 20, delay = 200ms); action_end
/
flow {name}
    input = (int rounds);
    vars = (n = 0);
    step Work  => (OK -> Count | FAIL -> stopped) {{ action = {name}; args = (n = ${{ $vars.n }}); }};
    set Count  => (DONE -> More) {{ save = (n = ${{ $vars.n + 1 }}); }};
    deci More  => (when ${{ $vars.n < $input.rounds }} -> Pause | else -> Both);
    wait Pause => (ENOUGH -> Both | TIMEOUT -> Work) {{ events = (ENOUGH = "{name}.enough"); timeout = 2s; }};
    fork Both  => (DONE -> Items | FAIL -> stopped) {{
        branch left  {{ step Left  => (OK -> done) {{ action = {name}; args = (n = 0); }}; }};
        branch right {{ wait Right => (DONE -> done) {{ for = 1s; }}; }};
    }};
    each Items => (DONE -> done | FAIL -> stopped) {{
        items = ${{ [1, 2, 3] }};
        step Item => (OK -> done) {{ action = {name}; args = (n = ${{ $item }}); }};
    }};
flow_end
"""
"""A run goes round so often, or until the event comes, and then through branches and items to its end."""


class Traffic:
    """A context manager in which runs go on and new ones are started. Afterwards `check` says how they ended."""

    def __init__(self, api: Api, actions: Actions) -> None:
        self._api = api
        self._service = actions.answering("OK")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._start_runs, daemon=True)
        self.runs: list[str] = []
        self.refused: dict[str, str] = {}

    def __enter__(self) -> Traffic:
        self._api.submit(*_DOCUMENT.format(name=FLOW, url=self._service.url).split("\n/\n"))
        with ThreadPoolExecutor(4) as pool:
            self.runs += pool.map(
                lambda n: self._api.start(FLOW, name=f"waiting-{n}", input={"rounds": 1_000}), range(WAITING)
            )
        for run in self.runs:
            self._api.at(run, "Pause")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def check(self) -> str:
        """Let all runs end, and return figures. Raises AssertionError if one was harmed."""
        assert {self._api.spec(run)["status"] for run in self.runs[:WAITING]} == {"running"}
        for run in self.refused:  # it may have been started all the same: a client asks again, with the same key
            self._api.post(f"/flow/{FLOW}/runs", _order(run))
        for run in self.runs[:WAITING]:
            self._api.post(f"/flowrun/{run}/signal", {"name": f"{FLOW}.enough"})
        with ThreadPoolExecutor(4) as pool:
            specs = list(pool.map(lambda run: self._api.ended(run, _END_TIMEOUT_S), self.runs))
            histories = list(pool.map(self._api.history, self.runs))
        assert Counter(spec["status"] for spec in specs) == {"succeeded": len(self.runs)}, [
            (spec["status"], spec["last_err"]) for spec in specs if spec["status"] != "succeeded"
        ]
        answered = [entry["uuid"] for entry in itertools.chain(*histories) if entry["event"] == "StepAcked"]
        delivered = Counter(delivery.uuid for delivery in self._service.deliveries)
        assert len(set(answered)) == len(answered), "an activation was answered twice"
        assert set(answered) == set(delivered), "a delivery is not in the history"
        again = sum(delivered.values()) - len(delivered)
        return (
            f"{len(self.runs)} runs succeeded, {WAITING} of them begun before; {len(answered)} steps; "
            f"{again} deliveries repeated; {len(self.refused)} requests refused"
        )

    def _start_runs(self) -> None:
        for number in itertools.count():
            if self._stop.wait(_START_EVERY_S):
                return
            name = f"during-{number}"
            try:
                response = self._api.ask("POST", f"/flow/{FLOW}/runs", _order(name))
                refusal = "" if response.status_code in (200, 201) else f"{response.status_code} {response.text[:300]}"
            except requests.RequestException as exc:
                refusal = repr(exc)
            self.runs.append(name)
            if refusal:
                self.refused[name] = refusal


class Slow:
    """A context manager in which an action works on a step that was delivered before, and has not answered."""

    def __init__(self, api: Api, actions: Actions) -> None:
        self._api = api
        self._service = actions.serve()

    def __enter__(self) -> Slow:
        action = f'action slow addr = "{self._service.url}"; return = (OK); action_end'
        self._api.submit(action, "flow slow step Work => (OK -> done) { action = slow; }; flow_end")
        self._api.start("slow", name="slow-before")
        self._service.wait()
        return self

    def __exit__(self, *_: object) -> None:
        """There is nothing to stop."""

    def check(self, before: str, after: str) -> str:
        """Answer at the URL of before, and then at that of a new run. Raises AssertionError if they are other ones."""
        self._api.start("slow", name="slow-after")
        deliveries = self._service.wait(2)
        urls = [delivery.fields["callbackUrl"] for delivery in deliveries]
        assert urls == [f"{before}/step", f"{after}/step"], urls
        for delivery, url in zip(deliveries, urls, strict=True):
            response = requests.post(url, json=delivery.answer("OK"), timeout=30)
            assert response.json() == {"outcome": "advanced"}, response.text
            assert self._api.ended(delivery.fields["flowId"], _END_TIMEOUT_S)["status"] == "succeeded"
        return "a delivery of before the switch to the API was answered at the Function URL"


def _order(name: str) -> dict[str, Any]:
    """Return a start that can be repeated: the key says that it is the same run."""
    return {"name": name, "key": name, "input": {"rounds": 3}}
