"""Commands on FSL documents; they need no server."""
