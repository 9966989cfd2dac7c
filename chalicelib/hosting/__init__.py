"""From settings and adapters to a running service: the one place where anything is wired, for every host.

A host is settings, a store, a queue, a caller of actions, a clock and a source of ids. Lambda, the local server,
`fsl test`, the simulator and every test create theirs here.

wiring     the use cases, from settings and adapters
backends   the adapters that settings ask for
process    the services of this process
consumers  which use case handles which message
virtual    a host on memory and a virtual clock
scripted   a virtual host with scripted surroundings; responder: what it asks, and the replies

`virtual` and `scripted` are imported where they are used: a cold start pays for every module.
"""

from chalicelib.hosting.adapters import Adapters, QueueAndSource
from chalicelib.hosting.backends import adapters_for, observer
from chalicelib.hosting.core import webhook_key_of
from chalicelib.hosting.process import flush, forget, services, tokens, use
from chalicelib.hosting.wiring import Services, assemble

__all__ = [
    "Adapters",
    "QueueAndSource",
    "Services",
    "adapters_for",
    "assemble",
    "flush",
    "forget",
    "observer",
    "services",
    "tokens",
    "use",
    "webhook_key_of",
]
