"""Source text -> the tree of an expression.

lexer -> parser -> tree; steps puts steps together to paths, ancestry finds what each `%` refers to, and signatures
reads those of functions.
"""
