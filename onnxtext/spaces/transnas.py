"""TransNAS-Bench-101: cells of NAS-Bench-201's kind in a fixed network (micro), and residual networks of all kinds of
shapes (macro).

>>> TransNasMicro().model("64-41414-3_33_333").graph.input[0].type.tensor_type.shape.dim[2].dim_value
256
>>> len(list(TransNasMacro().specifications())), len(list(TransNasMicro().specifications()))
(3256, 4096)

A specification is written CHANNELS-LAYERS-CELL.  Each digit of LAYERS is a pair of cells: 2 and 4 double the channels,
3 and 4 halve the image.  CELL is `basic`, a residual block, or names the operation on every edge into the nodes 1, 2
and 3: 0 none, 1 identity, 2 and 3 a convolution of 1x1 and 3x3.  The network is the one for scene classification, one
of the seven tasks: the others differ in what follows the last cell.

Source: Duan et al., "TransNAS-Bench-101: Improving Transferability and Generalizability of Cross-Task Neural
Architecture Search" (2021); the networks are those of github.com/yawen-d/TransNASBench, lib/models.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import onnx

from onnxtext.core.errors import UsageError
from onnxtext.spaces.base import Space, require_some
from onnxtext.spaces.builder import Builder, Value

CHANNELS = 64  # in which the stem ends
_MACRO = re.compile(r"64-([1-4]{4,6})-basic").fullmatch
_MICRO = re.compile(r"64-41414-([0-3])_([0-3]{2})_([0-3]{3})").fullmatch


@dataclass(frozen=True)
class TransNas(Space):
    """What the networks of TransNAS-Bench-101 share: the stem, pairs of cells, and the linear classifier."""

    classes: int = 47  # of scenes
    image: int = 256  # pixels a side

    def __post_init__(self) -> None:
        require_some(classes=self.classes)
        if self.image < 64 or self.image % 64:
            raise UsageError(f"the image is halved up to six times, so its side is a multiple of 64, not {self.image}")

    def network(self, layers: str, cell: str) -> onnx.ModelProto:
        b = self.builder()
        x = b.input("image", (1, 3, self.image, self.image))
        x = b.conv_norm("stem.a", x, CHANNELS // 2, 3, stride=2)
        x = _conv(b, "stem.b", x, CHANNELS, 3, 2)
        for number, kind in enumerate(layers):
            channels = 2 * x.channels if kind in "24" else x.channels
            stride = 2 if kind in "34" else 1
            x = self.cell(b, f"layer{number}.cell0", cell, x, channels, stride)
            x = self.cell(b, f"layer{number}.cell1", cell, x, channels, 1)
        return b.finish(b.linear("scores", b.average("features", x), self.classes))

    def cell(self, b: Builder, name: str, cell: str, x: Value, channels: int, stride: int) -> Value:
        """Add a cell, and return its output."""
        raise NotImplementedError


@dataclass(frozen=True)
class TransNasMacro(TransNas):
    """Four to six pairs of residual blocks, which halve the image one to four times and double the channels one to
    three times.
    """

    name = "transnas-macro"
    title = "TransNAS-Bench-101, macro"
    source = "Duan et al., TransNAS-Bench-101 (2021)"
    size = 3_256
    example = "64-4231-basic"
    columns = ("arch_str",)

    def specifications(self) -> Iterator[str]:
        for length in (4, 5, 6):
            for layers in map("".join, itertools.product("1234", repeat=length)):
                if _is_in_macro(layers):
                    yield f"{CHANNELS}-{layers}-basic"

    def model(self, specification: str) -> onnx.ModelProto:
        match = _MACRO(specification)
        if match is None:
            raise UsageError(f"{specification}: an architecture is written 64-LAYERS-basic, with 4 to 6 digits 1 to 4")
        if not _is_in_macro(match[1]):
            raise UsageError(
                f"{specification}: one to four layers are 3 or 4 (halve the image), and one to three are 2 or 4 "
                "(double the channels)"
            )
        return self.network(match[1], "basic")

    def cell(self, b: Builder, name: str, cell: str, x: Value, channels: int, stride: int) -> Value:
        y = _conv(b, f"{name}.a", x, channels, 3, stride)
        y = _conv(b, f"{name}.b", y, channels, 3)
        is_alike = stride == 1 and channels == x.channels
        shortcut = x if is_alike else b.conv_norm(f"{name}.shortcut", x, channels, 1, stride=stride)
        return b.add(f"{name}.sum", [shortcut, y])


@dataclass(frozen=True)
class TransNasMicro(TransNas):
    """Cells of four nodes with an operation on each of six edges, in a network of five pairs of cells.

    The operation none is no node, and a node into which nothing leads is a tensor of zeros; with `none=published` each
    edge of it is a product with zero, or, where the shape changes, a tensor of zeros.  What does not reach the output
    is in the network all the same.
    """

    name = "transnas-micro"
    title = "TransNAS-Bench-101, micro"
    source = "Duan et al., TransNAS-Bench-101 (2021)"
    size = 4**6
    example = "64-41414-3_13_302"
    columns = ("arch_str",)

    none: Literal["zeros", "published"] = "zeros"

    def specifications(self) -> Iterator[str]:
        for a, b, c, d, e, f in itertools.product("0123", repeat=6):
            yield f"{CHANNELS}-41414-{a}_{b}{c}_{d}{e}{f}"

    def model(self, specification: str) -> onnx.ModelProto:
        match = _MICRO(specification)
        if match is None:
            raise UsageError(f"{specification}: an architecture is written 64-41414-A_BC_DEF, with digits 0 to 3")
        return self.network("41414", "".join(match.groups()))

    def cell(self, b: Builder, name: str, cell: str, x: Value, channels: int, stride: int) -> Value:
        operations = iter(cell)
        nodes = [x]
        shape = (1, channels, *(side // stride for side in x.shape[2:]))
        for target in (1, 2, 3):
            terms = []
            for source in range(target):
                edge = f"{name}.edge{source}{target}"
                term = self._edge(b, edge, next(operations), nodes[source], channels, 1 if source else stride)
                terms += [] if term is None else [term]
            node = f"{name}.node{target}"
            nodes.append(b.add(node, terms) if terms else b.zeros(node, shape))
        return nodes[3]

    def _edge(self, b: Builder, name: str, operation: str, x: Value, channels: int, stride: int) -> Value | None:
        """Add what an edge does, and return its result; None where nothing comes through."""
        is_alike = stride == 1 and channels == x.channels
        if operation == "0":
            if self.none == "zeros":
                return None
            shape = (1, channels, *(side // stride for side in x.shape[2:]))
            return b.times_zero(name, x) if is_alike else b.zeros(name, shape)
        if operation == "1":
            return x if is_alike else _factorized_reduction(b, name, x, channels, stride)
        return _conv(b, name, x, channels, 1 if operation == "2" else 3, stride)


def _is_in_macro(layers: str) -> bool:
    halved, doubled = (sum(kind in kinds for kind in layers) for kinds in ("34", "24"))
    return 1 <= halved <= 4 and 1 <= doubled <= 3


def _conv(b: Builder, name: str, x: Value, channels: int, size: int, stride: int = 1) -> Value:
    return b.conv_norm(name, b.relu(f"{name}.relu", x), channels, size, stride=stride)


def _factorized_reduction(b: Builder, name: str, x: Value, channels: int, stride: int) -> Value:
    """Add two 1x1 convolutions of half the channels, the second one of the image moved by a pixel."""
    x = b.relu(f"{name}.relu", x)
    side = x.shape[2] + 1
    moved = b.part(f"{name}.moved", b.pad(f"{name}.pad", x, 0, 1), (2, 3), (1, 1), (side, side))
    halves = [
        b.conv(f"{name}.a", x, channels // 2, 1, stride=stride),
        b.conv(f"{name}.b", moved, channels - channels // 2, 1, stride=stride),
    ]
    return b.norm(f"{name}.norm", b.concat(f"{name}.concat", halves))
