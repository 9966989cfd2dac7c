"""Completion in `fsl shell`: what may follow the words of a command, from its usage and from the server's names.

The usage of a command is the server's own (`help`): `retry RUN [STEP] [--version N | latest]`. Its words in capital
letters say what is wanted; names are read when TAB is pressed, and kept for some seconds.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from fsl.cli.runs.listing import KINDS
from fsl.client import Client, ClientError, Resource

MAX_NAMES: Final = 200
"""How many names of a kind are offered."""

MAX_AGE_S: Final = 5.0
"""How long names are kept."""

_STATEMENTS: Final = ("action", "flow", "flow_run", "event", "config", "schedule", "hook")
_USAGE: Final = re.compile(r"  ([a-z]+)( .*)?")
_OPTION: Final = re.compile(r"--[a-z-]+")
_KIND_OF: Final = {"RUN": "flowrun", "FLOW": "flow", "HOOK": "hook"}
_WORD: Final = re.compile(r"(?:`[^`]*`?|[^\s`])+")
_PLAIN: Final = re.compile(r"[^\s`]+")


class Names:
    """The names that a server knows. A server that does not answer has none."""

    def __init__(self, client: Client, now: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._now = now
        self._kept: dict[str, tuple[float, list[Resource]]] = {}
        self._usages: dict[str, str] = {}

    def usages(self) -> dict[str, str]:
        """Return what follows each command, as `help` shows it."""
        if not self._usages:
            try:
                lines = str(self._client.command("help")["raw"]).partition("FSL:")[0].splitlines()
            except ClientError:
                return {}
            self._usages = {found[1]: found[2] or "" for line in lines if (found := _USAGE.fullmatch(line))}
        return self._usages

    def of(self, kind: str) -> list[str]:
        """Return the names of a kind of resource."""
        return [str(one["metadata"]["name"]) for one in self._listed(kind)]

    def waiting_steps(self) -> list[str]:
        """Return the tasks that wait, as RUN.STEP."""
        return [f"{one['flowId']}.{one['stepName']}" for one in self._listed("task")]

    def states(self, step: str) -> list[str]:
        """Return the states with which a task can be answered."""
        found = [one for one in self._listed("task") if f"{one['flowId']}.{one['stepName']}" == step]
        return [str(state) for one in found for state in one["ackStates"]]

    def steps(self, run: str) -> list[str]:
        """Return the steps of the flow of a run."""
        flows = [one["spec"]["flow"] for one in self._listed("flowrun") if one["metadata"]["name"] == run]
        specs = [one["spec"] for one in self._listed("flow") if one["metadata"]["name"] in flows]
        return [str(step["name"]) for spec in specs for step in spec["steps"]]

    def _listed(self, kind: str) -> list[Resource]:
        read_at, found = self._kept.get(kind, (-MAX_AGE_S, []))
        if self._now() - read_at >= MAX_AGE_S:
            filters = {"view": "summary"} if kind == "flowrun" else {}
            try:
                found = self._client.page(kind, limit=str(MAX_NAMES), **filters).items
            except ClientError:
                found = []
            self._kept[kind] = (self._now(), found)
        return found


class ShellCompleter(Completer):
    """Offers what may follow at the place of the cursor."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:  # noqa: ARG002
        text = document.text_before_cursor.lstrip()
        words = _WORD.findall(text)
        begun = words.pop() if words and not text[-1:].isspace() else ""
        for word in offers(words, begun, self._names):
            yield Completion(word, start_position=-len(begun))


def offers(words: Sequence[str], begun: str, names: Names) -> list[str]:
    """Return the words that may follow `words`, of which the next has `begun`; in alphabetical order."""
    usages = names.usages()
    if not words:
        found: Iterable[str] = (*usages, *_STATEMENTS, "exit")
    else:
        usage = usages.get(words[0].lower(), "")
        found = _OPTION.findall(usage) if begun.startswith("-") else _following(words[1:], usage, names)
    written = (name if _PLAIN.fullmatch(name) else f"`{name}`" for name in set(found))
    return sorted(word for word in written if word.lower().startswith(begun.lower()))


def _following(given: Sequence[str], usage: str, names: Names) -> Iterator[str]:
    """Yield what may follow the words after a command. Its alternatives are separated by bars."""
    given = [word.replace("`", "") for word in given if not word.startswith("--")]
    for alternative in re.sub(r"\[--[^]]*\]", "", usage).split(" | "):
        wanted = [word.strip("[]") for word in alternative.split()]
        if len(wanted) <= len(given):
            continue
        literals = [word for word in wanted[: len(given)] if word.islower()]
        if all(word in given for word in literals):
            yield from _meant(wanted[len(given)], given, names)


def _meant(wanted: str, given: Sequence[str], names: Names) -> Iterable[str]:
    """Return the words for one word of a usage, after the words that are given."""
    if wanted.islower():
        return [wanted]
    if wanted in _KIND_OF:
        return names.of(_KIND_OF[wanted])
    match wanted:
        case "TYPE":
            return KINDS
        case "RUN.STEP":
            return names.waiting_steps()
        case "STATE":
            return names.states(given[-1])
        case "STEP":
            return names.steps(given[0])
        case "NAME":
            kind = given[-1].lower().replace("_", "") if given else "schedule"
            return names.of(kind) if kind in KINDS else ()
        case "COMMAND":
            return names.usages()
        case _:
            return ()
