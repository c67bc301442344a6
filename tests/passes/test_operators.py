"""What is known of operators agrees with what onnx says of them."""

from __future__ import annotations

import onnx
from onnx.defs import OpSchema

from onnxtext_passes.operators import RANDOM

# What onnx calls non-deterministic, with Dropout: If, Loop, Scan and SequenceMap are as random as the graphs they hold,
# and AffineGrid, which draws nothing, is marked because of an If in its expansion.
_HOLDERS = {"If", "Loop", "Scan", "SequenceMap", "AffineGrid"}


def test_random_operators_are_those_of_onnx() -> None:
    marked = {
        schema.name
        for schema in onnx.defs.get_all_schemas()
        if schema.node_determinism == OpSchema.NodeDeterminism.NonDeterministic  # type: ignore[attr-defined]  # it is there
    }
    assert marked - _HOLDERS - {"Dropout"} == RANDOM
