"""Commands of users to runs: pause, continue, stop, set variables, retry and delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from chalicelib.engine import lifecycle
from chalicelib.engine.errors import CommandRefused, DoesNotFit, Fit
from chalicelib.engine.events import (
    Event,
    LabelsSet,
    RunContinued,
    RunMigrated,
    RunPaused,
    RunRetried,
    RunStopped,
    Target,
    TokenMoved,
    UndosRetried,
    VarsSet,
)
from chalicelib.engine.lifecycle import Command
from chalicelib.model import status
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.errors import Busy, Invalid, NotFound
from chalicelib.service.holds.gate import HoldGate
from chalicelib.service.hooks.announce import HookAnnouncer
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.runs.advance import EventFactory, RunAdvancer

LATEST: Final = "latest"

Version: TypeAlias = int | Literal["latest"]
"""The number of a version of a flow, or the newest one."""


class Migration(msgspec.Struct, frozen=True):
    """A run that moved, or would move, to another version of its flow."""

    run: Run
    version_before: int
    version: int
    tokens: tuple[Fit, ...]
    """What that means for each token."""
    problems: tuple[str, ...] = ()
    """What else does not fit."""
    moved: bool = False

    @property
    def fits(self) -> bool:
        """Whether the run can move."""
        return not self.problems and not any(token.problem for token in self.tokens)


class Operator:
    """Executes commands. Each raises NotFound if there is no such run, and CommandRefused if its status forbids it."""

    def __init__(
        self,
        runs: RunStore,
        definition_cache: DefinitionCache,
        advancer: RunAdvancer,
        hook_announcer: HookAnnouncer,
        hold_gate: HoldGate,
    ) -> None:
        self._runs = runs
        self._definition_cache = definition_cache
        self._advancer = advancer
        self._hook_announcer = hook_announcer
        self._hold_gate = hold_gate

    def pause(self, namespace: str, name: str, *, by: str = "") -> Run:
        """Pause the run: it delivers nothing until it is continued."""
        return self._command(namespace, name, lambda at, nonce: [RunPaused(at=at, nonce=nonce, by=by)])

    def resume(self, namespace: str, name: str, *, by: str = "") -> Run:
        """Continue a paused run. Its deadlines move by the length of the pause."""
        return self._command(namespace, name, lambda at, nonce: [RunContinued(at=at, nonce=nonce, by=by)])

    def stop(self, namespace: str, name: str, *, reason: str = "", by: str = "") -> Run:
        """Stop the run: it ends as canceled."""
        return self._command(namespace, name, lambda at, nonce: [RunStopped(at=at, nonce=nonce, by=by, reason=reason)])

    def set_vars(
        self, namespace: str, name: str, variables: dict[str, Json], *, remove: Sequence[str] = (), by: str = ""
    ) -> Run:
        """Set variables of a run that has not ended, and remove those of `remove`. None is a value."""

        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            return [VarsSet(at=at, nonce=nonce, by=by, vars=variables, remove=tuple(remove))]

        return self._command(namespace, name, make_events)

    def set_labels(
        self, namespace: str, name: str, labels: dict[str, Json], *, remove: Sequence[str] = (), by: str = ""
    ) -> Run:
        """Set labels of a run in any status, and remove those of `remove`. Raises TooLarge."""

        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            return [LabelsSet(at=at, nonce=nonce, by=by, labels=labels, remove=tuple(remove))]

        return self._command(namespace, name, make_events)

    def retry(
        self,
        namespace: str,
        name: str,
        *,
        step: str | None = None,
        token: str | None = None,
        version: Version | None = None,
        new_input: Json | UnsetType = UNSET,
        variables: Mapping[str, Json] | None = None,
        reason: str = "",
        by: str = "",
    ) -> Run:
        """Continue a failed or stopped run where it ended, or at `step`; as it was, or mended.

        A run of a paused flow waits until the flow is continued.

        `token` is the token that continues at `step`, if several can. `version` is a version of its flow, or LATEST.
        `new_input` has the fields of its input that change; it is the whole if its flow takes one value. `variables`
        are set in the innermost scope around `token` that has them, or else in the run.

        Raises NoSuchStep, NoSuchToken, WasUndone, DoesNotFit, InputRefused, TooLarge.
        """
        run = self._loaded(namespace, name)
        target = None if version is None else self._target(run, version)

        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            return [
                RunRetried(
                    at=at,
                    nonce=nonce,
                    by=by,
                    step=step,
                    token=token,
                    target=target,
                    input=new_input,
                    vars=variables or {},
                    reason=reason,
                    held=self._hold_gate.holds_flow(namespace, run.definition.flow),
                )
            ]

        return self._command(namespace, name, make_events, seen=run)

    def migrate(
        self,
        namespace: str,
        name: str,
        version: Version,
        *,
        steps: Mapping[str, str] | None = None,
        dry_run: bool = False,
        reason: str = "",
        by: str = "",
    ) -> Migration:
        """Move a run that is in progress to another version of its flow. Activations under way keep their uuids.

        `steps`: what steps of its version are called in that version. With `dry_run` nothing changes, and what does not
        fit is returned instead of raised. Raises NotFound, Invalid, DoesNotFit.
        """
        run = self._loaded(namespace, name)
        target, renamed = self._target(run, version), dict(steps or {})

        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            return [RunMigrated(at=at, nonce=nonce, by=by, target=target, steps=renamed, reason=reason)]

        fits = tuple(
            Fit(token=token.id, step=token.step, target=renamed.get(token.step, token.step)) for token in run.tokens
        )
        found = Migration(run, run.definition.version, target.ref.version, fits)
        if not dry_run:
            return replace(found, run=self._command(namespace, name, make_events, seen=run), moved=True)
        try:
            self._advancer.rehearse(run, make_events).sole()
        except DoesNotFit as refusal:
            return replace(found, tokens=refusal.fits, problems=refusal.problems)
        return found

    def go_to(
        self, namespace: str, name: str, step: str, *, token: str | None = None, reason: str = "", by: str = ""
    ) -> Run:
        """Have a token leave what it waits for, and enter the step. `token` says which, if several can enter it.

        Raises NoSuchStep, NoSuchToken.
        """

        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            return [TokenMoved(at=at, nonce=nonce, by=by, step=step, token=token, reason=reason)]

        return self._command(namespace, name, make_events)

    def retry_undos(self, namespace: str, name: str, *, by: str = "") -> Run:
        """Have the undos of an ended run that failed done again. Raises NoFailedUndo."""
        return self._command(namespace, name, lambda at, nonce: [UndosRetried(at=at, nonce=nonce, by=by)])

    def delete_run(self, namespace: str, name: str, run_id: str | None = None) -> Run:
        """Delete an ended run with its history. Raises NotFound if `run_id` is given and the run has another id.

        Raises Busy while the run that called it does not know yet how it ended.
        """
        run = self._runs.load(namespace, name)
        if run is None or (run_id is not None and run_id.lower() != run.id):
            raise NotFound("flow_run", name)
        if run.status not in lifecycle.ALLOWED[Command.DELETE]:
            raise CommandRefused(name, run.status, Command.DELETE)
        if self._is_awaited(run):
            raise Busy(f"the run that called run {name!r} does not know yet how it ended; try again")
        self._hook_announcer.announce_end(run)
        self._runs.delete(run)
        return run

    def _is_awaited(self, run: Run) -> bool:
        """Return whether another run still waits for the end of this one."""
        if run.parent is None:
            return False
        parent = self._runs.load(run.namespace, run.parent.run)
        if parent is None or parent.status not in status.LIVE:
            return False
        uuids = {stopping.uuid for stopping in parent.stopping}
        return parent.token_of(run.parent.uuid) is not None or run.parent.uuid in uuids

    def _loaded(self, namespace: str, name: str) -> Run:
        run = self._runs.load(namespace, name)
        if run is None:
            raise NotFound("flow_run", name)
        return run

    def _target(self, run: Run, version: Version) -> Target:
        """Return the version of the run's flow. Raises NotFound, Invalid."""
        if not run.definition.flow:
            raise Invalid(f"run {run.name!r} has steps of its own, and no other version of them")
        definition, ref = self._definition_cache.of_version(run, version if isinstance(version, int) else None)
        return Target(ref=ref, definition=definition)

    def _command(self, namespace: str, name: str, make_events: EventFactory, seen: Run | None = None) -> Run:
        advanced = self._advancer.advance(namespace, name, make_events, seen=seen)
        advanced.sole()
        return advanced.run
