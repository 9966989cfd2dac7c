"""The call that shows one activation: what was sent, and what came back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.entrypoints.http import presenters
from chalicelib.entrypoints.http.parameters import Parameter, integer
from chalicelib.entrypoints.http.presenters.values import CutValues, Values
from chalicelib.entrypoints.http.presenters.waits import waiting
from chalicelib.entrypoints.http.request import Request
from chalicelib.entrypoints.http.responses import activations as shapes
from chalicelib.entrypoints.http.route import Route
from chalicelib.model.history import Entry
from chalicelib.model.json_values import Json
from chalicelib.service.security.roles import Role

if TYPE_CHECKING:
    from chalicelib.service.details.activations import ShownActivation

MAX_SEQ: Final = 10**15


def activation(request: Request, name: str, uuid: str) -> Json:
    """Show what an activation sent and what came back: args, headers, each delivery, reports and the answer.

    Secrets are masked. The newest 20,000 entries of the history are read; `seq` is the number of an entry of an older
    activation. Args of an activation that has ended are in the log of deliveries (`ECHOER_DELIVERY_LOG`); without it
    they are evaluated again as far as the history allows, and `unknown_args` names the others.
    """
    seq = request.query.number("seq", 0, 1, MAX_SEQ) or None
    return _activation(request.services.activations.find(request.namespace, name, uuid, seq))


def _activation(found: ShownActivation) -> shapes.Activation:
    values = CutValues(found.run, found.large)
    shown: shapes.Activation = {
        "uuid": found.uuid,
        "run": found.run,
        "step": found.step,
        "token": found.token,
        "action": found.action,
        "current": found.is_current,
        "state": found.state,
        "since": presenters.moment(found.since),
        "waits_for": waiting(found.wait),
        "args": values.shown_map(found.args),
        "args_from": found.args_origin,
        "unknown_args": list(found.unknown),
        "headers": found.headers,
        "deliveries": [
            {
                "at": presenters.moment(one.at),
                "address": one.address,
                "status": one.status,
                "duration_ms": one.duration,
                "error": one.error,
            }
            for one in found.deliveries
        ],
        "logged": found.is_logged,
        "reports": [_report(values, entry) for entry in found.reports],
        "answer": _answer(values, found.answer) if found.answer else None,
        "late": [_answer(values, entry) for entry in found.late],
    }
    if found.first_read > 1:
        shown["partial"] = {"from": found.first_read}
    return shown


def _report(values: Values, entry: Entry) -> shapes.ActivationReport:
    return {
        "seq": entry.seq,
        "at": presenters.moment(entry.at),
        "by": entry.by,
        "state": entry.state,
        "data": values.shown(entry.data),
        "vars": values.shown_map(entry.vars),
    }


def _answer(values: Values, entry: Entry) -> shapes.ActivationAnswer:
    return {
        "seq": entry.seq,
        "at": presenters.moment(entry.at),
        "event": entry.event,
        "by": entry.by,
        "state": entry.state,
        "data": values.shown(entry.data),
        "error": {"name": entry.error_name, "cause": entry.error} if entry.error or entry.error_name else None,
        "vars": values.shown_map(entry.vars),
        "to": entry.target,
    }


ROUTES: Final = (
    Route(
        method="GET",
        path="/flowrun/{name}/activation/{uuid}",
        view=activation,
        group="runs",
        role=Role.VIEWER,
        query=(
            Parameter(
                "seq",
                "The number of a history entry of the activation: for one that ended more than 20,000 entries ago.",
                integer(1, MAX_SEQ),
            ),
        ),
        answers={200: shapes.Activation},
        errors=(404,),
    ),
)
