"""Flows as data, and as text.

steps       steps, routes, entries, actions
scopes      the machine, its branches and items, and their variables
walk        over steps
tidy        fewer variables
variables   where they are declared, and their names
text        the text
"""
