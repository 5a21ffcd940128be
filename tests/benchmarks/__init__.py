"""The project's benchmark: named problems, solvers at equal accuracy, measured in turn.

``python -m tests.benchmarks --help``; the rules of measurement are in NOTES.md.
"""
