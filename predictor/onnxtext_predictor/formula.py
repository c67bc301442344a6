"""A linear formula of a few features, averaged over many small fits: the teacher for networks without labels.

Each fit sees a bootstrap of the networks and half of the features, and takes up to five of these, one after the other,
each time the one that helps most.  One such fit spends what is worth something on its own space alone; the mean of many
keeps what most of them agree on.

>>> random = np.random.default_rng(0)
>>> inputs = random.normal(size=(200, 3))
>>> formula = Formula.fit(inputs, inputs[:, 0] - inputs[:, 1], ("a", "b", "c"), share=1.0)
>>> [round(abs(float(weight)), 1) for weight in formula.weights]
[0.7, 0.7, 0.0]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_RIDGE = 1e-2


@dataclass(frozen=True)
class Formula:
    """Weights for standardized features: score = weights . (x - mean) / deviation."""

    names: tuple[str, ...]
    mean: Floats  # [features]
    deviation: Floats  # [features]
    weights: Floats  # [features]

    @classmethod
    def fit(
        cls,
        inputs: Floats,
        labels: Floats,
        names: Sequence[str],
        *,
        seed: int = 0,
        bags: int = 60,
        terms: int = 5,
        networks: int = 500,
        share: float = 0.5,
    ) -> Formula:
        """Return the mean of `bags` fits to the ranks of `labels` [networks]; `inputs` are [networks, features].

        Each fit draws `networks` of the networks and `share` of the features, and takes up to `terms` of them.
        """
        random = np.random.default_rng(seed)
        mean, deviation = inputs.mean(0), inputs.std(0) + 1e-9
        x = (inputs - mean) / deviation
        y = ranks(labels)
        y = (y - y.mean()) / (y.std() + 1e-9)
        weights = np.zeros(len(names))
        varying = np.flatnonzero(inputs.std(0) > 1e-6)
        for _ in range(bags):
            rows = random.integers(0, len(x), min(networks, len(x)))
            count = max(1, round(share * len(names)))
            columns = [c for c in random.permutation(len(names))[:count] if c in varying]
            chosen, found = _select(x[rows], y[rows], columns, terms)
            weights[chosen] += found / bags
        return cls(tuple(names), mean, deviation, weights)

    def score(self, inputs: Floats) -> Floats:
        """Return the scores [networks] of networks [networks, features]."""
        return ((inputs - self.mean) / self.deviation) @ self.weights


def _select(x: Floats, y: Floats, columns: Sequence[int], terms: int) -> tuple[list[int], Floats]:
    """Return up to `terms` columns, taken one at a time by how much they help, and their weights."""
    x, y = x - x.mean(0), y - y.mean()
    gram, target = x.T @ x, x.T @ y
    chosen: list[int] = []
    weights = np.zeros(0)
    for _ in range(min(terms, len(columns))):
        best: tuple[float, int, Floats] | None = None
        for column in columns:
            if column in chosen:
                continue
            places = [*chosen, column]
            ridge = gram[np.ix_(places, places)] + _RIDGE * len(x) * np.eye(len(places))
            found = np.asarray(np.linalg.solve(ridge, target[places]), np.float64)
            error = float(-2 * found @ target[places] + found @ gram[np.ix_(places, places)] @ found)
            if best is None or error < best[0]:
                best = error, column, found
        if best is None:
            break
        chosen.append(best[1])
        weights = best[2]
    return chosen, weights


def ranks(values: Floats) -> Floats:
    """Return the rank of each value; equal ones share the mean of theirs.

    >>> ranks(np.array([3.0, 1.0, 3.0])).tolist()
    [2.5, 1.0, 2.5]
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place]


def spearman(a: Floats, b: Floats) -> float:
    """Return Spearman's rank correlation; nan where one of the two is constant."""
    a, b = ranks(np.asarray(a)), ranks(np.asarray(b))
    if a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])
