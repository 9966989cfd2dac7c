"""The engine: `decide(definition, run, event) -> Decision`. Pure: no clock, ids, randomness, logging or AWS."""
