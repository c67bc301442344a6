"""cse: what is computed twice is computed once."""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from onnxtext_passes.base import Context, Pass
from onnxtext_passes.editing import Editor
from onnxtext_passes.holes import is_hole
from onnxtext_passes.operators import node_key
from onnxtext_passes.rules import apply_rules


@dataclass(frozen=True)
class Cse(Pass):
    """Let nodes of one graph that do the same to the same values be one node.  Outputs keep their bits.

    These stay: nodes that draw random numbers, that hold graphs, or whose operator onnx does not know; weights without
    data, for two of one type are two; and two nodes whose results are both outputs, for both names have to be there.

    Example: in `a = Neg(x) b = Neg(x) y = Add(a, b)` the second Neg goes, and Add takes a twice.
    """

    name = "cse"
    keeps = "equivalent"

    def run(self, model: onnx.ModelProto, context: Context) -> int:
        return apply_rules(model, context.blobs, [share_node])


def share_node(editor: Editor, number: int, node: onnx.NodeProto) -> bool:
    """Let the results of a node be those of an equal one before it."""
    if (
        number in editor.inner
        or not any(node.output)
        or is_hole(node)
        or not editor.purity.is_pure(node, editor.versions)
    ):
        return False
    key = _key(node)
    first = editor.memory.get(key)
    twin = None if first is None or first == number else editor.node(first)
    if first is None or twin is None or _key(twin) != key or editor.place[first] > editor.place[number]:
        editor.memory[key] = number
        return False
    pairs = [(mine, kept) for mine, kept in zip(node.output, twin.output, strict=True) if mine]
    if any(
        editor.made[name] != 1 or name in editor.beneath or name in editor.pinned or name in editor.outputs
        for pair in pairs
        for name in pair[: 1 + (pair[0] in editor.outputs)]
    ):
        return False
    for mine, kept in pairs:
        editor.replace_value(mine, kept)
    editor.drop_node(number)
    return True


def _key(node: onnx.NodeProto) -> object:
    """Return what nodes that do the same have in common."""
    attributes = sorted((a.name, a.SerializeToString(deterministic=True)) for a in node.attribute)
    return node_key(node), tuple(node.input), tuple(map(bool, node.output)), tuple(attributes)
