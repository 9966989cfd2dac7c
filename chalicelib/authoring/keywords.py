"""The words of FSL with a line on each: what an editor offers and says on hover."""

from __future__ import annotations

from typing import Final

STATEMENTS: Final = {
    "action": "a service that does work",
    "flow": "a process, to be run many times",
    "flow_run": "one run",
}
STEPS: Final = {
    "step": "sends an action and waits for its answer",
    "deci": "decides: by an action, or by data with when and else",
    "wait": "waits for a time, for events or for a condition",
    "fork": "runs branches side by side",
    "each": "runs the same steps for every item",
    "call": "runs another flow as a step",
    "set": "only writes variables",
}
BRANCH: Final = {"branch": "steps that run beside other branches"}
_OPTIONS: Final = {
    "timeout": "from dispatch to the final callback, such as 30m; then the step returns TIMEOUT",
    "heartbeat": "longest silence between callbacks with done=false; then TIMEOUT",
    "retry": "of the delivery: (max = 5, delay = 1s, rate = 2.0, cap = 5m)",
    "limit": "how much goes out at once: (concurrent = 10, per_second = 50)",
    "headers": 'of the request: ("X-Team" = "payments", "Authorization" = secret "NAME")',
    "approval": "required: a person must let each dispatch pass",
    "callback": "signed: answers must bear a signature; open: the activation's uuid lets them in",
}
_SAVE: Final = {"save": "variables written when the step returns: (name = value, ...)"}
_FLOW: Final = {
    "vars": "variables, and what they begin with: (name = value, secret name = null, ...)",
    "output": "what a run yields",
    "timeout": "how long a whole run may take",
    "labels": "what runs can be found by: (name = value, ...)",
}
PROPERTIES: Final = {
    "action": {
        "addr": "where the service is; several, divided by commas, are tried in order",
        "method": "http, https, grpc, human, queue or lambda",
        "secret": '(capem = "..."): the only roots trusted for this action',
        "args": "what it takes: (type name, type name = default, secret type name, ...)",
        "return": "the states it may answer: (STATE | STATE)",
        "data": "secret: what its answers bring is sealed",
        **_OPTIONS,
        "undo": "the action that compensates it",
    },
    "flow": {"input": "what a run is given: (type name, type name = default, secret type name, ...)", **_FLOW},
    "flow_run": {"flow": "the flow to run", "input": "what it is given: (name = value, ...)", **_FLOW},
    "step": {
        "action": "the action that it sends",
        "args": "what the action is given: (name = value, ...)",
        **_OPTIONS,
        **_SAVE,
        "undo": "the action that compensates the step once it has finished, with its args",
    },
    "wait": {
        "for": "how long: a duration, or an expression of one",
        "until": "an RFC 3339 time, or an expression of one",
        "events": 'the first that comes decides the state: (PAID = "payment.received", ...)',
        "key": "only events with this key count",
        "condition": "an expression over variables; true ends the wait",
        "timeout": "longest wait; then TIMEOUT",
        **_SAVE,
    },
    "fork": {"join": "all, any or a number: how many branches must finish", **_SAVE},
    "each": {
        "items": "a list, or an expression of one",
        "max": "how many items at once",
        "tolerate": 'how many items may fail: a number, or "10%"',
        **_SAVE,
    },
    "call": {
        "flow": "the flow that it runs",
        "input": "what the flow is given: (name = value, ...)",
        "timeout": "longest wait; then TIMEOUT",
        **_SAVE,
    },
    "set": _SAVE,
    "branch": {},
}
"""By what they may stand in; a deci has those of a step."""
VALUES: Final = {
    "method": ("http", "https", "grpc", "human", "queue", "lambda"),
    "approval": ("required",),
    "join": ("all", "any"),
    "data": ("secret",),
    "callback": ("signed", "open"),
}
SETTINGS: Final = {
    "retry": ("max", "delay", "rate", "cap"),
    "limit": ("concurrent", "per_second"),
    "secret": ("capem",),
}
TYPES: Final = ("str", "int", "float", "bool", "list", "map", "any")
SECRET: Final = {
    "declared": "sealed wherever it is kept: secret str token, secret token = null",
    "read": 'what the namespace keeps under a name, read when an action is dispatched: secret "NAME"',
}
"""The word `secret` before what is declared, and before a name."""
ROUTES: Final = {"when": "only if the expression holds: when ${ ... } ->", "else": "whatever the state"}
BOUND: Final = ("input", "vars", "result", "state", "event", "item", "index", "run", "now")
"""The names in expressions."""


def properties_of(kind: str) -> dict[str, str]:
    """The properties that a statement or step of this kind may have, with a line on each."""
    return PROPERTIES.get("step" if kind == "deci" else kind, {})
