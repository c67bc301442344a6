"""Networks built node by node, with the layers that the spaces share.

>>> b = Builder("tiny")
>>> x = b.input("image", (1, 3, 8, 8))
>>> x = b.relu("stem.relu", b.norm("stem.norm", b.conv("stem.conv", x, 16, 3, stride=2)))
>>> x
Value(name='stem.relu', shape=(1, 16, 4, 4))
>>> model = b.finish(x)
>>> [node.op_type for node in model.graph.node if node.op_type != "Parameter"]
['Conv', 'BatchNormalization', 'Relu']

Batch normalization stays, in the form in which a trained network is used.  A weight is a typed hole (a node `Parameter`
of the domain `onnxtext`), or an initializer of zeros or random numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
import onnx
from onnx import helper

OPSET, IR_VERSION = 17, 8

Attribute = int | float | str | tuple[int, ...]


class Value(NamedTuple):
    """A value of a network: its name and shape, batch and channels first."""

    name: str
    shape: tuple[int, ...]

    @property
    def channels(self) -> int:
        return self.shape[1]


class Builder:
    """A network in the making.  Every layer is given a name, which its result has too, and returns its result."""

    def __init__(self, name: str, weights: Literal["types", "zeros", "random"] = "types", seed: int = 0) -> None:
        self._model = onnx.ModelProto(ir_version=IR_VERSION, producer_name="onnxtext")
        self._graph = self._model.graph
        self._graph.name = name
        self._weights = weights
        self._has_holes = False
        self._random = np.random.default_rng(seed)

    def input(self, name: str, shape: tuple[int, ...]) -> Value:
        self._graph.input.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
        return Value(name, shape)

    def finish(self, *outputs: Value) -> onnx.ModelProto:
        """Return the model with these outputs; nothing may be added to it afterwards."""
        for name, shape in outputs:
            self._graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
        self._model.opset_import.add(domain="", version=OPSET)
        if self._has_holes:
            self._model.opset_import.add(domain="onnxtext", version=1)
        return self._model

    def node(
        self, operator: str, name: str, operands: Sequence[str | Value], shape: tuple[int, ...], **attributes: Attribute
    ) -> Value:
        """Add a node of one result, and return that; its shape is believed."""
        self._graph.node.add(
            op_type=operator,
            input=[o if isinstance(o, str) else o.name for o in operands],
            output=[name],
            attribute=_attributes(tuple(attributes.items())),
        )
        return Value(name, shape)

    def weight(self, name: str, shape: tuple[int, ...], *, fan_in: int = 0, value: float = 0.0) -> str:
        """Add a weight; where weights are random, of normal numbers scaled to `fan_in`, or all `value` without one."""
        if self._weights == "types":
            self._has_holes = True
            node = self._graph.node.add()
            node.MergeFrom(_hole(shape))
            node.output.append(name)
            return name
        if self._weights == "zeros":
            raw = bytes(4 * math.prod(shape))
        elif fan_in:
            raw = (self._random.standard_normal(shape, np.float32) * np.float32((2 / fan_in) ** 0.5)).tobytes()
        else:
            raw = np.full(shape, value, "<f4").tobytes()
        self._graph.initializer.add(name=name, data_type=onnx.TensorProto.FLOAT, dims=shape, raw_data=raw)
        return name

    # ---- layers

    def conv(
        self,
        name: str,
        x: Value,
        channels: int,
        size: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] = 1,
        dilation: int = 1,
        groups: int = 1,
    ) -> Value:
        """Add a convolution without bias, which keeps the sides of the image or divides them by the stride."""
        shape, result, attributes = _convolution(x.shape, channels, _pair(size), _pair(stride), dilation, groups)
        weight = self.weight(f"{name}.weight", shape, fan_in=math.prod(shape[1:]))
        return self.node("Conv", name, [x, weight], result, **attributes)

    def norm(self, name: str, x: Value) -> Value:
        """Add a batch normalization."""
        width = (x.channels,)
        operands = [x, self.weight(f"{name}.weight", width, value=1.0), self.weight(f"{name}.bias", width)]
        operands += [self.weight(f"{name}.mean", width), self.weight(f"{name}.variance", width, value=1.0)]
        return self.node("BatchNormalization", name, operands, x.shape)

    def conv_norm(self, name: str, x: Value, channels: int, size: int, *, stride: int = 1, groups: int = 1) -> Value:
        """Add a convolution without bias and its batch normalization."""
        return self.norm(f"{name}.norm", self.conv(f"{name}.conv", x, channels, size, stride=stride, groups=groups))

    def relu(self, name: str, x: Value) -> Value:
        return self.node("Relu", name, [x], x.shape)

    def max_pool(self, name: str, x: Value, size: int, *, stride: int = 1, padding: int | None = None) -> Value:
        return self._pool("MaxPool", name, x, size, stride, padding)

    def avg_pool(self, name: str, x: Value, size: int, *, stride: int = 1, padding: int | None = None) -> Value:
        """Add an average over a window, of which what lies outside of the image is no part."""
        return self._pool("AveragePool", name, x, size, stride, padding)

    def _pool(self, operator: str, name: str, x: Value, size: int, stride: int, padding: int | None) -> Value:
        pads = _pair(size // 2 if padding is None else padding)
        shape = (*x.shape[:2], *_windows(x.shape[2:], _pair(size), _pair(stride), pads))
        return self.node(operator, name, [x], shape, **_window(_pair(size), _pair(stride), pads))

    def add(self, name: str, terms: Sequence[Value]) -> Value:
        """Add the terms up, from the first to the last; the last sum has the name."""
        total = terms[0]
        for k, term in enumerate(terms[1:], 2):
            total = self.node("Add", name if k == len(terms) else f"{name}.{k}", [total, term], total.shape)
        return total

    def concat(self, name: str, parts: Sequence[Value]) -> Value:
        """Put the channels of the parts one behind the other; one part is itself."""
        if len(parts) == 1:
            return parts[0]
        shape = (1, sum(part.channels for part in parts), *parts[0].shape[2:])
        return self.node("Concat", name, parts, shape, axis=1)

    def part(self, name: str, x: Value, axes: tuple[int, ...], starts: tuple[int, ...], ends: tuple[int, ...]) -> Value:
        """Add what lies between `starts` and `ends` along some axes."""
        shape = list(x.shape)
        for axis, start, end in zip(axes, starts, ends, strict=True):
            shape[axis] = end - start
        bounds = [self._integers(f"{name}.{key}", v) for key, v in (("starts", starts), ("ends", ends), ("axes", axes))]
        return self.node("Slice", name, [x, *bounds], tuple(shape))

    def pad(self, name: str, x: Value, before: int, after: int) -> Value:
        """Put zeros in front of and behind both sides of the image."""
        pads = self._integers(f"{name}.pads", (0, 0, before, before, 0, 0, after, after))
        shape = (*x.shape[:2], *(n + before + after for n in x.shape[2:]))
        return self.node("Pad", name, [x, pads], shape)

    def zeros(self, name: str, shape: tuple[int, ...]) -> Value:
        return self.node("ConstantOfShape", name, [self._integers(f"{name}.shape", shape)], shape)

    def _integers(self, name: str, values: tuple[int, ...]) -> Value:
        return self.node("Constant", name, [], (len(values),), value_ints=values)

    def times_zero(self, name: str, x: Value) -> Value:
        return self.node("Mul", name, [x, self.node("Constant", f"{name}.zero", [], (), value_float=0.0)], x.shape)

    def average(self, name: str, x: Value) -> Value:
        """Add the average of each channel, and return a row of them."""
        pooled = self.node("GlobalAveragePool", f"{name}.pool", [x], (*x.shape[:2], 1, 1))
        return self.node("Flatten", name, [pooled], x.shape[:2])

    def linear(self, name: str, x: Value, outputs: int) -> Value:
        """Add a linear layer with a bias, for a row."""
        (_, width) = x.shape
        weight = self.weight(f"{name}.weight", (outputs, width), fan_in=width)
        return self.node("Gemm", name, [x, weight, self.weight(f"{name}.bias", (outputs,))], (1, outputs), transB=1)


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def _windows(sides: Sequence[int], window: Sequence[int], stride: Sequence[int], pads: Sequence[int]) -> list[int]:
    """Return how many windows there are along each side."""
    return [(n + 2 * p - w) // s + 1 for n, w, s, p in zip(sides, window, stride, pads, strict=True)]


def _window(window: tuple[int, ...], stride: tuple[int, ...], pads: tuple[int, ...]) -> dict[str, Attribute]:
    """Return the attributes of a window, without those that say nothing."""
    attributes: dict[str, Attribute] = {"kernel_shape": window}
    if any(pads):
        attributes["pads"] = (*pads, *pads)
    if any(step > 1 for step in stride):
        attributes["strides"] = stride
    return attributes


@cache
def _convolution(
    image: tuple[int, ...],
    channels: int,
    size: tuple[int, int],
    stride: tuple[int, int],
    dilation: int,
    groups: int,
) -> tuple[tuple[int, ...], tuple[int, ...], dict[str, Attribute]]:
    """Return the shapes of the weight and of the result, and the attributes, without those that say nothing."""
    pads = tuple(dilation * (side // 2) for side in size)
    attributes = _window(size, stride, pads)
    del attributes["kernel_shape"]  # the weight has it
    if dilation > 1:
        attributes["dilations"] = (dilation, dilation)
    if groups > 1:
        attributes["group"] = groups
    spread = [dilation * (side - 1) + 1 for side in size]
    result = (1, channels, *_windows(image[2:], spread, stride, pads))
    return (channels, image[1] // groups, *size), result, attributes


@cache
def _attributes(given: tuple[tuple[str, Attribute], ...]) -> list[onnx.AttributeProto]:
    return [helper.make_attribute(name, value) for name, value in given]


@cache
def _hole(shape: tuple[int, ...]) -> onnx.NodeProto:
    from onnxtext_passes.holes import make_hole

    hole = make_hole("", onnx.TensorProto.FLOAT, shape)
    del hole.output[:]
    return hole
