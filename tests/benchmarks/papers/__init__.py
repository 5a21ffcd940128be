"""The experiments of the papers behind the methods, run with this package.

``python -m tests.benchmarks.papers NAME --seeds N`` repeats one of them; results are JSON in
results/, and ``--report`` prints them beside the published numbers.
"""
