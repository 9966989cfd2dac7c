"""One module per kind of event: what it does to a run."""
