"""fold: what is computed from constants alone becomes a constant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from onnxtext_passes.base import Context, Pass
from onnxtext_passes.constants import read_constant
from onnxtext_passes.editing import Editor
from onnxtext_passes.evaluation import evaluate
from onnxtext_passes.operators import UnknownAttributeError, read_int
from onnxtext_passes.rules import apply_rules


@dataclass(frozen=True)
class Fold(Pass):
    """Compute what depends on constants alone, and shapes that are known, by onnx's reference semantics.

    Only what every runtime computes to the bit is folded: moves of elements, arithmetic on whole numbers, and the
    operations of IEEE 754.  These stay: nodes that draw random numbers, that quantize, that hold graphs or call
    functions, and those whose result is larger than their operands by more than `max-growth` bytes.  In graphs of
    models from IR version 4 on, constants become initializers; elsewhere they are nodes Constant.

    Example: in `s = Shape(x) t = Gather(s, 0)` with x of known shape, t becomes a number.
    """

    name = "fold"
    keeps = "equivalent"

    max_growth: int = 1 << 20  # bytes

    def run(self, model: onnx.ModelProto, context: Context) -> int:
        return apply_rules(model, context.blobs, [self.fold_node])

    def fold_node(self, editor: Editor, number: int, node: onnx.NodeProto) -> bool:
        """Let the results of a node be constants, where they are."""
        version = editor.versions.get("")
        if version is None or not editor.is_onnx(node) or number in editor.inner:
            return False
        results = [name for name in node.output if name]
        if not results or any(editor.made[name] != 1 or name in editor.beneath for name in results):
            return False
        if node.op_type == "Constant":
            value = read_constant(node, editor.facts.blobs) if editor.holds_initializers(results[0]) else None
            return value is not None and editor.replace_by_constant(number, [(results[0], value)])
        if node.op_type in ("Shape", "Size"):
            value = _known_size(editor, node, version)
            return value is not None and editor.replace_by_constant(number, [(results[0], value)])
        operands = [editor.find_constant(name) if name else None for name in node.input]
        if not operands or any(name and a is None for name, a in zip(node.input, operands, strict=True)):
            return False
        if self._is_too_large(editor, node, sum(a.nbytes for a in operands if a is not None)):
            return False
        found = evaluate(node, operands, version)
        if found is None or len(found) != len(results):
            return False
        for name, array in zip(results, found, strict=True):
            shape = editor.find_shape(name)
            if shape is not None and (
                len(shape) != array.ndim or any(s not in (None, n) for s, n in zip(shape, array.shape, strict=True))
            ):
                return False
        return editor.replace_by_constant(number, list(zip(results, found, strict=True)))

    def _is_too_large(self, editor: Editor, node: onnx.NodeProto, given_bytes: int) -> bool:
        """Tell whether the results need too much space, or are of a size that is not known before they are there."""
        total = 0
        for name in filter(None, node.output):
            shape = editor.find_shape(name)
            if shape is None or None in shape:
                return node.op_type in ("ConstantOfShape", "Expand", "Tile", "Range")
            total += 8 * int(np.prod(np.array(shape, dtype=object), initial=1))
        return total - 8 * given_bytes > self.max_growth


def _known_size(editor: Editor, node: onnx.NodeProto, version: int) -> np.ndarray | None:
    """Return what Shape or Size gives where the sizes it takes are known."""
    shape = editor.find_shape(node.input[0]) if node.input else None
    if shape is None:
        return None
    if node.op_type == "Shape" and version >= 15:
        try:
            start, end = read_int(node, "start", 0), read_int(node, "end", len(shape))
        except UnknownAttributeError:
            return None
        low, high = (min(max(i + len(shape) if i < 0 else i, 0), len(shape)) for i in (start, end))
        shape = shape[low : max(low, high)]
    if None in shape:
        return None
    sizes = np.array(shape, np.int64)
    return sizes if node.op_type == "Shape" else np.array(np.prod(sizes), np.int64)
