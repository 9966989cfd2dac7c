"""What a batch does to one run."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from enum import StrEnum
from itertools import chain
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from chalicelib.engine import lifecycle
from chalicelib.engine.errors import CommandRefused
from chalicelib.engine.lifecycle import Command
from chalicelib.engine.values.secret_values import decrypt
from chalicelib.model.errors import EchoerError
from chalicelib.model.json_values import Json, ready
from chalicelib.model.run import Run
from chalicelib.service.errors import Busy, Conflict, NotFound
from chalicelib.service.events.publish import Signaler
from chalicelib.service.ports.batches import Batch, BatchOutcome, Result, Target
from chalicelib.service.runs.commands import Operator
from chalicelib.service.runs.offloading import OffloadingRunStore
from chalicelib.service.security.roles import Role
from chalicelib.service.security.secrets import Secrets

LOG = logging.getLogger("echoer.batches")

MAX_REASON_CHARACTERS: Final = 300

_Text = Annotated[str, msgspec.Meta(max_length=1_024)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
_Version: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=10**9)] | Literal["latest"]


class BatchCommand(StrEnum):
    """The commands that can be given to many runs."""

    RETRY = "retry"
    PAUSE = "pause"
    CONTINUE = "continue"
    STOP = "stop"
    DELETE = "delete"
    MIGRATE = "migrate"
    SIGNAL = "signal"


class NoArgs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The command takes no args."""


class RetryArgs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How runs are retried, as in `POST /flowrun/{name}/retry`."""

    step: _Text | None = None
    token: _Text | None = None
    version: _Version | None = None
    input: Json | UnsetType = UNSET
    vars: dict[str, Json] = {}
    undo: bool = False
    reason: _Text = ""


class StopArgs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why runs are stopped."""

    reason: _Text = ""


class MigrateArgs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The version to which runs move, as in `POST /flowrun/{name}/migrate`."""

    version: _Version
    steps: dict[str, str] = {}
    reason: _Text = ""


class SignalArgs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The event for the runs."""

    name: _Name
    data: Json = None


ARGS: Final[Mapping[BatchCommand, type[msgspec.Struct]]] = {
    BatchCommand.RETRY: RetryArgs,
    BatchCommand.PAUSE: NoArgs,
    BatchCommand.CONTINUE: NoArgs,
    BatchCommand.STOP: StopArgs,
    BatchCommand.DELETE: NoArgs,
    BatchCommand.MIGRATE: MigrateArgs,
    BatchCommand.SIGNAL: SignalArgs,
}
"""The type of the args of each command."""

ROLE_OF: Final[Mapping[BatchCommand, Role]] = {
    command: Role.AUTHOR if command is BatchCommand.DELETE else Role.OPERATOR for command in BatchCommand
}
"""The role that a command requires, in a batch as alone."""


CONFIDENTIAL: Final = frozenset({"input", "vars", "data"})
"""Args that may hold values which the flows of the runs declare secret."""


def place_of(batch_id: str) -> str:
    """Return the place for which the args of a batch are encrypted."""
    return f"batch/{batch_id}"


def author_of(batch: Batch) -> str:
    """Return who the history of runs says commanded them."""
    return f"batch {batch.id} of {batch.by}" if batch.by else f"batch {batch.id}"


class RunCommands:
    """Gives the command of a batch to runs. `trial` is an operator that decides and carries nothing out."""

    def __init__(
        self, runs: OffloadingRunStore, operator: Operator, trial: Operator, signaler: Signaler, secrets: Secrets
    ) -> None:
        self._runs = runs
        self._secrets = secrets
        self._operator = operator
        self._trial = trial
        self._signaler = signaler

    def execute(self, namespace: str, batch: Batch, target: Target, *, repeats: bool) -> Result:
        """Command the run, or find out whether it could be. Raises Busy.

        `repeats`: an earlier attempt may have done it; then nothing is done twice.
        """
        command, name = BatchCommand(batch.command), target.name
        run = self._runs.head(namespace, name)
        if run is None or (target.id and run.id != target.id):
            is_deleted = repeats and command is BatchCommand.DELETE and not batch.dry_run
            return Result(name, BatchOutcome.DONE if is_deleted else BatchOutcome.MISSING)
        if repeats and self._was_commanded(run, target, author_of(batch)):
            return Result(name, BatchOutcome.DONE)
        try:
            self._command(command, namespace, batch, run)
        except (Busy, Conflict) as error:
            raise Busy(str(error)) from error
        except EchoerError as error:
            if isinstance(error, NotFound) and self._runs.head(namespace, name) is None:
                return Result(name, BatchOutcome.MISSING)
            return Result(name, BatchOutcome.REFUSED, str(error)[:MAX_REASON_CHARACTERS])
        except Exception:  # one run must not keep the others from being commanded
            LOG.exception("batch %r failed for run %r", batch.id, name, extra={"run": name})
            return Result(name, BatchOutcome.REFUSED, "an unexpected error; the log of the server has the details")
        return Result(name, BatchOutcome.WOULD if batch.dry_run else BatchOutcome.DONE)

    def _was_commanded(self, run: Run, target: Target, author: str) -> bool:
        """Return whether the history says, after the entry that was newest at first, that the batch did it."""
        if run.seq <= target.seq:
            return False
        tail = run.tail
        is_complete = bool(tail) and tail[0].seq <= target.seq + 1
        paged = () if is_complete else chain.from_iterable(p.entries for p in self._runs.pages(run, target.seq))
        return any(entry.by == author and entry.seq > target.seq for entry in chain(tail, paged))

    def _command(self, command: BatchCommand, namespace: str, batch: Batch, run: Run) -> None:
        operator, by = self._trial if batch.dry_run else self._operator, author_of(batch)
        plain = decrypt(batch.args, self._secrets.cipher(namespace, place_of(batch.id)))
        args = msgspec.convert(plain, ARGS[command])
        match command, args:
            case BatchCommand.PAUSE, _:
                operator.pause(namespace, run.name, by=by)
            case BatchCommand.CONTINUE, _:
                operator.resume(namespace, run.name, by=by)
            case BatchCommand.STOP, StopArgs(reason=reason):
                operator.stop(namespace, run.name, reason=reason, by=by)
            case BatchCommand.RETRY, RetryArgs():
                _retry(operator, namespace, run.name, args, by)
            case BatchCommand.MIGRATE, MigrateArgs(version=version, steps=steps, reason=reason):
                operator.migrate(namespace, run.name, version, steps=steps, reason=reason, by=by)
            case BatchCommand.DELETE, _ if batch.dry_run:
                _check(run, Command.DELETE)
            case BatchCommand.DELETE, _:
                operator.delete_run(namespace, run.name, run.id)
            case BatchCommand.SIGNAL, SignalArgs() if batch.dry_run:
                _check(run, Command.SIGNAL)
            case BatchCommand.SIGNAL, SignalArgs(name=name, data=data):
                self._signaler.signal(namespace, run, name, data=data, origin=f"{batch.id}/{run.id}")


def _retry(operator: Operator, namespace: str, name: str, args: RetryArgs, by: str) -> None:
    if args.undo:
        operator.retry_undos(namespace, name, by=by)
        return
    operator.retry(
        namespace,
        name,
        step=args.step,
        token=args.token,
        version=args.version,
        new_input=args.input,
        variables=args.vars,
        reason=args.reason,
        by=by,
    )


def _check(run: Run, command: Command) -> None:
    """Raise CommandRefused if the status of the run forbids the command."""
    if run.status not in lifecycle.ALLOWED[command]:
        raise CommandRefused(run.name, run.status, command)


ready(NoArgs, RetryArgs, StopArgs, MigrateArgs, SignalArgs)
