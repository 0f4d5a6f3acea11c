"""What benchmarks measure as processes of their own: each module is a program, started with `python -m benchmarks.programs.<name>`.

Imports count, so nothing here is shared between programs. Each prints its results as one line of JSON, the last line of its output.
"""
