"""The definition of an action: method, addresses, args, options, undo."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

import msgspec

from chalicelib.model.json_values import FrozenValue, Json, ready
from chalicelib.model.templates import Expression, Template
from chalicelib.model.times import Milliseconds

RESERVED_ARGS: Final = frozenset({"flowId", "stepName", "ackStates", "uuid", "globalVariables", "callbackUrl"})
"""Fields of every request to an action: no arg can have one of these names (docs/http-api.md, 1)."""

WHOLE: Final = ""
"""The name of the only arg of an action with `args = any`: its value is all that the action is sent."""

REPLY_TIMEOUT_S: Final = 10
"""How long one request to an action may take, unless the action has a `reply_timeout`."""

SECRET_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")
"""The names that a namespace's secrets can have."""


class ArgType(StrEnum):
    STR = "str"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    LIST = "list"
    MAP = "map"
    ANY = "any"

    def admits(self, value: Json) -> bool:
        """Return whether a JSON value has this type. An int is a float too, and 7.0 an int; a bool is not a number."""
        match self:
            case ArgType.STR:
                return isinstance(value, str)
            case ArgType.INT:
                return not isinstance(value, bool) and (isinstance(value, int) or _is_integral(value))
            case ArgType.FLOAT:
                return isinstance(value, (int, float)) and not isinstance(value, bool)
            case ArgType.BOOL:
                return isinstance(value, bool)
            case ArgType.LIST:
                return isinstance(value, (list, tuple))
            case ArgType.MAP:
                return isinstance(value, Mapping)
            case ArgType.ANY:
                return True

    def converted(self, value: Json) -> Json:
        """Return a value of this type as it is used: 7.0 is the int 7, everything else is as it is."""
        return int(value) if self is ArgType.INT and _is_integral(value) else value


def shown_args(args: Mapping[str, Json]) -> dict[str, Json]:
    """Return args as people see them: one value without a name (`args = any`) as its members, or as `value`."""
    if args.keys() != {WHOLE}:
        return dict(args)
    whole = args[WHOLE]
    return dict(whole) if isinstance(whole, Mapping) else {"value": whole}


def _is_integral(value: Json) -> bool:
    return isinstance(value, float) and value.is_integer()


class Method(StrEnum):
    HTTP = "http"
    HTTPS = "https"
    GRPC = "grpc"
    HUMAN = "human"
    QUEUE = "queue"
    LAMBDA = "lambda"
    AWS = "aws"
    """An operation of a service of AWS."""
    EVENTS = "events"
    """An event bus of AWS. Only hooks have it."""


class Verb(StrEnum):
    """The method of the HTTP request of an action without callback."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"

    @property
    def has_body(self) -> bool:
        """Whether the args are the body; otherwise they are the query."""
        return self not in (Verb.GET, Verb.DELETE)


class Parameter(FrozenValue, frozen=True, kw_only=True):
    """An arg that an action declares, or an input that a flow declares."""

    name: str
    """It is `WHOLE` if the action takes one value instead of args with names."""
    type: ArgType
    required: bool = True
    default: Json = None
    secret: bool = False
    """Its values are stored encrypted, and only the action that declares them receives them."""

    def admits(self, value: Json) -> bool:
        """Return whether the value has the type, or is null where null is the default."""
        is_null_default = value is None and not self.required and self.default is None
        return is_null_default or self.type.admits(value)


class Retry(FrozenValue, frozen=True, kw_only=True):
    """How often a delivery is attempted (`max`, the first included), and the delay between attempts."""

    max: int = 3
    delay: Milliseconds = 1_000
    rate: float = 2.0
    cap: Milliseconds = 300_000


class Limit(FrozenValue, frozen=True, kw_only=True):
    """How many activations of an action may be in progress, and how many deliveries may be sent per second."""

    concurrent: int | None = None
    per_second: float | None = None
    burst: int = 1
    """How many may be sent at once after a quiet time; the others are spaced evenly."""
    key: Template = None
    """What is counted separately: the limit holds for each value. None: the action as a whole."""


class Breaker(FrozenValue, frozen=True, kw_only=True):
    """After so many deliveries in a row that failed, nothing is delivered for the pause; then one is tried."""

    failures: int = 20
    pause: Milliseconds = 60_000


class Undo(FrozenValue, frozen=True, kw_only=True):
    """What undoes the work of a finished step: an action or a flow, and its args."""

    action: str
    """The name of the action or of the flow."""
    args: dict[str, Template] = {}
    states: tuple[str, ...] = msgspec.field(name="on", default=())
    """The states after which there is something to undo. Empty, in definitions of version 0.1.0: every declared one."""
    is_flow: bool = msgspec.field(name="flow", default=False)
    """Whether `action` names a flow."""
    inputs: tuple[Parameter, ...] | None = None
    """What the flow declares: derived from it when this is checked. None: it takes one value, or is an action."""


class ActionCall(FrozenValue, frozen=True, kw_only=True):
    """An action that is sent, and its args."""

    action: str
    args: dict[str, Template] = {}


class Options(FrozenValue, frozen=True, kw_only=True):
    """Options of an action, or of a step, which take precedence. None: not stated."""

    timeout: Milliseconds | Expression | None = None
    heartbeat: Milliseconds | Expression | None = None
    """Only options of steps are expressions, which are evaluated when the step is entered."""
    retry: Retry | None = None
    limit: Limit | None = None
    headers: dict[str, str] = {}
    secret_headers: dict[str, str] = {}
    """Headers with secret values: header -> name of the secret."""
    approval: bool = False
    signed: bool = False
    """Answers must be signed with the namespace's key."""
    role: str | Expression | None = None
    """The role under which a step calls an operation of AWS, instead of that of its action. Only steps have it."""

    def over(self, base: Options) -> Options:
        """Return these options, completed with those of `base`."""
        return Options(
            timeout=self.timeout if self.timeout is not None else base.timeout,
            heartbeat=self.heartbeat if self.heartbeat is not None else base.heartbeat,
            retry=self.retry or base.retry,
            limit=self.limit or base.limit,
            headers={**_without(base.headers, self.secret_headers), **self.headers},
            secret_headers={**_without(base.secret_headers, self.headers), **self.secret_headers},
            approval=self.approval or base.approval,
            signed=self.signed or base.signed,
            role=self.role if self.role is not None else base.role,
        )


def _without(texts: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    taken = {name.lower() for name in names}
    return {name: text for name, text in texts.items() if name.lower() not in taken}


DEFAULTS: Final = Options(timeout=7 * 24 * 3_600_000, retry=Retry())
"""Every wait ends, and every delivery is retried."""


class Action(FrozenValue, frozen=True, kw_only=True):
    """A service that does work. `addresses` are complete URLs, or what the method uses instead, tried in order."""

    name: str
    returns: tuple[str, ...]
    method: Method = Method.HTTP
    addresses: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    ca_bundle: str | None = msgspec.field(name="roots", default=None)
    """PEM bundle in base64: the only roots trusted for this action (https)."""
    options: Options = Options()
    undo: Undo | None = None
    breaker: Breaker | None = None
    cancel: tuple[str, ...] = ()
    """Complete URLs, tried in order: where it is notified that an activation was abandoned."""
    secret_data: bool = False
    """The `data` of its answers is stored encrypted."""
    configs: tuple[str, ...] = ()
    """The values of the configuration that its expressions read as `$config.NAME`."""
    direct: bool = False
    """Whether what the request returns is the answer (`callback = none`). Then nothing but the args is sent."""
    verb: Verb = Verb.POST
    form: bool = False
    """Whether the args are sent as a form, and not as JSON (`body = form`)."""
    statuses: dict[str, tuple[int, ...]] = msgspec.field(name="on", default={})
    """The HTTP statuses that lead to a state (`STATE on 404, 410`), by its name."""
    reply_timeout: Milliseconds | None = None
    """How long one request may take. None: `REPLY_TIMEOUT_S`."""

    role: str | None = None
    """The ARN of the role under which an operation of AWS is called. None: Echoer's own."""

    @property
    def is_human(self) -> bool:
        """Whether a person does the work."""
        return self.method is Method.HUMAN

    @property
    def is_operation(self) -> bool:
        """Whether it calls an operation of AWS, which is sent nothing but the args."""
        return self.method is Method.AWS

    @property
    def is_job(self) -> bool:
        """Whether its operation starts a job, of which the end is waited for (`.sync`)."""
        return self.is_operation and any(".sync" in address for address in self.addresses)

    @property
    def is_called(self) -> bool:
        """Whether it is sent nothing but the args; otherwise it is sent what a service needs to answer by callback."""
        return self.direct or self.is_operation

    @property
    def is_open(self) -> bool:
        """Whether it declares no args and takes those of its operation."""
        return self.is_operation and not self.parameters

    def taking(self, names: Iterable[str]) -> Action:
        """Return the action as it is called with these args, which it need not declare if it is open."""
        if not self.is_open:
            return self
        parameters = tuple(Parameter(name=name, type=ArgType.ANY) for name in names)
        return msgspec.structs.replace(self, parameters=parameters)

    @property
    def is_http(self) -> bool:
        """Whether it is called by HTTP."""
        return self.method in (Method.HTTP, Method.HTTPS)

    @property
    def takes_value(self) -> bool:
        """Whether it takes one value (`args = any`) instead of args with names."""
        return [parameter.name for parameter in self.parameters] == [WHOLE]

    @property
    def success_state(self) -> str:
        """The state of a success that no state names: the first without statuses, or else the first."""
        return next((state for state in self.returns if state not in self.statuses), self.returns[0])

    def state_on(self, status: int) -> str | None:
        """Return the state to which an HTTP status leads; None if it is a failure."""
        named = next((state for state, statuses in self.statuses.items() if status in statuses), None)
        return self.success_state if named is None and 200 <= status < 300 else named


ready(Action)
