"""What changes documents, or looks for a name in all of them: references, renames, quick fixes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from chalicelib.authoring import fixes, occurrences
from chalicelib.authoring.analyze import analyze
from chalicelib.authoring.symbols import Location, Workspace
from fsl.lsp.documents import Server
from fsl.lsp.results import diagnostic_of
from fsl.lsp.text import Text


def references(texts: Mapping[str, str], text: Text, position: types.Position, *, declarations: bool) -> list[Location]:
    """Return the places of the name at the position, in all documents by URI."""
    return occurrences.references(texts, text.text, text.offset(position), declarations=declarations)


def code_actions(uri: str, text: Text, within: types.Range, workspace: Workspace) -> list[types.CodeAction]:
    """Return the quick fixes of the problems that touch the range."""
    found = []
    for one in analyze(text.text, workspace.known).diagnostics:
        shown = diagnostic_of(text, one)
        if shown.range.end >= within.start and within.end >= shown.range.start:
            for fix in fixes.fixes(text.text, one):
                edit = types.WorkspaceEdit({uri: [types.TextEdit(text.range(fix.span), fix.new)]})
                kind = types.CodeActionKind.QuickFix
                found.append(types.CodeAction(fix.title, kind=kind, diagnostics=[shown], edit=edit))
    return found


def add_editing(server: Server) -> None:
    """Add the features of this module to a server."""

    @server.feature(types.TEXT_DOCUMENT_REFERENCES)
    def referenced(params: types.ReferenceParams) -> list[types.Location]:
        uri = params.text_document.uri
        with_declaration = params.context.include_declaration
        found = references(
            server.texts_around(uri), server.text_of(uri), params.position, declarations=with_declaration
        )
        return [types.Location(one.uri, server.text_of(one.uri).range(one.span)) for one in found]

    @server.feature(types.TEXT_DOCUMENT_RENAME)
    def renamed(params: types.RenameParams) -> types.WorkspaceEdit:
        uri = params.text_document.uri
        text = server.text_of(uri)
        try:
            found = occurrences.renamed(
                server.texts_around(uri), text.text, text.offset(params.position), params.new_name
            )
        except occurrences.NotRenamed as problem:
            raise JsonRpcInvalidParams(str(problem)) from problem
        edits: dict[str, list[types.TextEdit]] = defaultdict(list)
        for place, new in found:
            edits[place.uri].append(types.TextEdit(server.text_of(place.uri).range(place.span), new))
        return types.WorkspaceEdit(dict(edits))

    options = types.CodeActionOptions([types.CodeActionKind.QuickFix])

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, options)
    def fixed(params: types.CodeActionParams) -> list[types.CodeAction]:
        uri = params.text_document.uri
        return code_actions(uri, server.text_of(uri), params.range, server.definitions_for(uri))
