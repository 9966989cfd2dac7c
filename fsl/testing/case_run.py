"""What became of the runs of a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from msgspec.structs import replace

from chalicelib.engine.invocation import UNDO
from chalicelib.hosting.responder import Request
from chalicelib.hosting.scripted import ScriptedHost
from chalicelib.model import status
from chalicelib.model.history import Entry
from chalicelib.model.ids import ROOT
from chalicelib.model.run import Run
from chalicelib.model.times import Instant, Milliseconds
from fsl.testing.script import Script

REPORT: Final = "StepReported"


@dataclass(frozen=True)
class CaseRun:
    """What became of a test's run. Its secrets are readable here."""

    host: ScriptedHost
    name: str
    started_at: Instant
    began_at: Instant
    """From when times are counted: when the test began; for one of several runs, when that run started."""
    script: Script
    cut_off: str
    """Why the run was not executed to its end; empty if it was."""
    slots: tuple[tuple[str, str], ...] = ()
    """The time and the outcome of each of the last slots of the tested schedule, oldest first."""
    most: Mapping[str, int] = field(default_factory=dict)
    """The largest number of activations in progress at once, of the actions of which the test expects it."""
    runs: tuple[CaseRun, ...] = ()
    """Each of several runs of the test that has started; empty if the test is about one run."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Why runs did not start, by their names."""
    is_part: bool = False
    """Whether it is one of several runs of a test, of which each is looked at by itself."""

    @cached_property
    def head(self) -> Run:
        run, decrypt = self.host.head(self.name), self.host.decrypt
        return replace(run, input=decrypt(run, run.input), vars=decrypt(run, run.vars), output=decrypt(run, run.output))

    @cached_property
    def history(self) -> tuple[Entry, ...]:
        head, decrypt = self.host.head(self.name), self.host.decrypt
        return tuple(
            replace(entry, data=decrypt(head, entry.data), vars=decrypt(head, entry.vars))
            for entry in self.host.history(self.name)
        )

    @cached_property
    def path(self) -> list[tuple[str, str]]:
        """(step, state) of each step that returned, in that order."""
        return [(entry.step, entry.state) for entry in self.history if has_left(entry)]

    @cached_property
    def undone(self) -> list[str]:
        """The steps that were undone, in that order."""
        return [entry.step for entry in self.history if entry.token == UNDO and entry.state and entry.event != REPORT]

    @property
    def requests(self) -> list[Request]:
        """What was asked of the outside: by the run, if it is one of several, else in the whole test."""
        return [one for one in self.host.requests if self.is_about(one.run)]

    def is_about(self, run: str) -> bool:
        """Return whether what that run does counts: all runs do, unless this is one of several."""
        return not self.is_part or run == self.name

    @property
    def waits_at(self) -> list[str]:
        """The steps at which the run waits; of a run that has stopped, those at which `retry` would resume it."""
        return [token.step for token in self.head.tokens if token.activation or self.head.status in status.STOPPED]

    @property
    def duration(self) -> Milliseconds:
        """How long the run took, or has taken so far."""
        return (self.head.ended_at or self.host.clock.now()) - self.started_at


def has_left(entry: Entry) -> bool:
    """Whether the entry says that a step returned and led somewhere."""
    return bool(entry.target) and bool(entry.step) and not entry.event.startswith("Run")


def branch_of(entry: Entry) -> str:
    """The branch or item that the entry is about; empty for the run's first token."""
    return "" if entry.token == ROOT else entry.token.partition(".")[2] or entry.token
