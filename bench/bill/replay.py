"""Answer the requests of this process to AWS from the records, in place of botocore's HTTP layer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any, Final

import msgspec
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import URLLib3Session
from msgspec.structs import replace

from bench.bill.records import AwsCall

_TIME: Final = re.compile(rb"\b\d{13}\b")


class _Body:
    """The body of a response, as botocore reads it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self) -> Iterator[bytes]:
        yield self._content


def _digest(body: bytes) -> bytes:
    """Return what is equal for parameters that are equal but for times in milliseconds. botocore writes JSON with
    spaces, and our requests have none."""
    return sha256(_TIME.sub(b"T", msgspec.json.encode(msgspec.json.decode(body)))).digest()


class Replay:
    """Takes the place of the HTTP layer of every botocore client in this process, those that are not made yet included.

    A read is answered as the same read was. A write, whose body has the time in it, is answered as any other of its
    operation. `counts` holds how many requests of each operation there were, `size` the bytes of all answers.
    """

    def __init__(self, calls: Iterable[AwsCall]) -> None:
        self._exact: dict[tuple[str, bytes], AwsCall] = {}
        self._any: dict[str, AwsCall] = {}
        self.counts: Counter[str] = Counter()
        for call in calls:
            answer = replace(call, body=b"")
            self._exact[call.operation, _digest(call.body)] = self._any[call.operation] = answer
        self.size = sum(len(call.answer) for call in self._exact.values())

    def install(self) -> None:
        replay = self

        def send(_self: URLLib3Session, request: AWSPreparedRequest) -> AWSResponse:
            return replay.answer(request)

        URLLib3Session.send = send

    def answer(self, request: Any) -> AWSResponse:
        target = request.headers["X-Amz-Target"]
        operation = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
        body = request.body if isinstance(request.body, bytes) else request.body.encode()
        call = self._exact.get((operation, _digest(body)))
        if call is None:
            if operation in ("GetItem", "BatchGetItem", "Query"):
                raise AssertionError(f"no such read was recorded: {body!r}")
            call = self._any[operation]
        self.counts[operation] += 1
        return AWSResponse(request.url, call.status, call.headers, _Body(call.answer))
