"""Bugs put in on purpose into labels and into the records of deliveries."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.adapters.memory.runs import MemoryRuns
from chalicelib.engine.effects import Outcome
from chalicelib.engine.handlers import commands
from chalicelib.service.deliveries import recorder
from tests.simulation.catalog import SECRET


def _only_the_new(_: Any) -> Any:
    """A label that is set replaces all others."""

    def set_labels(transition: Any, event: Any) -> Any:
        transition.record("LabelsSet", data={"set": event.labels, "remove": list(event.remove)})
        transition.set_run(labels=dict(event.labels))
        return Outcome.ADVANCED

    return set_labels


def _decrypted(right: Any) -> Any:
    """Args are recorded as the service receives them."""

    def args_of(*args: Any) -> Any:
        found = right(*args)
        return {**found, "token": SECRET} if "token" in found else found

    return args_of


RECORD_BUGS: Final = (
    ("a label replaces all others", commands, "_set_labels", _only_the_new),
    (
        "labels are written over another write",
        MemoryRuns,
        "save_relabeled",
        lambda _: lambda self, run, before, body=b"": self._put(run, body),
    ),
    ("secrets in the records of deliveries", recorder, "args_of", _decrypted),
)
"""Name, owner and attribute of each bug, and what makes the wrong from the right."""
