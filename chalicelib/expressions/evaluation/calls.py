"""Functions and how they are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.evaluation.scope import Frame
from chalicelib.expressions.meter import FUNCTION_BYTES
from chalicelib.expressions.syntax.signatures import Signature
from chalicelib.expressions.syntax.tree import Node
from chalicelib.expressions.values import NOTHING, Function, Outer

if TYPE_CHECKING:
    from chalicelib.expressions.evaluation.evaluator import Machine

_CALL_STEPS: Final = 2
"""Steps of a call of a function, beside those of its arguments and its work."""

_CALL_LEVELS: Final = 5
"""What a call of a builtin counts towards the depth: `$map` and the like use that many frames more."""

MAX_WRAPPED: Final = 50
"""How often one function may be applied in part or chained."""


class Lambda(Function):
    """A function that the expression defines, with the scope and the context in which it does."""

    __slots__ = ("body", "frame", "parameters", "signature", "value")

    def __init__(
        self, parameters: tuple[str, ...], signature: Signature | None, body: Node, value: Any, frame: Frame
    ) -> None:
        self.parameters, self.signature, self.body = parameters, signature, body
        self.value, self.frame = value, frame

    @property
    def arity(self) -> int:  # type: ignore[override]
        return len(self.parameters)


class Builtin(Function):
    """A function of the language: `run` in a module, which is loaded by the first call.

    It takes the machine, the arguments, and NOTHING for those that are missing.
    """

    __slots__ = ("_signature", "_target", "arity", "checked", "name", "run")

    def __init__(self, name: str, target: str, signature: str, arity: int) -> None:
        self.name, self.arity = name, arity
        self._target, self._signature = target, signature
        self.checked: Signature | None = None
        self.run: Callable[..., Any] = _unloaded

    def load(self) -> Signature:
        """Load the function; return its signature."""
        from importlib import import_module

        module, _, run = self._target.partition(":")
        self.run = getattr(import_module(f"chalicelib.expressions.functions.{module}"), run)
        self.checked = checked = Signature(self._signature)
        return checked


class Partial(Function):
    """A builtin with some of its arguments given."""

    __slots__ = ("arity", "given", "level", "whole")

    def __init__(self, whole: Function, given: list[Any]) -> None:
        self.whole, self.given = whole, given
        self.arity = sum(1 for arg in given if arg is _OPEN)
        self.level = _deeper(whole)

    def applied(self, m: Machine, args: list[Any], value: Any) -> Any:
        rest = iter(args)
        complete = [next(rest, NOTHING) if arg is _OPEN else arg for arg in self.given]
        while complete and complete[-1] is NOTHING:
            complete.pop()
        return apply(m, self.whole, complete, value)


class Chain(Function):
    """Two functions, the second applied to the result of the first."""

    __slots__ = ("first", "level", "second")
    arity = 1

    def __init__(self, first: Function, second: Function) -> None:
        self.first, self.second = first, second
        self.level = max(_deeper(first), _deeper(second))

    def applied(self, m: Machine, args: list[Any], _value: Any) -> Any:
        return apply(m, self.second, [apply(m, self.first, args[:1], NOTHING)], NOTHING)


class Thunk(Function):
    """A call in tail position, to be made by the caller."""

    __slots__ = ("frame", "node", "value")

    def __init__(self, node: Node, value: Any, frame: Frame) -> None:
        self.node, self.value, self.frame = node, value, frame


def _unloaded(*_args: Any) -> Any:
    raise TypeError("the function is loaded by its first call")


_OPEN: Final = object()
"""An argument that a partial application leaves open."""


def _deeper(function: Function) -> int:
    level = getattr(function, "level", 0) + 1
    if level > MAX_WRAPPED:
        raise Failure("L0014")
    return int(level)


# ── rules ──


def function(m: Machine, node: Node, value: Any, frame: Frame) -> Any:
    """Return the function that the node defines."""
    m.meter.bytes(FUNCTION_BYTES)
    parameters, signature = node.value
    return Lambda(parameters, signature, node.left, value, frame)


def thunk(_m: Machine, node: Node, value: Any, frame: Frame) -> Any:
    """Return the call in tail position, not yet made."""
    return Thunk(node.left, value, frame)


def call(m: Machine, node: Node, value: Any, frame: Frame) -> Any:
    """Call a function."""
    called = _procedure(m, node, value, frame)
    args = [m.evaluate(part, value, frame) for part in node.items]
    return _tried(m, node, called, args, value)


def applied(m: Machine, node: Node, value: Any, frame: Frame) -> Any:
    """Return `left ~> right`: the function called with the value, or both functions chained."""
    left = m.evaluate(node.left, value, frame)
    right = node.right
    if right.kind == "call":
        called = _procedure(m, right, value, frame)
        args = [left, *(m.evaluate(part, value, frame) for part in right.items)]
        return _tried(m, right, called, args, value)
    found = m.evaluate(right, value, frame)
    if not isinstance(found, Function):
        raise Failure("T2006", node.at, value=found)
    if isinstance(left, Function):
        m.meter.bytes(FUNCTION_BYTES)
        return Chain(left, found)
    return _tried(m, right, found, [left], NOTHING)


def partial(m: Machine, node: Node, value: Any, frame: Frame) -> Any:
    """Return the function with some arguments given."""
    called = _procedure(m, node, value, frame)
    if not isinstance(called, Function):
        raise Failure("T1008", node.at, _name(node))
    given = [_OPEN if part.kind == "placeholder" else m.evaluate(part, value, frame) for part in node.items]
    m.meter.bytes(FUNCTION_BYTES)
    if not isinstance(called, Lambda):
        return Partial(called, given)
    names: dict[str, Any] = {}
    missing = []
    for index, parameter in enumerate(called.parameters):
        arg = given[index] if index < len(given) else NOTHING
        if arg is _OPEN:
            missing.append(parameter)
        else:
            names[parameter] = arg
    return Lambda(tuple(missing), None, called.body, called.value, Frame(names, called.frame))


def _procedure(m: Machine, node: Node, value: Any, frame: Frame) -> Any:
    """Return what is called. A name that is bound to no function does not hide the function of that name."""
    procedure = node.left
    found = m.evaluate(procedure, value, frame)
    if isinstance(found, Function):
        return found
    name = _name(node)
    if procedure.kind == "variable" and not procedure.filters:
        return m.functions.get(name, found) if name not in m.shadowed else found
    if found is NOTHING and procedure.kind == "path" and frame.find(name) is not NOTHING:
        raise Failure("T1007" if node.kind == "partial" else "T1005", node.at, name)
    return found


def _name(node: Node) -> str:
    procedure = node.left
    if procedure is None:
        return ""
    if procedure.kind == "path":
        procedure = procedure.items[0]
    return procedure.value if isinstance(procedure.value, str) else ""


def _tried(m: Machine, node: Node, called: Any, args: list[Any], value: Any) -> Any:
    try:
        return apply(m, called, args, value)
    except Failure as failure:
        if failure.at is None:
            failure.at = node.at
        if failure.token is None:
            failure.token = _name(node)
        raise


# ── application ──


def apply(m: Machine, called: Any, args: list[Any], value: Any) -> Any:
    """Call a function with arguments, where `$` is `value`. Calls in tail position are made here, one after another."""
    result = _applied_once(m, called, args, value)
    while type(result) is Thunk:
        node, inner, frame = result.node, result.value, result.frame
        m.meter.spend(1)
        called = _procedure(m, node, inner, frame)
        args = [m.evaluate(part, inner, frame) for part in node.items]
        try:
            result = _applied_once(m, called, args, value)
        except Failure as failure:
            if failure.at is None:
                failure.at, failure.token = node.at, failure.token or _name(node)
            raise
    return result


def _applied_once(m: Machine, called: Any, args: list[Any], value: Any) -> Any:
    m.meter.spend(_CALL_STEPS)
    if isinstance(value, Outer):
        value = value[0]
    if type(called) is Builtin:
        signature = called.checked or called.load()
        m.level += _CALL_LEVELS
        try:
            result = called.run(m, *signature.validated(args, value, m.meter))
        except Failure as failure:
            if failure.token is None:
                failure.token = called.name
            raise
        m.level -= _CALL_LEVELS
        return result
    if type(called) is Lambda:
        if called.signature is not None:
            args = called.signature.validated(args, value, m.meter)
        m.meter.bytes(400)
        names = dict(zip(called.parameters, args, strict=False))
        for name in called.parameters[len(args) :]:
            names[name] = NOTHING
        return m.evaluate(called.body, called.value, Frame(names, called.frame))
    if isinstance(called, Function):
        m.level += _CALL_LEVELS
        result = called.applied(m, args, value)
        m.level -= _CALL_LEVELS
        return result
    raise Failure("T1006", value=called)
