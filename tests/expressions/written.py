"""Expressions written by hand for comparison with npm jsonata: what the grammar does not reach, and past bugs."""

from __future__ import annotations

from typing import Final

WRITTEN: Final = """
people[-1].n ?? "none"
-5 ?: 99
62.5 % 60
"order-" & 5890840712243076
$sort(items, function($a, $b) { $a.price > $b.price }).id
$sort([{"k":1,"v":"a"},{"k":1,"v":"b"},{"k":0,"v":"c"}], function($a, $b) { $a.k > $b.k }).v
none ?? 1
missing ?? 1 & "x"
0 ?: "none"
"" ?: "none"
missing.a.b ?? items[0].id
$exists(none)
$exists(missing)
none = null
missing = null
missing = missing
missing != missing
null in mixed
[1..3] = [1,2,3]
{"a":1,"b":2} = {"b":2,"a":1}
1 = true
"1" = 1
$string(none)
$string([1,null,missing])
$type(none)
$type(missing)
$type($sum)
[missing, none]
{"a": missing, "b": none}
items[0]
items[0].tags
items[1].tags
items[2].tags
items.tags
items.tags[0]
(items.tags)[0]
items[tags]
items[$count(tags) > 1].id
items[[0..1]].id
items[[0,-1]].id
items[price=10][1].id
items[-1].id
items[0.9].id
items[10]
one
one[0]
one[]
nested
nested[0]
nested.$
nested[0][1]
$count(nested)
[nested]
[nested[0]]
{"x": one}
{"x": items[0].tags}.x[0]
items.{"id": id}
items{id: price}
items{price: id}
items{"all": price}
items{$string(price): $count($)}
people.{n: kids.n}
people.kids.{n: %.n}
people.kids.(%.n & "-" & n)
people.kids.%.%.name
people@$p.kids.{"p": $p.n, "k": n}
people#$i.{"i": $i, "n": n}
people.kids#$i.{"i": $i, "n": n}
people#$i[$i = 1].n
people@$p#$i.{"i": $i, "n": $p.n}
items^(price).id
items^(>price).id
items^(price, >id).id
items^(<price).id[0]
items^(missing).id
items^(id)^(price).id
words^($)
words^(>$)
numbers^($)[0]
*
map.*
map.**
**.n
items.**
*.*
$keys(map)
$keys(items)
$lookup(map, "a")
$lookup(items, "price")
$spread(map)
$spread(items)
$merge(items)
$each(map, function($v, $k) { $k })
$sift(map, function($v) { $type($v) = "number" })
$map(items, function($v, $i) { $i & $v.id })
$map(numbers, function($v, $i, $a) { $v / $count($a) })
$filter(items, function($v) { $v.price > 5 }).id
$reduce(numbers, function($a, $b) { $a + $b })
$reduce(numbers, function($a, $b) { $a + $b }, 100)
$reduce([], function($a, $b) { $a + $b })
$reduce([5], function($a, $b) { $a + $b })
$single(items, function($v) { $v.id = "i2" }).price
$single(items, function($v) { $v.price = 10 })
$single(items, function($v) { $v.price = 99 })
$zip(numbers, words)
$append(numbers, "x")
$append(missing, 1)
$append(1, missing)
$append([], [])
$reverse(numbers)
$distinct(numbers)
$distinct(words)
$distinct([{"a":1},{"a":1},{"a":2}])
$distinct(1)
$shuffle([1])
$sum([])
$sum(missing)
$max([])
$average([])
$min(1)
$count(missing)
$count([])
$count(none)
$number("  1")
$number("1.")
$number(".5")
$number("-0.5e-2")
$number("0x1f")
$number("0b101")
$number("0o17")
$number("Infinity")
$number(null)
$number(true)
$number([1])
$round(2.5)
$round(3.5)
$round(-2.5)
$round(1234.5678, 2)
$round(1234.5678, -2)
$round(0.285, 2)
$floor(-1.5)
$ceil(-1.5)
$power(2, 0.5)
$power(-8, 1/3)
$sqrt(2)
$formatBase(255, 16)
$formatBase(-255, 2)
$formatBase(100)
$formatNumber(12345.678, "#,##0.00")
$formatNumber(-12345.678, "#,##0.00;(#,##0.00)")
$formatNumber(0.14, "01%")
$formatNumber(0.14, "##0.0%")
$formatNumber(1234.5678, "00.000e0")
$formatNumber(0, "#.##")
$formatNumber(0.5, "#.##")
$formatNumber(1234567.1234567, "#,###.###,###")
$formatNumber(5, "")
$formatNumber(5, "#.#.#")
$formatInteger(1999, "I")
$formatInteger(1234, "w")
$formatInteger(1234, "Ww")
$formatInteger(121, "w;o")
$formatInteger(28, "A")
$formatInteger(112, "0;o")
$formatInteger(1234567, "#,##0")
$formatInteger(1234567, "#'##0")
$parseInteger("MCMXCIX", "I")
$parseInteger("twelve thousand, four hundred and seventy-six", "w")
$parseInteger("1,234,567", "#,##0")
$parseInteger("ab", "a")
$fromMillis(1521801216617)
$fromMillis(1521801216617, "[M01]/[D01]/[Y0001] [h#1]:[m01][P]")
$fromMillis(1521801216617, "[FNn], the [DWwo] of [MNn] [Y]")
$fromMillis(1521801216617, "[H01]:[m01]:[s01] [z]", "-0500")
$fromMillis(1521801216617, "[Y]-[M]-[D] week [W] of [X], [w] of [x]")
$fromMillis(1521801216617, "[Y0001][M01][D01]T[H01][m01][s01][f001][Z0101t]")
$fromMillis(-1, "[Y]-[M01]-[D01] [H01]:[m01]:[s01].[f001]")
$toMillis("2018-03-23T10:33:36.617Z")
$toMillis("2018-03-23")
$toMillis("2018")
$toMillis("2018-03-23T10:33:36+0130")
$toMillis("23/03/2018", "[D]/[M]/[Y]")
$toMillis("March 3rd, 2018", "[MNn] [D1o], [Y]")
$toMillis("3:05 pm 2018-03-23", "[h]:[m] [P] [Y]-[M]-[D]")
$toMillis("20180323", "[Y0001][M01][D01]")
$toMillis("2018-082", "[Y]-[d001]")
$toMillis("nonsense", "[Y]-[M]")
$substring("hello", 1)
$substring("hello", -2)
$substring("hello", 1, 2)
$substring("hello", -9)
$substring("hello", 9)
$substring("hello", 1, 0)
$substring("hello", 1, -1)
$substringBefore("hello", "l")
$substringAfter("hello", "l")
$substringBefore("hello", "")
$substringAfter("hello", "")
$substringBefore("hello", "z")
$pad("x", 3) & "|"
$pad("x", -3, "ab")
$pad("x", 5, "ab")
$trim("  a \\n b  ")
$split("a, b", ", ")
$split("abc", "")
$split("a1b2c", /[0-9]/)
$split("a1b2c", /[0-9]/, 2)
$split("", ",")
$split("abc", "abc")
$join(["a","b"])
$join("a", "-")
$join([])
$contains("abc", /B/i)
$contains("abc", "")
$match("ab12cd", /[a-z]+/)
$match("ab12cd", /([a-z])([0-9])/)
$match("ab12cd", /z/)
$match("a\\nb", /^b/m)
$replace("john smith", /(\\w+)\\s(\\w+)/, "$2, $1")
$replace("abc", /b/, "$$")
$replace("abc", /(b)/, "$1$1")
$replace("abc", /b/, "$0$0")
$replace("abc", /b/, "$5")
$replace("abcabc", "b", "x", 1)
$replace("aaa", /a/, function($m) { $m.match & "!" }, 2)
$replace("abc", "", "x")
$replace("265USD", /([0-9]+)USD/, "$$$1")
/b/("abc").start
$uppercase("straße")
$length("")
$encodeUrlComponent("?x=тест")
$encodeUrl("https://x.y/?x=тест&a b")
$decodeUrlComponent("%3Fx%3D%D1%82")
$decodeUrl("%3Fx")
$decodeUrl("%ff")
$base64encode("hello:world")
$base64decode("aGVsbG86d29ybGQ=")
$string(0.1 + 0.2)
$string(1e21)
$string(1e20)
$string(1e-7)
$string(123456789012345680000)
$string(5e-324)
$string({"a": [1, {"b": null}]}, true)
$string([], true)
$string("a\\u0000b\\"")
$string(["a\\u0000b\\"\\u2028"])
$string($sum)
$string([$sum])
1e308 + 1e307
0.1 * 3
7 % -3
-7 % 3
5.5 % 2
- 5
-"a"
-missing
1 + missing
"a" + 1
1 & 2
missing & "x"
true & false
none & "x"
[1,2] & "x"
1 < "a"
none < 1
missing < 1
true < false
"a" < "b"
1 and 0
missing and true
"" or "x"
[] or [0] or [[]]
{} or none
true ? 1
false ? 1
false ? 1 : missing
missing ? 1 : 2
(1; 2; 3)
()
($a := 1; ($a := 2; $a) + $a)
($f := function($x) { $x * 2 }; $f(4))
($f := function($x, $y) { $y }; $f(4))
($f := function($n) { $n <= 1 ? 1 : $n * $f($n - 1) }; $f(10))
($f := function($n, $a) { $n = 0 ? $a : $f($n - 1, $a + 1) }; $f(500, 0))
($add := function($a, $b) { $a + $b }; $inc := $add(1, ?); $inc(4))
($up := $trim ~> $uppercase; $up("  x "))
"x" ~> $uppercase
"x" ~> $uppercase()
"a,b" ~> $split(",") ~> $join("-")
items ~> $map(function($i) { $i.id }) ~> $join(",")
function($x)<n:n> { $x }("a")
function($x)<s-:s> { $x }()
function($x)<a<n>:n> { $sum($x) }([1,2])
function($x)<a<n>:n> { $sum($x) }(["a"])
function($x)<(ns):s> { $x }(true)
λ($x) { $x + 1 }(1)
$ ~> |items|{"price": price * 2}|
$ ~> |items[0]|{}, "tags"|
$ ~> |map|{"b": 9}, ["a", "c"]|
$ ~> |missing|{"b": 9}|
items ~> |$|{"n": 1}|
missing ~> |$|{"n": 1}|
$clone(map)
"name".length
`name`
$."name"
$$.items.id
$.items.($$.name & id)
items.id.$uppercase($)
items.$keys()
items.id.$length()
items.($x := price; $x * 2)
items.[id, price]
items.[id]
[items.id]
[items.[id]]
[[items.id]]
[1, [2, [3]]]
[1, [2, [3]]].$
{"a": [1, [2]]}.a
{"a": {"b": [{"c": 1}, {"c": 2}]}}.a.b.c
[{"a": [{"b": 1}]}, {"a": {"b": 2}}].a.b
[{"a": 1}][0].a
[[1, 2], [3, 4]][0]
[[1, 2], [3, 4]].$[0]
[1..3][$ > 1]
[3..1]
[0..0]
[1..missing]
[1.5..2]
["a".."b"]
numbers[$ > 1][0]
numbers[$ > $average($$.numbers)]
numbers[true]
numbers[false]
numbers[null]
numbers[missing]
numbers["x"]
map.c.d[1].e
map.c.d.e
map["b"]
map[b = 2].a
(map).b
(items)[price > 5].id
items.(price > 5 ? id : "cheap")
items.price[$ > 5]
items[id in ["i1", "i3"]].price
1 in [1, 2]
[1] in [[1]]
1 in 1
missing in [1]
"a" in missing
$boolean([0, 0])
$boolean([[0], [1]])
$boolean({"a": 0})
$boolean("0")
$boolean($sum)
$not(missing)
$assert(1 = 2, "no")
$assert(1 = 1, "no")
$error("no")
$error()
$assert("x")
$sort(["b", "a"])
$sort([1, "a"])
$sort(items)
$sort(numbers, function($a, $b) { $a < $b })
1 +
[1, 2
{"a" 1}
"abc
`abc
/abc
1 2
a..b
$f(
function($x) 1
function(1) { 1 }
1 := 2
{1: 2}
{"a": 1, "a": 2}
items{id: 1, id: 2}
%
a.%.%.%
@$x
items@x
items[0]@$x
items#1
foo()
$name()
items.id()
"a"()
$substring(?, 1)("hello")
$substring("hello", ?)(1)
$map([1,2,3], $string)
$map(["a","b"], $uppercase)
$map(items, $keys)
$filter([0,1,2], $boolean)
$reduce([1,2,3], $append)
$map([1,2], function() { missing })
$map([[1,2],[3]], $sum)
$map(missing, $sum)
$map(1, $string)
$filter(1, function($x) { $x > 5 })
$each(items, function($v) { $v })
$keys(1)
$lookup(1, "a")
$merge(map)
$merge([])
$spread(1)
$zip(1, [2, 3])
$zip()
$append([1], [[2]])
/* comment */ 1 /* more */
'it''s'
"\\u00e9\\ud83d\\ude00"
"\\x"
"\\u12"
01
1.e
.5
1e
true.false
null.a
and
or and in
in in in
$and
$
$$
""
\\n
""".strip().splitlines()
