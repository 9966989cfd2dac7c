"""Echoer on one machine: API Gateway, the event sources of Lambda and EventBridge's schedules in one process.

This package contains no rules of the engine. It converts requests, messages and schedules to the events that AWS sends,
and passes them to the handlers of `app.py`.
"""
