"""The terminal of `POST /command`.

route      the HTTP call
commands   what a text means: FSL statements, or a verb and its arguments
arguments  words and options of a command
output     what a command prints
verbs      the commands by subject
tables     resources as text tables
"""
