"""Random folds: dealt rows, or whole clusters.

Rows are shuffled within their class, the classes are laid end to end, and the folds take turns.
So the counts of every class, and the sizes of the folds, differ by at most one. Clusters go
whole, the largest first, each to the fold that raises
``sum_k (rows of class k in the fold / rows of class k)**2`` least, where the rows altogether
count as one more class; without classes that is the smallest fold.
"""

from __future__ import annotations

import numpy as np

from grpsparse.groups import IntArray

__all__ = ["cluster_folds", "dealt_folds"]


def dealt_folds(codes: IntArray, n_folds: int, rng: np.random.Generator) -> IntArray:
    """Return a fold for every row, balanced over the classes numbered by `codes`."""
    shuffled = rng.permutation(codes.size)
    rank = rng.permutation(int(codes.max()) + 1)
    order = shuffled[np.argsort(rank[codes[shuffled]], kind="stable")]
    assignment = np.empty(codes.size, dtype=np.int64)
    assignment[order] = rng.permutation(n_folds)[np.arange(codes.size) % n_folds]
    return assignment


def cluster_folds(
    clusters: IntArray, codes: IntArray, n_folds: int, rng: np.random.Generator
) -> IntArray:
    """Return a fold for every row, with clusters whole and classes as even as that allows."""
    table = np.zeros((int(clusters.max()) + 1, int(codes.max()) + 2))
    np.add.at(table, (clusters, codes), 1.0)
    # The column of sizes also makes an empty fold cheaper than any other, so none stays empty.
    table[:, -1] = table[:, :-1].sum(axis=1)
    share = table / table.sum(axis=0)
    shuffled = rng.permutation(table.shape[0])
    order = shuffled[np.argsort(-table[shuffled, -1], kind="stable")]
    filled = np.zeros((n_folds, table.shape[1]))
    fold_of = np.empty(table.shape[0], dtype=np.int64)
    for cluster in order:
        fold = int(np.argmin(filled @ share[cluster]))
        fold_of[cluster] = fold
        filled[fold] += share[cluster]
    chosen: IntArray = rng.permutation(n_folds)[fold_of][clusters]
    return chosen
