"""Services without callback: what they answer is the answer, or where it will be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from chalicelib.service.ports.actions import Call, NotTaken, Reply, Response
from tests.simulation.fates import DIRECT_FAULTS
from tests.simulation.flows import DATA

if TYPE_CHECKING:
    from tests.simulation.stage import Stage

_JSON: Final = {"content-type": "application/json"}
_STATUSES: Final = {"direct-5xx": 503, "direct-4xx": 400, "direct-409": 409, "direct-404": 404, "direct-408": 408}
_LOOKS: Final = 2
"""How often a service answers that it has not finished, at most."""


class DirectServices:
    """Answers direct calls."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._looks: dict[str, int] = {}

    def answer(self, call: Call) -> Reply:
        """Return the response of the service to a request, or to a look at where its answer will be."""
        stage, laws, (address,) = self._stage, self._stage.laws, call.addresses
        location = address if "/job/" in address else ""
        laws.posted(call.namespace, call.run, call.uuid)
        laws.asked(call.uuid, location)
        if not location:
            name = address.removeprefix("http://").partition(".test/")[0]
            laws.called(call.namespace, address)
            laws.sent(name, call.uuid, call.body or re.sub(r"\.test/v\d+", ".test/", address).encode())
        fault = stage.fates.strikes("direct", DIRECT_FAULTS, 0.2)
        if fault:
            stage.note("  the service", fault)
        match fault:
            case "direct-refused":
                return NotTaken("connection refused", final=False)
            case "direct-timeout":
                stage.loop.pause(10_000)
                return NotTaken("no answer within 10 s", final=False)
            case "direct-429":
                return Response(429, retry_after=stage.fates.span("patience", 500, 120_000))
            case "direct-broken-off":
                return Response(200, _JSON, b'{"v": ', broken_off=True)
            case "":
                return self._answer(call, location)
            case _:
                return Response(_STATUSES[fault], _JSON, b'{"why": "it fell down"}')

    def _answer(self, call: Call, location: str) -> Reply:
        """Answer at once, or say where the answer will be; there, say once more perhaps that it is not there yet."""
        fates, looks = self._stage.fates, self._looks.get(call.uuid, 0)
        is_first = not location and call.verb.has_body
        if looks < _LOOKS and (is_first or location) and (fates.calm or fates.below("direct-202", 2)):
            self._looks[call.uuid] = looks + 1
            where = f"/job/{call.uuid}"
            self._stage.laws.requests.locations[call.uuid].add(
                f"{call.addresses[0].partition('.test/')[0]}.test{where}"
            )
            headers = {"location": where} if is_first else {}
            return Response(202, headers, retry_after=fates.span("look", 1_000, 200_000))
        return Response(200, _JSON, msgspec.json.encode(DATA))
