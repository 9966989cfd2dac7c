"""When something recurs: time zones, cron expressions, schedules.

zones     time zones by their IANA names, local times
cron      cron expressions and their next match in a zone
schedule  a checked `schedule` statement and its slots
"""
