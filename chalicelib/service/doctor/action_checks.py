"""Find steps that cannot use the newest version of their action."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.model.run import Run
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.doctor.findings import Finding, FindingKind, shortened


def old_actions(definition_cache: DefinitionCache, runs: Iterable[Run]) -> list[Finding]:
    """Report each step once for all runs of its flow and version; the finding names the first of them."""
    found: dict[tuple[str, int, str, str], Finding] = {}
    for run in runs:
        ref = run.definition
        for user, why in definition_cache.of(run).unfollowed.items():
            finding = Finding(
                kind=FindingKind.OLD_ACTION,
                run=run.name,
                step=user,
                detail=shortened(f"{why}: runs of version {ref.version} use the version with which they began"),
            )
            found.setdefault((ref.flow or run.name, ref.version, user, why), finding)
    return list(found.values())
