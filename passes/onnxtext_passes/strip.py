"""strip: drop what is not architecture: the data of weights, doc strings, metadata, names of nodes, types of values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx

from onnxtext_passes.base import Context, Pass
from onnxtext_passes.holes import import_domain, make_hole
from onnxtext_passes.scopes import graph_attributes, holders, replace_all
from onnxtext_passes.tensors import is_weight

_SIZES = {"Resize": (1, 2), "Upsample": (1,)}  # operators -> the floating-point operands that say a shape


@dataclass(frozen=True)
class Strip(Pass):
    """Drop the data of weights (a typed hole stays), doc strings, metadata, names of nodes and types of values.

    A weight is an initializer of floating-point numbers with at least one dimension, or of narrow integers with two;
    other constants, such as the target of a Reshape or the scales of a Resize, belong to the architecture and stay.
    Uses of one weight stay uses of one hole.  Each option switches off one thing.

    Example: `Conv(%x, %w)` becomes `Conv(%x, f32[16,3,3,3])`.
    """

    name = "strip"
    keeps = "lossy"

    weights: bool = True  # the data of weights
    docs: bool = True  # doc strings at every level
    metadata: bool = True  # metadata at every level, and the producer of the model
    names: bool = True  # names of nodes
    types: bool = True  # types of values other than inputs and outputs

    def run(self, model: onnx.ModelProto, context: Context) -> int:
        total = 0
        for holder in holders(model):
            if self.weights and isinstance(holder, onnx.GraphProto):
                total += _strip_weights(holder)
            if self.types and holder.value_info:
                total += len(holder.value_info)
                del holder.value_info[:]
            if self.names:
                for node in holder.node:
                    if node.HasField("name"):
                        node.ClearField("name")
                        total += 1
        if self.weights and total and any(node.domain == "onnxtext" for h in holders(model) for node in h.node):
            import_domain(model)
        unwanted = {"doc_string"} if self.docs else set[str]()
        if self.metadata:
            unwanted.add("metadata_props")
            for name in ("producer_name", "producer_version", "domain", "model_version"):
                if model.HasField(name):
                    model.ClearField(name)
                    total += 1
        if unwanted:
            total += _clear(model, unwanted)
        return total


def _strip_weights(graph: onnx.GraphProto) -> int:
    """Put a hole for every weight of a graph in front of the first node that uses it, and return how many there are."""
    sizes = set(_sizes(graph))
    weights = {t.name: t for t in graph.initializer if t.name and is_weight(t) and t.name not in sizes}
    if not weights:
        return 0
    nodes: list[onnx.NodeProto] = []
    placed: set[str] = set()
    for name in [o.name for o in graph.output if o.name in weights]:
        if name not in placed:
            placed.add(name)
            nodes.append(make_hole(name, weights[name].data_type, list(weights[name].dims)))
    for node in graph.node:
        for name in [*node.input, *_captured(node)]:
            if name in weights and name not in placed:
                placed.add(name)
                nodes.append(make_hole(name, weights[name].data_type, list(weights[name].dims)))
        nodes.append(node)
    replace_all(graph.node, nodes)
    replace_all(graph.initializer, [t for t in graph.initializer if t.name not in weights])
    replace_all(graph.input, [i for i in graph.input if i.name not in weights])
    return len(weights)


def _sizes(graph: onnx.GraphProto) -> Iterator[str]:
    """Yield the names of values that say a shape, in a graph and those within it."""
    for node in graph.node:
        for place in _SIZES.get(node.op_type, ()):
            yield from node.input[place : place + 1]
        for inner in graph_attributes(node):
            yield from _sizes(inner)


def _captured(node: onnx.NodeProto) -> list[str]:
    """Return the names that the graphs within a node use, in order."""
    names: list[str] = []
    for graph in graph_attributes(node):
        for inner in graph.node:
            names += inner.input
            names += _captured(inner)
        names += [o.name for o in graph.output]
    return names


def _clear(model: onnx.ModelProto, names: set[str]) -> int:
    """Clear the fields of these names in every message of a model that has them, and return how many there were."""
    total = 0
    todo: list = [model]
    while todo:
        message = todo.pop()
        for field, value in message.ListFields():
            if field.name in names:
                message.ClearField(field.name)
                total += 1
            elif field.message_type is not None:
                todo += value if field.is_repeated else [value]
    return total
