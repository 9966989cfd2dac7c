"""One module per kind of step: how a token enters it, and how its wait ends."""
