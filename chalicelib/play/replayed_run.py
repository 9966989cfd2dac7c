"""Put a replayed run on a host of plays, where it goes on by moves."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec.structs import replace

from chalicelib.engine.errors import InputRefused
from chalicelib.engine.values.inputs import merged
from chalicelib.engine.values.secret_values import MARK, MASK, Cipher
from chalicelib.hosting.wiring import Services
from chalicelib.model import status
from chalicelib.model.definition import Definition
from chalicelib.model.json_values import Json, same
from chalicelib.model.run import DefinitionRef, Run, Token, decode_run, encode
from chalicelib.model.templates import ENCRYPTED_KEY
from chalicelib.model.times import Instant
from chalicelib.model.waits import ChildWait
from chalicelib.play.outside import Log
from chalicelib.play.play_host import Delivery, PlayHost
from chalicelib.play.recorded import MASKED, CannotReplay, MaskCipher, PlayTooLong, Recorded, recorded
from chalicelib.play.redecide import Difference, Replayed
from chalicelib.play.replay import refuse_unlike, replay
from chalicelib.service.errors import NotFound
from chalicelib.service.ports.runs import NewRun
from chalicelib.service.runs.effect_executor import EffectExecutor

MAX_CHILDREN: Final = 200
"""How many called runs are replayed with the one that called them."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a replay ended: after entry `seq`. `is_amid`: the decision that made it made later entries too."""

    seq: int
    vars: dict[str, Json]
    """The variables of the run after that entry."""
    is_amid: bool
    differs: Difference | None
    log: Log
    """What was answered, published and commanded."""
    deliveries: tuple[Delivery, ...]
    """What arrived outside."""


def put_replayed(lender: Services, host: PlayHost, found: Recorded, upto: int, flow: str | None, ends_at: float) -> Cut:
    """Replay the run up to entry `upto`, and put it on the host with the runs that it waits for.

    `flow` is the flow of the host with which it is replayed; None: its own definition.
    Raises CannotReplay, PlayTooLong.
    """
    found = dataclasses.replace(found, run=replace(found.run, parent=None))
    definition, ref, given = _definition(host, found, flow)
    is_own = flow is None
    made = replay(
        found, definition, ref, given, _child_of(lender, found.run), upto=upto, is_own=is_own, ends_at=ends_at
    )
    if is_own and made.differs is None and made.run.seq == found.run.seq:
        made = _as_recorded(made, found.run)
    if is_own:
        refuse_unlike(found, made.differs)
    at = found.entries[min(made.run.seq, len(found.entries)) - 1].at
    children = _put_children(lender, host, made.run, at, ends_at)
    _put(host, made, found)
    seq = min(upto, made.run.seq)
    return Cut(
        seq,
        _vars_at(made, seq),
        is_amid=seq < made.run.seq and made.differs is None,
        differs=made.differs,
        log=tuple(one for each in (made, *children) for one in each.log),
        deliveries=tuple(one for each in (made, *children) for one in each.deliveries),
    )


def _definition(host: PlayHost, found: Recorded, flow: str | None) -> tuple[Definition, DefinitionRef, Json]:
    """Return the definition of the replay, and the input as it takes that."""
    run = found.run
    changed = next((one for one in found.entries if one.event == "InputChanged"), None)
    if changed is not None:
        raise CannotReplay(f"entry {changed.seq} changed the input of run {run.name!r}; the earlier one is not kept")
    if found.definition.has_draws and not any(entry.nonce for entry in found.entries[:1]):
        raise CannotReplay(
            f"run {run.name!r} draws random values, and was recorded by a version of Echoer that did not keep them"
        )
    if flow is None:
        return found.definition, found.ref, run.input
    definition, ref = host.services.definition_cache.of_flow(host.namespace, flow)
    try:
        return definition, ref, merged(definition.flow, run.input, msgspec.UNSET, MaskCipher())
    except InputRefused as refused:
        raise CannotReplay(f"the flow {flow!r} does not take the input of run {run.name!r}: {refused}") from refused


def _child_of(lender: Services, run: Run) -> _Children:
    return _Children(lender, run.namespace)


class _Children:
    """Reads the runs that a run called, each once."""

    def __init__(self, lender: Services, namespace: str) -> None:
        self._lender = lender
        self._namespace = namespace
        self._known: dict[str, Run | None] = {}

    def __call__(self, name: str) -> Run | None:
        if name not in self._known:
            self._known[name] = self._lender.runs.load(self._namespace, name)
        return self._known[name]


def _as_recorded(made: Replayed, recorded_run: Run) -> Replayed:
    """Return the replay with the moments that its run really waits for, which a history does not keep: it may have
    been suspended, and the delay before a retry is drawn. If it is another run after all, the replay differs."""
    run = made.run
    changed = _unlike(run, recorded_run)
    if changed is not None:
        entry = run.tail[-1]
        recorded_entry = replace(entry, vars=changed[0])
        return _with(made, Difference(entry.seq, recorded_entry, replace(entry, vars=changed[1])))
    known = {(one.id, one.step): one for one in recorded_run.tokens}
    tokens = tuple(_timed(one, known.get((one.id, one.step))) for one in run.tokens)
    made.run = replace(
        run, tokens=tokens, timer_at=recorded_run.timer_at, deadline=recorded_run.deadline, version=recorded_run.version
    )
    return made


def _with(made: Replayed, differs: Difference) -> Replayed:
    made.differs = differs
    return made


def _unlike(run: Run, recorded_run: Run) -> tuple[dict[str, Json], dict[str, Json]] | None:
    """Return the values that differ: as recorded, and as they are now; None if the replay gives the recorded head.

    The tokens of a run that has ended are not compared: a history does not say whether one had begun its step again.
    """
    names = sorted(run.vars.keys() | recorded_run.vars.keys())
    unlike = [name for name in names if not same(run.vars.get(name), recorded_run.vars.get(name))]
    places = [{(one.id, one.step) for one in head.tokens} for head in (run, recorded_run)]
    is_ended = run.status in status.ENDED
    if not unlike and run.status is recorded_run.status and (is_ended or places[0] == places[1]):
        return None
    before = {name: recorded_run.vars[name] for name in unlike if name in recorded_run.vars}
    return before, {name: run.vars[name] for name in unlike if name in run.vars}


def _timed(token: Token, known: Token | None) -> Token:
    activation = token.activation
    timed = known.activation if known is not None else None
    if activation is None or timed is None or activation.uuid != timed.uuid:
        return token
    return replace(
        token,
        activation=replace(
            activation,
            since=timed.since,
            deadline=timed.deadline,
            reported_at=timed.reported_at,
            attempt=timed.attempt,
            retry_at=timed.retry_at,
            settled=timed.settled,
        ),
    )


def _put_children(lender: Services, host: PlayHost, run: Run, at: Instant, ends_at: float) -> list[Replayed]:
    """Replay the runs that the run waits for, as they were at that moment, and return them. Raises CannotReplay."""
    replayed: list[Replayed] = []
    waits = [token.activation.wait for token in run.tokens if token.activation]
    names = [wait.child for wait in waits if isinstance(wait, ChildWait)] if run.status in status.LIVE else []
    if len(names) > MAX_CHILDREN:
        raise CannotReplay(f"run {run.name!r} waits for {len(names)} runs; {MAX_CHILDREN} are the limit of a replay")
    for name in names:
        try:
            found = recorded(lender, run.namespace, name)
        except NotFound:
            continue  # it had not been started
        upto = sum(entry.at <= at for entry in found.entries)
        if not upto:
            continue
        if time.monotonic() > ends_at:
            raise PlayTooLong(f"replaying run {run.name!r} and the runs that it called takes too long")
        definition, ref, given = _definition(host, found, None)
        child = _child_of(lender, found.run)
        made = replay(found, definition, ref, given, child, upto=upto, is_own=True, ends_at=ends_at)
        if made.differs is not None:
            raise CannotReplay(f"the called run {name!r} cannot be replayed: it differs at entry {made.differs.seq}")
        replayed += (made, *_put_children(lender, host, made.run, at, ends_at))
        _put(host, made, found)
    return replayed


def _put(host: PlayHost, made: Replayed, found: Recorded) -> None:
    """Store the run on the host, and send the messages without which it would not go on."""
    services = host.services
    cipher = services.secrets.cipher(host.namespace, made.run.id)
    run = replace(_hidden(made.run, cipher), namespace=host.namespace)
    host.clock.advance_to(made.run.updated_at)
    if made.blobs:
        blobs = {key: _hidden_json(msgspec.json.encode(value), cipher) for key, value in made.blobs.items()}
        services.runs.put_blobs(run, blobs)
    services.runs.create(NewRun(run, found.own_flow if not run.definition.flow else None))
    store = services.adapters.store
    executor = EffectExecutor(store, services.runs, services.adapters.queue, services.adapters.clock)
    executor.execute(made.effects, run)


def _hidden(run: Run, cipher: Cipher) -> Run:
    """Return the run with masked values encrypted by the host's key, as the host stores secrets."""
    encoded = encode(run)
    return decode_run(_hidden_json(encoded, cipher)) if MARK in encoded else run


def _hidden_json(encoded: bytes, cipher: Cipher) -> bytes:
    hidden = {ENCRYPTED_KEY: cipher.encrypt(MASK)}
    return msgspec.json.encode(_with_hidden(msgspec.json.decode(encoded), hidden)) if MARK in encoded else encoded


def _with_hidden(value: Json, hidden: Json) -> Json:
    if isinstance(value, dict):
        return hidden if value == MASKED else {key: _with_hidden(one, hidden) for key, one in value.items()}
    return [_with_hidden(one, hidden) for one in value] if isinstance(value, list) else value


def _vars_at(made: Replayed, seq: int) -> dict[str, Json]:
    """Return the variables of the run after that entry of the last decision."""
    run = made.run
    if seq >= run.seq:
        return run.vars
    found = dict(made.before.vars) if made.before is not None else {}
    for entry in run.tail:
        if (made.before.seq if made.before is not None else 0) < entry.seq <= seq:
            found |= {name: value for name, value in entry.vars.items() if name in run.vars}
            found = {name: value for name, value in found.items() if name not in entry.removed}
    return found
