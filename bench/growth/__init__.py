"""What an operation costs as a run, the store, or the number of those that wait grows."""
