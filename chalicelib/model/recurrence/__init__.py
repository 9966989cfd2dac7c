"""When something recurs: time zones and cron expressions.

zones  time zones by their IANA names, local times
cron   cron expressions and their next match in a zone
"""
