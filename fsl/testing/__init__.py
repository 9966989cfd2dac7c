"""Tests of programs: the real service on a virtual host, and the test files that script what surrounds it.

program    FSL files as definitions, and the places of their steps
document     YAML with positions            parts        mappings and durations of a test file
cases        the format of a test file      expectations what a test can expect
known_names  the names that it can refer to script       the replies that it gives
execute      a test, on a virtual host      case_run     what became of its runs
in_progress  how many activations at once   assertions   what is expected of a run
happenings   what is expected around it     differences  failed expectations
coverage     which steps and routes were taken
report       a result as text               junit        results for a build server
suite        test files: found, read, checked and run
"""
