"""A machine of Step Functions as FSL text that a person likes to read.

    machine -> scopes, each state a step with its exits -> documents placed -> variables -> text

documents       what is known of a document without running the machine
expressions     JSONata as trees; path_values, intrinsic_values, choices, jsonata_values and values make them
states, tasks, nesting      what each type of state becomes; reader has what they share, failures Retry and Catch
placing         where the document of a scope is kept
variables       their scopes and names
text            the text
"""

from chalicelib.asl.convert.conversion import Conversion, convert

__all__ = ["Conversion", "convert"]
