"""Values of a run: evaluated, encrypted, bounded, and checked against a flow's input."""
