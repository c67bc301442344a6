"""eliminate: nodes that hand on a value, as types and constants tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from onnxtext_passes.base import Context, Pass
from onnxtext_passes.editing import Editor
from onnxtext_passes.noops import hands_on
from onnxtext_passes.operators import UnknownAttributeError, read_ints
from onnxtext_passes.rules import Rule, apply_rules


@dataclass(frozen=True)
class Eliminate(Pass):
    """Take out nodes that change nothing, and merge those that undo each other.  Outputs keep their bits.

    What hands on its operand goes, as prune has it; likewise a product with 1, a quotient by 1, a power of 1, a sum
    with -0.0 or a whole 0, and a difference to 0.0.  `x + 0.0` stays, for it makes 0.0 of -0.0, and `x * 0` stays, for
    it is NaN where x is infinite.  CastLike becomes Cast where the type is known, and two Transposes become one.

    Example: `h = Mul(x, 1.0) y = Relu(h)` becomes `y = Relu(x)`.
    """

    name = "eliminate"
    keeps = "equivalent"

    def run(self, model: onnx.ModelProto, context: Context) -> int:
        return apply_rules(model, context.blobs, ELIMINATIONS)


def bypass_idle(editor: Editor, number: int, node: onnx.NodeProto) -> bool:
    """Let the result of a node that hands on its first operand be that operand."""
    return hands_on(node, editor) and _bypass(editor, number, node, node.input[0])


def bypass_neutral(editor: Editor, number: int, node: onnx.NodeProto) -> bool:
    """Let `x * 1`, `x / 1`, `x ** 1`, `x + -0.0`, `x - 0.0` be x, and likewise with whole numbers."""
    neutral = _NEUTRAL.get(node.op_type)
    version = editor.versions.get("")
    if neutral is None or version is None or version < 7 or len(node.input) != 2 or not editor.is_onnx(node):
        return False
    for side in (1, 0) if node.op_type in ("Add", "Mul") else (1,):
        constant = editor.find_constant(node.input[side])
        known = editor.find_type(node.input[1 - side])
        if constant is None or known is None or known.shape is None or constant.ndim > len(known.shape):
            continue
        if constant.size != 1 or (node.op_type == "Pow" and constant.dtype.kind not in "fi"):
            continue
        value = constant.reshape(())
        sign = node.op_type == "Add" and constant.dtype.kind == "f"
        if value == neutral and bool(np.signbit(value)) == sign:
            return _bypass(editor, number, node, node.input[1 - side])
    return False


_NEUTRAL = {"Add": 0, "Sub": 0, "Mul": 1, "Div": 1, "Pow": 1}


def name_type(editor: Editor, number: int, node: onnx.NodeProto) -> bool:
    """Let CastLike be Cast where the type of its second operand is known."""
    if node.op_type != "CastLike" or not editor.is_onnx(node) or len(node.input) != 2:
        return False
    element = editor.find_element(node.input[1])
    if element is None:
        return False
    cast = onnx.helper.make_node("Cast", [node.input[0]], list(node.output), domain=node.domain or None, to=element)
    cast.attribute.extend(node.attribute)
    return editor.replace_node(number, [cast])


def merge_transposes(editor: Editor, number: int, node: onnx.NodeProto) -> bool:
    """Let a Transpose of a Transpose be one."""
    if node.op_type != "Transpose" or not editor.is_onnx(node) or len(node.input) != 1:
        return False
    first = editor.maker(node.input[0], "Transpose")
    if first is None:
        return False
    try:
        inner, outer = read_ints(first, "perm"), read_ints(node, "perm")
    except UnknownAttributeError:
        return False
    if not inner or not outer or len(inner) != len(outer):
        return False
    perm = [inner[axis] for axis in outer]
    merged = onnx.helper.make_node(
        "Transpose", [first.input[0]], list(node.output), domain=node.domain or None, perm=perm
    )
    return editor.replace_node(number, [merged])


def _bypass(editor: Editor, number: int, node: onnx.NodeProto, operand: str) -> bool:
    if not editor.replace_value(node.output[0], operand):
        return False
    editor.drop_node(number)
    return True


ELIMINATIONS: tuple[Rule, ...] = (bypass_idle, bypass_neutral, name_type, merge_transposes)
