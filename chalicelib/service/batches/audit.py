"""The audit of batches: one line per run, as for a command that is given to one run."""

from __future__ import annotations

import logging

from chalicelib.service.ports.batches import Batch, Result

LOG = logging.getLogger("echoer.audit")

OPEN_LOG = logging.getLogger("echoer")
"""Where lines go if the server is open: its callers are unknown."""


class BatchAudit:
    """Records what became of each run of a batch. `is_open`: the server requires no authentication."""

    def __init__(self, *, is_open: bool) -> None:
        self._log, self._level = (OPEN_LOG, logging.DEBUG) if is_open else (LOG, logging.INFO)

    def __call__(self, namespace: str, batch: Batch, result: Result) -> None:
        """Log one line: who created the batch, its command, the run and the outcome."""
        if batch.dry_run or not self._log.isEnabledFor(self._level):
            return
        fields = {
            "who": batch.by,
            "namespace": namespace,
            "call": f"batch {batch.command}",
            "names": [result.name],
            "status": str(result.outcome),
            "batch": batch.id,
        }
        self._log.log(self._level, "%(who)r in %(namespace)s: %(call)s %(names)r: %(status)s", fields, extra=fields)
