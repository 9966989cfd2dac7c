"""Paths over arrays: steps, filters, orders, groups and joins, metered item by item.

The library does most of this too, but in time quadratic in the items, or without looking at how many there are: one
path over two arrays of 100,000 items would make an array of ten thousand million.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from jsonata import JException, Jsonata, Utils

from chalicelib.engine.expressions.limits import ITEMS, SHARE, SLOTS, Meter
from chalicelib.engine.expressions.values import Weights

_HOOKS: Final = frozenset({"__evaluate_entry", "__evaluate_exit"})
_JList: Final[Any] = Utils.JList


class Scope(Jsonata.Frame):  # type: ignore[misc]
    """Variables; those of the outer scopes are seen through it."""

    def lookup(self, name: str) -> Any:
        if name in _HOOKS:
            return None
        scope = self
        while scope is not None:
            if name in scope.bindings:
                return scope.bindings[name]
            scope = scope.parent
        return None


class Paths(Jsonata):  # type: ignore[misc]
    """The part of the evaluator that walks paths."""

    meter: Meter
    weights: Weights

    def create_frame(self, enclosing_environment: Any = None) -> Scope:
        return Scope(enclosing_environment)

    def truth(self, value: Any) -> bool:
        """Whether the value counts as true."""
        if isinstance(value, list):
            self.walk(value)
        return bool(Jsonata.boolize(value))

    def walk(self, value: Any) -> None:
        """Pay for looking at all of the value."""
        self.meter.spend(self.weights.of(value) // SHARE)

    def grow(self, result: list[Any], items: Iterable[Any], count: int) -> None:
        """Add so many items to the result."""
        if len(result) + count > ITEMS:
            self.meter.slots(len(result) + count)
        self.meter.spend(count // SLOTS)
        result.extend(items)

    def evaluate_name(self, expr: Any, context: Any, outer: Any) -> Any:
        if isinstance(context, list):
            self.walk(context)
        return super().evaluate_name(expr, context, outer)

    def evaluate_step(self, expr: Any, context: Any, outer: Any, last_step: bool) -> Any:  # noqa: FBT001 - the library's signature
        if expr.type == "sort":
            result = self.evaluate_sort_expression(expr, context, outer)
            return result if expr.stages is None else self.evaluate_stages(expr.stages, result, outer)
        found = []
        for item in context:
            value = self.eval(expr, item, outer)
            for stage in expr.stages or ():
                value = self.evaluate_filter(stage.expr, value, outer)
            if value is not None:
                found.append(value)
        if last_step and len(found) == 1 and isinstance(found[0], list) and not Utils.is_sequence(found[0]):
            return found[0]
        flat = Utils.create_sequence()
        for value in found:
            if isinstance(value, list) and not getattr(value, "cons", False):
                self.grow(flat, value, len(value))
            else:
                flat.append(value)
        return flat

    def evaluate_tuple_step(self, expr: Any, context: Any, tuple_bindings: Any, outer: Any) -> Any:
        if expr.type == "sort":
            return super().evaluate_tuple_step(expr, context, tuple_bindings, outer)
        result = Utils.create_sequence()
        result.tuple_stream = True
        for bound in [{"@": item} for item in context or ()] if tuple_bindings is None else tuple_bindings:
            value = self.eval(expr, bound["@"], self.create_frame_from_tuple(outer, bound))
            if value is None:
                continue
            values = value if isinstance(value, list) else [value]
            self.meter.bytes(300 * len(values))
            self.grow(result, _bound(expr, bound, values), len(values))
        return result if expr.stages is None else self.evaluate_stages(expr.stages, result, outer)

    def evaluate_filter(self, predicate: Any, context: Any, outer: Any) -> Any:
        if predicate.type == "number" or context is None:
            return super().evaluate_filter(predicate, context, outer)
        items = context if isinstance(context, list) else [context]
        tuples = bool(getattr(context, "tuple_stream", False))
        kept = Utils.create_sequence()
        kept.tuple_stream = tuples
        for index, item in enumerate(items):
            scope = self.create_frame_from_tuple(outer, item) if tuples else outer
            answer = self.eval(predicate, item["@"] if tuples else item, scope)
            numbers = answer if isinstance(answer, list) else [answer]
            self.meter.spend(len(numbers) // 8)
            if Utils.is_array_of_numbers(numbers):
                positions = [int(number) for number in numbers]
                times = sum(index == (at + len(items) if at < 0 else at) for at in positions)
                self.grow(kept, [item] * times, times)
            elif self.truth(answer):
                kept.append(item)
        return kept

    def evaluate_wildcard(self, _expr: Any, context: Any) -> Any:
        self.walk(context)
        members = context.values() if isinstance(context, dict) else context if isinstance(context, list) else ()
        return Utils.create_sequence_from_iter(_flat(members))

    def evaluate_descendants(self, expr: Any, context: Any) -> Any:
        self.meter.spend(self.weights.of(context) // 32)
        return super().evaluate_descendants(expr, context)

    def evaluate_sort_expression(self, expr: Any, context: Any, outer: Any) -> Any:
        if not isinstance(context, list) or len(context) <= 1:
            return context
        tuples = bool(getattr(context, "tuple_stream", False))
        items = list(context)
        self.meter.slots(len(items) * len(expr.terms))
        for term in reversed(expr.terms):  # a stable sort by the least important term first
            items = self._ordered(items, term, outer, tuples=tuples)
        result = _JList(items)
        result.sequence = result.tuple_stream = tuples
        return result

    def _ordered(self, items: list[Any], term: Any, outer: Any, *, tuples: bool) -> list[Any]:
        keyed: list[tuple[Any, Any]] = []
        last: list[tuple[Any, Any]] = []
        for item in items:
            scope = self.create_frame_from_tuple(outer, item) if tuples else outer
            key = self.eval(term.expression, item["@"] if tuples else item, scope)
            (last if key is None else keyed).append((key, item))
        if any(isinstance(key, bool) or not isinstance(key, (str, int, float)) for key, _ in keyed):
            raise JException("T2008", -1)
        if len({isinstance(key, str) for key, _ in keyed}) > 1:
            raise JException("T2007", -1)
        keyed.sort(key=lambda pair: pair[0], reverse=term.descending)
        return [item for _, item in keyed + last]

    def evaluate_group_expression(self, expr: Any, context: Any, outer: Any) -> Any:
        tuples = bool(getattr(context, "tuple_stream", False))
        items = context if isinstance(context, list) else [context]
        groups: dict[str, tuple[int, list[Any]]] = {}
        for item in items or [None]:
            scope = self.create_frame_from_tuple(outer, item) if tuples else outer
            for index, (name, _) in enumerate(expr.lhs_object):
                key = self.eval(name, item["@"] if tuples else item, scope)
                if key is None:
                    continue
                if not isinstance(key, str):
                    raise JException("T1003", expr.position, key)
                first, members = groups.setdefault(key, (index, []))
                if first != index:
                    raise JException("D1009", expr.position, key)
                members.append(item)
        result = {}
        for key, (index, members) in groups.items():
            context, scope = self._group(members, outer, tuples=tuples)
            value = self.eval(expr.lhs_object[index][1], context, scope)
            if value is not None:
                result[key] = value
        return result

    def _group(self, members: list[Any], outer: Any, *, tuples: bool) -> tuple[Any, Any]:
        if not tuples:
            return self._merged(members), outer
        merged = {name: self._merged([member.get(name) for member in members]) for name in members[0]}
        context = merged.pop("@", None)
        return context, self.create_frame_from_tuple(outer, merged)

    def _merged(self, members: list[Any]) -> Any:
        if len(members) == 1:
            return members[0]
        flat = Utils.create_sequence()
        for member in members:
            if isinstance(member, list):
                self.grow(flat, member, len(member))
            elif member is not None:
                flat.append(member)
        return flat


def _bound(expr: Any, bound: Mapping[str, Any], values: Any) -> Iterator[dict[str, Any]]:
    """For each value of a step, what is bound once that step is taken."""
    stream = bool(getattr(values, "tuple_stream", False))
    for index, value in enumerate(values):
        joined = dict(bound)
        if stream:
            joined.update(value)
        elif expr.focus is not None:
            joined[expr.focus] = value
        else:
            joined["@"] = value
        if expr.index is not None and not stream:
            joined[expr.index] = index
        if expr.ancestor is not None and not stream:
            joined[expr.ancestor.label] = bound["@"]
        yield joined


def _flat(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from _flat(value)
        elif value is not None:
            yield value
