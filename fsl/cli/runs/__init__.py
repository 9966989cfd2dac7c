"""Commands that apply documents, and start, inspect and control runs on a server."""
