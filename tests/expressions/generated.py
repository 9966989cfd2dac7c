"""Expressions made by a grammar, for comparison with npm jsonata: every operator, every function, odd values."""

# ruff: noqa: E501, S311, SIM905 - a grammar reads best as a table

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

DOCUMENTS: Final[list[Any]] = [
    {
        "name": "Ada",
        "age": 36,
        "none": None,
        "yes": True,
        "no": False,
        "empty": [],
        "void": {},
        "blank": "",
        "pi": 3.14159,
        "numbers": [3, 1, 2, 2, -5, 0.5],
        "words": ["pear", "fig", "apple", "fig", ""],
        "mixed": [1, "a", None, True, [2, 3], {"x": 1}],
        "nested": [[1, 2], [3, [4]], []],
        "one": [7],
        "items": [
            {"id": "i1", "price": 10, "tags": ["a", "b"], "size": {"w": 1, "h": 2}},
            {"id": "i2", "price": 5.5, "tags": [], "size": {"w": 3}},
            {"id": "i3", "price": 10, "tags": ["c"]},
            {"id": "i4", "tags": "d", "size": None},
        ],
        "people": [
            {"n": "Bo", "kids": [{"n": "Al", "age": 3}, {"n": "Cy", "age": 9}]},
            {"n": "Di", "kids": [{"n": "Ed", "age": 5}]},
            {"n": "Fy"},
        ],
        "map": {"b": 2, "a": 1, "c": {"d": [1, {"e": "deep"}]}},
        "text": "The quick brown fox, 2024-05-06; a.b.c",
    },
    [{"a": 1, "b": [1, 2]}, {"a": 2, "b": []}, {"a": None}, {"c": "x"}, 5, "s", [{"a": 9}]],
    {"a": {"b": {"c": [1, 2, 3]}}, "list": [{"a": [{"b": 1}, {"b": 2}]}, {"a": {"b": 3}}], "x": "10", "y": 10},
    "just text",
    None,
]

_NAMES: Final = [
    *"name age none yes no empty void blank pi numbers words mixed nested one items people map text a b c list".split(),
    *"x y price tags size id n kids d missing".split(),
    "`odd name`",
]
_LISTS: Final = "numbers words mixed nested one items people empty items.tags list.a people.kids items.price b".split()
_NUMBERS: Final = "0 1 2 -1 3 10 0.5 1.5 2.5 -2.5 100 1e3 7 1234.5678 9007199254740991 1e-7 0.1 123456789".split()
_TEXTS: Final = [
    '"a"',
    '"fig"',
    '""',
    '"Hello World"',
    '"12"',
    '"é😀b"',
    '"a,b,c"',
    '" pad  it "',
    '"i1"',
    "'single'",
    '"1e3"',
]
_REGEXES: Final = ["/a/", "/[a-z]+/", "/(b)(c)?/", "/\\d+/", "/[aeiou]/i", "/^T/", "/\\s/", "/(\\w+) (\\w+)/", "/o|x/"]
_PICTURES: Final = ["#,##0.00", "0", "#0.0#", "00.0", "0%", "#,###", "(0);[0]", "0.00e0", "###0.0###"]
_INTEGERS: Final = ["0", "000", "w", "W", "Ww", "i", "I", "a", "A", "#,##0", "0;o", "w;o"]
_DATES: Final = [
    "[Y0001]-[M01]-[D01]", "[D1o] [MNn] [Y]", "[H01]:[m01]:[s01].[f001]", "[FNn], [D] [MNn,3-3] [Y,2]", "[h]:[m] [P]",
    "[W] [w] [x] [X] [d]", "[Y]-[M]-[D]T[H]:[m]:[s][Z]", "[YI] [Mi] [Dw]", "[H01][m01][z]", "[[[Y]]] [F0]",
]  # fmt: skip
_FULL_DATES: Final = [
    *_DATES[:1],
    "[D1o] [MNn] [Y]",
    "[Y]-[M]-[D]T[H]:[m]:[s][Z]",
    "[YI] [Mi] [Dw]",
    "[Y0001]-[M01]-[D01] [h].[m01][PN]",
    "[Y]-[d001]",
]
_TYPES: Final = ("num", "str", "bool", "list", "obj", "any")
_LAMBDAS: Final = [
    "function($v){ $v }", "function($v){ $v > 1 }", "function($v, $i){ $i }", "function($v, $i, $a){ $count($a) }",
    "function($a, $b){ $a & $b }", "function($a, $b){ $a + $b }", "function($v){ $string($v) }", "$string", "$boolean",
    "$uppercase", "function(){ 1 }", "function($v){ $v.n }", "$exists", "function($a, $b){ $a > $b }", "$sum", "$type",
    "function($v){ [$v] }", "function($v){ $v.missing }", "$length", "function($l, $r){ $string($l) > $string($r) }",
]  # fmt: skip


class Grammar:
    """Makes expressions that are mostly of the kinds that their places need."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def one(self, *choices: str | Callable[[], str]) -> str:
        """Return one of the choices; only the one that is chosen is made."""
        choice = self._random.choice(choices)
        return choice if isinstance(choice, str) else choice()

    def makers(self, depth: int, *kinds: str) -> list[Callable[[], str]]:
        """Return what makes an expression of each of the kinds."""
        return [partial(self.of, kind, depth) for kind in kinds]

    def expression(self, depth: int = 3) -> str:
        return self.of(self.one(*_TYPES), depth)

    def of(self, kind: str, depth: int) -> str:
        if self._random.random() < 0.08:
            kind = self.one(*_TYPES)
        if depth <= 0:
            return self._leaf(kind)
        return str(getattr(self, f"_{kind}")(depth - 1))

    def _leaf(self, kind: str) -> str:
        if kind == "num":
            return self.one(*_NUMBERS, "age", "pi", "y", "items[0].price", "$count(items)")
        if kind == "str":
            return self.one(*_TEXTS, "name", "text", "words[0]", "x", "items[0].id")
        if kind == "bool":
            return self.one("true", "false", "yes", "no", "$exists(name)")
        if kind == "list":
            return self.one(*_LISTS, "[1..4]", '["b","a"]', "[]", "[1]", "[[1],[2]]")
        if kind == "obj":
            return self.one("map", "void", "items[0]", '{"k": 1}', "$", "{}")
        return self.one("null", "missing", "none", "$", "*", "**", *_NAMES)

    def _num(self, d: int) -> str:
        n, t, a = self.makers(d, "num", "str", "list")
        return self.one(
            lambda: f"{n()} + {n()}", lambda: f"({n()} - {n()})", lambda: f"{n()} * {n()}", lambda: f"{n()} / {n()}", lambda: f"{n()} % {n()}", lambda: f"-{n()}",
            lambda: f"$sum({a()})", lambda: f"$count({a()})", lambda: f"$max({a()})", lambda: f"$min({a()})", lambda: f"$average({a()})", lambda: f"$abs({n()})",
            lambda: f"$floor({n()})", lambda: f"$ceil({n()})", lambda: f"$round({n()})", lambda: f"$round({n()}, {self.one('0', '1', '2', '-1', '3')})",
            lambda: f"$power({n()}, {self.one('2', '0.5', '-1', '3', '0')})", lambda: f"$sqrt({n()})", lambda: f"$number({t()})", lambda: f"$length({t()})",
            lambda: f"$parseInteger($formatInteger({n()} % 5000, '{(p := self.one(*_INTEGERS))}'), '{p}')", lambda: f"$toMillis('2024-0{self.one(*'123')}-1{self.one(*'0123')}')",
            lambda: f"$reduce({a()}, {self.one(*_LAMBDAS)})", lambda: f"{n()} ~> $abs()", lambda: f"($v := {n()}; $v * $v)",
            lambda: f"$toMillis($fromMillis({n()}, '{(q := self.one(*_FULL_DATES))}'), '{q}')",
            lambda: f"$number({n()})", lambda: f"{a()}[{n()}]",
        )  # fmt: skip

    def _str(self, d: int) -> str:
        n, t, a = self.makers(d, "num", "str", "list")
        r = self.one(*_REGEXES, *_TEXTS)
        return self.one(
            lambda: f"{t()} & {t()}", lambda: f"{t()} & {n()}", lambda: f"$string({self.of('any', d)})", lambda: f"$substring({t()}, {n()})",
            lambda: f"$substring({t()}, {n()}, {n()})", lambda: f"$substringBefore({t()}, {t()})", lambda: f"$substringAfter({t()}, {t()})",
            lambda: f"$uppercase({t()})", lambda: f"$lowercase({t()})", lambda: f"$trim({t()})", lambda: f"$pad({t()}, {self.one('5', '-5', '3', '0', '9')})",
            lambda: f"$pad({t()}, {self.one('5', '-7')}, {self.one(*_TEXTS)})", lambda: f"$join({a()}, {t()})", lambda: f"$join({a()})",
            lambda: f"$replace({t()}, {r}, {t()})", lambda: f"$replace({t()}, {r}, '[$1$0$$]')", lambda: f"$replace({t()}, {r}, {t()}, {n()})",
            lambda: f"$replace({t()}, {self.one(*_REGEXES)}, function($m){{ $uppercase($m.match) }})",
            lambda: f"$formatNumber({n()}, '{self._random.choice(_PICTURES)}')", lambda: f"$formatBase({n()}, {self.one('2', '16', '8', '36')})",
            lambda: f"$formatInteger({n()} % 5000, '{self._random.choice(_INTEGERS)}')", lambda: f"$fromMillis({n()}, '{self._random.choice(_DATES)}')",
            lambda: f"$fromMillis($abs({n()}) % 1e6 * 1e6)", lambda: f"$type({self.of('any', d)})", lambda: f"$encodeUrl({t()})", lambda: f"$encodeUrlComponent({t()})",
            lambda: f"$decodeUrl($encodeUrl({t()}))", lambda: f"$base64encode({self.one(*_TEXTS[:5])})", lambda: f"$string({self.of('any', d)}, true)",
            lambda: f"{t()} ~> $uppercase() ~> $trim()", lambda: f"({t()}; {t()})", lambda: f"$fromMillis({n()}, '{self._random.choice(_DATES)}', '+0200')",
        )  # fmt: skip

    def _bool(self, d: int) -> str:
        n, t, x = self.makers(d, "num", "str", "any")
        return self.one(
            lambda: f"{n()} {self.one('<', '>', '<=', '>=')} {n()}", lambda: f"{t()} {self.one('<', '>', '<=', '>=')} {t()}",
            lambda: f"{x()} = {x()}", lambda: f"{x()} != {x()}", lambda: f"{x()} in {self.of('list', d)}", lambda: f"{self.of('bool', d)} and {x()}",
            lambda: f"{self.of('bool', d)} or {x()}", lambda: f"$not({x()})", lambda: f"$boolean({x()})", lambda: f"$exists({x()})",
            lambda: f"$contains({t()}, {self.one(*_REGEXES, *_TEXTS)})", lambda: f"{self.of('list', d)} = {self.of('list', d)}",
        )  # fmt: skip

    def _list(self, d: int) -> str:
        n, t, a = self.makers(d, "num", "str", "list")
        x, o = self.makers(d, "any", "obj")
        f = self.one(*_LAMBDAS)
        return self.one(
            lambda: f"[{x()}, {x()}]", lambda: f"[{n()}..{self.one('3', '5', 'age', '0')}]", lambda: f"{a()}[{self.of('bool', d)}]", lambda: f"{a()}[[0, 1]]",
            lambda: f"{a()}.{self.one(*_NAMES)}", lambda: f"{a()}[]", lambda: f"{a()}^({self.one('', '>', '<')}{self.one('price', 'n', 'age', '$', 'id')})",
            lambda: f"$map({a()}, {f})", lambda: f"$filter({a()}, {f})", lambda: f"$append({x()}, {x()})", lambda: f"$reverse({a()})", lambda: f"$distinct({a()})",
            lambda: f"$sort({a()})", lambda: f"$sort({a()}, {self.one(*_LAMBDAS[10:14], _LAMBDAS[-1])})", lambda: f"$zip({a()}, {a()})",
            lambda: f"$keys({x()})", lambda: f"$spread({x()})", lambda: f"$split({t()}, {self.one(*_REGEXES, *_TEXTS)})",
            lambda: f"$split({t()}, {self.one(*_TEXTS)}, {n()})", lambda: f"$match({t()}, {self.one(*_REGEXES)})", lambda: f"$each({o()}, {f})",
            lambda: f"$match({t()}, {self.one(*_REGEXES)}, {self.one('0', '1', '2')})", lambda: f"{a()}.({x()})", lambda: f"{a()}.[{x()}]",
            lambda: f"{a()}#$i[$i < 2]", lambda: f"{a()}#$i.{{'i': $i, 'v': $}}", lambda: f"{a()}@$e.{{'e': $e}}", lambda: "people.kids.(n & %.n)",
            lambda: "people@$p.kids@$k[$k.age > 4].{'p': $p.n, 'k': $k.n}", lambda: f"{a()}.*", lambda: f"{o()}.**", lambda: "people.kids.%.n",
            lambda: f"items[price > 5].tags[{n()}]", lambda: "items.{'id': id, 'p': price}", lambda: "people.kids^(>age).%.n",
            lambda: f"items^(price, >id)[{n()}].id", lambda: f"({a()})[{n()}]", lambda: f"{a()}[-1]", lambda: f"items[$.price = {n()}]", lambda: f"{a()} ~> $count()",
            lambda: "people#$i.kids#$j.{'i': $i, 'j': $j, 'n': n}", lambda: "items.tags[]", lambda: f"$single({a()}, {f})",
        )  # fmt: skip

    def _obj(self, d: int) -> str:
        x, o = self.makers(d, "any", "obj")
        return self.one(
            lambda: f'{{"a": {x()}, "b": {x()}}}', lambda: f"{{{self.of('str', d)}: {x()}}}", lambda: f"$merge([{o()}, {o()}])",
            lambda: "items{id: price}", lambda: "items{$string(price): id}", lambda: "people{n: kids.n}", lambda: f"$sift({o()}, {self.one(*_LAMBDAS)})",
            lambda: f"{self.of('list', d)}[{self.of('num', d)}]", lambda: f"$ ~> |map|{{'z': {x()}}}|", lambda: "$ ~> |items|{'p': price * 2}, ['tags']|",
            lambda: f"$lookup({o()}, '{self.one(*_NAMES)}')", lambda: f"{o()}.{self.one(*_NAMES)}", lambda: f"$clone({o()})", lambda: f"{o()}{{'k': {x()}}}",
            lambda: f"$reduce({self.of('list', d)}, $append)", lambda: f"$spread({o()})",
        )  # fmt: skip

    def _any(self, d: int) -> str:
        x: Callable[[], str] = lambda: self.of(self.one(*_TYPES), d)  # noqa: E731
        return self.one(
            lambda: f"{self.of('bool', d)} ? {x()} : {x()}", lambda: f"{self.of('bool', d)} ? {x()}", lambda: f"{x()} ?? {x()}", lambda: f"{x()} ?: {x()}",
            lambda: f"($v := {x()}; $w := {x()}; [$v, $w])", lambda: f"{self.one(*_NAMES)}.{self.one(*_NAMES)}", lambda: f"{self.one(*_NAMES)}[{x()}]",
            lambda: f"$.{self.one(*_NAMES)}", lambda: f"$$.{self.one(*_NAMES)}", lambda: f"({x()}).({x()})", lambda: f"function($p){{ {x()} }}({x()})",
            lambda: f"($f := function($n){{ $n < 1 ? {x()} : $f($n - 1) }}; $f(3))", lambda: f"($p := $substring(?, 0, 2); $p({self.of('str', d)}))",
            lambda: f"({self._random.choice(_LAMBDAS)})({x()}, {x()})", lambda: f"[{x()}][0]", lambda: f"{{'k': {x()}}}.k", lambda: f"({x()})[]", lambda: x(), lambda: x(),
            lambda: f"($c := $trim ~> $uppercase; $c({x()}))", lambda: f"{self.one(*_NAMES)}.({x()}; {x()})", lambda: f"$map({x()}, {self.one(*_LAMBDAS)})",
        )  # fmt: skip


def expressions(count: int, seed: int = 1) -> Iterator[tuple[str, int]]:
    """Yield so many different expressions, each with the number of its document."""
    grammar = Grammar(seed)
    chance = random.Random(seed)
    seen: set[tuple[str, int]] = set()
    while len(seen) < count:
        made = (grammar.expression(chance.choice((1, 2, 2, 3))), chance.choice((0, 0, 0, 0, 1, 2, 2, 3, 4)))
        if made not in seen and len(made[0]) < 300:
            seen.add(made)
            yield made
