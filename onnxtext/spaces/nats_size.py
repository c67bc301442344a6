"""The size space of NATS-Bench: one cell of NAS-Bench-201, and the channels of each of five blocks to choose.

>>> model = NatsSize().model("8:16:24:32:40")
>>> [node.op_type for node in model.graph.node][-1], len(list(NatsSize().specifications()))
('Gemm', 32768)

The blocks are a cell, a residual block that halves the image, a cell, another residual block, and a cell.  Where a cell
changes the channels, its skip is a 1x1 convolution with a normalization.

Source: Dong et al., "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size" (2021); the network is
DynamicShapeTinyNet of github.com/D-X-Y/AutoDL-Projects.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import onnx

from onnxtext.core.errors import UsageError
from onnxtext.spaces.base import Space, require_some
from onnxtext.spaces.builder import Builder, Value
from onnxtext.spaces.nasbench201 import EDGES, parse_architecture, reduction

CHANNELS = tuple(range(8, 65, 8))
BLOCKS = 5
CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"


@dataclass(frozen=True)
class NatsSize(Space):
    """Five blocks of 8, 16 and so on to 64 channels, written with colons between them."""

    name = "nats-size"
    title = "NATS-Bench, size space"
    source = "Dong et al., NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size (2021)"
    size = len(CHANNELS) ** BLOCKS
    example = "64:48:32:24:8"
    columns = ("arch_str",)

    classes: int = 10
    image: int = 32  # pixels a side

    def __post_init__(self) -> None:
        require_some(classes=self.classes)
        if self.image < 4 or self.image % 4:
            raise UsageError(f"the image is halved twice, so its side is a multiple of 4, not {self.image}")

    def specifications(self) -> Iterator[str]:
        return map(":".join, itertools.product(map(str, CHANNELS), repeat=BLOCKS))

    def model(self, specification: str) -> onnx.ModelProto:
        channels = [int(part) if part in map(str, CHANNELS) else 0 for part in specification.split(":")]
        if len(channels) != BLOCKS or any(c not in CHANNELS for c in channels):
            raise UsageError(
                f"{specification}: an architecture is five numbers of channels, 8, 16, … 64, as 8:16:24:32:40"
            )
        b = self.builder()
        x = b.input("image", (1, 3, self.image, self.image))
        x = b.conv_norm("stem", x, channels[0], 3)
        for number, width in enumerate(channels):
            block = reduction if number % 2 else _cell
            x = block(b, f"block{number}", x, width)
        x = b.relu("head.relu", b.norm("head.norm", x))
        return b.finish(b.linear("scores", b.average("head.features", x), self.classes))


def _cell(b: Builder, name: str, x: Value, channels: int) -> Value:
    """Add the cell, and return its output."""
    operations = dict(zip(EDGES, parse_architecture(CELL).operations, strict=True))
    nodes = [x]
    for target in (1, 2, 3):
        edges = [f"{name}.edge{source}{target}" for source in range(target)]
        terms = [
            _edge(b, edge, operations[source, target], nodes[source], channels) for source, edge in enumerate(edges)
        ]
        nodes.append(b.add(f"{name}.node{target}", terms))
    return nodes[3]


def _edge(b: Builder, name: str, operation: str, x: Value, channels: int) -> Value:
    if operation == "nor_conv_3x3":
        return b.conv_norm(name, b.relu(f"{name}.relu", x), channels, 3)
    return x if x.channels == channels else b.conv_norm(name, x, channels, 1)
