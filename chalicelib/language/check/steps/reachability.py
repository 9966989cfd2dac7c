"""Check the graph of the steps of one scope: unreachable steps, scopes that never end, cycles that never wait."""

from __future__ import annotations

from chalicelib.language.check.steps.routes import StepNode
from chalicelib.language.problems import Findings, Problem
from chalicelib.language.source import Span
from chalicelib.model.flow import ENDS


def check(findings: Findings, nodes: list[StepNode], owner: str, at: Span) -> None:
    """Report a cycle without a wait and, if every target is known, unreachable steps and a scope without an end."""
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
    """Report a cycle of steps that take no time: it would never end."""
    instant = {name: node for name, node in by_name.items() if node.instant}
    successors = {name: [one for one in node.targets if one in instant] for name, node in instant.items()}
    for name in _without_exits(successors):
        path = [name]
        while len(path) == 1 or path[-1] not in path[:-1]:
            path.append(next(one for one in successors[path[-1]]))
        cycle = path[path.index(path[-1]) :]
        path_text = " -> ".join(cycle)
        findings.report(Problem.NEVER_WAITS, instant[cycle[0]].word.span, path=path_text)
        return


def _without_exits(successors: dict[str, list[str]]) -> list[str]:
    """Return the nodes from which a cycle can be reached, in order, and reduce `successors` to them."""
    predecessors: dict[str, list[str]] = {name: [] for name in successors}
    for name, following in successors.items():
        for one in following:
            predecessors[one].append(name)
    left = {name: len(following) for name, following in successors.items()}
    dead = [name for name, count in left.items() if count == 0]
    for name in dead:
        for one in predecessors[name]:
            left[one] -= 1
            if left[one] == 0:
                dead.append(one)
    gone = set(dead)
    for name in successors:
        successors[name] = [one for one in successors[name] if one not in gone]
    return [name for name in successors if name not in gone]
