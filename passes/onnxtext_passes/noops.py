"""Nodes that hand on their first operand as it is: one rule for each operator that can.

A rule is told nothing but the model, so it says yes only where no input to the model could make a difference: it reads
constants, and the types that follow from those of the inputs.  Rules: the operator's page in ONNX's Operators.md.

>>> from onnxtext.core.blobs import Blobs
>>> from onnxtext_passes.values import read_scopes
>>> graph = "g (float[N,3] x, float[2,2] z) => (y) { y = Transpose<perm=[0,1]>(x) }"
>>> model = onnx.parser.parse_model('<ir_version: 10, opset_import: ["": 21]>' + graph)
>>> hands_on(model.graph.node[0], read_scopes(model, Blobs())[0])
True
"""

from __future__ import annotations

from collections.abc import Callable

import onnx

from onnxtext_passes.operators import UnknownAttributeError, find_attribute, read_int, read_ints
from onnxtext_passes.values import Scope

_END = 2**31 - 1  # from here on the end of a slice means that of the dimension: the operator's page recommends it


def hands_on(node: onnx.NodeProto, scope: Scope) -> bool:
    """Tell whether the first result of a node is its first operand for every input, and its only result in use."""
    rule = _RULES.get(node.op_type)
    if rule is None or not scope.is_onnx(node):
        return False
    version = scope.versions.get("")
    if version is None or not node.input or not node.input[0] or not node.output or not node.output[0]:
        return False
    if any(name and (scope.uses[name] or name in scope.pinned) for name in node.output[1:]):
        return False
    try:
        return rule(node, scope, version)
    except UnknownAttributeError:  # a function's own attribute: every call may give another
        return False


def _identity(node: onnx.NodeProto, scope: Scope, version: int) -> bool:
    return True


def _single(node: onnx.NodeProto, scope: Scope, version: int) -> bool:
    """Concat, Sum, Max, Min and Mean of one operand."""
    return len(node.input) == 1


def _dropout(node: onnx.NodeProto, scope: Scope, version: int) -> bool:
    """Dropout drops in training only, which an attribute, nothing, or an operand that may be left out tells."""
    if version < 7:
        return read_int(node, "is_test", 0) != 0
    training = _operand(node, 2)
    return version < 12 or not training or scope.find_ints(training) == [0]


def _cast(node: onnx.NodeProto, scope: Scope, version: int) -> bool:
    target = find_attribute(node, "to", onnx.AttributeProto.INT)
    known = scope.find_type(node.input[0])
    if target is None:
        return False
    if known is not None:
        return known.element == target.i
    maker = scope.makers.get(node.input[0])  # in functions, values have no types
    if maker is None or maker.op_type != "Cast" or not scope.is_onnx(maker) or scope.made[node.input[0]] != 1:
        return False
    before = find_attribute(maker, "to", onnx.AttributeProto.INT)
    return before is not None and before.i == target.i


def _reshape(node: onnx.NodeProto, scope: Scope, version: int) -> bool:
    """Sizes are those of the operand, or 0, which copies them; a single -1 is then what is left, its own size."""
    target = read_ints(node, "shape") if version < 5 else scope.find_ints(_operand(node, 1))
    shape = None if target is None else _shape(node, scope)
    if target is None or shape is None or len(target) != len(shape):
        return False
    copies = version < 14 or read_int(node, "allowzero", 0) == 0
    rest = 0
    for wanted, size in zip(target, shape, strict=True):
        if wanted == -1 and 0 not in shape:
            rest += 1
        elif wanted != size and not (wanted == 0 and copies):
            return False
    return rest <= 1


def _expand(node: onnx.NodeProto, scope: Scope, version: int) -> bool:
    """Broadcasting is two-way: sizes of 1 change nothing, and what the operand lacks in front is added."""
    target = scope.find_ints(_operand(node, 1))
    if target == []:
        return True
    shape = None if target is None else _shape(node, scope)
    if target is None or shape is None or len(target) > len(shape):
        return False
    return all(wanted in (1, size) for wanted, size in zip(reversed(target), reversed(shape), strict=False))


def _transpose(node: onnx.NodeProto, scope: Scope, version: int) -> bool:
    perm = read_ints(node, "perm")
    if perm:
        return perm == list(range(len(perm)))
    shape = _shape(node, scope)
    return shape is not None and len(shape) <= 1


def _pad(node: onnx.NodeProto, scope: Scope, version: int) -> bool:
    if version < 11:
        pads = read_ints(node, "paddings" if version < 2 else "pads")
    else:
        pads = scope.find_ints(_operand(node, 1))
    return pads is not None and not any(pads)


def _slice(node: onnx.NodeProto, scope: Scope, version: int) -> bool:
    if version < 10:
        starts, ends, axes = (read_ints(node, name) for name in ("starts", "ends", "axes"))
        steps, known = None, True
    else:
        starts, ends, axes, steps = (scope.find_ints(_operand(node, k)) for k in (1, 2, 3, 4))
        known = all(given is not None for given, k in ((axes, 3), (steps, 4)) if _operand(node, k))
    if not known or starts is None or ends is None or len(starts) != len(ends):
        return False
    axes = list(range(len(starts))) if axes is None else axes
    if len(axes) != len(starts) or any(step != 1 for step in steps or []):
        return False
    if all(start == 0 and end >= _END for start, end in zip(starts, ends, strict=True)):
        return True
    shape = _shape(node, scope)
    for axis, start, end in zip(axes, starts, ends, strict=True):
        size = shape[axis] if shape is not None and -len(shape) <= axis < len(shape) else None
        if start != 0 and (size is None or start > -size):
            return False
        if end < (_END if size is None else size):
            return False
    return True


def _squeeze(node: onnx.NodeProto, scope: Scope, version: int) -> bool:
    """Without axes all dimensions of size 1 go; there is none.  An empty list of axes is read as if it were missing."""
    given = read_ints(node, "axes") if version < 13 else scope.find_ints(_operand(node, 1))
    missing = version < 13 or not _operand(node, 1)
    if given or (given is None and not missing):
        return False
    shape = _shape(node, scope)
    return shape is not None and None not in shape and 1 not in shape


def _unsqueeze(node: onnx.NodeProto, scope: Scope, version: int) -> bool:
    given = read_ints(node, "axes") if version < 13 else scope.find_ints(_operand(node, 1))
    return given == []


def _operand(node: onnx.NodeProto, place: int) -> str:
    """Return the operand at a place, "" where it is left out."""
    return node.input[place] if place < len(node.input) else ""


def _shape(node: onnx.NodeProto, scope: Scope) -> tuple[int | None, ...] | None:
    known = scope.find_type(node.input[0])
    return None if known is None else known.shape


_Rule = Callable[[onnx.NodeProto, Scope, int], bool]
_RULES: dict[str, _Rule] = {
    "Cast": _cast,
    "Concat": _single,
    "Dropout": _dropout,
    "Expand": _expand,
    "Identity": _identity,
    "Max": _single,
    "Mean": _single,
    "Min": _single,
    "Pad": _pad,
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Sum": _single,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
