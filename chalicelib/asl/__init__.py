"""Read and write machines of AWS Step Functions (Amazon States Language, ASL).

A machine is the JSON object of a definition (`StartAt`, `States`). All of this package is pure.

export      a flow as a machine
problems    what is wrong, or worth knowing, at a place of the machine
"""
