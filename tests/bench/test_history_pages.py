"""How often a run writes a history page, and how many bytes its head has: a page is a write unit, and so is each KB."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from threading import RLock
from typing import Any

import pytest

from chalicelib.adapters.dynamodb.items import LAYOUT, Table, TableLocation
from chalicelib.adapters.dynamodb.runs import DynamoRuns
from chalicelib.adapters.memory import MemoryStore
from chalicelib.adapters.memory.runs import MemoryRuns
from chalicelib.model.history import Page
from chalicelib.model.run import Run
from chalicelib.service.ports.actions import Reply, Taken
from tests.fakes import size_of_item
from tests.hosts import Host, accept

ITEMS = DynamoRuns(Table(TableLocation(region="us-east-1")))
"""Makes the items that DynamoDB would store; nothing is sent."""

ORDER = """
action work addr = "http://work.test/"; args = (str order_id); return = (OK | FAIL); action_end
/
flow order_process
    input = (str order_id, float amount);
    vars  = (id = 0);
    step Reserve => (OK -> Charge  | FAIL -> stopped) { action = work; };
    step Charge => (OK -> Dispatch | FAIL -> stopped) { action = work; save = (id = ${ $result.id ? 1 : 0 }); };
    step Dispatch => (OK -> Notify | FAIL -> stopped) { action = work; };
    step Notify  => (OK -> Archive | FAIL -> stopped) { action = work; };
    step Archive => (OK -> Reserve | FAIL -> stopped) { action = work; };
flow_end
"""
"""Five steps of an order, again and again."""

DATA = {"id": 481_516, "at": "2027-01-15T08:00:00Z"}


@dataclass
class Written:
    """What a run wrote: the sizes of its heads, and behind how many of them there was a page."""

    heads: list[int] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)


class RecordedRuns(MemoryRuns):
    def __init__(self, written: Written) -> None:
        super().__init__(RLock())
        self._written = written

    def save(self, run: Run, seen: int, body: bytes = b"") -> None:
        super().save(run, seen, body)
        self._written.heads.append(size_of_item(ITEMS.head_of(run, body).raw(LAYOUT)))

    def put_page(self, run: Run, page: Page) -> None:
        super().put_page(run, page)
        self._written.pages.append(len(self._written.heads))


class RecordedStore(MemoryStore):
    def __init__(self, written: Written) -> None:
        super().__init__()
        self.runs = RecordedRuns(written)


def by_callback(data: Any) -> Written:
    written = Written()
    host = Host(accept, store=RecordedStore(written))
    host.submit(ORDER)
    host.start("order_process", name="order-2027-000123", order_id="2027-000123", amount=99.5)
    for _ in range(60):
        host.settle()
        host.clock.advance(1_234)
        (token,) = host.run("order-2027-000123").tokens
        host.answer(token.step, "OK", "order-2027-000123", data=data)
    return written


def inline(data: Any) -> Written:
    written = Written()
    host = Host(store=RecordedStore(written))

    def reply(request: dict[str, Any]) -> Reply:
        host.clock.advance(87)
        return Taken({"ackState": "OK" if len(written.heads) < 59 else "FAIL", "data": data})

    host.actions.script = reply
    host.submit(ORDER)
    host.start("order_process", name="order-2027-000123", order_id="2027-000123", amount=99.5)
    host.pass_time(60_000)
    return written


@pytest.mark.parametrize("data", [None, DATA], ids=["", "with data"])
@pytest.mark.parametrize("run", [by_callback, inline])
def test_a_plain_run_writes_a_page_at_most_at_every_sixth_transition(run: Callable[[Any], Written], data: Any) -> None:
    written = run(data)
    assert len(written.heads) == 60
    assert max(written.heads) <= 1_024
    gaps = [later - earlier for earlier, later in pairwise([0, *written.pages])]
    assert min(gaps) >= (7 if data else 11)
