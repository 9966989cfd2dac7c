"""A client of the API for tests. Every request uses HTTP, and every wait is a `watch` with a deadline."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, Final
from urllib.parse import quote

import requests

from chalicelib.config import DEVELOPMENT_KEY

ENDED: Final = frozenset({"succeeded", "failed", "canceled"})
RUN_TIMEOUT_S: Final = 60.0
"""Seconds after which a run without progress counts as stuck."""


class Api:
    """A client of the server at `url`, safe for threads. `whole`: a document may have several statements.

    `token` authenticates every request. `key` is the webhook key, which signs answers.
    """

    def __init__(self, url: str, *, whole: bool = True, token: str = "", key: str = DEVELOPMENT_KEY) -> None:
        self.url = url
        self.token = token
        self.key = key
        self._whole = whole
        self._local = threading.local()

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """Return the response, of any status. `body` is sent as JSON, or as text if it is a string."""
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.trust_env = False
            if self.token:
                self._local.session.headers["Authorization"] = f"Bearer {self.token}"
        if isinstance(body, str):
            options = {"data": body.encode(), **options}
        elif body is not None:
            options = {"json": body, **options}
        found: requests.Response = self._local.session.request(method, self.url + path, timeout=40, **options)
        return found

    def get(self, path: str, **params: Any) -> Any:
        """Send a GET request that must succeed, and return its JSON."""
        return self._success(self.ask("GET", path, params=params))

    def post(self, path: str, body: Any = None) -> Any:
        """Send a POST request that must succeed, and return its JSON."""
        return self._success(self.ask("POST", path, body))

    def _success(self, response: requests.Response) -> Any:
        assert response.status_code in (200, 201), f"{response.status_code} {response.text[:2000]}"
        return response.json()

    def refusal(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, str]:
        """Return the status and the error code of a refused request, and check the shape of the error."""
        response = self.ask(method, path, body, **options)
        told = response.json()
        assert response.status_code >= 400, told
        assert response.headers["content-type"].startswith("application/json")
        assert told["message"]
        assert told["error"]["detail"]
        return response.status_code, told["error"]["code"]

    # ── definitions and runs ─────────────────────────────────────────────────────────────────────────────────────────

    def submit(self, *statements: str) -> Any:
        """Submit the statements."""
        if self._whole:
            return self.post("/fsl", "\n/\n".join(statements))
        return {"results": [made for one in statements for made in self.post("/fsl", one)["results"]]}

    def start(self, flow: str, **order: Any) -> str:
        """Start a run of the flow, and return its name."""
        return str(self.post(f"/flow/{flow}/runs", order)["metadata"]["name"])

    def run(self, name: str) -> Any:
        return self.get(f"/flowrun/{quote(name, safe='')}")

    def spec(self, name: str) -> Any:
        return self.run(name)["spec"]

    def order(self, name: str, order: str, body: Any = None) -> Any:
        return self.post(f"/flowrun/{name}/{order}", body)["spec"]

    def history(self, name: str) -> list[Any]:
        """Read the whole history in pages of 100, and check that it has no gaps."""
        found: list[Any] = []
        while True:
            page = self.get(f"/flowrun/{name}/history", after=len(found), limit=100)
            found += page
            if len(page) < 100:
                break
        assert [entry["seq"] for entry in found] == list(range(1, len(found) + 1))
        return found

    def path(self, name: str) -> list[str]:
        """Return the targets of the run's transitions, in order."""
        return [entry["to"] for entry in self.history(name) if entry["to"]]

    # ── waiting ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def until(self, name: str, holds: Callable[[Any], Any], seconds: float = RUN_TIMEOUT_S) -> Any:
        """Wait until `holds` is true for the run's spec, and return the spec."""
        give_up = monotonic() + seconds
        spec = self.spec(name)
        while not holds(spec):
            assert monotonic() < give_up, f"{name} is stuck: {json.dumps(spec)[:3000]}"
            self.get(f"/flowrun/{name}/watch", after=spec["seq"], wait=1)
            spec = self.spec(name)
        return spec

    def ended(self, name: str, seconds: float = RUN_TIMEOUT_S) -> Any:
        """Wait until the run has ended, and return its spec."""
        return self.until(name, lambda spec: spec["status"] in ENDED, seconds)

    def at(self, name: str, step: str) -> Any:
        """Wait until a token is at the step, and return the token."""
        spec = self.until(name, lambda spec: any(token["step"] == step for token in spec["tokens"]))
        return next(token for token in spec["tokens"] if token["step"] == step)

    def outcome(self, answer: Any) -> str:
        """Send an answer to `/step`, and return its outcome."""
        return str(self.post("/step", answer)["outcome"])


def poll(ask: Callable[[], Any], seconds: float = 30) -> Any:
    """Call `ask` until its result is true, and return the result."""
    give_up, pause = monotonic() + seconds, threading.Event()
    while not (found := ask()):
        assert monotonic() < give_up, f"not so within {seconds:g} s"
        pause.wait(0.05)
    return found


def names(resources: Iterable[Any]) -> list[str]:
    return [found["metadata"]["name"] for found in resources]
