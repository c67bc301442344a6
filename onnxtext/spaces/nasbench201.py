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
a residual block, and a linear classifier.  It is built node by node, with the weights of its training form: batch
normalization stays, and no framework is needed.

Source: Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search" (2020).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import helper

from onnxtext.core.errors import UsageError, nearest

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))  # from node, to node; in the order of the string
COUNT = len(OPERATIONS) ** len(EDGES)
OPSET, IR_VERSION = 17, 8

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
    """Return the network of a cell, with `cells` of them in a stage, for one square image of `image` pixels a side.

    Weights are zeros, or drawn from a generator with the number `seed`.  The operation `none` is no node, and a node of
    the cell into which nothing leads is a tensor of zeros; with `published_none` it is, as published, a product with
    zero.  What does not reach the output is in the network all the same.  Raises UsageError for sizes that cannot be.
    """
    if isinstance(architecture, str):
        architecture = parse_architecture(architecture)
    for what, size in (("cells", cells), ("channels", channels), ("classes", classes)):
        if size < 1:
            raise UsageError(f"a network has at least one of its {what}, not {size}")
    if image < 4 or image % 4:
        raise UsageError(f"the image is halved twice, so its side is a multiple of 4, not {image}")
    maker = _Maker(architecture, None if seed is None else np.random.default_rng(seed), published_none)
    return maker.network(cells, channels, classes, image)


@dataclass(slots=True)
class _Maker:
    """A network in the making."""

    architecture: Architecture
    random: np.random.Generator | None
    published_none: bool
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)

    def network(self, cells: int, channels: int, classes: int, image: int) -> onnx.ModelProto:
        x = self.conv("stem", "image", 3, 3, channels)  # (1, channels, image, image)
        for stage in range(3):
            width, side = channels << stage, image >> stage
            if stage:
                x = self.reduction(f"reduction{stage}", x, width // 2)  # (1, width, side, side)
            for number in range(cells):
                x = self.cell(f"stage{stage}.cell{number}", x, width, side)  # the same
        x = self.relu("head", self.batch_norm("head", x, 4 * channels))
        x = self.node("GlobalAveragePool", "head.pool", [x])  # (1, 4 channels, 1, 1)
        x = self.node("Flatten", "head.features", [x])  # (1, 4 channels)
        weight = self.weight("classifier.weight", [classes, 4 * channels], fan_in=4 * channels)
        operands = [x, weight, self.weight("classifier.bias", [classes])]
        self.node("Gemm", "scores", operands, transB=1)  # (1, classes)
        graph = helper.make_graph(
            self.nodes,
            "nasbench201",
            [helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [1, 3, image, image])],
            [helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, [1, classes])],
            self.weights,
        )
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="onnxtext")

    def cell(self, name: str, x: str, width: int, side: int) -> str:
        """Add a cell, and return its output."""
        values = [x]
        edges = dict(zip(EDGES, self.architecture.operations, strict=True))
        for target in (1, 2, 3):
            terms: list[str] = []
            for source in range(target):
                term = self.edge(f"{name}.edge{source}{target}", edges[source, target], values[source], width)
                if term is not None:
                    terms.append(term)
            if terms:
                total = terms[0]
                for k, term in enumerate(terms[1:], 1):
                    total = self.node("Add", f"{name}.node{target}.sum{k}", [total, term])
            else:
                shape = self.node("Constant", f"{name}.node{target}.shape", [], value_ints=[1, width, side, side])
                total = self.node("ConstantOfShape", f"{name}.node{target}", [shape])
            values.append(total)
        return values[3]

    def edge(self, name: str, operation: str, x: str, width: int) -> str | None:
        """Add what an edge does, and return its result; None where nothing comes through."""
        if operation == "skip_connect":
            return x
        if operation == "none":
            if not self.published_none:
                return None
            zero = self.node("Constant", f"{name}.zero", [], value_float=0.0)
            return self.node("Mul", name, [x, zero])
        if operation == "avg_pool_3x3":
            return self.node("AveragePool", name, [x], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        return self.conv(name, self.relu(name, x), _SIZES[operation], width, width)

    def reduction(self, name: str, x: str, width: int) -> str:
        """Add a residual block that halves the image and doubles the channels, and return its output."""
        a = self.conv(f"{name}.a", self.relu(f"{name}.a", x), 3, width, 2 * width, stride=2)
        b = self.conv(f"{name}.b", self.relu(f"{name}.b", a), 3, 2 * width, 2 * width)
        pooled = self.node("AveragePool", f"{name}.pool", [x], kernel_shape=[2, 2], strides=[2, 2])
        weight = self.weight(f"{name}.shortcut.weight", [2 * width, width, 1, 1], fan_in=width)
        shortcut = self.node("Conv", f"{name}.shortcut", [pooled, weight])
        return self.node("Add", f"{name}.sum", [shortcut, b])

    def conv(self, name: str, x: str, size: int, before: int, after: int, *, stride: int = 1) -> str:
        """Add a convolution without bias and its batch normalization."""
        weight = self.weight(f"{name}.conv.weight", [after, before, size, size], fan_in=before * size * size)
        attributes = {"pads": [1, 1, 1, 1]} if size == 3 else {}
        if stride > 1:
            attributes["strides"] = [stride, stride]
        return self.batch_norm(name, self.node("Conv", f"{name}.conv", [x, weight], **attributes), after)

    def batch_norm(self, name: str, x: str, width: int) -> str:
        operands = [x]
        for part, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            operands.append(self.weight(f"{name}.norm.{part}", [width], value=value))
        return self.node("BatchNormalization", f"{name}.norm", operands)

    def relu(self, name: str, x: str) -> str:
        return self.node("Relu", f"{name}.relu", [x])

    def node(self, operator: str, result: str, operands: list[str], **attributes: object) -> str:
        self.nodes.append(helper.make_node(operator, operands, [result], **attributes))  # type: ignore[arg-type]  # its stub wants one type for all
        return result

    def weight(self, name: str, shape: list[int], *, fan_in: int = 0, value: float = 0.0) -> str:
        """Add an initializer: zeros, or, where weights are drawn, `value` or a normal one scaled to `fan_in`."""
        if self.random is None:
            raw = bytes(4 * int(np.prod(shape)))
        elif fan_in:
            raw = (self.random.standard_normal(shape) * (2 / fan_in) ** 0.5).astype("<f4").tobytes()
        else:
            raw = np.full(shape, value, "<f4").tobytes()
        self.weights.append(onnx.TensorProto(data_type=onnx.TensorProto.FLOAT, dims=shape, name=name, raw_data=raw))
        return name
