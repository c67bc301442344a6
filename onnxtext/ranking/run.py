"""Carrying a recipe out: read, teach, train the members, examine, keep."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from onnxtext.ranking.readings import read_architectures
from onnxtext.ranking.recipe import Labelled, Recipe, read_labelled, refuse_leakage

_QUANTILES = 1001  # of the scores of the reference networks, which are kept
Report = Callable[[str], None]


def carry_out(recipe: Recipe, data: Path, output: Path, report: Report, *, workers: int = 0) -> dict[str, Any]:
    """Train what a recipe says, write the checkpoint to `output`, and return the log of the run.

    Each member is kept as soon as it is trained, and a run that was interrupted goes on behind the last one.
    Raises UsageError, FileProblem.
    """
    from onnxtext_predictor import checkpoint
    from onnxtext_predictor.predictor import Predictor

    log: dict[str, Any] = {"recipe": asdict(recipe), "members": []}
    started = time.perf_counter()
    trained, held = [], []
    for table in recipe.train:
        part, rest = read_labelled(table, data, workers)
        trained.append(part)
        held.append(rest)
        report(f"{part.name}: {len(part.labels)} networks to train on, {len(rest.labels)} held out")
    examined = [read_labelled(table, data, workers)[0] for table in recipe.select]
    refuse_leakage(trained, examined)
    synthetic = read_architectures("synthetic", [str(k) for k in range(recipe.synthetic)], workers)
    report(f"{len(synthetic)} synthetic networks; all read in {time.perf_counter() - started:.0f} s")
    training = Training(recipe, trained, synthetic)
    members, centres, spreads = [], [], []
    for seed in range(recipe.members):
        began = time.perf_counter()
        member, centre, spread = training.member(seed, output)
        members.append(member)
        centres.append(centre)
        spreads.append(spread)
        alone = Predictor(training.description([centre], [spread]), [member])
        scores = examination([*held, *examined], alone)
        log["members"].append({"seed": seed, "seconds": round(time.perf_counter() - began), "spearman": scores})
        report(f"member {seed}: " + ", ".join(f"{name} {value:.3f}" for name, value in scores.items()))
    description = training.description(centres, spreads)
    ensemble = Predictor(description, members)
    reference = np.sort(ensemble.member_scores(training.reference).mean(0))
    quantiles = np.quantile(reference, np.linspace(0, 1, _QUANTILES)).round(4).tolist()
    log["ensemble"] = examination([*held, *examined], ensemble)
    log["floors"] = {
        name: {
            part.name: _spearman([r.floors[name] for r in part.readings], part.labels) for part in [*held, *examined]
        }
        for name in ("parameters", "flops", "live_parameters", "live_flops", "depth")
    }
    log["seconds"] = round(time.perf_counter() - started)
    report("ensemble: " + ", ".join(f"{name} {value:.3f}" for name, value in log["ensemble"].items()))
    kept = checkpoint.Description(**{**asdict(description), "reference": quantiles, "training": log})
    checkpoint.save(output, kept, members)
    return log


def examination(parts: list[Labelled], predictor: Any) -> dict[str, float]:
    """Return Spearman's correlation of scores and labels on each part that has networks."""
    found = {}
    for part in parts:
        if part.readings:
            scores = predictor.member_scores(part.readings).mean(0)
            found[part.name] = round(_spearman(scores, part.labels), 4)
    return found


def _spearman(a: Any, b: Any) -> float:
    from onnxtext_predictor.formula import spearman

    return round(spearman(np.asarray(a, float), np.asarray(b, float)), 4)


class Training:
    """The sources of a recipe, as numbers, and what all members share."""

    def __init__(self, recipe: Recipe, trained: list[Labelled], synthetic: list) -> None:
        from onnxtext_predictor.formula import Formula
        from onnxtext_predictor.training import Source
        from onnxtext_predictor.vocabulary import SPECIAL, words

        self._recipe = recipe
        everything = [reading for part in trained for reading in part.readings] + synthetic
        self.reference = everything
        seen = {word for reading in everything for word in words(reading.text)}
        self._words = [*SPECIAL, *sorted(seen)]
        scaled_by = synthetic or everything
        raw = np.array([[reading.features[name] for name in recipe.header] for reading in scaled_by])
        raw = raw.reshape(len(scaled_by), len(recipe.header))
        self._mean, self._deviation = raw.mean(0), raw.std(0) + 1e-9
        self._operators = sorted(set().union(*(reading.operators for reading in everything)))
        names = list(everything[0].features)
        self._least = {name: min(reading.features[name] for reading in everything) for name in names}
        self._most = {name: max(reading.features[name] for reading in everything) for name in names}
        bare = self.description([], [])
        self._sources = []
        for part, table in zip(trained, recipe.train, strict=True):
            rows = [bare.row(reading.text) for reading in part.readings]
            features = bare.features(part.readings)
            self._sources.append(Source(part.name, rows, features, np.array(part.labels), table.weight))
        if synthetic:
            formula_names = recipe.formula["features"]
            options = {key: value for key, value in recipe.formula.items() if key != "features"}
            first = trained[0]
            matrix = np.array([[reading.features[name] for name in formula_names] for reading in first.readings])
            formula = Formula.fit(matrix, np.array(first.labels), formula_names, **options)
            matrix = np.array([[reading.features[name] for name in formula_names] for reading in synthetic])
            rows = [bare.row(reading.text) for reading in synthetic]
            self._sources.append(
                Source("synthetic", rows, bare.features(synthetic), formula.score(matrix), recipe.synthetic_weight)
            )

    def description(self, centres: list[float], spreads: list[float]) -> Any:
        from onnxtext_predictor.checkpoint import Description

        return Description(
            words=self._words,
            header=list(self._recipe.header),
            mean=self._mean.tolist(),
            deviation=self._deviation.tolist(),
            clip=self._recipe.clip,
            centre=centres,
            spread=spreads,
            reference=[],
            operators=self._operators,
            least=self._least,
            most=self._most,
        )

    def member(self, seed: int, output: Path) -> tuple[Any, float, float]:
        """Return a member of the ensemble as an ONNX model, and the mean and deviation of its scores."""
        import onnx

        from onnxtext.core.files import replacing, write_pieces
        from onnxtext_predictor.export import export
        from onnxtext_predictor.predictor import Predictor
        from onnxtext_predictor.training import TrainingConfig, train

        kept = output / "members" / f"{seed}.onnx"
        if kept.is_file():
            model = onnx.load(kept)
        else:
            config = TrainingConfig(seed=seed, **self._recipe.training)
            folder = str(output / "members" / f"run{seed}")
            model = export(train(self._sources, config, len(self._words), folder))
            kept.parent.mkdir(parents=True, exist_ok=True)
            with replacing(kept) as (path,):
                write_pieces(path, [model.SerializeToString(deterministic=True)])
        raw = Predictor(self.description([0.0], [1.0]), [model]).member_scores(self.reference)[0]
        return model, float(raw.mean()), float(raw.std())
