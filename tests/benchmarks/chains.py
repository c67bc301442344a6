"""Chains of any length, each node fed by the one before: what reading and writing text costs by the node.

>>> node = chain("attributes", 3).graph.node[0]
>>> node.op_type, [a.name for a in node.attribute]
('Conv', ['dilations', 'group', 'kernel_shape', 'pads', 'strides'])
>>> import onnxtext
>>> print(onnxtext.encode(chain("arrow", 3)))
onnxt 1
model {ir_version=10, opset_import=["": 20]}
graph @chain (%x) -> (%_2) {
 %_2 = Relu(%x)
 -> Sigmoid
 -> Tanh
}
<BLANKLINE>
"""

from __future__ import annotations

import random
from collections.abc import Callable

import onnx
from onnx import NodeProto, helper

SEED = 20_260_101

Attributes = dict[str, int | float | str | list[int]]


def _network_attributes(k: int, draw: random.Random) -> tuple[str, Attributes]:
    """Return an operator with attributes such as networks have: of these, a graph has many nodes and few kinds."""
    kernel = draw.choice((1, 3, 5, 7))
    kinds: tuple[tuple[str, Attributes], ...] = (
        (
            "Conv",
            {
                "dilations": [1, 1],
                "group": draw.choice((1, 32)),
                "kernel_shape": [kernel, kernel],
                "pads": [kernel // 2] * 4,
                "strides": [draw.choice((1, 2))] * 2,
            },
        ),
        ("LeakyRelu", {"alpha": draw.choice((0.01, 0.1, 0.2))}),
        ("MaxPool", {"kernel_shape": [kernel, kernel], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
        ("Softmax", {"axis": draw.choice((-1, 1))}),
        ("Transpose", {"perm": draw.sample(range(4), 4)}),
    )
    return kinds[k % len(kinds)]


def _distinct_attributes(k: int, draw: random.Random) -> tuple[str, Attributes]:
    """Return an operator with attributes that no other node has."""
    return "Clip", {"min": draw.uniform(-9, 0), "number": k, "shape": [k, draw.randrange(1000), 3]}


def _no_attributes(k: int, draw: random.Random) -> tuple[str, Attributes]:
    return ("Relu", "Sigmoid", "Tanh")[k % 3], {}


KINDS: dict[str, Callable[[int, random.Random], tuple[str, Attributes]]] = {
    "attributes": _network_attributes,
    "distinct": _distinct_attributes,
    "bare": _no_attributes,
    "arrow": _no_attributes,
}


def chain(kind: str, nodes: int) -> onnx.ModelProto:
    """Return a chain of `nodes` nodes, the same one on every call.

    `kind`: "attributes" (few different ones), "distinct" (no two nodes alike), "bare" (none), all three with random
    names for the values, so that each node prints as a statement of its own; "arrow" (none), named so that the whole
    chain prints as one `->` statement.
    """
    draw = random.Random(SEED)
    names = (f"_{k}" for k in range(nodes)) if kind == "arrow" else (f"v{draw.getrandbits(40):x}" for _ in range(nodes))
    model = helper.make_model(
        helper.make_graph([], "chain", [], []), ir_version=10, opset_imports=[helper.make_opsetid("", 20)]
    )
    fed = "x"
    model.graph.input.add(name=fed)
    add = model.graph.node.add
    for k, made in enumerate(names):
        operator, attributes = KINDS[kind](k, draw)
        node: NodeProto = add(op_type=operator, input=[fed], output=[made])
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        fed = made
    model.graph.output.add(name=fed)
    return model
