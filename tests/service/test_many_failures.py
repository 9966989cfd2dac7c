"""An each of which many items fail: the head holds the last failures, blobs the others; a retry starts all again."""

from __future__ import annotations

from collections import Counter
from typing import Any

from msgspec.structs import replace

from chalicelib.model.run import encode
from chalicelib.model.status import Status
from chalicelib.model.waits import CHUNK_FAILURES, EachWait
from chalicelib.service.details.items import ItemPage
from chalicelib.service.details.kinds import ItemStatus
from chalicelib.service.ports.actions import Reply, Taken
from tests.hosts import NS, Host

ITEMS = 600
TOLERATED = 560
FLOW = f"""
action work addr = "http://work.test/"; args = (any i); return = (BAD | OK); action_end
/
flow f
    input = (list items);
    each All => (DONE -> done (output = ${{ $result }}) | FAIL -> stopped) {{
        items = ${{ $input.items }}; max = 7; tolerate = {TOLERATED};
        step One => (OK -> done (output = ${{ $result }}) | BAD -> stopped) {{
            action = work; args = (i = ${{ $item }});
        }};
    }};
flow_end
"""


class Service:
    """Answers BAD until it is mended, then OK with the item, but nothing to the last one; counts what came."""

    def __init__(self) -> None:
        self.is_mended = False
        self.came: Counter[int] = Counter()

    def __call__(self, request: dict[str, Any]) -> Reply:
        item = request["i"]
        self.came[item] += 1
        if self.is_mended and item == ITEMS - 1:
            return Taken()
        return Taken({"ackState": "OK" if self.is_mended else "BAD", "data": item})


def a_host(service: Service) -> Host:
    host = Host(service)
    host.submit(FLOW)
    host.start("f", items=list(range(ITEMS)))
    return host


def page(host: Host, status: ItemStatus | None = None) -> ItemPage:
    return host.services.items.page(NS, "r", status=status, limit=ITEMS, has_spans=True)


def test_all_that_failed_start_again() -> None:
    service = Service()
    host = a_host(service)
    host.settle()
    run = host.run()
    assert run.status is Status.FAILED
    assert run.error
    assert run.error.cause.startswith(f"{TOLERATED + 1} of {ITEMS} items failed, the last: ")
    assert len(encode(run)) < 8_000
    before = service.came.copy()
    service.is_mended = True
    host.services.operator.retry(NS, "r")
    host.settle()
    assert service.came - before == Counter(range(ITEMS))
    host.answer("One", "OK", data=ITEMS - 1)
    host.settle()
    assert host.run().status is Status.SUCCEEDED
    assert host.run().output == list(range(ITEMS))


def test_items_that_failed_or_start_again_are_listed_wherever_they_are_stored() -> None:
    service = Service()
    host = a_host(service)
    handled = 2 * CHUNK_FAILURES + 20
    assert not host.run_until(host.clock.now(), max_events=handled)
    assert host.run().status is Status.RUNNING
    failed = page(host, ItemStatus.FAILED)
    assert [item.index for item in failed.items] == list(range(failed.progress.failed))
    assert failed.progress.failed > 2 * CHUNK_FAILURES
    assert failed.progress.failed + failed.progress.running + failed.progress.left == ITEMS
    host.settle()
    service.is_mended = True
    host.services.operator.retry(NS, "r")
    assert not host.run_until(host.clock.now(), max_events=20)
    found = page(host)
    assert (found.progress.failed, found.progress.done) == (0, 20)
    assert Counter(item.status for item in found.items) == {
        ItemStatus.DONE: 20,
        ItemStatus.RUNNING: 7,
        ItemStatus.WAITING: ITEMS - 27,
    }


def test_a_short_batch_that_failed_counts_as_its_items() -> None:
    fields: dict[str, Any] = {"id": "", "count": 301, "next": 301, "again": (), "finished": 0, "results": ()}
    wait = EachWait(**fields, failed=(1, 2), stored_chunks=0, batch=2, items=601, failed_to=1)
    assert (wait.failures, wait.failed_items) == (CHUNK_FAILURES + 2, 2 * CHUNK_FAILURES + 4)
    assert replace(wait, short_failed=True).failed_items == 2 * CHUNK_FAILURES + 3
    assert replace(wait, failed=(1, 300)).failed_items == 2 * CHUNK_FAILURES + 3
    assert replace(wait, failed_from=1).failed_items == 4
