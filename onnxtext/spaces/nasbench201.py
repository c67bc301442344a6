"""NAS-Bench-201: an architecture string and the network that it stands for.

A cell has four nodes: its input and three sums.  `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|` names the operation on each edge
into the nodes 1, 2 and 3, and the node that the edge comes from.

>>> architecture = parse_architecture("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|")
>>> architecture.operations
('nor_conv_3x3', 'none', 'skip_connect', 'none', 'none', 'avg_pool_3x3')
>>> parameters(architecture)
316346
>>> [node.op_type for node in build(architecture, cells=1).graph.node][:7]
['Conv', 'BatchNormalization', 'Relu', 'Conv', 'BatchNormalization', 'AveragePool', 'Relu']

The network is a 3x3 convolution, three stages of equal cells, the channels doubled and the image halved between them by
a residual block, and a linear classifier.

Source: Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search" (2020).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import onnx

from onnxtext.core.errors import UsageError, nearest
from onnxtext.spaces.base import Space, require_some
from onnxtext.spaces.builder import Builder, Value

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))  # from node, to node; in the order of the string
COUNT = len(OPERATIONS) ** len(EDGES)

_EDGE = re.compile(r"([^~|+]*)~([0-9]+)").fullmatch
_SIZES = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}


@dataclass(frozen=True, slots=True)
class Architecture:
    """A cell: the operation on each edge of EDGES."""

    operations: tuple[str, ...]

    def __str__(self) -> str:
        return print_architecture(self)


def parse_architecture(text: str) -> Architecture:
    """Return the cell that an architecture string describes.  Raises UsageError, which says where it is none."""
    groups = text.split("+")
    operations: list[str] = []
    for target, group in enumerate(groups, 1):
        edges = group.split("|")
        if len(groups) != 3 or len(edges) != target + 2 or edges[0] or edges[-1]:
            raise UsageError(f"{text}: an architecture is written |op~0|+|op~0|op~1|+|op~0|op~1|op~2|")
        for source, edge in enumerate(edges[1:-1]):
            match = _EDGE(edge)
            if match is None or int(match[2]) != source:
                raise UsageError(f"{text}: edge {source} of node {target} is written op~{source}, not {edge}")
            if match[1] not in OPERATIONS:
                known = ", ".join(OPERATIONS)
                raise UsageError(
                    f"{text}: no operation is named {match[1]}{nearest(match[1], OPERATIONS)}; use {known}"
                )
            operations.append(match[1])
    return Architecture(tuple(operations))


def print_architecture(architecture: Architecture) -> str:
    """Return the architecture string of a cell."""
    edges = dict(zip(EDGES, architecture.operations, strict=True))
    return "+".join(
        f"|{'|'.join(f'{edges[source, target]}~{source}' for source in range(target))}|" for target in (1, 2, 3)
    )


def enumerate_architectures() -> Iterator[Architecture]:
    """Yield all 15,625 cells, the operation on the last edge changing fastest, in the order of OPERATIONS."""
    return map(Architecture, itertools.product(OPERATIONS, repeat=len(EDGES)))


def parameters(
    architecture: Architecture | str, *, cells: int = 5, channels: int = 16, classes: int = 10, colours: int = 3
) -> int:
    """Return how many trainable parameters the network has, unused ones included.

    At the published size these are 73,306, and 243,040 for each 3x3 and 28,000 for each 1x1 convolution of the cell.
    """
    if isinstance(architecture, str):
        architecture = parse_architecture(architecture)
    widths = [channels, 2 * channels, 4 * channels]

    def conv(size: int, before: int, after: int) -> int:  # with its batch normalization
        return size * size * before * after + 2 * after

    total = conv(3, colours, channels) + 2 * widths[2] + widths[2] * classes + classes
    for before, after in itertools.pairwise(widths):
        total += conv(3, before, after) + conv(3, after, after) + before * after
    for operation in architecture.operations:
        if operation in _SIZES:
            total += cells * sum(conv(_SIZES[operation], width, width) for width in widths)
    return total


def build(
    architecture: Architecture | str,
    *,
    cells: int = 5,
    channels: int = 16,
    classes: int = 10,
    image: int = 32,
    seed: int | None = None,
    published_none: bool = False,
) -> onnx.ModelProto:
    """Return the network of a cell with weights in it: zeros, or drawn from a generator with the number `seed`."""
    space = NasBench201(
        weights="zeros" if seed is None else "random",
        seed=seed or 0,
        cells=cells,
        channels=channels,
        classes=classes,
        image=image,
        none="published" if published_none else "zeros",
    )
    return space.model(str(architecture))


@dataclass(frozen=True)
class NasBench201(Space):
    """Cells of four nodes with an operation on each of six edges.

    The operation `none` is no node, and a node of the cell into which nothing leads is a tensor of zeros; with
    `none=published` it is, as published, a product with zero.  What does not reach the output is in the network all
    the same.
    """

    name = "nasbench201"
    title = "NAS-Bench-201"
    source = "Dong and Yang, NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search (2020)"
    size = COUNT
    example = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"
    columns = ("arch_str",)

    cells: int = 5  # in a stage
    channels: int = 16  # of the first stage
    classes: int = 10
    image: int = 32  # pixels a side
    none: Literal["zeros", "published"] = "zeros"

    def __post_init__(self) -> None:
        require_some(cells=self.cells, channels=self.channels, classes=self.classes)
        if self.image < 4 or self.image % 4:
            raise UsageError(f"the image is halved twice, so its side is a multiple of 4, not {self.image}")

    def specifications(self) -> Iterator[str]:
        return map(str, enumerate_architectures())

    def subsets(self, specification: str) -> tuple[str, ...]:
        return () if "none~" in specification else ("without none",)

    def model(self, specification: str) -> onnx.ModelProto:
        operations = dict(zip(EDGES, parse_architecture(specification).operations, strict=True))
        b = self.builder()
        x = b.input("image", (1, 3, self.image, self.image))
        x = b.conv_norm("stem", x, self.channels, 3)
        for stage in range(3):
            if stage:
                x = reduction(b, f"reduction{stage}", x, 2 * x.channels)
            for number in range(self.cells):
                x = self._cell(b, f"stage{stage}.cell{number}", x, operations)
        x = b.relu("head.relu", b.norm("head.norm", x))
        x = b.average("head.features", x)
        return b.finish(b.linear("scores", x, self.classes))

    def _cell(self, b: Builder, name: str, x: Value, operations: Mapping[tuple[int, int], str]) -> Value:
        """Add a cell, and return its output."""
        nodes = [x]
        for target in (1, 2, 3):
            terms = [
                self._edge(b, f"{name}.edge{source}{target}", operations[source, target], nodes[source])
                for source in range(target)
            ]
            found = [term for term in terms if term is not None]
            node = f"{name}.node{target}"
            nodes.append(b.add(node, found) if found else b.zeros(node, x.shape))
        return nodes[3]

    def _edge(self, b: Builder, name: str, operation: str, x: Value) -> Value | None:
        """Add what an edge does, and return its result; None where nothing comes through."""
        if operation == "skip_connect":
            return x
        if operation == "none":
            return b.times_zero(name, x) if self.none == "published" else None
        if operation == "avg_pool_3x3":
            return b.avg_pool(name, x, 3)
        return b.conv_norm(name, b.relu(f"{name}.relu", x), x.channels, _SIZES[operation])


def reduction(b: Builder, name: str, x: Value, channels: int) -> Value:
    """Add a residual block that halves the image, and return its output."""
    y = b.conv_norm(f"{name}.a", b.relu(f"{name}.a.relu", x), channels, 3, stride=2)
    y = b.conv_norm(f"{name}.b", b.relu(f"{name}.b.relu", y), channels, 3)
    shortcut = b.conv(f"{name}.shortcut", b.avg_pool(f"{name}.pool", x, 2, stride=2, padding=0), channels, 1)
    return b.add(f"{name}.sum", [shortcut, y])
