"""Tests of programs: the real service on a virtual host, and the test files that script what surrounds it.

program    FSL files as definitions, and the places of their steps
document   YAML with positions           cases       the format of a test file
script     the replies that a test gives case_run    one test, executed on a virtual host
assertions what a test expects           coverage    which steps and routes were taken
report     a result as text              junit       results for a build server
suite      test files: found, read, checked and run
"""
