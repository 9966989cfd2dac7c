"""`fsl lsp`: the language server. It only translates: an editor's lines and columns to offsets and back, and what
`fsl.insight`, `fsl.completion` and the checker say into the protocol's words (LSP 3.17, by way of pygls).

What one document defines is known in all that are open, and in those of the folder of each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path, to_fs_path
from pygls.workspace import PositionCodec

from chalicelib import __version__, language
from chalicelib.authoring import complete, symbols
from chalicelib.authoring.symbols import Library, library_of
from chalicelib.engine import expressions
from chalicelib.language.source import Source, Span
from chalicelib.language.syntax.tree import Statement, Step, steps_within

NAME: Final = "fsl"
NEIGHBOURS: Final = 200
"""Files of a folder that are read at most."""
NEIGHBOUR_BYTES: Final = 1_048_576

_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|\Z)")
_KINDS: Final = {
    "keyword": types.CompletionItemKind.Keyword,
    "property": types.CompletionItemKind.Property,
    "action": types.CompletionItemKind.Function,
    "flow": types.CompletionItemKind.Module,
    "step": types.CompletionItemKind.Reference,
    "state": types.CompletionItemKind.EnumMember,
    "value": types.CompletionItemKind.Value,
    "variable": types.CompletionItemKind.Variable,
}
_SYMBOLS: Final = {
    "action": types.SymbolKind.Function,
    "flow": types.SymbolKind.Module,
    "flow_run": types.SymbolKind.Event,
}


class Text:
    """A document with its places in the client's units (UTF-16, unless the client agreed to something else)."""

    def __init__(self, text: str, codec: PositionCodec | None = None) -> None:
        self.text = text
        self._codec = codec or PositionCodec()
        self._source = Source(text)
        self._lines = _LINE.findall(text)

    def offset(self, position: types.Position) -> int:
        """The offset of a position; one behind the end of a line is its end."""
        line = min(position.line, len(self._lines) - 1)
        inner = self._codec.position_from_client_units(self._lines, types.Position(line, position.character))
        return sum(map(len, self._lines[:line])) + min(inner.character, len(self._lines[line].rstrip("\r\n")))

    def place(self, line: int, column: int) -> types.Position:
        """The position of a line and column that count from 1."""
        before = self._source.line(line)[: column - 1]
        return types.Position(line - 1, self._codec.client_num_units(before))

    def range(self, span: Span) -> types.Range:
        return types.Range(*(self.place(*self._source.position(offset)) for offset in (span.start, span.end)))


# ── what is asked, answered on texts ─────────────────────────────────────────────────────────────────────────────────


def diagnostics(text: Text, library: Library) -> list[types.Diagnostic]:
    """Everything that is wrong with the document, given what the others define."""
    checked = language.read(text.text, library.known, expression_problem=expressions.problem_in)
    return [
        types.Diagnostic(
            range=types.Range(text.place(one.line, one.column), text.place(one.end_line, one.end_column)),
            message=one.message + (f" ({one.hint})" if one.hint else ""),
            severity=types.DiagnosticSeverity.Error if one.severity == "error" else types.DiagnosticSeverity.Warning,
            code=one.code,
            source=NAME,
        )
        for one in checked.diagnostics
    ]


def completions(text: Text, position: types.Position, library: Library) -> list[types.CompletionItem]:
    """What may stand at the position."""
    return [
        types.CompletionItem(label=one.label, kind=_KINDS[one.kind], detail=one.detail or None)
        for one in complete.complete(text.text, text.offset(position), library)
    ]


def hover(text: Text, position: types.Position, library: Library) -> types.Hover | None:
    """What is said of the word at the position."""
    found = symbols.hover(text.text, text.offset(position), library)
    if found is None:
        return None
    return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, found[0]), text.range(found[1]))


def document_symbols(text: Text) -> list[types.DocumentSymbol]:
    """The statements of the document, with their steps."""
    return [_symbol(text, statement) for statement in language.parse(text.text)[0].statements]


def edits(text: Text) -> list[types.TextEdit] | None:
    """The document in the canonical layout; None if it has syntax errors."""
    try:
        formatted = language.format_text(text.text)
    except language.Unreadable:
        return None
    return [] if formatted == text.text else [types.TextEdit(text.range(Span(0, len(text.text))), formatted)]


def _symbol(text: Text, statement: Statement) -> types.DocumentSymbol:
    kind = _SYMBOLS.get(statement.kind.key, types.SymbolKind.Object)
    steps = [one for one in steps_within(statement.members) if one.routes]
    return types.DocumentSymbol(
        statement.name.text or "?",
        kind,
        text.range(statement.span),
        text.range(statement.name.span),
        detail=statement.kind.key,
        children=[_step_symbol(text, step) for step in steps],
    )


def _step_symbol(text: Text, step: Step) -> types.DocumentSymbol:
    places = text.range(step.span), text.range(step.name.span)
    return types.DocumentSymbol(step.name.text or "?", types.SymbolKind.Field, *places, detail=step.kind.key)


# ── the server ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Server(LanguageServer):
    """pygls's server, and how it sees the documents around one."""

    def __init__(self) -> None:
        super().__init__(NAME, __version__)

    def text_of(self, uri: str) -> Text:
        return Text(self.workspace.get_text_document(uri).source, self.workspace.position_codec)

    def library(self, uri: str) -> Library:
        """What is known to the document: itself first, then the open ones, then its neighbours on disk."""
        texts = {uri: self.workspace.get_text_document(uri).source}
        texts |= {one: document.source for one, document in self.workspace.text_documents.items()}
        for neighbour, text in _neighbours(uri) if uri.startswith("file:") else ():
            texts.setdefault(neighbour, text)
        return library_of(texts)

    def publish(self, uri: str) -> None:
        """Tells the client what is wrong with a document."""
        found = diagnostics(self.text_of(uri), self.library(uri))
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, found))


def _neighbours(uri: str) -> Iterator[tuple[str, str]]:
    path = to_fs_path(uri)
    folder = Path(path).parent if path else None
    for file in sorted(folder.glob("*.fsl"))[:NEIGHBOURS] if folder and folder.is_dir() else ():
        try:
            if file.stat().st_size <= NEIGHBOUR_BYTES:
                yield from_fs_path(str(file)) or "", file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue


def make_server() -> Server:
    """A server that answers everything this module knows."""
    server = Server()

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def changed(params: types.DidOpenTextDocumentParams | types.DidChangeTextDocumentParams) -> None:
        for uri in {params.text_document.uri, *server.workspace.text_documents}:
            server.publish(uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseTextDocumentParams) -> None:
        gone = types.PublishDiagnosticsParams(params.text_document.uri, [])
        server.text_document_publish_diagnostics(gone)

    triggers = types.CompletionOptions(trigger_characters=["=", "(", ">", "|", "$", ","])

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, triggers)
    def complete(params: types.CompletionParams) -> list[types.CompletionItem]:
        uri = params.text_document.uri
        return completions(server.text_of(uri), params.position, server.library(uri))

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hovered(params: types.HoverParams) -> types.Hover | None:
        uri = params.text_document.uri
        return hover(server.text_of(uri), params.position, server.library(uri))

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    def defined(params: types.DefinitionParams) -> types.Location | None:
        uri = params.text_document.uri
        text = server.text_of(uri)
        place = symbols.definition(text.text, text.offset(params.position), uri, server.library(uri))
        return types.Location(place.uri, server.text_of(place.uri).range(place.span)) if place else None

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def outlined(params: types.DocumentSymbolParams) -> Sequence[types.DocumentSymbol]:
        return document_symbols(server.text_of(params.text_document.uri))

    @server.feature(types.TEXT_DOCUMENT_FORMATTING)
    def formatted(params: types.DocumentFormattingParams) -> list[types.TextEdit] | None:
        return edits(server.text_of(params.text_document.uri))

    return server


def serve() -> None:
    """Speaks the protocol on standard input and output until the client leaves."""
    make_server().start_io()
