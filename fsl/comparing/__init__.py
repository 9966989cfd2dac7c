"""Compare executions of AWS Step Functions with runs of the imported flow (`fsl compare`).

recordings   executions as AWS's command line prints them: input, end, and what each task was sent and answered
world        the surroundings of a run: they answer as recorded, and note what differs
player       a flow, played on a recording on the virtual clock
values       where two JSON values differ
"""
