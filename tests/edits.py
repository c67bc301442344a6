"""Networks made at random, and one change planted into one: what `diff` has to find.

>>> model = network(Random(1))
>>> changed, expected = plant(model, Random(2))
>>> expected.kind in EDITS, changed == model
(True, False)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import numpy as np
import onnx
from onnx import helper, numpy_helper

UNARY = ("Relu", "Neg", "Abs", "Sigmoid", "Tanh", "Elu")
BINARY = ("Add", "Mul", "Sub", "Max")
NEW = ("Softsign", "Softplus", "Erf")  # operators that the networks have nowhere


@dataclass(frozen=True)
class Expected:
    """What a diff has to say of a planted change, and of nothing else."""

    kind: str
    what: str


def network(random: Random, nodes: int = 30, blocks: int = 1) -> onnx.ModelProto:
    """Return a well-typed network in which each value has the shape [2,3]; with `blocks`, of such blocks in a row."""
    made: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []
    values = ["x", "z"]
    for _ in range(blocks):
        values = values[-2:]
        for _ in range(nodes):
            name = f"v{len(made)}"
            x = values[-1] if random.randrange(3) else random.choice(values)
            choice = random.randrange(4)
            if choice == 0:
                weights.append(
                    numpy_helper.from_array(np.full((2, 3), random.random(), np.float32), f"w{len(weights)}")
                )
                made.append(helper.make_node(random.choice(BINARY), [x, weights[-1].name], [name]))
            elif choice == 1:
                made.append(helper.make_node(random.choice(BINARY), [x, random.choice(values)], [name]))
            elif choice == 2:
                made.append(helper.make_node("Elu", [x], [name], alpha=random.choice([0.5, 0.25, 1.5])))
            else:
                made.append(helper.make_node(random.choice(UNARY), [x], [name]))
            values.append(name)
    used = {name for node in made for name in node.input}
    loose = [node.output[0] for node in made if node.output[0] not in used]
    made.append(helper.make_node("Concat", loose, ["y"], axis=0))
    graph = helper.make_graph(
        made,
        "g",
        [helper.make_tensor_value_info(name, 1, [2, 3]) for name in ("x", "z")],
        [helper.make_tensor_value_info("y", 1, [2 * len(loose), 3])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def plant(model: onnx.ModelProto, random: Random, kind: str = "") -> tuple[onnx.ModelProto, Expected]:
    """Return a copy of a network with one change, and what the change is."""
    other = onnx.ModelProto()
    other.CopyFrom(model)
    kind = kind or random.choice(sorted(EDITS))
    return other, Expected(kind, EDITS[kind](other.graph, random))


def _insert(graph: onnx.GraphProto, random: Random) -> str:
    place = random.randrange(len(graph.node))
    user = graph.node[place]
    slot = random.randrange(len(user.input))
    new = helper.make_node(random.choice(NEW), [user.input[slot]], ["fresh"])
    user.input[slot] = "fresh"
    graph.node.insert(place, new)
    return new.op_type


def _remove(graph: onnx.GraphProto, random: Random) -> str:
    node = random.choice([n for n in graph.node if len(n.input) == 1])
    operator = node.op_type
    source, gone = node.input[0], node.output[0]
    graph.node.remove(node)
    for other in graph.node:
        other.input[:] = [source if name == gone else name for name in other.input]
    return operator


def _attribute(graph: onnx.GraphProto, random: Random) -> str:
    nodes = [n for n in graph.node if n.attribute]
    node = random.choice(nodes)
    if node.op_type == "Elu":
        node.attribute[0].f = 0.125
        return "alpha of Elu"
    node.attribute[0].i = 1
    return "axis of Concat"


def _operator(graph: onnx.GraphProto, random: Random) -> str:
    node = random.choice([n for n in graph.node if len(n.input) == 1 and not n.attribute])
    before, node.op_type = node.op_type, random.choice(NEW)
    return f"{before} is {node.op_type} now"


def _operand(graph: onnx.GraphProto, random: Random) -> str:
    """Let a node read another weight-free value, made before it: one that something else reads too."""
    uses = [name for n in graph.node for name in n.input]
    choices = [
        (place, slot, name)
        for place, node in enumerate(graph.node)
        if node.op_type in BINARY
        for slot, old in enumerate(node.input)
        if not old.startswith("w") and uses.count(old) > 1
        for name in ["x", "z", *(n.output[0] for n in graph.node[:place])]
        if name not in node.input
    ]
    place, slot, name = random.choice(choices)
    node = graph.node[place]
    node.input[slot] = name
    return f"operand {slot} of {node.op_type}"


def _weight(graph: onnx.GraphProto, random: Random) -> str:
    tensor = random.choice(list(graph.initializer))
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) + np.float32(1), tensor.name))
    user = next(n for n in graph.node if tensor.name in n.input)
    return f"weight of {user.op_type}, operand {list(user.input).index(tensor.name)}"


def _input(graph: onnx.GraphProto, random: Random) -> str:
    place = random.randrange(len(graph.input))
    graph.input[place].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    return f"type of input {place}"


def _output(graph: onnx.GraphProto, random: Random) -> str:
    graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    return "type of output 0"


EDITS: dict[str, Callable[[onnx.GraphProto, Random], str]] = {
    "inserted": _insert,
    "removed": _remove,
    "attribute": _attribute,
    "operator": _operator,
    "operand": _operand,
    "weight": _weight,
    "input": _input,
    "output": _output,
}
