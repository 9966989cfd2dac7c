"""Play a flow on a virtual clock, step by step, without storing anything.

A play is a text, an input and a script of moves: what actions and people answer, which events arrive, what users
command, how time passes. It runs on the real service (`hosting.virtual`), and the same script gives the same run. So a
client needs no session: it sends the script again with one more move, or with one less to go back.

moves      the moves of a script, as JSON
play_host  a host that holds deliveries until a move answers them, with the definitions of a namespace
waiting    what each token waits for
outside    what happened outside of a run
moving     makes moves with a run of the host
recorded   the recorded facts of a run, secrets masked
facts      what each entry of a history says as an event of the engine
recorded_log  what a history says of the world outside
redecide   decides the facts again, and finds where the decisions differ
recorded_names, replay_timers, needed_effects  the uuids, the timer and the effects of a replay
replay     replays a run against its own definition, or another one
secret_reads  which secrets a decision depends on
replayed_run  puts a replayed run on a host, where moves go on
session    the play itself
case       a play as a case of `fsl test`
case_run   runs a case as `fsl test` does
case_text  a play as a test file
yaml_text  JSON values as YAML text
"""
