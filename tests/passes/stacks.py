"""Networks of many equal layers, as exporters write them: what dedup is measured on.

>>> model = bert_like(layers=2)
>>> onnx.checker.check_model(model, full_check=True)
>>> len(model.graph.node), len(bert_like(layers=12).graph.node)
(76, 416)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 20


class Builder:
    """A graph that grows node by node; `weight` makes initializers with small random numbers."""

    def __init__(self, *inputs: onnx.ValueInfoProto) -> None:
        self.inputs = list(inputs)
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.random = np.random.default_rng(0)

    def add(self, operator: str, *operands: str, **attributes: Any) -> str:
        """Append a node and return the name of its result."""
        self.nodes.append(helper.make_node(operator, operands, [f"v{len(self.nodes)}"], **attributes))
        return self.nodes[-1].output[0]

    def weight(self, *shape: int) -> str:
        return self.constant((self.random.standard_normal(shape) / 8).astype(np.float32))

    def constant(self, value: np.ndarray | Sequence[int]) -> str:
        name = f"w{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def linear(self, x: str, rows: int, columns: int) -> str:
        return self.add("Add", self.add("MatMul", x, self.weight(rows, columns)), self.weight(columns))

    def model(self, *outputs: onnx.ValueInfoProto) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, "stack", self.inputs, list(outputs), self.initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)


def _float(name: str, *shape: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def bert_like(layers: int = 12, width: int = 16, heads: int = 2, length: int = 4) -> onnx.ModelProto:
    """Return an encoder with layer normalization behind each residual sum; 34 nodes a layer."""
    b = Builder(helper.make_tensor_value_info("ids", TensorProto.INT64, [1, length]), _float("mask", 1, 1, 1, length))
    split, joined = b.constant(np.array([1, length, heads, width // heads])), b.constant(np.array([1, length, width]))
    root, two, half, one = (b.constant(np.array(v, np.float32)) for v in (np.sqrt(width // heads), np.sqrt(2), 0.5, 1))

    def normalized(x: str) -> str:
        return b.add("LayerNormalization", x, b.weight(width), b.weight(width), axis=-1, epsilon=1e-5)

    bias = b.add("Mul", b.add("Sub", one, "mask"), b.constant(np.array(-1e4, np.float32)))
    x = b.add("Add", b.add("Gather", b.weight(11, width), "ids"), b.weight(1, length, width))
    x = normalized(x)
    for _ in range(layers):
        q, k, v = (
            b.add("Transpose", b.add("Reshape", b.linear(x, width, width), split), perm=perm)
            for perm in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
        )
        scores = b.add("Add", b.add("Div", b.add("MatMul", q, k), root), bias)
        mixed = b.add("MatMul", b.add("Softmax", scores, axis=-1), v)
        mixed = b.add("Reshape", b.add("Transpose", mixed, perm=[0, 2, 1, 3]), joined)
        x = normalized(b.add("Add", b.linear(mixed, width, width), x))
        h = b.linear(x, width, 4 * width)
        h = b.add("Mul", b.add("Mul", h, b.add("Add", b.add("Erf", b.add("Div", h, two)), one)), half)
        x = normalized(b.add("Add", b.linear(h, 4 * width, width), x))
    return b.model(_float(b.add("Tanh", b.linear(x, width, width)), 1, length, width))


def llama_like(layers: int = 80, width: int = 16, heads: int = 2, length: int = 4) -> onnx.ModelProto:
    """Return a decoder with root-mean-square normalization before each branch and rotated heads; 54 nodes a layer."""
    size = width // heads
    b = Builder(helper.make_tensor_value_info("ids", TensorProto.INT64, [1, length]))
    split, joined = b.constant(np.array([1, length, heads, size])), b.constant(np.array([1, length, width]))
    zero, half, end, last = (b.constant(np.array([i])) for i in (0, size // 2, size, 3))
    two, tiny, root = (b.constant(np.array(v, np.float32)) for v in (2, 1e-6, np.sqrt(size)))
    axes = b.constant(np.array([-1]))
    cosine, sine = b.weight(1, 1, length, size), b.weight(1, 1, length, size)
    mask = b.constant(np.triu(np.full((1, 1, length, length), -1e4, np.float32), 1))

    def normalized(x: str) -> str:
        mean = b.add("ReduceMean", b.add("Pow", x, two), axes, keepdims=1)
        scale = b.add("Reciprocal", b.add("Sqrt", b.add("Add", mean, tiny)))
        return b.add("Mul", b.add("Mul", x, scale), b.weight(width))

    def head(x: str, *, rotated: bool) -> str:
        x = b.add("Transpose", b.add("Reshape", b.add("MatMul", x, b.weight(width, width)), split), perm=[0, 2, 1, 3])
        if not rotated:
            return x
        left, right = b.add("Slice", x, zero, half, last), b.add("Slice", x, half, end, last)
        turned = b.add("Concat", b.add("Neg", right), left, axis=-1)
        return b.add("Add", b.add("Mul", x, cosine), b.add("Mul", turned, sine))

    x = b.add("Gather", b.weight(11, width), "ids")
    for _ in range(layers):
        h = normalized(x)
        q, k, v = head(h, rotated=True), head(h, rotated=True), head(h, rotated=False)
        scores = b.add("Div", b.add("MatMul", q, b.add("Transpose", k, perm=[0, 1, 3, 2])), root)
        mixed = b.add("MatMul", b.add("Softmax", b.add("Add", scores, mask), axis=-1), v)
        mixed = b.add("Reshape", b.add("Transpose", mixed, perm=[0, 2, 1, 3]), joined)
        x = b.add("Add", x, b.add("MatMul", mixed, b.weight(width, width)))
        h = normalized(x)
        gate, up = b.add("MatMul", h, b.weight(width, 2 * width)), b.add("MatMul", h, b.weight(width, 2 * width))
        gate = b.add("Mul", gate, b.add("Sigmoid", gate))
        x = b.add("Add", x, b.add("MatMul", b.add("Mul", gate, up), b.weight(2 * width, width)))
    return b.model(_float(b.add("MatMul", normalized(x), b.weight(width, 11)), 1, length, 11))


def darts_like(cells: int = 20, channels: int = 4, size: int = 8) -> onnx.ModelProto:
    """Return a network of the second cell of DARTS, with two reductions and batch normalization as a node of its own.

    Source: Liu, Simonyan and Yang, "DARTS: Differentiable Architecture Search" (2019), DARTS_V2.
    """
    b = Builder(_float("image", 1, 3, size, size))

    def convolution(x: str, into: int, out: int, kernel: int, **attributes: Any) -> str:
        weight = b.weight(out, into // attributes.get("group", 1), kernel, kernel)
        return b.add("Conv", x, weight, kernel_shape=[kernel, kernel], **attributes)

    def normalized(x: str, c: int) -> str:
        variance = b.constant(np.abs(b.random.standard_normal(c)).astype(np.float32))
        return b.add("BatchNormalization", x, b.weight(c), b.weight(c), b.weight(c), variance, epsilon=1e-5)

    def one_by_one(x: str, into: int, out: int) -> str:
        return normalized(convolution(b.add("Relu", x), into, out, 1), out)

    def halved(x: str, into: int, out: int) -> str:
        x = b.add("Relu", x)
        shifted = b.add("Slice", x, one_one, end, spatial)
        shifted = b.add("Pad", shifted, corner)
        parts = [convolution(y, into, out // 2, 1, strides=[2, 2]) for y in (x, shifted)]
        return normalized(b.add("Concat", *parts, axis=1), out)

    def separable(x: str, c: int, stride: int, dilation: int = 1) -> str:
        pads = [dilation] * 4
        for s in (stride, 1)[: 3 - dilation]:
            x = b.add("Relu", x)
            x = convolution(x, c, c, 3, pads=pads, strides=[s, s], dilations=[dilation, dilation], group=c)
            x = normalized(convolution(x, c, c, 1), c)
        return x

    one_one, end = b.constant(np.array([1, 1])), b.constant(np.array([2**31, 2**31]))
    spatial, corner = b.constant(np.array([2, 3])), b.constant(np.array([0, 0, 0, 0, 0, 0, 1, 1]))
    before = now = normalized(convolution("image", 3, 3 * channels, 3, pads=[1, 1, 1, 1]), 3 * channels)
    widths, c, was_reduced = [3 * channels, 3 * channels], channels, False
    for cell in range(cells):
        reduced = cell in (cells // 3, 2 * cells // 3)
        c = 2 * c if reduced else c
        s0 = halved(before, widths[0], c) if was_reduced else one_by_one(before, widths[0], c)
        s1 = one_by_one(now, widths[1], c)
        if reduced:
            pooled = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
            s2 = b.add("Add", b.add("MaxPool", s0, **pooled), b.add("MaxPool", s1, **pooled))
            s3 = b.add("Add", s2, b.add("MaxPool", s1, **pooled))
            s4 = b.add("Add", b.add("MaxPool", s0, **pooled), s2)
            s5 = b.add("Add", s2, b.add("MaxPool", s1, **pooled))
        else:
            s2 = b.add("Add", separable(s0, c, 1), separable(s1, c, 1))
            s3 = b.add("Add", separable(s0, c, 1), separable(s1, c, 1))
            s4 = b.add("Add", separable(s1, c, 1), s0)
            s5 = b.add("Add", s0, separable(s2, c, 1, dilation=2))
        before, now = now, b.add("Concat", s2, s3, s4, s5, axis=1)
        widths, was_reduced = [widths[1], 4 * c], reduced
    pooled_all = b.add("Flatten", b.add("GlobalAveragePool", now), axis=1)
    return b.model(_float(b.add("Gemm", pooled_all, b.weight(widths[1], 10), b.weight(10)), 1, 10))


def tall_stack(layers: int = 4_000, width: int = 4) -> onnx.ModelProto:
    """Return a stack of layers of 31 nodes each, 124,000 of them by default."""
    b = Builder(_float("x", 1, width))
    x = "x"
    for _ in range(layers):
        kept, weight = x, b.weight(width, width)
        for step in range(5):
            h = b.add("MatMul", x, weight)
            h = b.add("Add", h, kept)
            h = b.add("Mul", b.add("Tanh", h), b.add("Sigmoid", h))
            x = b.add("Concat", h, axis=0) if step % 2 else b.add("Sum", h)
        x = b.add("Add", x, kept)
    return b.model(_float(x, 1, width))
