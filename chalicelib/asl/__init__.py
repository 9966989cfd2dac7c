"""Read and write machines of AWS Step Functions (Amazon States Language, ASL).

A machine is the JSON object of a definition (`StartAt`, `States`). All of this package is pure.

paths       JSONPath as Step Functions takes it, read into the tree of `path_tree`; `filters` reads its conditions
intrinsics  `States.Format(...)` and the like, read into a tree
problems    what is wrong, or worth knowing, at a place of the machine
"""
