"""Recorded requests, played as those of any number of runs: other names, other shards, other places in the table."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import md5
from typing import Final

from bench.scale.recording import TABLE, Access
from bench.scale.stories import Call, Story
from bench.scale.table import Use
from chalicelib.adapters.dynamodb import keys
from chalicelib.adapters.dynamodb.keys import StatusClass

_LIFETIME_S: Final = 1e6
"""Longer than a simulation: a time divided by it is a place among sort keys."""

_BY_TIME: Final = ("S#", "L#", "Q#", "J#")
"""Partitions of the table to which items are added at the end."""


class Run:
    """One run that is played: where its items are, and how far it has come."""

    __slots__ = (
        "at_call",
        "at_request",
        "attempts",
        "began",
        "flow",
        "head",
        "label",
        "namespace",
        "parts",
        "receives",
        "shard",
    )

    def __init__(self, number: int, rng: random.Random, namespace: str, flow: str, shards: int, now: float) -> None:
        name = f"r{number}"
        self.namespace, self.flow = namespace, flow
        self.shard = keys.shard(namespace, name, shards)
        self.label = keys.shard(namespace, name, keys.label_shards(shards))
        self.head, self.parts = rng.random(), rng.random()
        self.began = now
        self.at_call = self.at_request = self.attempts = self.receives = 0


UseOf = Callable[[Run, float, float], Use]
"""Returns what a run uses at a time; the last argument is a random number."""


@dataclass(frozen=True)
class Played:
    """A call of a handler: what each of its requests uses."""

    name: str
    http: bool
    pause_s: float
    requests: tuple[tuple[UseOf, ...], ...]
    operations: tuple[str, ...]


def played(story: Story, change: Callable[[Access], Access] = lambda access: access) -> tuple[Played, ...]:
    """Return the story as it is played; `change` may replace what a request uses, such as its units."""
    return tuple(_played(call, change) for call in story.calls)


def _played(call: Call, change: Callable[[Access], Access]) -> Played:
    requests = tuple(tuple(_use_of(change(access)) for access in request.accesses) for request in call.requests)
    operations = tuple(request.operation for request in call.requests)
    return Played(call.name, call.http, call.pause_ms / 1_000, requests, operations)


def _use_of(access: Access) -> UseOf:
    if access.resource != TABLE:
        return _in_index(access)
    match access.partition[:2]:
        case "H#" | "P#":
            return lambda run, _, __: Use(TABLE, "own items", (run.head, 0.0), access.reads, access.writes)
        case "R#" | "K#" | "B#":
            return lambda run, _, __: Use(TABLE, "own items", (run.parts, 0.0), access.reads, access.writes)
        case "L#":
            return _labelled(access)
    return _shared(access)


def _in_index(access: Access) -> UseOf:
    """Return the use of an index partition that ends with a shard: that of the run takes its place."""
    stem = access.partition.rpartition("#")[0]
    is_global = access.resource == "alarms"
    resource, reads, writes = access.resource, access.reads, access.writes

    def use(run: Run, now: float, _: float) -> Use:
        key = f"{stem}#{run.shard}" if is_global else _renamed(resource, stem, run.namespace, run.flow, run.shard)
        return Use(resource, key, (hash_of(key), now / _LIFETIME_S), reads, writes)

    return use


@lru_cache(None)
def _renamed(resource: str, stem: str, namespace: str, flow: str, shard: int) -> str:
    """Return the partition in another namespace, and of another flow."""
    if resource == "by_flow":
        return keys.by_flow(namespace, flow, StatusClass(stem.rpartition("#")[2]), shard)
    return "#".join((namespace, *stem.split("#")[1:], str(shard)))


def _labelled(access: Access) -> UseOf:
    _, _, name, value, *_ = access.partition.split("#")
    writes, reads = access.writes, access.reads

    def use(run: Run, now: float, _: float) -> Use:
        key = keys.label(run.namespace, name, value, run.label)
        return Use(TABLE, key, (hash_of(key), now / _LIFETIME_S), reads, writes)

    return use


def _shared(access: Access) -> UseOf:
    """Return the use of a partition that runs of a namespace share."""
    kind, _, *rest = access.partition.split("#")
    is_by_time = access.partition.startswith(_BY_TIME)
    is_one_item = kind in ("C", "D", "V")
    sort = hash_of(access.sort)
    reads, writes = access.reads, access.writes

    def use(run: Run, now: float, drawn: float) -> Use:
        key = _shared_key(kind, run.namespace, *rest)
        place = sort if is_one_item else now / _LIFETIME_S if is_by_time else drawn
        return Use(TABLE, key, (hash_of(key), place), reads, writes)

    return use


@lru_cache(None)
def _shared_key(*words: str) -> str:
    return "#".join(words)


@lru_cache(None)
def hash_of(key: str) -> float:
    """Return where the partition key is among all: a number from 0 to 1."""
    return int.from_bytes(md5(key.encode(), usedforsecurity=False).digest()[:8], "big") / 2**64
