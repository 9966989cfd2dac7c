"""Commands over many runs: batches, and the archive of ended runs."""
