"""All that Echoer keeps, in one SQLite file: the durable default on one machine."""
