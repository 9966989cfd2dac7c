"""States as steps with exits.

drafts      a step and its exits
values      what the fields of a state say
failures    Retry and Catch
reader      what all types of states share
simple      Pass, Wait, Choice, Succeed, Fail
resources   what a Resource names
tasks, executions, http_calls       Task
nesting, stored_items               Parallel and Map
"""
