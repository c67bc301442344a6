"""Shapes, windows and multiplications of the operators that networks are mostly made of.

onnx infers shapes too, and is asked where there is no rule here; these rules are for speed: a ranking reads thousands
of networks.  Source: the operator specifications of ONNX.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, prod

import onnx

Shape = tuple[int, ...]
Dims = Sequence[Shape | None]
Integers = Callable[[str], list[int] | None]  # name of a constant -> its values
Rule = Callable[[onnx.NodeProto, Dims, Integers], Shape | None]


def attribute(node: onnx.NodeProto, name: str) -> onnx.AttributeProto | None:
    for found in node.attribute:
        if found.name == name:
            return found
    return None


def integer(node: onnx.NodeProto, name: str, default: int) -> int:
    found = attribute(node, name)
    return default if found is None else found.i


def integers(node: onnx.NodeProto, name: str) -> list[int]:
    found = attribute(node, name)
    return [] if found is None else list(found.ints)


def _same(node: onnx.NodeProto, dims: Dims, values: Integers) -> Shape | None:
    return dims[0]


def _conv(node: onnx.NodeProto, dims: Dims, values: Integers) -> Shape | None:
    image, weight = dims[0], dims[1]
    if image is None or weight is None:
        return None
    return (image[0], weight[0], *_windows(node, image[2:], weight[2:]))


def _pool(node: onnx.NodeProto, dims: Dims, values: Integers) -> Shape | None:
    image = dims[0]
    if image is None:
        return None
    return (*image[:2], *_windows(node, image[2:], integers(node, "kernel_shape")))


def _windows(node: onnx.NodeProto, sides: Shape, kernel: Sequence[int]) -> list[int]:
    """Return how many windows there are along each side of an image."""
    given = {found.name: found for found in node.attribute}
    rank = len(sides)
    strides = given["strides"].ints if "strides" in given else [1] * rank
    padding = given["auto_pad"].s if "auto_pad" in given else b"NOTSET"
    if padding in (b"SAME_UPPER", b"SAME_LOWER"):
        return [ceil(side / step) for side, step in zip(sides, strides, strict=True)]
    pads = given["pads"].ints if "pads" in given and padding != b"VALID" else [0] * (2 * rank)
    dilations = given["dilations"].ints if "dilations" in given else [1] * rank
    extra = [step - 1 if "ceil_mode" in given and given["ceil_mode"].i else 0 for step in strides]
    return [
        (sides[k] + pads[k] + pads[k + rank] - dilations[k] * (kernel[k] - 1) - 1 + extra[k]) // strides[k] + 1
        for k in range(rank)
    ]


def _global_pool(node: onnx.NodeProto, dims: Dims, values: Integers) -> Shape | None:
    image = dims[0]
    return None if image is None else (*image[:2], *[1] * (len(image) - 2))


def _broadcast(node: onnx.NodeProto, dims: Dims, values: Integers) -> Shape | None:
    rank = 0
    for shape in dims:
        if shape is None:
            return None
        rank = max(rank, len(shape))
    padded = [(1,) * (rank - len(shape)) + shape for shape in dims if shape is not None]
    return tuple(map(max, zip(*padded, strict=True)))


def _concat(node: onnx.NodeProto, dims: Dims, values: Integers) -> Shape | None:
    first = dims[0]
    if first is None:
        return None
    axis = integer(node, "axis", 1) % len(first)
    total = 0
    for shape in dims:
        if shape is None:
            return None
        total += shape[axis]
    return (*first[:axis], total, *first[axis + 1 :])


def _flatten(node: onnx.NodeProto, dims: Dims, values: Integers) -> Shape | None:
    image = dims[0]
    if image is None:
        return None
    axis = integer(node, "axis", 1)
    return prod(image[:axis]), prod(image[axis:])


def _gemm(node: onnx.NodeProto, dims: Dims, values: Integers) -> Shape | None:
    a, b = dims[0], dims[1]
    if a is None or b is None:
        return None
    return (a[1] if integer(node, "transA", 0) else a[0]), (b[0] if integer(node, "transB", 0) else b[1])


def _matmul(node: onnx.NodeProto, dims: Dims, values: Integers) -> Shape | None:
    a, b = dims[0], dims[1]
    if a is None or b is None or len(a) < 2 or len(b) < 2:
        return None
    outer = a[:-2] if len(a) >= len(b) else b[:-2]
    return (*outer, a[-2], b[-1])


def _transpose(node: onnx.NodeProto, dims: Dims, values: Integers) -> Shape | None:
    image = dims[0]
    if image is None:
        return None
    order = integers(node, "perm") or range(len(image) - 1, -1, -1)
    return tuple(image[axis] for axis in order)


def _slice(node: onnx.NodeProto, dims: Dims, values: Integers) -> Shape | None:
    image, starts, ends = dims[0], values(node.input[1]), values(node.input[2])
    axes = values(node.input[3]) if len(node.input) > 3 else None
    steps = values(node.input[4]) if len(node.input) > 4 else None
    if image is None or starts is None or ends is None:
        return None
    result = list(image)
    for k, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis = axes[k] if axes is not None else k
        result[axis] = len(range(image[axis])[slice(start, end, steps[k] if steps else 1)])
    return tuple(result)


def _pad(node: onnx.NodeProto, dims: Dims, values: Integers) -> Shape | None:
    image = dims[0]
    pads = values(node.input[1]) if len(node.input) > 1 else integers(node, "pads")
    if image is None or pads is None or len(pads) != 2 * len(image):
        return None
    return tuple(side + before + after for side, before, after in zip(image, pads, pads[len(image) :], strict=False))


def _reshape(node: onnx.NodeProto, dims: Dims, values: Integers) -> Shape | None:
    image, wanted = dims[0], values(node.input[1])
    if image is None or wanted is None:
        return None
    result = [image[k] if size == 0 else size for k, size in enumerate(wanted)]
    if -1 in result:
        open_place = result.index(-1)
        result[open_place] = prod(image) // prod(size for size in result if size != -1)
    return tuple(result)


def _squeeze(node: onnx.NodeProto, dims: Dims, values: Integers) -> Shape | None:
    image, axes = dims[0], _axes(node, values)
    if image is None or axes is None:
        return None
    gone = {axis % len(image) for axis in axes} or {axis for axis, side in enumerate(image) if side == 1}
    return tuple(side for axis, side in enumerate(image) if axis not in gone)


def _unsqueeze(node: onnx.NodeProto, dims: Dims, values: Integers) -> Shape | None:
    image, axes = dims[0], _axes(node, values)
    if image is None or axes is None:
        return None
    rank = len(image) + len(axes)
    new, old = {axis % rank for axis in axes}, iter(image)
    return tuple(1 if axis in new else next(old) for axis in range(rank))


def _reduce(node: onnx.NodeProto, dims: Dims, values: Integers) -> Shape | None:
    image, axes = dims[0], _axes(node, values)
    if image is None or axes is None:
        return None
    gone = {axis % len(image) for axis in axes} or set(range(len(image)))
    keep = integer(node, "keepdims", 1)
    return tuple(1 if axis in gone else side for axis, side in enumerate(image) if keep or axis not in gone)


def _axes(node: onnx.NodeProto, values: Integers) -> list[int] | None:
    return values(node.input[1]) if len(node.input) > 1 and node.input[1] else integers(node, "axes")


_UNARY = (
    "Identity Cast Dropout BatchNormalization InstanceNormalization LayerNormalization GroupNormalization "
    "RMSNormalization LRN LpNormalization Relu LeakyRelu PRelu Elu Selu Celu Gelu Sigmoid HardSigmoid HardSwish Swish "
    "Mish Softplus Softsign Tanh Erf Clip Softmax LogSoftmax Sqrt Neg Abs Exp Log Reciprocal Sign Floor Ceil Round Sin "
    "Cos Not"
)
RULES: dict[str, Rule] = {
    **dict.fromkeys(_UNARY.split(), _same),
    **dict.fromkeys(["Add", "Sub", "Mul", "Div", "Sum", "Mean", "Max", "Min", "Pow", "Where"], _broadcast),
    **dict.fromkeys(["GlobalAveragePool", "GlobalMaxPool"], _global_pool),
    **dict.fromkeys(["AveragePool", "MaxPool", "LpPool"], _pool),
    **dict.fromkeys(["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2"], _reduce),
    "Conv": _conv,
    "Concat": _concat,
    "Flatten": _flatten,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Transpose": _transpose,
    "Slice": _slice,
    "Pad": _pad,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
}


def window(node: onnx.NodeProto, dims: Dims) -> tuple[int, int, int]:
    """Return the longest side of a node's window, the longest of its strides, and its groups; 1 each without one."""
    operator = node.op_type
    if operator in ("Conv", "ConvTranspose"):
        weight = dims[1] if len(dims) > 1 else None
        kernel = max(weight[2:], default=1) if weight is not None else 1
    elif operator in ("AveragePool", "MaxPool", "LpPool"):
        kernel = max(integers(node, "kernel_shape"), default=1)
    else:
        return 1, 1, 1
    return kernel, max(integers(node, "strides"), default=1), integer(node, "group", 1)


def macs(node: onnx.NodeProto, dims: Dims, result: Shape) -> int:
    """Return how many multiplications a node's product takes, 0 for operators that are no product."""
    operator = node.op_type
    if len(dims) < 2 or dims[1] is None or dims[0] is None:
        return 0
    if operator == "Conv":
        return prod(result) * prod(dims[1][1:])
    if operator == "ConvTranspose":
        return prod(dims[0]) * prod(dims[1][1:])
    if operator in ("Gemm", "MatMul"):
        return prod(result) * (dims[0][0] if operator == "Gemm" and integer(node, "transA", 0) else dims[0][-1])
    return 0
