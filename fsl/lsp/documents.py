"""The documents of a client: open ones, and the files in their folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path, to_fs_path

from chalicelib import __version__
from chalicelib.adapters.operations import ALL_OPERATIONS
from chalicelib.authoring.symbols import Workspace, workspace_of
from fsl.lsp.results import NAME, diagnostics
from fsl.lsp.text import Text

MAX_NEIGHBOURS: Final = 200
"""The number of files that are read from the folder of a document."""
MAX_NEIGHBOUR_BYTES: Final = 1_048_576
"""Larger files in the folder of a document are ignored."""


class Server(LanguageServer):
    """The server of pygls, with the definitions of the documents around each one."""

    def __init__(self) -> None:
        super().__init__(NAME, __version__)

    def text_of(self, uri: str) -> Text:
        """Return an open document, or one on disk."""
        return Text(self.workspace.get_text_document(uri).source, self.workspace.position_codec)

    def definitions_for(self, uri: str) -> Workspace:
        """Return the definitions for a document: its own first, then open documents, then files in its folder."""
        workspace = workspace_of(self.texts_around(uri))
        workspace.operations = ALL_OPERATIONS("default")
        return workspace

    def texts_around(self, uri: str) -> dict[str, str]:
        """Return a document, the open documents and the files in its folder, by URI."""
        texts = {uri: self.workspace.get_text_document(uri).source}
        texts |= {one: document.source for one, document in self.workspace.text_documents.items()}
        for neighbour, text in _neighbours(uri) if uri.startswith("file:") else ():
            texts.setdefault(neighbour, text)
        return texts

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
