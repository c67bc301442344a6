"""Repeats of units, and what functions in their stead would take and give: operands, results and attributes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from onnxtext_passes.units import Units


@dataclass(frozen=True, slots=True)
class Parameter:
    """Attributes that one parameter of a function gives: `slots` are (unit of the repeat, which value of the unit)."""

    kind: int
    slots: tuple[tuple[int, int], ...]
    values: np.ndarray  # at each place
    counts: Counter[int]  # of the values


class Tables:
    """The units of a model as arrays."""

    def __init__(self, units: Units) -> None:
        self.units = units
        self.starts = np.array([*units.starts, len(units.names)])  # the first value of each unit
        counts = np.array([0, *map(len, units.operands)])
        self.reads = np.cumsum(counts)  # where the operands of each unit begin
        self.operands = np.array([v for read in units.operands for v in read], dtype=np.int64)
        self.variants = np.array(units.variants)
        self.last_uses = np.array(units.last_uses, dtype=np.int64)
        # The values of the attributes of each variant, those of the nodes that feed the last one first.
        self.values = [tuple(v for t in tails for v in units.tails[t].values) for tails in units.unit_tails]
        self.references = np.array(
            [any(units.values[v].is_reference for v in values) for values in self.values] or [False], dtype=bool
        )


class Repeat:
    """Units that stand at several places, wired alike: `size` units from each of `places` on."""

    def __init__(self, tables: Tables, places: np.ndarray, size: int) -> None:
        self.tables, self.places, self.size = tables, places, size
        first = places[0]
        self.bases = tables.starts[places]  # the first value at each place
        self.made = int(tables.starts[first + size] - tables.starts[first])
        self.read = int(tables.reads[first + size] - tables.reads[first])
        self.first_read = tables.reads[places]

    @cached_property
    def outputs(self) -> list[int]:
        """The values needed outside at any of the places, counted from the first value of the repeat."""
        window = self.tables.last_uses[self.bases[:, None] + np.arange(self.made)]
        return np.flatnonzero((window >= (self.places + self.size)[:, None]).any(axis=0)).tolist()

    @cached_property
    def _operands(self) -> np.ndarray:
        return self.tables.operands[self.first_read[:, None] + np.arange(self.read)]

    @cached_property
    def inputs(self) -> list[list[int]]:
        """The operands that come from outside, those together that are the same at every place.

        The first is the one that most often is the result just before, which a chain hands on.
        """
        operands = self._operands
        outside = np.flatnonzero(operands[0] < self.bases[0])
        groups: dict[bytes, list[int]] = {}
        columns = np.ascontiguousarray(operands[:, outside].T)
        for slot, column in zip(outside.tolist(), columns, strict=True):
            groups.setdefault(column.tobytes(), []).append(slot)
        found = list(groups.values())
        if len(found) > 1:
            fed = [int((operands[:, slots[0]] == self.bases - 1).sum()) for slots in found]
            first = max(range(len(found)), key=fed.__getitem__)
            found.insert(0, found.pop(first))
        return found

    @cached_property
    def parameters(self) -> list[Parameter]:
        """The attributes that differ between the places, those together that differ alike."""
        tables, values = self.tables, self.tables.units.values
        variants = tables.variants[self.places[:, None] + np.arange(self.size)]
        varying = (variants != variants[0]).any(axis=0)
        if tables.references.any():
            varying |= tables.references[variants].any(axis=0)
        groups: dict[tuple[int, ...], list[tuple[int, int]]] = {}
        for unit in np.flatnonzero(varying).tolist():
            column = variants[:, unit].tolist()
            distinct = list(dict.fromkeys(column))
            for slot, first in enumerate(tables.values[distinct[0]]):
                given = {variant: tables.values[variant][slot] for variant in distinct}
                if values[first].is_reference or any(value != first for value in given.values()):
                    groups.setdefault(tuple([given[variant] for variant in column]), []).append((unit, slot))
        return [
            Parameter(values[column[0]].kind, tuple(slots), np.array(column), Counter(column))
            for column, slots in groups.items()
        ]

    @cached_property
    def again(self) -> np.ndarray:
        """Whether each place does what the one right before does, to its only result: what `repeat` says."""
        again = np.zeros(len(self.places), dtype=bool)
        if len(self.outputs) != 1 or not self.inputs:
            return again
        behind = np.flatnonzero(self.places[1:] == self.places[:-1] + self.size) + 1
        operands = self._operands
        same = operands[behind, self.inputs[0][0]] == self.bases[behind - 1] + self.outputs[0]
        for slots in self.inputs[1:]:
            same &= operands[behind, slots[0]] == operands[behind - 1, slots[0]]
        for parameter in self.parameters:
            same &= parameter.values[behind] == parameter.values[behind - 1]
        again[behind] = same
        return again

    @cached_property
    def chained(self) -> np.ndarray:
        """Whether at each place the first operand of the call is the result just before, which a chain hands on."""
        if not self.inputs or len(self.outputs) != 1:
            return np.zeros(len(self.places), dtype=bool)
        return self._operands[:, self.inputs[0][0]] == self.bases - 1
