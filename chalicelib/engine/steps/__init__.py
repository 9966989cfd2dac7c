"""One module per kind of step: what entering it does, and what it must remember while it waits."""
