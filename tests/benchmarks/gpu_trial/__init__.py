"""A trial of one GPU kernel: block descent, one thread block per replicate.

``python -m tests.benchmarks.gpu_trial.trial --help``; what came out is in README.md.
"""
