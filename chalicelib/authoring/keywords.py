"""The keywords of FSL with a one-line description of each, for completion and hover."""

from __future__ import annotations

from typing import Final

STATEMENTS: Final = {
    "action": "work that a service does",
    "flow": "a process that can be run many times",
    "flow_run": "one run of a flow",
    "event": "what the data of an event must be",
    "hook": "an address that is notified of events of runs",
    "config": "a value of the namespace, which flows read as $config.NAME",
    "schedule": "starts runs of a flow at certain times",
}
STEPS: Final = {
    "step": "sends an action and waits for its answer",
    "deci": "decides by the answer of an action, or by data with when and else",
    "wait": "waits for a time, for events or for a condition",
    "fork": "runs branches in parallel",
    "each": "runs the same steps for every item of a list",
    "call": "runs another flow as a step",
    "set": "sets variables",
    "emit": "publishes an event, or sends it to one run",
    "start": "starts a run that goes on by itself",
}
USE: Final = {"use": 'expands the steps of another flow here, with prefixed names: use NAME as "PREFIX"'}
AS: Final = "the text that begins the names of the steps that are used"
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
    "description": "what the flow is for",
    "keep": "how long ended runs are kept, such as 90d",
    "labels": "labels for searching runs: (name = value, ...)",
}
PROPERTIES: Final = {
    "action": {
        "addr": "address of the service; several addresses, separated by commas, are tried in order",
        "method": "http, https, grpc, human, queue, lambda or aws",
        "secret": '(capem = "..."): the only root certificates trusted for this action',
        "verb": "the HTTP method of an action with callback = none: GET, POST, PUT, PATCH or DELETE",
        "body": "how an action with callback = none sends its args: json or form",
        "role": "the ARN of the IAM role under which an action with method = aws calls its operation",
        "reply_timeout": "maximum time of one request of an action with callback = none, such as 60s",
        "args": "parameters of the action: (type name, type name = default, secret type name, ...), or any: one value",
        "return": "states that the action can return: (STATE | STATE on 404, 410)",
        "data": "secret: the data of answers is encrypted",
        **_OPTIONS,
        "undo": "the action or flow that compensates this action: refund (name = value) on STATE | STATE",
        "cancel": "address that is notified when an activation of it is abandoned",
        "breaker": "after failures in a row, nothing is delivered for a while: (failures = 20, pause = 1m)",
    },
    "flow": {
        "limit": "how many runs are in progress: (concurrent = 1, key = ${ $input.customer }, overflow = queue)",
        "input": "input of a run: (type name, type name = default, secret type name, ...), or any, map or list",
        **_FLOW,
    },
    "flow_run": {"flow": "the flow to run", "input": "input of the run: (name = value, ...)", **_FLOW},
    "event": {"args": "members of the data: (type name, type name = default, ...), or any"},
    "schedule": {
        "flow": "the flow to run",
        "cron": 'the times as a cron expression of five fields: "0 2 * * MON-FRI"',
        "every": "the time from one run to the next: 15m",
        "at": 'one time, as RFC 3339: "2027-01-31T08:00:00Z"',
        "zone": 'the time zone of `cron`: "Europe/Berlin"; UTC if it is left out',
        "input": "input of the runs: (name = value, ...); $scheduled is the time for which a run is started",
        "labels": "labels of the runs: (name = value, ...)",
        "overlap": "what to do while the previous run has not ended: skip, queue, allow or cancel",
        "catch_up": "how late a run may still be started that was missed: a duration",
        "jitter": "by how much each start may be delayed: a duration",
    },
    "hook": {
        "addr": "where notifications are sent: a URL, or an event bus of AWS",
        "method": "http, https or events",
        "on": "the events: (run.failed, undo.failed, task.opened, ...)",
        "flow": "only runs of this flow",
        "labels": "only runs with these labels: (name = value, ...)",
    },
    "step": {
        "action": "the action that the step sends",
        "args": "args of the action: (name = value, ...), or one value",
        **_OPTIONS,
        "role": "the ARN of the IAM role under which an operation of AWS is called, or an expression that yields it",
        **_SAVE,
        **_REPEAT,
        "undo": "the action or flow that compensates the step: refund (name = value) on STATE | STATE",
    },
    "wait": {
        "for": "how long to wait: a duration or an expression",
        "until": "when the wait ends: an RFC 3339 time or an expression",
        "next": 'until the next match of a cron expression: "0 9 * * MON-FRI"',
        "zone": 'the time zone in which next is matched: "Europe/Berlin"; UTC if it is left out',
        "events": 'the first event that arrives decides the state: (PAID = "payment.received", ...)',
        "key": "wait only for events with this key",
        "on_enter": "the action that is sent when a wait for events begins: watch (name = value)",
        "on_leave": "the action that is sent when it ends, in whatever way: unwatch (name = value)",
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
    "emit": {
        "event": "the name of the event, or an expression",
        "key": "only runs that wait with this key receive the event",
        "data": "the data of the event",
        "to": "the name of the only run that receives the event",
        "ttl": "how long runs that begin to wait later receive the event too; 1d by default",
        **_SAVE,
        **_REPEAT,
    },
    "start": {
        "flow": "the flow of the run",
        "input": "input of the run: (name = value, ...), or an expression if the flow takes one value",
        "name": "the name of the run; a name of its own by default",
        "labels": "labels of the run: (name = value, ...)",
        **_SAVE,
        **_REPEAT,
    },
    "branch": {"vars": "variables of the branch: (name = value, secret name = null, ...)"},
}
"""The properties by the kind of statement or step; a deci has those of a step."""
VALUES: Final = {
    "method": ("http", "https", "grpc", "human", "queue", "lambda", "aws"),
    "approval": ("required",),
    "join": ("all", "any"),
    "data": ("secret",),
    "callback": ("signed", "open", "none"),
    "verb": ("GET", "POST", "PUT", "PATCH", "DELETE"),
    "body": ("json", "form"),
    "abandoned": ("keep",),
    "overlap": ("skip", "queue", "allow", "cancel"),
}
SETTINGS: Final = {
    "retry": ("max", "delay", "rate", "cap"),
    "limit": ("concurrent", "per_second", "burst", "key", "overflow"),
    "breaker": ("failures", "pause"),
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
    "input", "vars", "result", "state", "error", "event", "item", "index", "run", "step", "scheduled", "now",
    "config", "response",
)  # fmt: skip
"""The names that expressions can use."""


def values_of(kind: str, name: str) -> tuple[str, ...]:
    """Return the keywords that a property of that kind of statement or step can have as its value."""
    return () if name == "data" and kind == "emit" else VALUES.get(name, ())


def properties_of(kind: str) -> dict[str, str]:
    """Return the properties of a kind of statement or step, with a one-line description of each."""
    return PROPERTIES.get("step" if kind == "deci" else kind, {})
