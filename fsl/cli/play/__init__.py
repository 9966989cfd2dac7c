"""`fsl play`: play a flow step by step on a virtual clock.

moves    a line of the terminal as a move of `chalicelib.play`
shown    what became of a move, in lines
session  the moves so far, and the directives that are no moves
command  the command
"""
