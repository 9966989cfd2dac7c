"""A server of several processes over one SQLite file, so that it uses several cores.

    supervisor      the process that `fsl local` starts: it accepts connections and hands each to a member
    member          a process that serves the connections handed to it, and delivers what it has sent
    shared_memory   numbers that all of them see
    post            short notes between members
    changes         wakes a request that waits in one member for a run that another one moves
    handed_server   the HTTP server of a member

A run can be moved by any member, as by any container on Lambda: the store decides between them. What a process alone
knows is shared here: who waits, what must be read again, how often a caller called, what was counted.
"""
