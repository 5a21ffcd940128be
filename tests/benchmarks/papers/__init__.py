"""The experiments of the papers behind the methods, run with this package.

=====  ==================================================================================
on1    overlapping groups, the latent group lasso, two ways to solve it (:mod:`.overlap`)
on2ab  multitask group lasso, solvers against the clock (:mod:`.multitask`)
on2c   recovery of a sparse vector by the power of the norm (:mod:`.recovery`)
on3    stages of convex relaxation (:mod:`.stages`)
b1     eight penalties, three families, signal and sparsity (:mod:`.grid`)
on6    signals of five sizes by MCP and SCAD, against published means (:mod:`.signals`)
b9     every solver on the same problems (:mod:`.agreement`)
=====  ==================================================================================

``python -m tests.benchmarks.papers NAME --seeds N`` runs one of them, ``--report`` shows the
committed result beside the published numbers. A result is one JSON file in results/, with date,
machine, commits, parameters, means and standard errors; single runs stay in ``*.runs.jsonl``, so
that an experiment that was stopped goes on, and more seeds add to it. Times are of the processor,
one thread. The vignette which-penalty reads the results.
"""
