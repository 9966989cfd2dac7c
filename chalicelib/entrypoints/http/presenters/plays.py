"""What became of a play, as JSON."""

from __future__ import annotations

import msgspec

from chalicelib import diagrams
from chalicelib.entrypoints.http import responses
from chalicelib.entrypoints.http.presenters.authoring import diagnostics
from chalicelib.entrypoints.http.presenters.common import moment
from chalicelib.entrypoints.http.presenters.history import entry
from chalicelib.play.redecide import Difference
from chalicelib.play.session import Played
from chalicelib.play.waiting import Waiting


def played(found: Played, after: int = 0) -> responses.Played:
    """Return a play after its last move, with the entries of its history after that number."""
    run = found.run
    return {
        "now": moment(found.now),
        "status": str(run.status),
        "flow": run.definition.flow,
        "waits": [_wait(one) for one in found.waits],
        "next": {"at": moment(found.next_at), "what": found.next_what} if found.next_at is not None else None,
        "input": run.input,
        "vars": run.vars,
        "output": run.output,
        "last_err": run.last_err,
        "seq": found.history[-1].seq,
        "history": [entry(one) for one in found.history if one.seq > after],
        "visits": _visits(found),
        "asked": [
            {
                "at": moment(one.at),
                "run": one.what.run,
                "step": one.what.step,
                "name": one.what.name,
                "kind": one.what.kind,
                "args": one.what.args,
                "attempt": one.what.attempt,
            }
            for one in found.asked
        ],
        "refused": [{"move": one.move, "why": one.why} for one in found.refused],
        "runs": [
            {"name": one.name, "flow": one.definition.flow, "status": str(one.status), "output": one.output}
            for one in found.runs
        ],
        "diagnostics": diagnostics(found.submission.diagnostics if found.submission else ()),
        "differs": _difference(found.differs) if found.differs is not None else None,
        "state": {"script": msgspec.to_builtins(found.script)},
    }


def _difference(found: Difference) -> responses.PlayDifference:
    return {
        "seq": found.seq,
        "recorded": entry(found.recorded) if found.recorded is not None else None,
        "now": entry(found.now) if found.now is not None else None,
    }


def _wait(one: Waiting) -> responses.PlayWait:
    return {
        "run": one.run,
        "step": one.step,
        "token": one.token,
        "uuid": one.uuid,
        "kind": one.kind,
        "name": one.name,
        "states": list(one.states),
        "args": one.args,
        "attempt": one.attempt,
        "deadline": moment(one.deadline),
        "retry_at": moment(one.retry_at),
        "due": one.is_held,
    }


def _visits(found: Played) -> responses.PlayVisits:
    graph = diagrams.graph_of(found.definition.flow, diagrams.path_of(found.run, found.history))
    return {
        "nodes": {node.id: node.visits for node in graph.nodes if node.visits},
        "edges": {f"{edge.source} -> {edge.target}": edge.visits for edge in graph.edges if edge.visits},
        "current": [node.id for node in graph.nodes if node.current],
        "failed": [node.id for node in graph.nodes if node.failed],
    }
