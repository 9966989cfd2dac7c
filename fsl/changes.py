"""The changes of all runs, from the server's stream of events (`GET /watch`)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from fsl import api_calls
from fsl.client import Client, Resource

NEWEST_ENTRIES: Final = 100
"""How many entries before a change are searched for those since the watch began."""


def changes(client: Client, since: int | None = None) -> Iterator[tuple[int, list[Resource]]]:
    """Yield, without end, the runs that have changed, and the position of the stream before: milliseconds since 1970.

    It begins at the time `since`; None: now, by the server's clock. Each request waits for a change; the list is empty
    if there was none for a while.
    """
    position = _position_now(client) if since is None else since
    while True:
        query = {"resource": "flowrun", "version": str(position), "view": "summary"}
        text = client.call(api_calls.GET_WATCH, query=query).text
        ids = [int(line.removeprefix("id: ")) for line in text.splitlines() if line.startswith("id: ")]
        data = [line.removeprefix("data: ") for line in text.split("\n") if line.startswith("data: ")]
        yield position, [json.loads(one) for one in data]
        position = max([position, *ids])


def transitions(
    client: Client, flow: str | None = None, since: int | None = None
) -> Iterator[tuple[Resource, list[Resource]]]:
    """Yield, without end, each run that has changed, with its new history entries. `flow`: only runs of this flow."""
    seen: dict[str, int] = {}
    began: int | None = None
    for position, runs in changes(client, since):
        began = position if began is None else began
        for run in runs:
            name, spec = str(run["metadata"]["name"]), run["spec"]
            if flow is not None and spec["flow"] != flow:
                continue
            after = seen.get(name, max(0, spec["seq"] - NEWEST_ENTRIES))
            found = client.history(name, after)
            if name not in seen:
                found = [one for one in found if _milliseconds(one["at"]) >= began]
            if found:
                seen[name] = int(found[-1]["seq"])
                yield run, found


def _position_now(client: Client) -> int:
    """Return the time of the server's clock, to the second."""
    try:
        now = parsedate_to_datetime(client.call(api_calls.GET_HEALTHZ).headers["date"]).timestamp()
    except (KeyError, ValueError):
        now = time.time()
    return int(now) * 1000


def _milliseconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp() * 1000
