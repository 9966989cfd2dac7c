"""Commands that start the local server and administer a server."""
