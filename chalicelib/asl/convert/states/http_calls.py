"""`http:invoke` as an action that calls an HTTP API."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from chalicelib.asl.convert.flow.steps import Action
from chalicelib.asl.convert.jsonata.documents import MISSING, Document, Obj, as_expression, get
from chalicelib.asl.convert.jsonata.expressions import RESULT, Expr, Func, Get, Literal, Op, Word, bare
from chalicelib.asl.convert.jsonata.names import Names, has_placeholder, snake_word, variable_word, without_placeholders
from chalicelib.asl.convert.jsonata.unsayable import Unsayable
from chalicelib.asl.convert.states.reader import Reader
from chalicelib.asl.problems import Level
from chalicelib.model.actions import Verb

_URL: Final = re.compile(r"(https?)://[^/?#{}]+([/?][^{}]*)?", re.IGNORECASE)
_CONNECTION: Final = re.compile(r"arn:[^:]*:events:[^:]*:[^:]*:connection/([^/]+)(?:/.*)?")
_UNFIT: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_HEADER: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def http_call(reader: Reader, given: Document) -> tuple[Action, Document | None, bool, Document]:
    """Return the action, its args, whether these are a group of args, and the result. Raises Unsayable."""
    call = _Call(reader, given)
    action, args, grouped = call.action()
    response = Word("$response")
    members: dict[str, Document] = {
        "ResponseBody": RESULT,
        "StatusCode": Get(response, "status", True),
        "Headers": Get(response, "headers", True),
    }
    return action, args, grouped, Obj(None, members)


class _Call:
    """Reads the parameters of one call."""

    def __init__(self, reader: Reader, given: Document) -> None:
        self.reader = reader
        self.given = given
        self.names = Names()
        self.args: dict[str, Document] = {}

    def action(self) -> tuple[Action, Document | None, bool]:
        verb = self._verb()
        url = self._url()
        self._query(verb)
        properties: dict[str, str] = {"addr": url, "method": url.partition(":")[0].lower()}
        if verb is not Verb.POST:
            properties["verb"] = verb.value
        if self._is_form():
            properties["body"] = "form"
        body = get(self.given, "RequestBody")
        args, grouped = self._body(verb, body)
        if grouped and args:
            properties["args"] = f"({', '.join(f'any {name}' for name in args)})"
        elif not grouped:
            properties["args"] = "any"
        properties["return"] = "(OK)"
        headers = ", ".join(self._headers())
        if headers:
            properties["headers"] = f"({headers})"
        properties["callback"] = "none"
        host = without_placeholders(url).partition("://")[2].partition("/")[0].split(".")[0]
        action = self.reader.machine.actions.take(f"http_{verb.value.lower()}_{snake_word(host, 'host')}", properties)
        return action, (Obj(None, args) if args else None) if grouped else body, grouped

    def _verb(self) -> Verb:
        written = bare(as_expression(get(self.given, "Method")))
        if not isinstance(written, Literal) or str(written.value).upper() not in tuple(Verb):
            raise Unsayable("the Method of http:invoke must be GET, POST, PUT, PATCH or DELETE", "Parameters", "Method")
        return Verb(str(written.value).upper())

    def _url(self) -> str:
        """Return the address. What is computed in its path becomes an arg."""
        written = bare(as_expression(get(self.given, "ApiEndpoint")))
        parts = written.operands if isinstance(written, Op) and written.sign == "&" else (written,)
        first = parts[0].value if isinstance(parts[0], Literal) else None
        if not isinstance(first, str):
            raise Unsayable("the host of http:invoke must be fixed", "Parameters", "ApiEndpoint")
        url = self._filled_in(first)
        for part in parts[1:]:
            if isinstance(part, Literal):
                url += str(part.value)
            else:
                url += f"{{{self._arg(_word_of(part), part)}}}"
        if not _URL.fullmatch(re.sub(r"\{\w+\}", "x", url)) or "{" in url.partition("://")[2].partition("/")[0]:
            raise Unsayable(f"`{url[:60]}` is no URL with a fixed host", "Parameters", "ApiEndpoint")
        return url

    def _filled_in(self, text: str) -> str:
        if not has_placeholder(text):
            return text
        self.reader.tell(Level.NOTE, f"a template fills in `{text[:80]}`: give --var NAME=VALUE", "Parameters")
        plain = without_placeholders(text)
        return plain if "://" in plain else f"https://{_UNFIT.sub('-', plain)}"

    def _arg(self, wish: str, value: Document) -> str:
        name = self.names.take(wish)
        self.args[name] = value
        return name

    def _query(self, verb: Verb) -> None:
        query = get(self.given, "QueryParameters")
        members = _members(query)
        if members is None:
            raise Unsayable("the QueryParameters of http:invoke must be an object", "Parameters", "QueryParameters")
        if members and verb not in (Verb.GET, Verb.DELETE):
            raise Unsayable(
                "query parameters beside a body cannot be expressed in FSL", "Parameters", "QueryParameters"
            )
        for name, value in members.items():
            if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) or name in self.args:
                raise Unsayable(f"`{name[:40]}` cannot name an arg", "Parameters", "QueryParameters")
            self._arg(name, value)

    def _is_form(self) -> bool:
        encoding = bare(as_expression(get(get(self.given, "Transform"), "RequestBodyEncoding")))
        return isinstance(encoding, Literal) and encoding.value == "URL_ENCODED"

    def _body(self, verb: Verb, body: Document) -> tuple[dict[str, Document], bool]:
        """Return the args, and whether they are a group: one value where nothing is in the path or in the query."""
        if body is MISSING or verb in (Verb.GET, Verb.DELETE):
            return self.args, True
        if not self.args and not self._is_form():
            return {}, False
        members = _members(body)
        if members is None or not all(re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) for name in members):
            raise Unsayable("a form, and a body beside a computed path, needs members that are known", "Parameters")
        return {**self.args, **members}, True

    def _headers(self) -> Iterator[str]:
        headers = _members(get(self.given, "Headers"))
        for name, value in (headers or {}).items():
            literal = bare(as_expression(value))
            text = literal.value if isinstance(literal, Literal) else None
            if not isinstance(text, str) or not _HEADER.fullmatch(name) or '"' in text or not text.isprintable():
                raise Unsayable("the headers of http:invoke must be fixed", "Parameters", "Headers")
            if name.lower() != "content-type" or text != "application/json":
                yield f'"{name}" = "{text}"'
        connection = bare(as_expression(get(get(self.given, "Authentication"), "ConnectionArn")))
        if isinstance(connection, Literal) and isinstance(connection.value, str):
            found = _CONNECTION.fullmatch(connection.value)
            name = _UNFIT.sub("-", without_placeholders(found[1] if found else connection.value)).strip("-")[-100:]
            self.reader.tell(
                Level.NOTE, f'set the header of the connection: fsl secret set "{name}"', "Parameters", "Authentication"
            )
            yield f'"Authorization" = secret "{name}"'


def _members(document: Document) -> Mapping[str, Document] | None:
    """Return the members of a document that is known to be an object; none where there is none."""
    if document is MISSING:
        return {}
    if isinstance(document, Obj) and document.base is None:
        return document.members
    if isinstance(document, Literal) and isinstance(document.value, dict):
        return {name: Literal(value) for name, value in document.value.items()}
    return None


def _word_of(expr: Expr) -> str:
    """Return a name for an arg: the last member of a path."""
    found = bare(expr)
    if isinstance(found, Func) and found.args:
        found = bare(found.args[0])
    return variable_word(found.name, "part") if isinstance(found, Get) else "part"
