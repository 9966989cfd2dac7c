"""The keywords of FSL with a one-line description of each, for completion and hover."""

from __future__ import annotations

from typing import Final

STATEMENTS: Final = {
    "action": "work that a service does",
    "flow": "a process that can be run many times",
    "flow_run": "one run of a flow",
    "event": "what the data of an event must be",
    "config": "a value of the namespace, which flows read as $config.NAME",
}
STEPS: Final = {
    "step": "sends an action and waits for its answer",
    "deci": "decides by the answer of an action, or by data with when and else",
    "wait": "waits for a time, for events or for a condition",
    "fork": "runs branches in parallel",
    "each": "runs the same steps for every item of a list",
    "call": "runs another flow as a step",
    "set": "sets variables",
}
BRANCH: Final = {"branch": "steps that run in parallel with the other branches"}
_OPTIONS: Final = {
    "timeout": "maximum time from dispatch to the final callback, such as 30m; then the step returns TIMEOUT",
    "heartbeat": "maximum time between callbacks with done=false; then the step returns TIMEOUT",
    "retry": "how deliveries are retried: (max = 5, delay = 1s, rate = 2.0, cap = 5m)",
    "limit": "limits of the dispatches: (concurrent = 10, per_second = 50, burst = 5, key = ${ $input.tenant })",
    "headers": 'headers of the request: ("X-Team" = "payments", "Authorization" = secret "NAME")',
    "approval": "required: a person must approve each dispatch",
    "callback": "signed: answers must be signed; open: the uuid is enough; none (of an action): the response answers",
}
_SAVE: Final = {"save": "variables set when the step returns: (name = value, name.member = value, ...)"}
_REPEAT: Final = {
    "repeat": "does the step again before its route is taken: (max = 3) after ERROR, or (STATE -> (max = 3) | ...)"
}
_ABANDONED: Final = "keep: what lost branches or failed items did is not undone"
_FLOW: Final = {
    "vars": "variables and their initial values: (name = value, secret name = null, ...)",
    "output": "the result of a run",
    "timeout": "maximum duration of a run",
    "max_steps": "how many steps a run can enter in all",
    "labels": "labels for searching runs: (name = value, ...)",
}
PROPERTIES: Final = {
    "action": {
        "addr": "address of the service; several addresses, separated by commas, are tried in order",
        "method": "http, https, grpc, human, queue or lambda",
        "secret": '(capem = "..."): the only root certificates trusted for this action',
        "verb": "the HTTP method of an action with callback = none: GET, POST, PUT, PATCH or DELETE",
        "body": "how an action with callback = none sends its args: json or form",
        "reply_timeout": "maximum time of one request of an action with callback = none, such as 60s",
        "args": "parameters of the action: (type name, type name = default, secret type name, ...), or any: one value",
        "return": "states that the action can return: (STATE | STATE on 404, 410)",
        "data": "secret: the data of answers is encrypted",
        **_OPTIONS,
        "undo": "the action or flow that compensates this action: refund (name = value) on STATE | STATE",
    },
    "flow": {
        "input": "input of a run: (type name, type name = default, secret type name, ...), or any, map or list",
        **_FLOW,
    },
    "flow_run": {"flow": "the flow to run", "input": "input of the run: (name = value, ...)", **_FLOW},
    "event": {"args": "members of the data: (type name, type name = default, ...), or any"},
    "step": {
        "action": "the action that the step sends",
        "args": "args of the action: (name = value, ...), or one value",
        **_OPTIONS,
        **_SAVE,
        **_REPEAT,
        "undo": "the action or flow that compensates the step: refund (name = value) on STATE | STATE",
    },
    "wait": {
        "for": "how long to wait: a duration or an expression",
        "until": "when the wait ends: an RFC 3339 time or an expression",
        "events": 'the first event that arrives decides the state: (PAID = "payment.received", ...)',
        "key": "wait only for events with this key",
        "condition": "an expression over variables; true ends the wait",
        "timeout": "maximum wait; then the step returns TIMEOUT",
        **_SAVE,
        **_REPEAT,
    },
    "fork": {
        "join": "how many branches must finish: all, any or a number",
        "timeout": "maximum duration; then the step returns TIMEOUT, and what runs is abandoned",
        "abandoned": _ABANDONED,
        "vars": "variables that the branches share: (name = value, secret name = null, ...)",
        **_SAVE,
        **_REPEAT,
    },
    "each": {
        "items": "the list of items, or an expression",
        "vars": "variables of each item: (name = value, secret name = null, ...)",
        "max": "how many items run at the same time: a number or an expression",
        "tolerate": 'how many items may fail: a number, a percentage like "10%", or an expression',
        "batch": "how many items are worked on together: $item is a list of them",
        "timeout": "maximum duration; then the step returns TIMEOUT, and what runs is abandoned",
        "abandoned": _ABANDONED,
        **_SAVE,
        **_REPEAT,
    },
    "call": {
        "flow": "the flow to run",
        "input": "input of the flow: (name = value, ...), or an expression if the flow takes one value",
        "timeout": "maximum wait; then the step returns TIMEOUT",
        **_SAVE,
        **_REPEAT,
        "undo": "the action or flow that undoes what the flow did: cancel (name = value)",
    },
    "set": _SAVE,
    "branch": {"vars": "variables of the branch: (name = value, secret name = null, ...)"},
}
"""The properties by the kind of statement or step; a deci has those of a step."""
VALUES: Final = {
    "method": ("http", "https", "grpc", "human", "queue", "lambda"),
    "approval": ("required",),
    "join": ("all", "any"),
    "data": ("secret",),
    "callback": ("signed", "open", "none"),
    "verb": ("GET", "POST", "PUT", "PATCH", "DELETE"),
    "body": ("json", "form"),
    "abandoned": ("keep",),
}
SETTINGS: Final = {
    "retry": ("max", "delay", "rate", "cap"),
    "limit": ("concurrent", "per_second", "burst", "key"),
    "repeat": ("max", "delay", "rate", "cap", "jitter"),
    "secret": ("capem",),
}
ENTRIES: Final = {
    "done": {"output": "the output of the run, branch or item"},
    "stopped": {"error": "the name of the error", "cause": "why the run, branch or item stops"},
}
"""The entries of a route to an end; those of a route to a step are variables."""
ON: Final = "the states after which the step is undone: on STATE | STATE"
WHOLE_TYPES: Final = {("flow", "input"): ("any", "map", "list"), ("action", "args"): ("any",)}
"""The types of one value, where a statement may declare that instead of parameters."""
TYPES: Final = ("str", "int", "float", "bool", "list", "map", "any")
SECRET: Final = {
    "declared": "the value is encrypted when stored: secret str token, secret token = null",
    "read": 'a secret of the namespace, read when an action is dispatched: secret "NAME"',
}
"""The word `secret` in a declaration, and before the name of a secret."""
ROUTES: Final = {"when": "only if the expression is true: when ${ ... } ->", "else": "any state"}
BOUND_NAMES: Final = (
    "input", "vars", "result", "state", "error", "event", "item", "index", "run", "step", "now", "config",
    "response",
)  # fmt: skip
"""The names that expressions can use."""


def properties_of(kind: str) -> dict[str, str]:
    """Return the properties of a kind of statement or step, with a one-line description of each."""
    return PROPERTIES.get("step" if kind == "deci" else kind, {})
