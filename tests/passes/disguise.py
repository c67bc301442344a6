"""The same network under other names and in another order: what `canonicalize` has to see through.

>>> model = onnx.parser.parse_model(
...     '<ir_version: 10, opset_import: ["": 21]> g (float[2] x) => (float[2] y) { h = Relu(x) y = Neg(h) }')
>>> other = disguise(model, Random(1))
>>> sorted(node.op_type for node in other.graph.node), other.graph.output[0].name == "y"
(['Neg', 'Relu'], False)
"""

from __future__ import annotations

from collections.abc import Iterator, MutableSequence
from random import Random

import onnx

Documented = onnx.ModelProto | onnx.GraphProto | onnx.FunctionProto | onnx.NodeProto | onnx.ValueInfoProto
COMMUTATIVE = ("Add", "Mul", "Max", "Min", "Sum", "Mean", "And", "Or", "Xor", "Equal", "BitwiseAnd")


def disguise(model: onnx.ModelProto, random: Random, *, operands: bool = False) -> onnx.ModelProto:
    """Return a model that differs in everything that does not count; with `operands`, in their order too."""
    other = onnx.ModelProto()
    other.CopyFrom(model)
    _Disguise(random, operands).model(other)
    return other


class _Disguise:
    def __init__(self, random: Random, operands: bool) -> None:
        self.random, self.operands = random, operands
        self.names: dict[str, str] = {"": ""}
        self.symbols: dict[str, str] = {"": ""}

    def model(self, model: onnx.ModelProto) -> None:
        self.graph(model.graph)
        self.shuffle(model.functions)
        for function in model.functions:
            self.names, self.symbols = {"": ""}, {"": ""}
            self.body(function)
            function.input[:] = [self.name(n) for n in function.input]
            function.output[:] = [self.name(n) for n in function.output]
            self.shuffle(function.opset_import)
            self.document(function)
        self.shuffle(model.opset_import)
        model.producer_name, model.producer_version, model.model_version = self.word(), self.word(), 7
        self.document(model)

    def graph(self, graph: onnx.GraphProto) -> None:
        for tensor in graph.initializer:
            tensor.name = self.name(tensor.name)
            tensor.doc_string = self.word()
        for sparse in graph.sparse_initializer:
            sparse.values.name = self.name(sparse.values.name)
        for annotation in graph.quantization_annotation:
            annotation.tensor_name = self.name(annotation.tensor_name)
            for pair in annotation.quant_parameter_tensor_names:
                pair.value = self.name(pair.value)
        for value in (*graph.input, *graph.output):
            self.value(value)
        self.body(graph)
        self.shuffle(graph.initializer)
        self.shuffle(graph.sparse_initializer)
        self.shuffle(graph.quantization_annotation)
        graph.name = self.word()
        self.document(graph)

    def body(self, holder: onnx.GraphProto | onnx.FunctionProto) -> None:
        for node in holder.node:
            inputs = [self.name(name) for name in node.input]
            if self.operands and node.op_type in COMMUTATIVE and "" not in inputs:
                self.random.shuffle(inputs)
            node.input[:] = inputs
            node.output[:] = [self.name(name) for name in node.output]
            node.name = self.word()
            for attribute in node.attribute:
                attribute.doc_string = self.word()
                for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                    self.graph(graph)
                for tensor in (*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors):
                    tensor.name = self.word()
            self.shuffle(node.attribute)
            self.document(node)
        for info in holder.value_info:
            self.value(info)
        self.shuffle(holder.value_info)
        self.shuffle(holder.node)

    def value(self, info: onnx.ValueInfoProto) -> None:
        info.name = self.name(info.name)
        for dimension in dimensions(info.type):
            if dimension.HasField("dim_param"):
                dimension.dim_param = self.rename(dimension.dim_param, self.symbols)
        self.document(info)

    def name(self, name: str) -> str:
        return self.rename(name, self.names)

    def rename(self, name: str, known: dict[str, str]) -> str:
        return known.setdefault(name, f"{self.word()}_{len(known)}")

    def word(self) -> str:
        return self.random.choice(["a", "Relu", "x0", "v1", "y0", "w", "_", "N0", "größe"])

    def document(self, message: Documented) -> None:
        message.doc_string = self.word()
        message.metadata_props.add(key=self.word(), value=self.word())

    def shuffle(self, field: MutableSequence) -> None:
        items = [type(item).FromString(item.SerializeToString()) for item in field]
        self.random.shuffle(items)
        del field[:]
        field.extend(items)


def dimensions(kind: onnx.TypeProto) -> Iterator[onnx.TensorShapeProto.Dimension]:
    """Yield the dimensions in a type."""
    which = kind.WhichOneof("value")
    if which in ("tensor_type", "sparse_tensor_type"):
        yield from getattr(kind, which).shape.dim
    elif which in ("sequence_type", "optional_type"):
        yield from dimensions(getattr(kind, which).elem_type)
    elif which == "map_type":
        yield from dimensions(kind.map_type.value_type)
