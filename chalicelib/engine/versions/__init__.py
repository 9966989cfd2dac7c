"""How a run moves to another version of its flow: what fits, what is kept as it was, what is made anew."""
