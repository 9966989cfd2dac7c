"""Expressions made by a grammar, for comparison with npm jsonata: every operator, every function, odd values."""

from __future__ import annotations

import random
from collections.abc import Iterator
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

_NAMES: Final = ["name", "age", "none", "yes", "no", "empty", "void", "blank", "pi", "numbers", "words", "mixed", "nested", "one", "items", "people", "map", "text", "a", "b", "c", "list", "x", "y", "price", "tags", "size", "id", "n", "kids", "d", "missing", "`odd", "name`"]
_LISTS: Final = "numbers words mixed nested one items people empty items.tags list.a people.kids items.price b".split()  # noqa: SIM905
_NUMBERS: Final = "0 1 2 -1 3 10 0.5 1.5 2.5 -2.5 100 1e3 7 1234.5678 9007199254740991 1e-7 0.1 123456789".split()  # noqa: SIM905
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
_FULL_DATES: Final = _DATES[:1] + [
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

    def one(self, *choices: str) -> str:
        return self._random.choice(choices)

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
        n, t, a = (lambda: self.of("num", d)), (lambda: self.of("str", d)), (lambda: self.of("list", d))
        return self.one(
            f"{n()} + {n()}", f"({n()} - {n()})", f"{n()} * {n()}", f"{n()} / {n()}", f"{n()} % {n()}", f"-{n()}",
            f"$sum({a()})", f"$count({a()})", f"$max({a()})", f"$min({a()})", f"$average({a()})", f"$abs({n()})",
            f"$floor({n()})", f"$ceil({n()})", f"$round({n()})", f"$round({n()}, {self.one('0', '1', '2', '-1', '3')})",
            f"$power({n()}, {self.one('2', '0.5', '-1', '3', '0')})", f"$sqrt({n()})", f"$number({t()})", f"$length({t()})",
            f"$parseInteger($formatInteger({n()} % 5000, '{(p := self.one(*_INTEGERS))}'), '{p}')", f"$toMillis('2024-0{self.one(*'123')}-1{self.one(*'0123')}')",
            f"$reduce({a()}, {self.one(*_LAMBDAS)})", f"{n()} ~> $abs()", f"($v := {n()}; $v * $v)",
            f"$toMillis($fromMillis({n()}, '{(q := self.one(*_FULL_DATES))}'), '{q}')",
            f"$number({n()})", f"{a()}[{n()}]",
        )  # fmt: skip

    def _str(self, d: int) -> str:
        n, t, a = (lambda: self.of("num", d)), (lambda: self.of("str", d)), (lambda: self.of("list", d))
        r = self.one(*_REGEXES, *_TEXTS)
        return self.one(
            f"{t()} & {t()}", f"{t()} & {n()}", f"$string({self.of('any', d)})", f"$substring({t()}, {n()})",
            f"$substring({t()}, {n()}, {n()})", f"$substringBefore({t()}, {t()})", f"$substringAfter({t()}, {t()})",
            f"$uppercase({t()})", f"$lowercase({t()})", f"$trim({t()})", f"$pad({t()}, {self.one('5', '-5', '3', '0', '9')})",
            f"$pad({t()}, {self.one('5', '-7')}, {self.one(*_TEXTS)})", f"$join({a()}, {t()})", f"$join({a()})",
            f"$replace({t()}, {r}, {t()})", f"$replace({t()}, {r}, '[$1$0$$]')", f"$replace({t()}, {r}, {t()}, {n()})",
            f"$replace({t()}, {self.one(*_REGEXES)}, function($m){{ $uppercase($m.match) }})",
            f"$formatNumber({n()}, '{self._random.choice(_PICTURES)}')", f"$formatBase({n()}, {self.one('2', '16', '8', '36')})",
            f"$formatInteger({n()} % 5000, '{self._random.choice(_INTEGERS)}')", f"$fromMillis({n()}, '{self._random.choice(_DATES)}')",
            f"$fromMillis($abs({n()}) % 1e6 * 1e6)", f"$type({self.of('any', d)})", f"$encodeUrl({t()})", f"$encodeUrlComponent({t()})",
            f"$decodeUrl($encodeUrl({t()}))", f"$base64encode({self.one(*_TEXTS[:5])})", f"$string({self.of('any', d)}, true)",
            f"{t()} ~> $uppercase() ~> $trim()", f"({t()}; {t()})", f"$fromMillis({n()}, '{self._random.choice(_DATES)}', '+0200')",
        )  # fmt: skip

    def _bool(self, d: int) -> str:
        n, t, x = (lambda: self.of("num", d)), (lambda: self.of("str", d)), (lambda: self.of("any", d))
        return self.one(
            f"{n()} {self.one('<', '>', '<=', '>=')} {n()}", f"{t()} {self.one('<', '>', '<=', '>=')} {t()}",
            f"{x()} = {x()}", f"{x()} != {x()}", f"{x()} in {self.of('list', d)}", f"{self.of('bool', d)} and {x()}",
            f"{self.of('bool', d)} or {x()}", f"$not({x()})", f"$boolean({x()})", f"$exists({x()})",
            f"$contains({t()}, {self.one(*_REGEXES, *_TEXTS)})", f"{self.of('list', d)} = {self.of('list', d)}",
        )  # fmt: skip

    def _list(self, d: int) -> str:
        n, t, a = (lambda: self.of("num", d)), (lambda: self.of("str", d)), (lambda: self.of("list", d))
        x, o = (lambda: self.of("any", d)), (lambda: self.of("obj", d))
        f = self.one(*_LAMBDAS)
        return self.one(
            f"[{x()}, {x()}]", f"[{n()}..{self.one('3', '5', 'age', '0')}]", f"{a()}[{self.of('bool', d)}]", f"{a()}[[0, 1]]",
            f"{a()}.{self.one(*_NAMES)}", f"{a()}[]", f"{a()}^({self.one('', '>', '<')}{self.one('price', 'n', 'age', '$', 'id')})",
            f"$map({a()}, {f})", f"$filter({a()}, {f})", f"$append({x()}, {x()})", f"$reverse({a()})", f"$distinct({a()})",
            f"$sort({a()})", f"$sort({a()}, {self.one(*_LAMBDAS[10:14], _LAMBDAS[-1])})", f"$zip({a()}, {a()})",
            f"$keys({x()})", f"$spread({x()})", f"$split({t()}, {self.one(*_REGEXES, *_TEXTS)})",
            f"$split({t()}, {self.one(*_TEXTS)}, {n()})", f"$match({t()}, {self.one(*_REGEXES)})", f"$each({o()}, {f})",
            f"$match({t()}, {self.one(*_REGEXES)}, {self.one('0', '1', '2')})", f"{a()}.({x()})", f"{a()}.[{x()}]",
            f"{a()}#$i[$i < 2]", f"{a()}#$i.{{'i': $i, 'v': $}}", f"{a()}@$e.{{'e': $e}}", "people.kids.(n & %.n)",
            "people@$p.kids@$k[$k.age > 4].{'p': $p.n, 'k': $k.n}", f"{a()}.*", f"{o()}.**", "people.kids.%.n",
            f"items[price > 5].tags[{n()}]", "items.{'id': id, 'p': price}", "people.kids^(>age).%.n",
            f"items^(price, >id)[{n()}].id", f"({a()})[{n()}]", f"{a()}[-1]", f"items[$.price = {n()}]", f"{a()} ~> $count()",
            "people#$i.kids#$j.{'i': $i, 'j': $j, 'n': n}", "items.tags[]", f"$single({a()}, {f})",
        )  # fmt: skip

    def _obj(self, d: int) -> str:
        x, o = (lambda: self.of("any", d)), (lambda: self.of("obj", d))
        return self.one(
            f'{{"a": {x()}, "b": {x()}}}', f"{{{self.of('str', d)}: {x()}}}", f"$merge([{o()}, {o()}])",
            "items{id: price}", "items{$string(price): id}", "people{n: kids.n}", f"$sift({o()}, {self.one(*_LAMBDAS)})",
            f"{self.of('list', d)}[{self.of('num', d)}]", f"$ ~> |map|{{'z': {x()}}}|", "$ ~> |items|{'p': price * 2}, ['tags']|",
            f"$lookup({o()}, '{self.one(*_NAMES)}')", f"{o()}.{self.one(*_NAMES)}", f"$clone({o()})", f"{o()}{{'k': {x()}}}",
            f"$reduce({self.of('list', d)}, $append)", f"$spread({o()})",
        )  # fmt: skip

    def _any(self, d: int) -> str:
        x = lambda: self.of(self.one(*_TYPES), d)  # noqa: E731
        return self.one(
            f"{self.of('bool', d)} ? {x()} : {x()}", f"{self.of('bool', d)} ? {x()}", f"{x()} ?? {x()}", f"{x()} ?: {x()}",
            f"($v := {x()}; $w := {x()}; [$v, $w])", f"{self.one(*_NAMES)}.{self.one(*_NAMES)}", f"{self.one(*_NAMES)}[{x()}]",
            f"$.{self.one(*_NAMES)}", f"$$.{self.one(*_NAMES)}", f"({x()}).({x()})", f"function($p){{ {x()} }}({x()})",
            f"($f := function($n){{ $n < 1 ? {x()} : $f($n - 1) }}; $f(3))", f"($p := $substring(?, 0, 2); $p({self.of('str', d)}))",
            f"({self._random.choice(_LAMBDAS)})({x()}, {x()})", f"[{x()}][0]", f"{{'k': {x()}}}.k", f"({x()})[]", x(), x(),
            f"($c := $trim ~> $uppercase; $c({x()}))", f"{self.one(*_NAMES)}.({x()}; {x()})", f"$map({x()}, {self.one(*_LAMBDAS)})",
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
