"""Labels: a run has those that its history says, and is found by them; and what the record of a delivery shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from chalicelib.adapters.memory import MemoryStore
from chalicelib.engine.values.secret_values import holds_secret
from chalicelib.model.history import Entry
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.service.ports.deliveries import DeliveryRecord
from chalicelib.service.ports.runs import RunQuery
from tests.simulation.catalog import SECRET

_MOST: Final = 1_000


def relabeled(before: Run | None, after: Run, added: Sequence[Entry]) -> Iterator[str]:
    """Yield how the labels differ from what the history says."""
    if before is None:
        return
    expected: Mapping[str, Json] = before.labels
    for entry in added:
        if entry.event == "LabelsSet" and isinstance(entry.data, dict):
            changed = {**expected, **entry.data["set"]}
            expected = {name: value for name, value in changed.items() if name not in entry.data["remove"]}
    if after.labels != expected:
        yield f"run {after.name!r} has the labels {after.labels}, and by its history {expected}"


def not_found(heads: Mapping[tuple[str, str], Run], store: MemoryStore) -> Iterator[str]:
    """Nothing happens any more: yield which runs are not found by a label that they have, or by one that they lost."""
    for namespace in {namespace for namespace, _ in heads}:
        runs = [run for (owner, _), run in heads.items() if owner == namespace]
        for label in {(name, str(value)) for run in runs for name, value in run.labels.items()}:
            having = {run.name for run in runs if label[0] in run.labels and str(run.labels[label[0]]) == label[1]}
            listed = store.runs.list(namespace, RunQuery(labels=(label,), limit=_MOST))
            found = [run.name for run in listed.runs]
            if sorted(found) != sorted(having):
                yield f"runs {sorted(having)} of {namespace!r} have the label {label}, and {sorted(found)} are found"


def recorded(owner: tuple[str, str] | None, run: Run, record: DeliveryRecord) -> Iterator[str]:
    """Yield what is wrong with the record of a delivery. `owner` is the run of its activation, with its namespace."""
    if owner != (run.namespace, run.name):
        yield f"a delivery of {record.uuid} was recorded for run {run.name!r}, and is of {owner}"
    written = msgspec.json.encode(record)
    if SECRET.encode() in written or holds_secret(record.args):
        yield f"the record of a delivery of run {run.name!r} shows a secret: {written!r}"
