"""The types of values, as onnx infers them from what may be believed.

>>> model = onnx.parser.parse_model(
...     '<ir_version: 10, opset_import: ["": 21]> g (float[N,3] x) => (y) <int64[7] h> { h = Relu(x) y = Neg(h) }')
>>> read_type(infer_types(model, {}, Blobs())[0]["h"])
Type(element=1, shape=(None, 3))
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import onnx
import onnx.shape_inference
from onnx import TensorProto

from onnxtext.core.blobs import Blobs
from onnxtext_passes.operators import FunctionKey, call_order, is_known, node_key
from onnxtext_passes.scopes import drop, graph_attributes, within

MOST_READ = 100  # elements of a constant that is read: lists of axes and sizes, not weights
_MOST_NODES = 100_000  # with all function calls written out, up to which what functions return has types
_DEEPEST_CALL = 40  # likewise

# What takes tensors out of a sequence or an optional.  onnx takes them to be of the shape that a loop was given first,
# whatever the loop puts in, so these are not asked.
_UNPACKING = ("SequenceAt", "ConcatFromSequence", "SequenceMap", "OptionalGetElement")


@dataclass(frozen=True, slots=True)
class Type:
    """The type of a tensor: its element type, as onnx numbers them, and its sizes, None for those not known."""

    element: int
    shape: tuple[int | None, ...] | None


def infer_types(
    model: onnx.ModelProto, functions: dict[FunctionKey, onnx.FunctionProto], blobs: Blobs
) -> list[dict[str, onnx.TypeProto]]:
    """Return the types of the values of each graph, but for initializers, in the order of `read_scopes`.

    Only what a runtime enforces is believed, the types of inputs and of initializers: not a type that the model gives
    another value, nor the shape of what a loop hands on to itself, nor of what is in a sequence.
    """
    if any(is_known(domain, name) for domain, name, _ in functions):
        return [{} for _ in _graphs(model.graph)]  # onnx would take the operator for the function of its name
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.training_info[:]
    if not _is_small(model, functions):
        del copy.functions[:]
    for holder in (copy.graph, *copy.functions):
        for inner in within(holder):
            for node in inner.node:
                if node.op_type in _UNPACKING:
                    node.op_type = ""
    graphs = list(_graphs(copy.graph))
    for number, graph in enumerate(graphs):
        _forget(graph, blobs, inner=number > 0)
    try:
        copy = onnx.shape_inference.infer_shapes(copy)
    except Exception:  # of many kinds; where onnx cannot infer types, none are known
        return [{} for _ in graphs]
    return [_types(graph) for graph in _graphs(copy.graph)]


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for inner in graph_attributes(node):
            yield from _graphs(inner)


def _is_small(model: onnx.ModelProto, functions: dict[FunctionKey, onnx.FunctionProto]) -> bool:
    """Tell whether a model with its function calls written out has a bounded size, so that inference ends soon."""
    sizes: dict[FunctionKey, int] = {}
    depths: dict[FunctionKey, int] = {}
    for key, calls in call_order(functions).items():
        own = sum(len(inner.node) for inner in within(functions[key]))
        sizes[key] = own + sum(count * sizes[other] for other, count in calls.items())
        depths[key] = 1 + max((depths[other] for other in calls), default=0)
    total = 0
    for holder in within(model.graph):
        for key in map(node_key, holder.node):
            if key in functions and (key not in sizes or depths[key] > _DEEPEST_CALL):
                return False
            total += sizes.get(key, 1)
    return total <= _MOST_NODES


def _forget(graph: onnx.GraphProto, blobs: Blobs, *, inner: bool) -> None:
    """Take from a graph what is not to be believed, and the data of weights."""
    del graph.value_info[:]
    for output in graph.output:
        output.ClearField("type")
    for value in graph.input:
        kind = value.type.WhichOneof("value")
        if kind != "tensor_type":
            value.ClearField("type")
        elif inner:
            value.type.tensor_type.ClearField("shape")
    inputs = {value.name for value in graph.input}
    doomed = set()
    for place, tensor in enumerate(graph.initializer):
        if tensor.name in inputs:  # the caller may give another
            doomed.add(place)
        elif _is_weight(tensor, blobs):
            doomed.add(place)
            _declare(graph, tensor.name, tensor)
    drop(graph.initializer, doomed)
    doomed = set()
    for place, node in enumerate(graph.node):
        if node.op_type == "Constant" and len(node.attribute) == 1 and len(node.output) == 1:
            tensor = node.attribute[0].t
            if node.attribute[0].type == onnx.AttributeProto.TENSOR and _is_weight(tensor, blobs):
                doomed.add(place)
                _declare(graph, node.output[0], tensor)
    drop(graph.node, doomed)


def _declare(graph: onnx.GraphProto, name: str, tensor: TensorProto) -> None:
    """Let a value of a graph have the type of a tensor."""
    kind = graph.value_info.add(name=name).type.tensor_type
    kind.elem_type = tensor.data_type
    kind.shape.SetInParent()
    for size in tensor.dims:
        kind.shape.dim.add().dim_value = size


def _is_weight(tensor: TensorProto, blobs: Blobs) -> bool:
    raw = tensor.raw_data
    elsewhere = blobs.find(raw) is not raw or tensor.data_location == TensorProto.EXTERNAL
    return elsewhere or prod(tensor.dims) > MOST_READ


def _types(graph: onnx.GraphProto) -> dict[str, onnx.TypeProto]:
    return {value.name: value.type for value in (*graph.input, *graph.value_info, *graph.output)}


def read_type(kind: onnx.TypeProto) -> Type | None:
    """Return the type of a tensor, None for one of something else, or without an element type."""
    tensor = kind.tensor_type
    if kind.WhichOneof("value") != "tensor_type" or not tensor.elem_type:
        return None
    if not tensor.HasField("shape"):
        return Type(tensor.elem_type, None)
    return Type(
        tensor.elem_type,
        tuple(d.dim_value if d.HasField("dim_value") and d.dim_value >= 0 else None for d in tensor.shape.dim),
    )
