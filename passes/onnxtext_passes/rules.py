"""Rules that look at one node of a graph, and the walk that tries them until none applies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx

from onnxtext.core.blobs import Blobs
from onnxtext_passes.editing import Editor, read_editors

Rule = Callable[[Editor, int, onnx.NodeProto], bool]  # changes the graph at that node, or gives False

_MOST_ROUNDS = 8


def apply_rules(model: onnx.ModelProto, blobs: Blobs, rules: Sequence[Rule]) -> int:
    """Return how often a rule was applied: at every node, and again wherever a change may let another apply.

    A second round sees what graphs within nodes no longer use; there are at most eight.  A graph whose nodes are not
    in order stays as it is.
    """
    total = 0
    for _ in range(_MOST_ROUNDS):
        made = _round(model, blobs, rules)
        total += made
        if not made:
            break
    return total


def _round(model: onnx.ModelProto, blobs: Blobs, rules: Sequence[Rule]) -> int:
    editors = read_editors(model, blobs)
    if not editors[0].outputs:
        return 0
    made = 0
    for editor in editors:
        if not editor.is_in_order():
            continue
        before = made
        for number in editor.walk():
            editor.infer(number)
            for rule in rules:
                node = editor.node(number)
                if node is None:
                    break
                if rule(editor, number, node):
                    made += 1
                    break
        editor.finish()
        if made > before and editor.graphs:
            break  # what is known of the graphs within this one may have changed with it
    return made
