"""Use cases: load, decide, perform, save. They speak to the world through `ports` only."""
