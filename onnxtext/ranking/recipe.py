"""A training, written down: from which labels, with which model, examined on what.

A recipe is a TOML file.  Tables named `train` are labels to train on, those named `select` are examined after training
and say how well the recipe transfers; no network may be in both.  `hold_out` of a `train` table says how many of its
other networks are examined as well.  The command `onnxtext train` carries a recipe out.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from onnxtext.core.errors import UsageError, nearest
from onnxtext.core.files import read_bytes
from onnxtext.ranking.readings import read_architectures
from onnxtext.ranking.tables import read_table
from onnxtext.spaces.registry import find_space

if TYPE_CHECKING:
    from onnxtext_predictor.reading import Reading


@dataclass(frozen=True)
class Table:
    """Labels of a space: `count` rows of a file, all where it is 0, in the order of `random.Random(seed).shuffle`."""

    space: str
    file: str
    label: str
    count: int = 0
    seed: int = 0
    hold_out: int = 0
    key: tuple[str, ...] = ()
    where: dict[str, str] = field(default_factory=dict)
    skip_unlabelled: bool = False
    weight: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """What there is to train.  `training` are fields of TrainingConfig, `formula` of the teacher of `synthetic`
    networks, whose pairs count `synthetic_weight` times."""

    train: tuple[Table, ...]
    select: tuple[Table, ...] = ()
    members: int = 3
    header: tuple[str, ...] = ()
    clip: float = 3.0
    synthetic: int = 0
    synthetic_weight: float = 1.0
    formula: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)


def load_recipe(path: str) -> Recipe:
    """Return the recipe in a file.  Raises FileProblem, UsageError."""
    try:
        found = tomllib.loads(read_bytes(path).decode())
        _check(found, Recipe, path)
        tables = {}
        for kind in ("train", "select"):
            for entry in found.get(kind, []):
                _check(entry, Table, f"{path}: [[{kind}]]")
            tables[kind] = tuple(
                Table(**{**entry, "key": tuple(entry.get("key", ()))}) for entry in found.get(kind, [])
            )
        recipe = Recipe(**{**found, **tables, "header": tuple(found.get("header", ()))})
    except (ValueError, TypeError) as error:
        raise UsageError(f"{path}: not a recipe: {error}") from error
    if not recipe.train:
        raise UsageError(f"{path}: a recipe has at least one table to [[train]] on")
    return recipe


def _check(found: dict[str, Any], kind: type, where: str) -> None:
    known = kind.__dataclass_fields__
    for name in found:
        if name not in known:
            raise UsageError(f"{where}: nothing is named {name}{nearest(name, known)}; there are {', '.join(known)}")


@dataclass(frozen=True)
class Labelled:
    """Networks of one table, read."""

    name: str
    readings: list[Reading]
    labels: list[float]


def read_labelled(table: Table, folder: Path, workers: int = 0) -> tuple[Labelled, Labelled]:
    """Return the networks that a table names to train on or to examine, and those held out."""
    space = find_space(table.space)
    path = str(folder / table.file)
    rows = read_table(path, space, table.label, table.key, where=table.where, skip_unlabelled=table.skip_unlabelled)
    if len({row[0] for row in rows}) < len(rows):
        raise UsageError(f"{path}: it names an architecture of {table.space} twice")
    Random(table.seed).shuffle(rows)
    count = table.count or len(rows)
    if count > len(rows):
        raise UsageError(f"{table.file}: {count} rows are asked for, and {len(rows)} have a {table.label}")
    chosen = rows[: count + table.hold_out]
    readings = read_architectures(table.space, [row[0] for row in chosen], workers)
    labels = [row[1] for row in chosen]
    name = f"{table.space} {table.label}"
    return Labelled(name, readings[:count], labels[:count]), Labelled(name, readings[count:], labels[count:])


def refuse_leakage(trained: list[Labelled], examined: list[Labelled]) -> None:
    """Raise UsageError where a network that is examined is also trained on: the same reading, whatever its name."""
    seen = {reading.key: part.name for part in trained for reading in part.readings}
    for part in examined:
        both = [reading for reading in part.readings if reading.key in seen]
        if both:
            raise UsageError(
                f"{len(both)} networks of {part.name} are also in {seen[both[0].key]}, which is trained on: "
                "leave one of the two out"
            )
