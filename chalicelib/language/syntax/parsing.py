"""Text -> document: scan, balance the brackets, parse."""

from __future__ import annotations

from chalicelib.language.limits import MAX_DOCUMENT_CHARACTERS
from chalicelib.language.problems import Diagnostic, Findings, Problem
from chalicelib.language.source import Source, Span
from chalicelib.language.syntax.brackets import balance
from chalicelib.language.syntax.grammar import statements_of
from chalicelib.language.syntax.tokens import scan
from chalicelib.language.syntax.tree import Document


def parse(text: str) -> tuple[Document, tuple[Diagnostic, ...]]:
    """Return the document, as far as the text can be parsed, and the diagnostics of its syntax errors.

    Never raises. Takes time proportional to the length of the text.
    """
    if len(text) > MAX_DOCUMENT_CHARACTERS:
        findings = Findings(Source(""))
        count, limit = len(text), MAX_DOCUMENT_CHARACTERS
        findings.report(Problem.DOCUMENT_TOO_LARGE, Span(0, 0), count=count, what="characters", limit=limit)
        return Document("", (), (), damaged=True), findings.diagnostics()
    findings = Findings(Source(text))
    found = scan(text, findings)
    tokens = balance(found.tokens, findings, cut=found.cut)
    statements = statements_of(tokens, findings, cut=found.cut)
    if not statements and not findings.errors:
        findings.report(Problem.EMPTY_DOCUMENT, tokens[-1].span)
    document = Document(text, statements, found.comments, damaged=findings.errors > 0)
    return document, findings.diagnostics()
