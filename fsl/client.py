"""The HTTP interface (API.md) from a client's side: one method per call, and every error in this module's own words."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, TypeAlias
from urllib.parse import quote, urlsplit

import requests

from chalicelib.model.errors import EchoerError

Json: TypeAlias = Any
Resource: TypeAlias = dict[str, Any]

URL: Final = "http://127.0.0.1:8080"
CONNECT: Final = 5.0
ANSWER: Final = 35.0
"""How long an answer may take, in seconds: API Gateway gives up after 29."""

LONGEST_WAIT: Final = 20
"""How long one request waits for news, in seconds."""

ENDS: Final = frozenset({"done", "stopped"})
ENDED: Final = frozenset({"succeeded", "failed", "canceled"})


class ClientError(EchoerError):
    """What was asked of the server did not come about."""

    def as_json(self) -> Resource:
        """The error as the API itself would say it."""
        return {"message": str(self), "error": {"code": "client", "detail": str(self)}}


class Unreachable(ClientError):
    """No server answered."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(
            f"no server answers at {url} ({why}); start one with `fsl local`, or name another: --server URL"
        )

    def as_json(self) -> Resource:
        return {"message": str(self), "error": {"code": "unreachable", "detail": str(self)}}


class Refused(ClientError):
    """The server answered with an error. `code` is the API's; `diagnostics` those of a document."""

    def __init__(self, status: int, answer: Resource) -> None:
        super().__init__(str(answer.get("message") or f"the server answered {status}"))
        self.status = status
        self.answer = answer
        error = answer.get("error")
        said: Resource = error if isinstance(error, dict) else {}
        self.code = str(said.get("code", ""))
        self.diagnostics: list[Resource] = list(said.get("diagnostics") or ())

    def as_json(self) -> Resource:
        return self.answer


@dataclass(frozen=True, slots=True)
class Page:
    """Some resources, and the cursor of the next ones if there are more."""

    items: list[Resource]
    cursor: str | None


class Client:
    """Speaks to the server at `url`. Use one per thread."""

    def __init__(self, url: str = URL, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        host = urlsplit(self.url).hostname or ""
        if host == "localhost" or host.startswith("127.") or host == "::1":
            self._session.trust_env = False  # a proxy has no way to this machine's own addresses
        self._session.headers["User-Agent"] = "fsl"
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def close(self) -> None:
        self._session.close()

    # ── documents, commands ───────────────────────────────────────────────────────────────────────────────────────────

    def submit(self, text: str, *, dry_run: bool = False) -> Resource:
        """All statements are in force, or Refused says why none is; in a dry run nothing changes."""
        params = {"dry_run": "true"} if dry_run else {}
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        return self._object(self.ask("POST", "/fsl", params=params, data=text.encode(), headers=headers))

    def command(self, text: str) -> Resource:
        """What the server's terminal answers to one statement."""
        return self._object(self.ask("POST", "/command", json={"command": text}))

    # ── resources ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def page(self, kind: str, **filters: str | None) -> Page:
        """Resources of a kind, newest or first ones first, as the filters say."""
        given = {name: value for name, value in filters.items() if value is not None}
        response = self.ask("GET", f"/{_part(kind)}", params=given)
        return Page(list(response.json()), response.headers.get("x-next-cursor") or None)

    def every(self, kind: str, **filters: str | None) -> Iterator[Resource]:
        """The same, however many there are."""
        cursor = None
        while True:
            page = self.page(kind, **{**filters, "cursor": cursor})
            yield from page.items
            cursor = page.cursor
            if cursor is None:
                return

    def get(self, kind: str, name: str) -> Resource:
        return self._object(self.ask("GET", f"/{_part(kind)}/{_part(name)}"))

    def delete(self, kind: str, name: str, uuid: str) -> None:
        self.ask("DELETE", f"/{_part(kind)}/{_part(name)}/{_part(uuid)}")

    # ── runs ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self, flow: str, order: Mapping[str, Json]) -> Resource:
        """A run of the flow; `order` holds input, name, labels and key as far as they are given."""
        return self._object(self.ask("POST", f"/flow/{_part(flow)}/runs", json=dict(order)))

    def order(self, run: str, order: str, said: Mapping[str, Json] | None = None) -> Resource:
        """The run was told to `pause`, `continue`, `stop` or `retry`."""
        return self._object(self.ask("POST", f"/flowrun/{_part(run)}/{order}", json=dict(said or {})))

    def doctor(self, *, repair: bool = False, **query: str | None) -> Resource:
        """What does not get on; with `repair`, what can be sent again was."""
        given = {name: value for name, value in query.items() if value is not None}
        method, path = ("POST", "/doctor/repair") if repair else ("GET", "/doctor")
        return self._object(self.ask(method, path, params=given))

    def history(self, run: str, after: int = 0, limit: int = 1000) -> list[Resource]:
        """At most `limit` transitions behind the `after`-th, oldest first."""
        params = {"after": str(after), "limit": str(limit)}
        return list(self.ask("GET", f"/flowrun/{_part(run)}/history", params=params).json())

    def watch(self, run: str, after: int = 0, seconds: float = math.inf) -> Iterator[Resource]:
        """Each transition behind the `after`-th as it happens, until the run has ended (or for so many seconds)."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            wait = max(1, min(LONGEST_WAIT, math.ceil(left))) if math.isfinite(left) else LONGEST_WAIT
            params = {"after": str(after), "wait": str(wait)}
            news = list(self.ask("GET", f"/flowrun/{_part(run)}/watch", params=params).json())
            yield from news
            if news:
                after = news[-1]["seq"]
            if not news or news[-1].get("to") in ENDS:
                found = self.get("flowrun", run)["spec"]
                if found["status"] in ENDED and found["seq"] <= after:
                    return

    # ── asking ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def diagram(self, name: str, form: str) -> str:
        """The state diagram of the flow of that name, or else of the run with its path."""
        try:
            return self.ask("GET", f"/flow/{_part(name)}/graph", params={"format": form}).text
        except Refused as refused:
            if refused.status != HTTPStatus.NOT_FOUND:
                raise
        return self.ask("GET", f"/flowrun/{_part(name)}/graph", params={"format": form}).text

    def ask(self, method: str, path: str, **what: Any) -> requests.Response:
        try:
            response = self._session.request(method, self.url + path, timeout=(CONNECT, ANSWER), **what)
        except requests.RequestException as exc:
            raise Unreachable(self.url, _why(exc)) from exc
        if response.status_code >= 400:
            raise Refused(response.status_code, _answer_in(response))
        return response

    def _object(self, response: requests.Response) -> Resource:
        answer = _answer_in(response)
        if not answer:
            raise Refused(response.status_code, {"message": f"{self.url} does not answer as Echoer does"})
        return answer


def _part(text: str) -> str:
    """The text as one part of a path."""
    return quote(text, safe="")


def _answer_in(response: requests.Response) -> Resource:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _why(exc: requests.RequestException) -> str:
    if isinstance(exc, requests.Timeout):
        return "it took too long"
    if isinstance(exc, requests.ConnectionError):
        return "connection refused" if "refused" in str(exc).lower() else "connection failed"
    return str(exc)
