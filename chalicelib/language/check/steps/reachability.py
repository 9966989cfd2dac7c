"""Check the graph of the steps of one scope: unreachable steps, scopes that never end, cycles without a way out."""

from __future__ import annotations

from chalicelib.language.check.steps.routes import StepNode
from chalicelib.language.problems import Findings, Problem
from chalicelib.language.source import Span
from chalicelib.model.flow import ENDS


def check(findings: Findings, nodes: list[StepNode], owner: str, at: Span) -> None:
    """Report a cycle without a wait or a way out.

    If every target is known, also report unreachable steps and a scope without an end.
    """
    by_name: dict[str, StepNode] = {}
    for node in nodes:
        by_name.setdefault(node.word.text, node)
    _check_waiting(findings, by_name)
    if not nodes or any(target not in by_name and target not in ENDS for node in nodes for target in node.targets):
        return
    reached = _reached(by_name, nodes[0])
    for name, node in by_name.items():
        if name not in reached:
            findings.report(Problem.UNREACHABLE_STEP, node.word.span, step=name)
    if not any(target in ENDS for name in reached for target in by_name[name].targets):
        findings.report(Problem.NEVER_ENDS, at, owner=owner)


def _reached(by_name: dict[str, StepNode], first: StepNode) -> set[str]:
    reached, waiting = {first.word.text}, [first]
    while waiting:
        for target in waiting.pop().targets:
            if target in by_name and target not in reached:
                reached.add(target)
                waiting.append(by_name[target])
    return reached


def _check_waiting(findings: Findings, by_name: dict[str, StepNode]) -> None:
    """Report a cycle of steps that take no time and that no route leaves: it ends with RunawayLoop at best."""
    instant = {name: node for name, node in by_name.items() if node.instant}
    trapped = _trapped(instant)
    for name in trapped:
        path = [name]
        while len(path) == 1 or path[-1] not in path[:-1]:
            path.append(instant[path[-1]].targets[0])
        cycle = path[path.index(path[-1]) :]
        path_text = " -> ".join(cycle)
        findings.report(Problem.NEVER_WAITS, instant[cycle[0]].word.span, path=path_text)
        return


def _trapped(instant: dict[str, StepNode]) -> list[str]:
    """Return the steps, in order, from which every route leads only to such steps."""
    sources: dict[str, list[str]] = {name: [] for name in instant}
    free = []
    for name, node in instant.items():
        if not node.targets or any(target not in instant for target in node.targets):
            free.append(name)
        for target in node.targets:
            sources.get(target, []).append(name)
    seen = set(free)
    for name in free:
        free += [one for one in dict.fromkeys(sources[name]) if one not in seen]
        seen.update(sources[name])
    return [name for name in instant if name not in seen]
