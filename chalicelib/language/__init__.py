"""FSL: text -> tokens -> tree -> checked definition. Pure: nothing here reads, writes, logs or looks at a clock.

`read` does it all; `parse`, `references` and `check` do it in steps, so that a caller can fetch what a document
refers to in between. No text raises anything: what is wrong comes back as diagnostics. The way back: `format_text`
lays a document out, `to_fsl` writes a definition as FSL.
"""

from chalicelib.language.catalog import Catalog, KnownNames, References, references
from chalicelib.language.checker import Checked, Statement, check, read
from chalicelib.language.printer import Unreadable, format_text
from chalicelib.language.problems import Diagnostic, Problem, render
from chalicelib.language.reading import parse
from chalicelib.language.spelling import Unwritable
from chalicelib.language.tree import Document
from chalicelib.language.writer import to_fsl

__all__ = [
    "Catalog",
    "Checked",
    "Diagnostic",
    "Document",
    "KnownNames",
    "Problem",
    "References",
    "Statement",
    "Unreadable",
    "Unwritable",
    "check",
    "format_text",
    "parse",
    "read",
    "references",
    "render",
    "to_fsl",
]
