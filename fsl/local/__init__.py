"""Echoer on one machine: API Gateway, the event sources of Lambda and CloudWatch's schedules, in one process.

Nothing here decides anything: requests, messages and minutes become the very events that AWS would hand over, and the
very handlers of `app.py` get them.
"""
