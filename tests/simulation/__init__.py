"""The simulator: the real service in one process, on virtual time, every chance of it drawn from one seed.

    fates      what the seed decides: which fault strikes where, and how long things take
    loop       virtual time, and handlers that take turns (one greenlet each, exactly one of which runs)
    messages   the queues and what receives from them, as SQS and Lambda do it
    ports      every port call as a scheduling point at which faults strike
    flows      random flows of every kind of step, always able to end
    actions    the services that flows send actions to, and the people who answer
    people     those who start runs, order them about, and forge answers
    laws       the invariants of docs/architecture.md, 4, checked at every write
    waking     the first of them: every token will be woken
    tokens     ... and the sixth: tokens fit one another
    history    the history replayed, and compared to the head
    quiet      no threads, and no log but for the law
    schedule   one schedule: a seed in, what came of it out
    shrink     a failing schedule reduced to few faults, with its story
    planted    bugs put in on purpose: the laws must find each of them

Play one again: `python -m tests.simulation --seed S`.
"""
