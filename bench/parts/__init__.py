"""The parts of the benchmark, one module each: see `Part` in bench/report.py."""
