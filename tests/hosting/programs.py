"""Scripted hosts made of FSL text, and small responders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from chalicelib import expressions, language
from chalicelib.hosting.responder import Answer, Kind, Reply, Request, Responder, first_state
from chalicelib.hosting.scripted import ScriptedHost
from chalicelib.language import KnownNames
from chalicelib.model.actions import Action
from chalicelib.model.flow import Flow

SECOND: Final = 1_000
HOUR: Final = 3_600_000
DAY: Final = 24 * HOUR


def host_of(text: str, responder: Responder = first_state, secrets: Mapping[str, str] | None = None) -> ScriptedHost:
    """Return a host that has the definitions of the text and these secrets."""
    checked = language.read(text, KnownNames(), expression_problem=expressions.problem_in)
    assert [one for one in checked.diagnostics if one.severity == "error"] == []
    host = ScriptedHost(responder)
    host.define(*(one.value for one in checked.statements if isinstance(one.value, Action | Flow)))
    host.set_secrets(secrets or {})
    return host


def after(milliseconds: int) -> Responder:
    """Answer with the first state, this much later."""

    def reply(request: Request) -> Reply | None:
        return None if request.kind is Kind.FLOW else (Answer(state=request.states[0], after=milliseconds),)

    return reply


def silent(_request: Request) -> Reply | None:
    """Accept everything and never answer."""
    return ()


def nested(depth: int) -> str:
    """Return flows `f0`, `f1`, ...: each calls the next one."""
    calls = [f"flow f{n} call C => (DONE -> done) {{ flow = f{n + 1}; }}; flow_end" for n in range(depth)]
    return "\n/\n".join([*calls, f"flow f{depth} wait W => () {{ for = 1s; }}; flow_end"])
