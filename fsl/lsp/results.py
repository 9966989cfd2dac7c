"""Results for the text of a document: diagnostics, completions, hover texts, symbols, the formatted text."""

from __future__ import annotations

from typing import Final

from lsprotocol import types

from chalicelib import language
from chalicelib.authoring import complete, symbols
from chalicelib.authoring.analyze import analyze
from chalicelib.authoring.symbols import Workspace
from chalicelib.language import Diagnostic
from chalicelib.language.source import Span
from chalicelib.language.syntax.tree import Statement, Step, steps_within
from fsl.lsp.text import Text

NAME: Final = "fsl"
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


def diagnostics(text: Text, workspace: Workspace) -> list[types.Diagnostic]:
    """Return the diagnostics of the document, given the definitions of the workspace."""
    return [diagnostic_of(text, one) for one in analyze(text.text, workspace.known).diagnostics]


def diagnostic_of(text: Text, one: Diagnostic) -> types.Diagnostic:
    """Return a diagnostic as the protocol has it."""
    return types.Diagnostic(
        range=types.Range(text.position(one.line, one.column), text.position(one.end_line, one.end_column)),
        message=one.message + (f" ({one.hint})" if one.hint else ""),
        severity=types.DiagnosticSeverity.Error if one.severity == "error" else types.DiagnosticSeverity.Warning,
        code=one.code,
        source=NAME,
    )


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
