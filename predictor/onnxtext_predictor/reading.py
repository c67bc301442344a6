"""What the predictor knows of a network: its sketch and its features.

Names, doc strings, metadata and the numbers in weights are not part of it, so none of them can change a score.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import onnx

from onnxtext_predictor import live_graph
from onnxtext_predictor.features import features
from onnxtext_predictor.sketch import sketch


@dataclass(frozen=True, slots=True)
class Reading:
    """The sketch of a network, its features by name, and which operators it has."""

    text: str
    features: dict[str, float]
    operators: frozenset[str]
    parameters: int
    macs: int
    live_parameters: int
    live_macs: int

    @property
    def is_live(self) -> bool:
        """Whether anything leads from an input to an output."""
        return bool(self.operators)

    @property
    def key(self) -> tuple[str, tuple[float, ...]]:
        """What two networks share exactly if the predictor cannot tell them apart."""
        return self.text, tuple(self.features.values())

    @property
    def floors(self) -> dict[str, float]:
        """Numbers that rank networks without any learning: what a score has to beat."""
        return {
            "parameters": self.parameters,
            "flops": 2 * self.macs,
            "live_parameters": self.live_parameters,
            "live_flops": 2 * self.live_macs,
            "depth": self.features["depth_most"],
        }


def read(model: onnx.ModelProto) -> Reading:
    """Return the reading of a model."""
    graph = live_graph.read(model)
    return Reading(
        sketch(graph),
        features(graph),
        frozenset(step.operator for step in graph.steps if step.operands),
        graph.parameters,
        graph.macs,
        graph.live_parameters,
        graph.live_macs,
    )


def distinct(readings: Iterable[Reading]) -> tuple[list[Reading], list[int]]:
    """Return the different readings, and for each of those given the number of its like."""
    found: dict[tuple, int] = {}
    kept: list[Reading] = []
    numbers: list[int] = []
    for reading in readings:
        if reading.key not in found:
            found[reading.key] = len(kept)
            kept.append(reading)
        numbers.append(found[reading.key])
    return kept, numbers
