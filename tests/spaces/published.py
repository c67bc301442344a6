"""What benchmarks publish of their networks: how many parameters are trained.

>>> from onnxtext.spaces.registry import find_space
>>> trainable(find_space("nasbench-macro").model("00000000"))
387882
"""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Iterator
from pathlib import Path

import onnx

from onnxtext_passes.holes import is_hole


def trainable(model: onnx.ModelProto) -> int:
    """Count the elements of all weights but the running statistics of batch normalizations."""
    statistics = {n for node in model.graph.node if node.op_type == "BatchNormalization" for n in node.input[3:]}
    total = sum(math.prod(t.dims) for t in model.graph.initializer if t.name not in statistics)
    for node in filter(is_hole, model.graph.node):
        if node.output[0] not in statistics:
            total += sum(math.prod(a.ints) for a in node.attribute if a.name == "shape")
    return total


def rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a compressed table."""
    with gzip.open(path, "rt") as file:
        yield from csv.DictReader(file)
