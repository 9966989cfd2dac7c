"""Read and write machines of AWS Step Functions (Amazon States Language, ASL).

A machine is the JSON object of a definition (`StartAt`, `States`). All of this package is pure.

read        the text of a machine -> the machine, or what is wrong with the text; `plain` judges the values
substitute  the values of `${NAME}` that templates leave open
check       whether a machine is valid, all problems at their places
language    which query language a state uses
paths       JSONPath as Step Functions takes it, read into the tree of `path_tree`; `filters` reads its conditions
intrinsics  `States.Format(...)` and the like, read into a tree
export      a flow as a machine
problems    what is wrong, or worth knowing, at a place of the machine
"""
