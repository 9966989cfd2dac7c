"""The tree of an expression and names -> a value.

evaluator has a rule for each kind of node; paths, grouping and members, operators, calls and transforms do their work;
output makes plain JSON of the result.
"""
