"""The simulator: the real service in one process, on virtual time, every chance of it drawn from one seed.

    fates      what the seed decides: which fault strikes where, and how long things take
    loop       virtual time, and handlers that take turns (one greenlet each, exactly one of which runs)
    messages   the queues and what receives from them, as SQS and Lambda do it
    ports      every port call as a scheduling point at which faults strike
    catalog    the actions that flows send: limited, guarded by a breaker, without callback, ...
    flows      random flows of every kind of step, always able to end
    mishaps    what goes wrong after a step returned, and what flows do about it
    counters   variables in which scopes count their steps
    actions    the services that flows send actions to, and the people who answer
    direct     the services without callback
    people     those who start runs, order them about, and forge answers
    repairs    those who mend runs, flows and actions
    timetable  those who define schedules, pause, continue and change them
    stage      the host of a schedule: containers, queues and sweeps
    eyes       the calls of ports that the laws see
    laws/      the invariants of docs/architecture.md, 4, checked at every write
    quiet      no threads, and no log but for the law
    schedule   one schedule: a seed in, what came of it out
    campaign   many schedules, side by side
    shrink     a failing schedule reduced to few faults, with its story
    planted/   bugs put in on purpose: the laws must find each of them

Play one again: `python -m tests.simulation --seed S`.
"""
