"""The library's evaluator, with every operation metered that could outgrow the expression.

The library bounds time and depth by two hooks that it keeps among the variables, where an expression can unbind them
(`$__evaluate_entry := $nothing`), and skips them in all but the first item of an array; and some of its loops run
between them. So the bounds are here: each evaluation of a node is a step, each array or object made is weighed, and
the operations whose work is more than their nodes are written anew.
One object evaluates one expression once, in one thread. Parse trees are shared, and only read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from jsonata import Functions, JException, Jsonata, Timebox, Utils

from chalicelib.engine.expressions.builtins import Builtin, Partial, builtins
from chalicelib.engine.expressions.limits import CLOSURE_BYTES, DEPTH, SHARE, Halt, Meter
from chalicelib.engine.expressions.paths import Paths, Scope
from chalicelib.engine.expressions.syntax import Parsed, Slim
from chalicelib.engine.expressions.values import Weights, copied, plain, taken_in
from chalicelib.model.json_values import Json

_TOO_DEEP: Final = "it is nested too deeply, or calls itself without end"
_JList: Final[Any] = Utils.JList

_ROOT: Final = Scope(None)
_ROOT.bindings.update(builtins())


class _Parser:
    """What the evaluator asks of a parser: nothing."""

    dbg = False


class Evaluator(Paths):
    """One evaluation."""

    parser = _Parser()

    def __init__(self, names: Mapping[str, Json], parsed: Parsed) -> None:
        self.meter = Meter(Timebox.current_milli_time)
        self.weights = Weights(self.meter)
        self.failed_at: int | None = None
        self.now = names.get("now")
        self.input = None
        self.environment = Scope(_ROOT)
        self._tree = parsed.tree
        self._depth = 0
        bindings = self.environment.bindings
        for name in parsed.names:
            value = names.get(name)
            if value is not None:
                bindings[name] = taken_in(value)

    def value(self) -> Json:
        """What the expression yields."""
        before = getattr(Jsonata.CURRENT, "jsonata", None)
        Jsonata.CURRENT.jsonata = self
        try:
            result = self.eval(self._tree, None, self.environment)
            self.weights.of(result)
            return plain(result)
        finally:
            self.meter.close()
            Jsonata.CURRENT.jsonata = before

    # --- nodes

    def eval(self, expr: Any, context: Any, outer: Any) -> Any:
        self.meter.spend()
        self._depth += 1
        try:
            if self._depth > DEPTH:
                raise Halt(_TOO_DEEP)
            result = self._eval(expr, context, outer)
            if isinstance(result, (list, dict)) and not getattr(result, "tuple_stream", False):
                self.weights.of(result)
        except Exception:
            if self.failed_at is None:
                self.failed_at = expr.position
            raise
        finally:
            self._depth -= 1
        return result

    @contextmanager
    def deeper(self, levels: int) -> Iterator[None]:
        """Within, the evaluation is so much deeper."""
        self._depth += levels
        try:
            if self._depth > DEPTH:
                raise Halt(_TOO_DEEP)
            yield
        finally:
            self._depth -= levels

    def evaluate_condition(self, expr: Any, context: Any, outer: Any) -> Any:
        if self.truth(self.eval(expr.condition, context, outer)):
            return self.eval(expr.then, context, outer)
        return None if expr._else is None else self.eval(expr._else, context, outer)

    def evaluate_binary(self, expr: Any, context: Any, outer: Any) -> Any:
        left = self.eval(expr.lhs, context, outer)
        operator = str(expr.value)
        if operator in ("and", "or"):
            truth = self.truth(left)
            return truth if truth == (operator == "or") else self.truth(self.eval(expr.rhs, context, outer))
        right = self.eval(expr.rhs, context, outer)
        if operator in ("+", "-", "*", "/", "%"):
            return self.evaluate_numeric_expression(left, right, operator)
        if operator in ("<", "<=", ">", ">="):
            return self.evaluate_comparison_expression(left, right, operator)
        self.meter.spend((self.weights.of(left) + self.weights.of(right)) // SHARE)
        if operator in ("=", "!="):
            return self.evaluate_equality_expression(left, right, operator)
        if operator == "in":
            return self.evaluate_includes_expression(left, right)
        if operator == "..":
            return self.evaluate_range_expression(left, right)
        return self.evaluate_string_concat(left, right)

    def evaluate_string_concat(self, lhs: Any, rhs: Any) -> str:
        text = "".join(Functions.string(side, None) or "" for side in (lhs, rhs) if side is not None)
        self.meter.text(len(text))
        return text

    def evaluate_range_expression(self, lhs: Any, rhs: Any) -> Any:
        for bound, code in ((lhs, "T2003"), (rhs, "T2004")):
            if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int)):
                raise JException(code, -1, bound)
        if lhs is None or rhs is None or lhs > rhs:
            return None
        self.meter.slots(rhs - lhs + 1)
        return _JList(range(lhs, rhs + 1))

    def evaluate_unary(self, expr: Any, context: Any, outer: Any) -> Any:
        if str(expr.value) != "[":
            return super().evaluate_unary(expr, context, outer)
        result = _JList()
        for item in expr.expressions:
            value = self.eval(item, context, outer)
            if isinstance(value, list) and str(item.value) != "[":
                self.grow(result, value, len(value))
            elif value is not None:
                result.append(value)
        result.cons = bool(expr.consarray)
        return result

    # --- functions

    def evaluate_lambda(self, expr: Any, context: Any, outer: Any) -> Any:
        if not expr.thunk:
            self.meter.bytes(CLOSURE_BYTES)
        closure = Slim.__new__(Slim)
        closure.__dict__ = {
            "_jsonata_lambda": True,
            "input": context,
            "environment": outer,
            "arguments": expr.arguments,
            "signature": expr.signature,
            "body": expr.body,
            "thunk": expr.thunk,
        }
        return closure

    def apply_inner(self, proc: Any, args: Any, context: Any, _outer: Any) -> Any:
        if isinstance(proc, Builtin):
            result = proc.call(context, args)
        elif Functions.is_lambda(proc):
            self.meter.spend()
            result = self.apply_procedure(proc, self.validate_arguments(proc, args, context))
        elif Functions.is_regex(proc):
            found = [Jsonata._regex_closure(proc.finditer(arg)) for arg in args if isinstance(arg, str)]
            result = found[0] if len(found) == 1 else found
        elif Utils.is_function(proc):
            result = proc.call(context, proc.validate(args, context))
        else:
            raise JException("T1006", -1)
        if isinstance(result, list):
            self.walk(result)  # $filter and the like look into it natively
        return result

    def partial_apply_procedure(self, proc: Any, args: Any) -> Any:
        self.meter.bytes(CLOSURE_BYTES * 3)
        return super().partial_apply_procedure(proc, args)

    def partial_apply_native_function(self, native: Any, args: Any) -> Any:
        self.meter.bytes(CLOSURE_BYTES + 8 * len(args))
        return Partial(native, list(args), _is_open)

    def evaluate_transform_expression(self, expr: Any, _context: Any, outer: Any) -> Any:
        self.meter.bytes(CLOSURE_BYTES)
        return Jsonata.JFunction(_Transform(self, expr, outer), "<(oa):o>")

    def transformed(self, expr: Any, value: Any, outer: Any) -> Any:
        """A copy of the value, changed as `|...|` says."""
        self.walk(value)
        result = copied(value)
        matches = self.eval(expr.pattern, result, outer)
        for match in matches if isinstance(matches, list) else [matches]:
            if not isinstance(match, dict):
                continue
            update = self.eval(expr.update, match, outer)
            if update is not None and not isinstance(update, dict):
                raise JException("T2011", -1)
            match.update(update or {})
            self.weights.forget()
            if expr.delete is not None:
                self._delete(match, self.eval(expr.delete, match, outer))
        return result

    def _delete(self, match: dict[str, Any], names: Any) -> None:
        for name in names if isinstance(names, list) else [] if names is None else [names]:
            if not isinstance(name, str):
                raise JException("T2012", -1)
            match.pop(name, None)
        self.weights.forget()


class _Transform(Jsonata.JFunctionCallable):  # type: ignore[misc]
    """What `|...|` yields: a function from a value to its changed copy."""

    def __init__(self, evaluator: Evaluator, expr: Any, outer: Any) -> None:
        self._evaluator, self._expr, self._environment = evaluator, expr, outer

    def call(self, _context: Any, args: Any) -> Any:
        value = args[0]
        return None if value is None else self._evaluator.transformed(self._expr, value, self._environment)


def _is_open(arg: Any) -> bool:
    """Whether it is the `?` of a partial application."""
    return isinstance(arg, Slim) and arg.type == "operator" and arg.value == "?"
