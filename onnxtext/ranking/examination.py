"""How well a predictor ranks the networks of a table, beside the floors on the same networks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxtext.ranking.readings import read_architectures
from onnxtext.spaces.base import Space

if TYPE_CHECKING:
    from onnxtext_predictor.predictor import Predictor

_TOP = (1, 10, 100)  # networks that a user might try
FLOORS = ("parameters", "flops", "live_parameters", "live_flops", "depth")


def examine(
    predictor: Predictor, space: Space, specifications: Sequence[str], labels: Sequence[float], workers: int = 0
) -> dict[str, Any]:
    """Return rank correlations of scores and of the floors with labels, over all networks and over subsets.

    `spearman` and `kendall` (tau-b) are those of the ensemble, `members` Spearman's of each member alone, `regret` by
    how much the best label exceeds the best among the k networks of the highest scores.
    """
    started = time.perf_counter()
    readings = read_architectures(str(space), specifications, workers)
    read_s = time.perf_counter() - started
    by_member = predictor.member_scores(readings)
    scores = by_member.mean(0)
    total_s = time.perf_counter() - started
    truth = np.asarray(labels)
    floors = {name: np.array([reading.floors[name] for reading in readings]) for name in FLOORS}
    members = [_spearman(scores_of_one, truth) for scores_of_one in by_member]
    found: dict[str, Any] = {
        "space": str(space),
        "n": len(truth),
        "spearman": _spearman(scores, truth),
        "kendall": _kendall(scores, truth),
        "members": members,
        "members_mean": float(np.mean(members)),
        "members_deviation": float(np.std(members)),
        "floors": {name: _spearman(values, truth) for name, values in floors.items()},
        "regret": {str(k): _regret(scores, truth, k) for k in _TOP if k < len(truth)},
        "subsets": {},
        "seconds": total_s,
        "milliseconds_per_network": 1e3 * total_s / len(truth),
        "milliseconds_per_network_reading": 1e3 * read_s / len(truth),
    }
    named = [set(space.subsets(specification)) for specification in specifications]
    for subset in sorted(set().union(*named)):
        rows = np.array([subset in names for names in named])
        if rows.sum() > 2:
            found["subsets"][subset] = {
                "n": int(rows.sum()),
                "spearman": _spearman(scores[rows], truth[rows]),
                "kendall": _kendall(scores[rows], truth[rows]),
                "floors": {name: _spearman(values[rows], truth[rows]) for name, values in floors.items()},
            }
    return found


def show(found: dict[str, Any]) -> str:
    """Return what `examine` returns as lines to read."""
    lines = [f"{found['space']}, {found['n']:,} networks", ""]
    lines.append(f"{'':24}{'Spearman':>9}{'Kendall':>9}")
    lines.append(f"{'score':24}{_number(found['spearman'])}{_number(found['kendall'])}")
    mean, deviation, count = found["members_mean"], found["members_deviation"], len(found["members"])
    lines.append(f"{'its members alone':24}{_number(mean)}   ± {deviation:.3f} over {count}")
    lines += [f"{'floor: ' + name:24}{_number(value)}" for name, value in found["floors"].items()]
    for name, subset in found["subsets"].items():
        lines += ["", f"{name}, {subset['n']:,} networks"]
        lines.append(f"{'score':24}{_number(subset['spearman'])}{_number(subset['kendall'])}")
        lines += [f"{'floor: ' + floor:24}{_number(value)}" for floor, value in subset["floors"].items()]
    lines.append("")
    lines += [f"best label minus best of the top {k}: {value:.4g}" for k, value in found["regret"].items()]
    lines.append(f"{found['milliseconds_per_network']:.1f} ms for each network")
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:9.3f}" if value == value else f"{'constant':>9}"


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    from onnxtext_predictor.formula import spearman

    return spearman(a, b)


def _kendall(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.stats import kendalltau

    return float(np.asarray(kendalltau(a, b))[0])


def _regret(scores: np.ndarray, truth: np.ndarray, k: int) -> float:
    chosen = np.argsort(-scores, kind="stable")[:k]
    return float(truth.max() - truth[chosen].max())
