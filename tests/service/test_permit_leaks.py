"""Permits that are not returned: the second net takes them back, and waiters go on."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.model.status import Status
from chalicelib.service.messages import Release, decode
from chalicelib.service.ports.queues import QueueName
from tests.hosts import NS, Host, accept
from tests.service.test_action_limits import LIMITED, holders, taken_in

MINUTE: Final = 60_000


class Forgetful(Host):
    """A host that loses every message by which a permit is returned."""

    def handle(self, message: Any) -> int | None:
        return None if isinstance(message, Release) else super().handle(message)


def test_waiters_go_on_without_any_release() -> None:
    host = Forgetful(accept)
    host.submit(LIMITED.replace("concurrent = 2", "concurrent = 1"))
    names = [f"r{number}" for number in range(4)]
    for name in names:
        host.start("f", name)
    host.settle()
    for name in names:
        assert taken_in(host)[-1] == name
        host.answer("One", "OK", name)
        host.pass_time(4 * MINUTE)
    assert {host.run(name).status for name in names} == {Status.SUCCEEDED}
    assert taken_in(host) == names


def test_the_delivery_of_a_waiter_that_ended_returns_its_permit() -> None:
    host = Host(accept)
    host.submit(LIMITED.replace("concurrent = 2", "concurrent = 1"))
    for name in ("a", "b", "c"):
        host.start("f", name)
    host.settle()
    host.answer("One", "OK", "a")
    while not [one for one in _queued(host) if one.run == "b" and getattr(one, "granted_in", 0)]:
        assert host.run_until(host.clock.now(), max_events=1) is False
    host.services.operator.stop(NS, "b")
    host.settle()
    assert taken_in(host) == ["a", "c"]
    assert list(holders(host).values()) == ["c"]


def _queued(host: Host) -> list[Any]:
    queues = host.queue._queues[QueueName.DELIVERIES].values()
    return [decode(message.body) for message in queues]
