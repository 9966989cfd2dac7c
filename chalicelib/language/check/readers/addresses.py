"""The addresses of an action, checked by its method: URLs, queues, Lambda functions, gRPC methods."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from chalicelib.language.check.context import Context
from chalicelib.language.check.readers.values import read_text
from chalicelib.language.limits import MAX_ADDRESSES
from chalicelib.language.problems import Problem
from chalicelib.language.syntax.tree import Value
from chalicelib.model.actions import Method
from chalicelib.model.addresses import PLACEHOLDER

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://")
_UNFIT: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_HOST: Final = re.compile(r"[\w]([\w.\-]*[\w])?\.?|[0-9a-fA-F:.]+(%\w+)?")
_QUEUE: Final = re.compile(r"[A-Za-z0-9_\-]{1,80}(\.fifo)?")
_FUNCTION: Final = re.compile(
    r"(arn:aws[\w\-]*:lambda:[a-z0-9\-]+:[0-9]{12}:function:)?[A-Za-z0-9_\-]{1,140}(:[A-Za-z0-9$_\-]{1,128})?"
)
_OPERATION: Final = re.compile(r"(?:aws-sdk:)?[a-z0-9-]+:[A-Za-z][A-Za-z0-9]*(?P<sync>\.sync(?::2)?)?")
_BUS: Final = re.compile(r"(arn:aws[\w\-]*:events:[a-z0-9\-]+:[0-9]{12}:event-bus/)?[A-Za-z0-9._\-/]{1,256}")
_GRPC: Final = re.compile(r"(?:grpcs://)?(?P<host>[^/]+):(?P<port>[0-9]{1,5})/[A-Za-z_][\w.]*/[A-Za-z_]\w*")


def read_addresses(context: Context, method: Method, value: Value) -> tuple[str, ...]:
    """Return the addresses in a comma-separated list; invalid ones are reported."""
    text = read_text(context, "addr", value)
    parts = [part.strip() for part in (text or "").split(",") if part.strip()]
    if len(parts) > MAX_ADDRESSES:
        context.findings.report(Problem.TOO_MANY, value.span, count=len(parts), what="addresses", limit=MAX_ADDRESSES)
        return ()
    found = []
    for part in parts:
        complete = _complete(method, part)
        reason = _problem_with(method, complete)
        if reason:
            context.findings.report(Problem.INVALID_ADDRESS, value.span, address=part, reason=reason)
        else:
            found.append(complete)
    return tuple(found)


def _complete(method: Method, address: str) -> str:
    """Return the address with a lower-case scheme; the default scheme is that of the method."""
    if method not in (Method.HTTP, Method.HTTPS):
        return address
    scheme = _SCHEME.match(address)
    return scheme[0].lower() + address[scheme.end() :] if scheme else f"{method.value}://{address}"


def _problem_with(method: Method, address: str) -> str | None:
    if _UNFIT.search(address):
        return "contains a space or a control character"
    match method:
        case Method.HTTP | Method.HTTPS:
            return _problem_with_url(address) or (
                "is not an https URL, but the method is https"
                if method is Method.HTTPS and not address.startswith("https://")
                else None
            )
        case Method.QUEUE if _SCHEME.match(address):
            return _problem_with_url(address)
        case Method.QUEUE:
            return None if _QUEUE.fullmatch(address) else "is neither the URL nor the name of an SQS queue"
        case Method.LAMBDA:
            return None if _FUNCTION.fullmatch(address) else "is neither the name nor the ARN of a Lambda function"
        case Method.EVENTS:
            return None if _BUS.fullmatch(address) else "is neither the name nor the ARN of an event bus"
        case Method.GRPC:
            match = _GRPC.fullmatch(address)
            fits = match and _HOST.fullmatch(match["host"].strip("[]")) and 0 < int(match["port"]) < 65536
            return None if fits else "is not of the form host:port/package.Service/Method"
        case Method.AWS:
            is_one = _OPERATION.fullmatch(address)
            return None if is_one else "is not of the form service:operation, such as dynamodb:putItem"
        case Method.HUMAN:
            return None


def _problem_with_url(address: str) -> str | None:
    try:
        parts = urlsplit(address)
        host = parts.hostname
        port = None if PLACEHOLDER.search(parts.netloc) else parts.port
    except ValueError:
        return "is not a valid URL"
    if PLACEHOLDER.search(parts.netloc):
        return "has a placeholder in its host; only the path and the query can have one"
    if parts.scheme not in ("http", "https"):
        return f"has the scheme {parts.scheme}; use http or https"
    if not host or not _HOST.fullmatch(host):
        return "has no valid host"
    return "has an invalid port" if port == 0 else None
