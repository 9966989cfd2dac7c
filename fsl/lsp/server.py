"""`fsl lsp`: the language server (LSP 3.17, on pygls).

It converts the lines and columns of an editor to offsets and back, and the results of `chalicelib.authoring` and the
checker to values of the protocol. A definition is known in all open documents, and in the files of their folders.
"""

from __future__ import annotations

from collections.abc import Sequence

from lsprotocol import types

from chalicelib.authoring import symbols
from fsl.lsp.documents import Server
from fsl.lsp.editing import add_editing
from fsl.lsp.results import completions, document_symbols, edits, hover


def make_server() -> Server:
    """Return a server with all features of this module."""
    server = Server()
    add_editing(server)

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

    triggers = types.CompletionOptions(trigger_characters=["=", "(", ">", "|", "$", ",", "."])

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
