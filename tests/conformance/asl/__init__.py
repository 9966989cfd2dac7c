"""Executions that AWS Step Functions answered, run through Echoer's engine.

cases        the suite: definition, input, what AWS answered
compare      how what Echoer did is compared with what AWS did
recorded     the world around a run: it answers what tasks ask from the recordings
runner       one case: converted, submitted, run on the virtual clock, compared
expected     the cases in which Echoer differs, each with its reason
figures      passed cases per group, beside other programs'
machines     real machines: converted and checked
"""
