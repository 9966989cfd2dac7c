"""What machines compute, as JSONata.

unsayable   what FSL cannot express
names       names of FSL, made of any text
expressions trees of JSONata, and their text
documents   what is known of a document without running the machine
durations   seconds as durations
path_values, intrinsic_values, choices, jsonata_values      what makes expressions, from what machines write
"""
