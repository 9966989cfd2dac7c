"""The history of one run as it was committed, replayed entry by entry, and what it says of the head."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.engine import admission
from chalicelib.engine.invocation import UNDO
from chalicelib.model import status
from chalicelib.model.definition import Definition
from chalicelib.model.flow import DEFAULT_STATE, DONE, STOPPED, EachStep, children_of
from chalicelib.model.history import Entry, Page
from chalicelib.model.ids import ROOT
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, Token
from chalicelib.model.status import Status

ENDINGS = frozenset(
    {
        "StepAcked",
        "StepTimedOut",
        "TimerRang",
        "EventArrived",
        "ConditionMet",
        "ChildEnded",
        "EventPublished",
        "PublishFailed",
        "FlowStarted",
        "StartFailed",
        "EnterFailed",
        "StepJoined",
        "StepRejected",
        "TokenMoved",
    }
)
"""Events that end an activation. A failed delivery ends one if its step returned by it."""


class History:
    """Everything that one run (by its id) ever committed."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.uuids: set[str] = set()
        """Every activation that ever was current."""
        self.closed: set[str] = set()
        """Activations that ended by an entry."""
        self.pages: dict[int, Page] = {}
        self._target: dict[str, tuple[int, str]] = {}
        self._outputs: dict[str, Json] = {}
        """What each token ended with, since the token above it came to its step."""
        self._joined: dict[str, dict[str, Json]] = {}
        """Of tokens that were joined: what those below it had ended with."""
        self._answered: set[str] = set()
        """Activations that were answered, in time or late."""
        self._paused = False
        self._undoing = 0

    @property
    def seq(self) -> int:
        return len(self.entries)

    def commit(self, before: Run | None, after: Run) -> Iterator[str]:
        """The entries that `after` adds are replayed; what is wrong with them."""
        fresh = self.seq
        for entry in after.tail:
            if entry.seq <= self.seq:
                if self.entries[entry.seq - 1] != entry:
                    yield f"entry {entry.seq} was {self.entries[entry.seq - 1]} and is now {entry}"
            elif entry.seq != self.seq + 1:
                yield f"entry {entry.seq} follows entry {self.seq}"
            else:
                yield from self._replay(before, entry)
        if after.tail and after.tail[0].seq > 1:
            yield from self._missing_pages(after.tail[0].seq)
        if not after.tail:
            yield "the tail is empty"
        now = {token.activation.uuid for token in after.tokens if token.activation}
        was = {token.activation.uuid for token in before.tokens if token.activation} if before else set()
        is_retried = any(entry.event == "RunRetried" and entry.seq > fresh for entry in after.tail)
        if is_retried and not admission.waits(after):  # a pending run keeps what it waited for
            was = set()
        if again := (now - was) & self.uuids:
            yield f"activation {again} is current again"
        if after.status in status.LIVE and (ghosts := _awaited(after) & self.closed):
            yield f"activation {ghosts} has ended and is current"
        self.uuids |= now

    def page(self, page: Page) -> Iterator[str]:
        """What is wrong with a page that is put away."""
        first, last = page.entries[0].seq, page.last
        if list(page.entries) != self.entries[first - 1 : last]:
            yield f"page {first}..{last} holds what is not committed"
        self.pages[last] = page

    def _replay(self, before: Run | None, entry: Entry) -> Iterator[str]:
        self.entries.append(entry)
        ends = entry.event in ENDINGS or (entry.event == "DeliveryFailed" and entry.state != "")
        if ends and entry.uuid:
            if entry.uuid in self.closed:
                yield f"activation {entry.uuid} ended twice: {entry}"
            self.closed.add(entry.uuid)
            if entry.uuid in self.uuids and (before is None or before.token_of(entry.uuid) is None):
                yield f"entry {entry.seq} ends activation {entry.uuid}, which was no longer current"
        yield from self._answers(entry)
        if entry.event == "VersionChanged":
            renamed = (entry.data or {}).get("steps", {})
            self._target = {token: (seq, renamed.get(at, at)) for token, (seq, at) in self._target.items()}
        if entry.event in ("RunPaused", "RunContinued", "RunStopped", "RunRetried"):
            self._paused = entry.event == "RunPaused"
        if entry.event in ("StepReported", "RunContinued") or not entry.target or entry.token == UNDO:
            return
        if entry.event != "RunPaused":
            self._target[entry.token] = (entry.seq, entry.target)
            below = [token for token in self._outputs if token.startswith(f"{entry.token}.")]
            self._joined[entry.token] = {token: self._outputs.pop(token) for token in below}
        if entry.target == DONE:
            self._outputs[entry.token] = entry.data

    def _answers(self, entry: Entry) -> Iterator[str]:
        """Only the first answer to an activation that ended without one is late."""
        if entry.event == "LateAnswer" and entry.uuid in self._answered:
            yield f"activation {entry.uuid} was answered before its late answer {entry}"
        if entry.event in ("StepAcked", "StepRejected", "LateAnswer"):
            self._answered.add(entry.uuid)

    def _missing_pages(self, first: int) -> Iterator[str]:
        reached = 0
        for last in sorted(self.pages):
            if self.pages[last].entries[0].seq <= reached + 1:
                reached = max(reached, last)
        if reached < first - 1:
            yield f"the tail begins at {first}, the pages end at {reached}"

    # ── what it says of the head ─────────────────────────────────────────────────────────────────────────────────────

    def contradicts(self, run: Run, definition: Definition) -> Iterator[str]:
        """Where the replayed history and the head disagree."""
        if run.status in status.ENDED:
            at = self._target.get(ROOT, (0, ""))[1]
            if run.status is Status.SUCCEEDED and at != DONE:
                yield f"the run succeeded, and its history leads to {at!r}"
            if run.status in status.STOPPED and at != STOPPED:
                yield f"the run is {run.status}, and its history leads to {at!r}"
            return
        if (run.status is Status.PAUSED) != self._paused:
            yield f"the run is {run.status}, and by its history {'paused' if self._paused else 'not paused'}"
        if run.ending is not None:
            return
        known = {token.id: token for token in run.tokens}
        for token in run.tokens:
            if token.id != UNDO and token.step != self._stands_at(token, known, definition):
                yield f"token {token.id} is at {token.step!r}, and by the history it is not"

    def _stands_at(self, token: Token, known: dict[str, Token], definition: Definition) -> str:
        seq, target = self._target.get(token.id, (0, ""))
        parent = known.get(token.parent)
        if parent is None:
            return target
        began = 0
        above: Token | None = parent
        while above is not None:
            began = max(began, self._target.get(above.id, (0, ""))[0])
            above = known.get(above.parent)
        if seq > began:
            if target in (DONE, STOPPED):  # an item that failed, and began again
                return token.step
            return target
        step = definition.step(parent.step)
        scopes = dict(children_of(step)) if step else {}
        return scopes[token.scope][0].name if token.scope in scopes else ""

    def lost_results(self, run: Run, definition: Definition, added: list[Entry]) -> Iterator[str]:
        """What items answered and the result of their each, which has just ended, does not hold."""
        last = {entry.token: entry for entry in added}
        for token in run.tokens:
            entry = last.get(token.id)
            step = definition.step(entry.step) if entry else None
            if (
                entry is None
                or not isinstance(step, EachStep)
                or entry.state != DEFAULT_STATE
                or entry.target == step.name
            ):
                continue
            results = token.result if isinstance(token.result, (list, tuple)) else []
            for index, result in enumerate(results):
                answered = self._joined[token.id].get(f"{token.id}.{index}")
                if answered is not None and result != answered:
                    yield f"item {index} of {step.name!r} answered {answered!r}, and the result holds {result!r}"


def _awaited(run: Run) -> set[str]:
    """The activations that may still end: a run that is ending only waits for what undoes its work."""
    is_awaited = run.ending is None and not admission.waits(run)
    tokens = [token for token in run.tokens if is_awaited or token.id == UNDO]
    return {token.activation.uuid for token in tokens if token.activation}
