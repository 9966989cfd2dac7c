"""Everything of Echoer that runs in Lambda."""

from typing import Final

__version__: Final = "0.1.0"
"""The one version number: of the package, the API's contract, the terminal and the language server."""

FSL_VERSION: Final = "0.4"
"""The version of the language."""
