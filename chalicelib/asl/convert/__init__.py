"""A machine of Step Functions as FSL text that a person likes to read.

    machine -> scopes, each state a step with its exits -> documents placed -> variables -> text

jsonata     what machines compute
flow        flows as data and as text
states      states as steps with exits
placing     where the document of a scope is kept
machine     what the states of a machine share
blame       which steps a diagnostic is about
conversion  from the machine to the text
"""

from chalicelib.asl.convert.conversion import Conversion, actions_in, convert, flow_name

__all__ = ["Conversion", "actions_in", "convert", "flow_name"]
