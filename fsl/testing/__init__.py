"""Tests of programs: the engine on a virtual clock, and what a test file says of the world around it.

drive      a world without time: runs in memory, decided one event after the other. Knows nothing of test files
outside    who stands around a run: what is asked of them, what they may answer
program    FSL files as definitions, and where each step stands in them
document   YAML with positions           cases      the format of a test file
script     what a test says of the outside           trial      one test, run
judge      what a test expects, against what came    coverage   which steps and routes were taken
story      a result for a person         suite      test files found, read and run
junit      results for a build server
"""
