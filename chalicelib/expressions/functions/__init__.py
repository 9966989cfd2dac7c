"""The functions of the language. Each is charged to the meter by what it does, before it does it."""

from __future__ import annotations

from functools import cache
from typing import Final

from chalicelib.expressions.evaluation.calls import Builtin

# name: where it is (module:function), its signature, how many arguments a higher-order function passes to it
_TABLE: Final = """
sum          numbers:sum_of          <a<n>:n>      1
count        numbers:count           <a:n>         1
max          numbers:largest         <a<n>:n>      1
min          numbers:smallest        <a<n>:n>      1
average      numbers:average         <a<n>:n>      1
number       numbers:to_number       <(nsb)-:n>    1
floor        numbers:floor           <n-:n>        1
ceil         numbers:ceil            <n-:n>        1
round        numbers:rounded         <n-n?:n>      2
abs          numbers:absolute        <n-:n>        1
sqrt         numbers:square_root     <n-:n>        1
power        numbers:power           <n-n:n>       2
random       numbers:random          <n?:n>        1
formatBase   numbers:format_base     <n-n?:s>      2
formatNumber numbers:format_number   <n-so?:s>     3
formatInteger numbers:format_integer <n-s:s>       2
parseInteger numbers:parse_integer   <s-s:n>       2
string       text:string             <x-b?:s>      1
substring    text:substring          <s-nn?:s>     3
substringBefore text:before          <s-s:s>       2
substringAfter text:after            <s-s:s>       2
lowercase    text:lowercase          <s-:s>        1
uppercase    text:uppercase          <s-:s>        1
length       text:length             <s-:n>        1
trim         text:trim               <s-:s>        1
pad          text:pad                <s-ns?:s>     3
join         text:join               <a<s>s?:s>    2
match        matching:match          <s-f<s:o>n?:a<o>> 3
contains     matching:contains       <s-(sf):b>    2
replace      matching:replace        <s-(sf)(sf)n?:s> 4
split        matching:split          <s-(sf)n?:a<s>> 3
base64encode encoding:base64_encode  <s-:s>        1
base64decode encoding:base64_decode  <s-:s>        1
encodeUrl    encoding:encode_url     <s-:s>        1
encodeUrlComponent encoding:encode_url_component <s-:s> 1
decodeUrl    encoding:decode_url     <s-:s>        1
decodeUrlComponent encoding:decode_url_component <s-:s> 1
boolean      logic:boolean           <x-:b>        1
not          logic:negation          <x-:b>        1
exists       logic:exists            <x:b>         1
type         logic:type_name         <x:s>         1
error        logic:error             <s?:x>        1
assert       logic:assertion         <bs?:x>       2
map          higher:mapped           <af>          2
filter       higher:filtered         <af>          2
single       higher:single           <af?>         2
reduce       higher:reduced          <afj?:j>      3
sift         higher:sifted           <o-f?:o>      2
each         higher:each             <o-f:a>       2
sort         higher:sorted_by        <af?:a>       2
zip          arrays:zipped           <a+>          0
append       arrays:append           <xx:a>        2
reverse      arrays:reverse          <a:a>         1
shuffle      arrays:shuffle          <a:a>         1
distinct     arrays:distinct         <x:x>         1
keys         objects:keys            <x-:a<s>>     1
lookup       objects:lookup          <x-s:x>       2
spread       objects:spread          <x-:a<o>>     1
merge        objects:merge           <a<o>:o>      1
clone        objects:clone           <(oa)-:o>     1
now          times:now               <s?s?:s>      2
millis       times:millis            <:n>          0
toMillis     times:to_millis         <s-s?s?:n>    2
fromMillis   times:from_millis       <n-s?s?:s>    3
partition    aws:partition           <an:a>        2
range        aws:number_range        <nnn:a>       3
hash         aws:digest              <s-s:s>       2
uuid         aws:uuid                <:s>          0
parse        aws:parse               <s-:x>        1
need         own:need                <xs?:x>       2
as           own:as_type             <xs:x>        2
at           own:moment              <x:n>         1
like         own:like                <xs:b>        2
list         own:listed              <x+?:a>       0
"""


@cache
def builtins() -> dict[str, Builtin]:
    """Return every function by its name."""
    rows = [line.split() for line in _TABLE.strip().splitlines()]
    return {name: Builtin(name, target, signature, int(arity)) for name, target, signature, arity in rows}
