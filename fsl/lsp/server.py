"""`fsl lsp`: the language server (LSP 3.17, on pygls).

It converts the lines and columns of an editor to offsets and back, and the results of `chalicelib.authoring` and the
checker to values of the protocol. A definition is known in all open documents, and in the files of their folders.
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
from chalicelib.authoring.analyze import analyze
from chalicelib.authoring.symbols import Workspace, workspace_of
from chalicelib.language.source import Source, Span
from chalicelib.language.syntax.tree import Statement, Step, steps_within

NAME: Final = "fsl"
MAX_NEIGHBOURS: Final = 200
"""The number of files that are read from the folder of a document."""
MAX_NEIGHBOUR_BYTES: Final = 1_048_576
"""Larger files in the folder of a document are ignored."""

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
    "flow_run": types.SymbolKind.Object,
    "event": types.SymbolKind.Event,
    "config": types.SymbolKind.Constant,
}


class Text:
    """A document with positions in the units of the client (UTF-16 unless the client negotiates another encoding)."""

    def __init__(self, text: str, codec: PositionCodec | None = None) -> None:
        self.text = text
        self._codec = codec or PositionCodec()
        self._source = Source(text)
        self._lines = _LINE.findall(text)

    def offset(self, position: types.Position) -> int:
        """Return the offset of a position; a position after the end of a line means its end."""
        line = min(position.line, len(self._lines) - 1)
        inner = self._codec.position_from_client_units(self._lines, types.Position(line, position.character))
        return sum(map(len, self._lines[:line])) + min(inner.character, len(self._lines[line].rstrip("\r\n")))

    def position(self, line: int, column: int) -> types.Position:
        """Return the position of a line and column that count from 1."""
        before = self._source.line(line)[: column - 1]
        return types.Position(line - 1, self._codec.client_num_units(before))

    def range(self, span: Span) -> types.Range:
        """Return the range of a span."""
        return types.Range(*(self.position(*self._source.position(offset)) for offset in (span.start, span.end)))


# ── results on texts ──────────────────────────────────────────────────────────────────────────────────────────────────


def diagnostics(text: Text, workspace: Workspace) -> list[types.Diagnostic]:
    """Return the diagnostics of the document, given the definitions of the workspace."""
    return [
        types.Diagnostic(
            range=types.Range(text.position(one.line, one.column), text.position(one.end_line, one.end_column)),
            message=one.message + (f" ({one.hint})" if one.hint else ""),
            severity=types.DiagnosticSeverity.Error if one.severity == "error" else types.DiagnosticSeverity.Warning,
            code=one.code,
            source=NAME,
        )
        for one in analyze(text.text, workspace.known).diagnostics
    ]


def completions(text: Text, position: types.Position, workspace: Workspace) -> list[types.CompletionItem]:
    """Return the words that fit at the position."""
    return [
        types.CompletionItem(label=one.label, kind=_KINDS[one.kind], detail=one.detail or None)
        for one in complete.complete(text.text, text.offset(position), workspace)
    ]


def hover(text: Text, position: types.Position, workspace: Workspace) -> types.Hover | None:
    """Return the hover text of the word at the position."""
    found = symbols.hover(text.text, text.offset(position), workspace)
    if found is None:
        return None
    return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, found[0]), text.range(found[1]))


def document_symbols(text: Text) -> list[types.DocumentSymbol]:
    """Return the statements of the document, with their steps."""
    return [_symbol(text, statement) for statement in language.parse(text.text)[0].statements]


def edits(text: Text) -> list[types.TextEdit] | None:
    """Return the edits that format the document; None if it has syntax errors."""
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
    ranges = text.range(step.span), text.range(step.name.span)
    return types.DocumentSymbol(step.name.text or "?", types.SymbolKind.Field, *ranges, detail=step.kind.key)


# ── the server ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Server(LanguageServer):
    """The server of pygls, with the definitions of the documents around each one."""

    def __init__(self) -> None:
        super().__init__(NAME, __version__)

    def text_of(self, uri: str) -> Text:
        """Return an open document, or one on disk."""
        return Text(self.workspace.get_text_document(uri).source, self.workspace.position_codec)

    def definitions_for(self, uri: str) -> Workspace:
        """Return the definitions for a document: its own first, then open documents, then files in its folder."""
        texts = {uri: self.workspace.get_text_document(uri).source}
        texts |= {one: document.source for one, document in self.workspace.text_documents.items()}
        for neighbour, text in _neighbours(uri) if uri.startswith("file:") else ():
            texts.setdefault(neighbour, text)
        return workspace_of(texts)

    def publish(self, uri: str) -> None:
        """Send the diagnostics of a document to the client."""
        found = diagnostics(self.text_of(uri), self.definitions_for(uri))
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, found))


def _neighbours(uri: str) -> Iterator[tuple[str, str]]:
    path = to_fs_path(uri)
    folder = Path(path).parent if path else None
    for file in sorted(folder.glob("*.fsl"))[:MAX_NEIGHBOURS] if folder and folder.is_dir() else ():
        try:
            if file.stat().st_size <= MAX_NEIGHBOUR_BYTES:
                yield from_fs_path(str(file)) or "", file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue


def make_server() -> Server:
    """Return a server with all features of this module."""
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
        return completions(server.text_of(uri), params.position, server.definitions_for(uri))

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hovered(params: types.HoverParams) -> types.Hover | None:
        uri = params.text_document.uri
        return hover(server.text_of(uri), params.position, server.definitions_for(uri))

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    def defined(params: types.DefinitionParams) -> types.Location | None:
        uri = params.text_document.uri
        text = server.text_of(uri)
        found = symbols.definition(text.text, text.offset(params.position), uri, server.definitions_for(uri))
        return types.Location(found.uri, server.text_of(found.uri).range(found.span)) if found else None

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def outlined(params: types.DocumentSymbolParams) -> Sequence[types.DocumentSymbol]:
        return document_symbols(server.text_of(params.text_document.uri))

    @server.feature(types.TEXT_DOCUMENT_FORMATTING)
    def formatted(params: types.DocumentFormattingParams) -> list[types.TextEdit] | None:
        return edits(server.text_of(params.text_document.uri))

    return server


def serve() -> None:
    """Serve the protocol on standard input and output until the client disconnects."""
    make_server().start_io()
