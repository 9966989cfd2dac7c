"""The root of every error that Echoer raises on purpose. Each floor adds a branch of its own."""


class EchoerError(Exception):
    """Something was asked for that cannot be done; `str()` says what and why, in words for a person."""
