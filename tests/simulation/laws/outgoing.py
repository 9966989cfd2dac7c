"""What `emit` publishes and `start` starts: once for each activation that was committed, and for no other."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.model.history import Entry
from chalicelib.model.run import Run
from chalicelib.model.waits import EmitWait, StartWait
from chalicelib.service.ports.events import Signal


class Outgoing:
    """What runs published and started."""

    def __init__(self) -> None:
        self._emitting: set[tuple[str, str]] = set()
        """Every activation of an `emit` that was committed, as the id of its event."""
        self._starting: set[tuple[str, str, str]] = set()
        """Every run that an activation of a `start` that was committed names, and the run of that activation."""
        self._signals: dict[tuple[str, str], Signal] = {}
        self._started: set[tuple[str, str]] = set()
        """Every run that a run started."""

    def stored(self, namespace: str, signal: Signal) -> Iterator[str]:
        """A run stored an event; yield what is wrong with that."""
        place = namespace, signal.id
        if place not in self._emitting:
            yield f"event {signal.name!r} ({signal.id}) was published by no activation that was committed"
        before = self._signals.setdefault(place, signal)
        if before.place != signal.place or (before.name, before.key, before.run) != (
            signal.name,
            signal.key,
            signal.run,
        ):
            yield f"event {signal.name!r} was published at {before.place}, and again at {signal.place}"

    def commit(self, after: Run, added: list[Entry]) -> Iterator[str]:
        """Take in one write; yield what the history records and nothing did."""
        for entry in added:
            if entry.event == "EventPublished" and self._signal_of(after, entry) is None:
                yield f"step {entry.step!r} published its event ({entry.uuid}) by the history, and did not"
            if entry.event == "FlowStarted":
                name = entry.data["name"] if isinstance(entry.data, dict) else ""
                if (after.namespace, name) not in self._started:
                    yield f"step {entry.step!r} started run {name!r} by the history, and there was none"
        for token in after.tokens:
            wait = token.activation.wait if token.activation else None
            if token.activation and isinstance(wait, EmitWait):
                self._emitting.add((after.namespace, token.activation.uuid.replace("-", "")))
            if isinstance(wait, StartWait):
                self._starting.add((after.namespace, wait.run, after.name))

    def published(self, after: Run, added: list[Entry]) -> Iterator[Signal]:
        """Yield the events of which the history says that they are published."""
        for entry in added:
            signal = self._signal_of(after, entry) if entry.event == "EventPublished" else None
            if signal is not None:
                yield signal

    def created(self, run: Run) -> Iterator[str]:
        """A run was created; yield what is wrong with who started it."""
        place, by = (run.namespace, run.name), run.tail[0].by
        if by.startswith("run ") and run.parent is None:
            if (*place, by.removeprefix("run ")) not in self._starting:
                yield f"run {run.name!r} was started by {by!r}, which starts no such run"
            if place in self._started and run.name.startswith(f"{run.definition.flow}-"):
                yield f"run {run.name!r} was started twice"
        self._started.add(place)

    def _signal_of(self, run: Run, entry: Entry) -> Signal | None:
        return self._signals.get((run.namespace, entry.uuid.replace("-", "")))
