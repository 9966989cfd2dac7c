"""The service at thousands of runs per second, against a simulated DynamoDB: `python -m bench.scale`.

recording    the requests of real handlers on the real adapters, with the keys and the units of each
stories      the runs, events, schedules and lists that are recorded
playing      recorded requests as those of any number of runs
partitions   key ranges with limits of their own, which split under heat
table        a table and its indexes, which throttle together
traffic      virtual time: handlers, the retries of the SDK, of SQS and of clients
contention   many writers of one item
cases        what is played, and how fast
quotas       the quotas of AWS that count, and what a run uses of each
"""
