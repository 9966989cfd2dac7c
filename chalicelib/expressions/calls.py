"""Functions and how they are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.meter import FUNCTION_BYTES
from chalicelib.expressions.scope import Frame
from chalicelib.expressions.signatures import Signature
from chalicelib.expressions.tree import Node
from chalicelib.expressions.values import MAX_DEPTH, NOTHING, Function, Outer, kind

if TYPE_CHECKING:
    from chalicelib.expressions.evaluator import Machine

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


class Chain(Function):
    """Two functions, the second applied to the result of the first."""

    __slots__ = ("first", "level", "second")
    arity = 1

    def __init__(self, first: Function, second: Function) -> None:
        self.first, self.second = first, second
        self.level = max(_deeper(first), _deeper(second))


class Transformer(Function):
    """The function of `|pattern|update, delete|`."""

    __slots__ = ("frame", "node")
    arity = 1

    def __init__(self, node: Node, frame: Frame) -> None:
        self.node, self.frame = node, frame


class Thunk(Function):
    """A call in tail position, to be made by the caller."""

    __slots__ = ("frame", "node", "value")

    def __init__(self, node: Node, value: Any, frame: Frame) -> None:
        self.node, self.value, self.frame = node, value, frame


def _unloaded(*_args: Any) -> Any:
    raise NotImplementedError


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


def transform(m: Machine, node: Node, _value: Any, frame: Frame) -> Any:
    """Return the function that a transform is."""
    m.meter.bytes(FUNCTION_BYTES)
    return Transformer(node, frame)


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
        result = _OTHERS[type(called)](m, called, args, value)
        m.level -= _CALL_LEVELS
        return result
    raise Failure("T1006", value=called)


def _partial_applied(m: Machine, called: Partial, args: list[Any], value: Any) -> Any:
    rest = iter(args)
    complete = [next(rest, NOTHING) if arg is _OPEN else arg for arg in called.given]
    while complete and complete[-1] is NOTHING:
        complete.pop()
    return apply(m, called.whole, complete, value)


def _chained(m: Machine, called: Chain, args: list[Any], _value: Any) -> Any:
    first = apply(m, called.first, args[:1], NOTHING)
    return apply(m, called.second, [first], NOTHING)


def _transformed(m: Machine, called: Transformer, args: list[Any], _value: Any) -> Any:
    target = args[0] if args else NOTHING
    if target is NOTHING:
        return NOTHING
    if kind(target) not in "oa":
        raise Failure("T0410", value=1)
    pattern, update = called.node.items[:2]
    result = copied(m, target)
    matches = m.evaluate(pattern, result, called.frame)
    if matches is NOTHING:
        return result
    for match in matches if isinstance(matches, list) else [matches]:
        changes = m.evaluate(update, match, called.frame)
        if changes is not NOTHING:
            if not isinstance(changes, dict):
                raise Failure("T2011", update.at, value=changes)
            if isinstance(match, dict):
                m.meter.items(len(changes))
                match.update(changes)
        for deleted in called.node.items[2:]:
            _delete(m, match, m.evaluate(deleted, match, called.frame), deleted.at)
    return result


def _delete(m: Machine, match: Any, names: Any, at: int) -> None:
    if names is NOTHING:
        return
    listed = names if isinstance(names, list) else [names]
    m.meter.visit(len(listed))
    if any(not isinstance(name, str) for name in listed):
        raise Failure("T2012", at, value=names)
    if isinstance(match, dict):
        for name in listed:
            match.pop(name, None)


def copied(m: Machine, value: Any, depth: int = 0) -> Any:
    """Return a copy of the value with arrays and objects of its own."""
    if depth >= MAX_DEPTH:
        raise Failure("L0002")
    if isinstance(value, list):
        m.meter.items(len(value))
        return [copied(m, item, depth + 1) if isinstance(item, (list, dict)) else item for item in value]
    if isinstance(value, dict):
        m.meter.room(2 * len(value))
        return {
            name: copied(m, item, depth + 1) if isinstance(item, (list, dict)) else item for name, item in value.items()
        }
    return value


def _matched(m: Machine, called: Any, args: list[Any], _value: Any) -> Any:
    from chalicelib.expressions.patterns import match_object

    return match_object(m, called, args[0] if args else NOTHING)


def _next_match(m: Machine, called: Any, _args: list[Any], _value: Any) -> Any:
    return called.run(m)


class _Others(dict[type, Callable[..., Any]]):
    """How functions other than builtins and lambdas are applied. Patterns are loaded with the first one."""

    def __missing__(self, kind_of_function: type) -> Callable[..., Any]:
        from chalicelib.expressions.patterns import NextMatch

        run = _next_match if kind_of_function is NextMatch else _matched
        self[kind_of_function] = run
        return run


_OTHERS: Final = _Others({Partial: _partial_applied, Chain: _chained, Transformer: _transformed})
