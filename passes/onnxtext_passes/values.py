"""What is known of the values of a model before it runs: who makes them, their types, and small constants.

>>> model = onnx.parser.parse_model(
...     '<ir_version: 10, opset_import: ["": 21]> g (float[N,3] x) => (y) { s = Constant<value_ints=[0,-1]>() '
...     'h = Relu(x) y = Reshape(h, s) }')
>>> scope = read_scopes(model, Blobs())[0]
>>> scope.find_ints("s"), scope.find_type("h")
([0, -1], Type(element=1, shape=(None, 3)))
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from math import prod
from typing import TypeVar

import numpy as np
import onnx
from onnx import TensorProto

from onnxtext.core.blobs import Blobs
from onnxtext_passes.inference import MOST_READ, Type, infer_types, read_type
from onnxtext_passes.operators import Versions, function_key, node_key, versions_of
from onnxtext_passes.scopes import (
    Holder,
    count_uses,
    graph_attributes,
    holders,
    named_by,
    named_in_training,
    output_names,
)

_INTEGERS: dict[int, str] = {TensorProto.INT64: "<i8", TensorProto.INT32: "<i4", TensorProto.BOOL: "|i1"}


class Facts:
    """What the scopes of one model share.  Types are inferred when the first is asked for, from the model as it is."""

    def __init__(self, model: onnx.ModelProto, blobs: Blobs) -> None:
        self._model = model
        self.blobs = blobs
        self.ir_version = model.ir_version
        self.functions = {function_key(f): f for f in model.functions}
        self.in_training = named_in_training(model)

    @cached_property
    def types(self) -> list[dict[str, onnx.TypeProto]]:
        """The types of the values of each graph of the model, but for initializers, in the order of `read_scopes`."""
        return infer_types(self._model, self.functions, self.blobs)

    @cached_property
    def _names(self) -> set[str]:
        """All names of values in the model."""
        names: set[str] = set()
        for holder in holders(self._model):
            names.update(name for node in holder.node for name in (*node.input, *node.output))
            names.update(output_names(holder))
            if isinstance(holder, onnx.GraphProto):
                names.update(value.name for value in (*holder.input, *holder.initializer))
                names.update(sparse.values.name for sparse in holder.sparse_initializer)
            else:
                names.update(holder.input)
        return names

    def fresh(self, hint: str) -> str:
        """Return a name for a value that none of the model has, made of `hint`."""
        name, number = hint, 0
        while name in self._names:
            number += 1
            name = f"{hint}_{number}"
        self._names.add(name)
        return name


class Scope:
    """A graph or function with what is known of its values.  A picture of the moment: it follows no changes."""

    def __init__(self, holder: Holder, outer: Scope | None, versions: Versions, facts: Facts) -> None:
        self.holder, self.outer, self.versions, self.facts = holder, outer, versions, facts
        self.number = -1  # of a graph outside functions
        self.nodes = list(holder.node)
        self.graphs: list[tuple[int, onnx.GraphProto]] = []  # within nodes, with their places
        self.makers: dict[str, onnx.NodeProto] = {}
        self.results: list[str] = []  # the first of each node, "" where it has none
        self.pinned: set[str] = set()  # names that must stay, used or not
        self.beneath: set[str] = set()  # names that graphs within this one define, or return
        self.outputs = dict.fromkeys(output_names(holder))  # a set in order
        self.initializers: dict[str, TensorProto] = {}  # not those that are inputs: the caller may give others
        made: list[str] = []
        for place, node in enumerate(self.nodes):
            results = list(node.output)
            self.results.append(results[0] if results else "")
            self.makers.update(dict.fromkeys(results, node))
            made += results
            self.graphs += [(place, graph) for graph in graph_attributes(node)]
            self.pinned.update(named_by(node))
        if isinstance(holder, onnx.GraphProto):
            self.inputs = {i.name for i in holder.input}
            self.initializers = {t.name: t for t in holder.initializer if t.name not in self.inputs}
            made += [t.name for t in holder.initializer if t.name not in self.inputs]
            made += [s.values.name for s in holder.sparse_initializer]
            for annotation in holder.quantization_annotation:
                self.pinned.add(annotation.tensor_name)
                self.pinned.update(p.value for p in annotation.quant_parameter_tensor_names)
        else:
            self.inputs = set(holder.input)
        self.made = Counter(made)
        self.made.update(self.inputs)

    @cached_property
    def uses(self) -> Counter[str]:
        """How often each value is used, within inner graphs too."""
        return count_uses(self.holder)

    def is_onnx(self, node: onnx.NodeProto) -> bool:
        """Tell whether a node's operator is one of onnx, and not redefined by a function of the model."""
        return node.domain in ("", "ai.onnx") and node_key(node) not in self.facts.functions

    def find_type(self, name: str) -> Type | None:
        """Return the type of a value; None where it is not known, or no tensor."""
        scope = self._scope_of(name)
        if scope is None:
            return None
        if name in scope.initializers:
            tensor = scope.initializers[name]
            return Type(tensor.data_type, tuple(tensor.dims)) if min(tensor.dims, default=0) >= 0 else None
        kind = None if scope.number < 0 else scope.facts.types[scope.number].get(name)
        return None if kind is None else read_type(kind)

    def find_ints(self, name: str) -> list[int] | None:
        """Return the elements, in one list, of a small constant of whole numbers or truth values; None for others."""
        scope = self._scope_of(name)
        if scope is None:
            return None
        if name in scope.initializers:
            return read_elements(scope.initializers[name], scope.facts.blobs)
        node = scope.makers.get(name)
        if node is None or node.op_type != "Constant" or not scope.is_onnx(node) or len(node.attribute) != 1:
            return None
        given = node.attribute[0]
        if given.ref_attr_name:
            return None
        if given.name == "value" and given.type == onnx.AttributeProto.TENSOR:
            return read_elements(given.t, scope.facts.blobs)
        if given.name == "value_int" and given.type == onnx.AttributeProto.INT:
            return [given.i]
        if given.name == "value_ints" and given.type == onnx.AttributeProto.INTS:
            return list(given.ints)
        return None

    def _scope_of(self, name: str) -> Scope | None:
        """Return the scope that defines a value, None where none does, or does so twice."""
        scope: Scope | None = self
        while scope is not None and not scope.made[name]:
            scope = scope.outer
        return scope if scope is not None and scope.made[name] == 1 and name else None


S = TypeVar("S", bound=Scope)


def read_scopes(model: onnx.ModelProto, blobs: Blobs, kind: type[S] = Scope) -> list[S]:
    """Return the scopes of the model's graph and of its functions, each before those within it."""
    facts = Facts(model, blobs)
    scopes = list(_read(model.graph, None, versions_of(model), facts, kind))
    scopes[0].pinned |= facts.in_training
    for number, scope in enumerate(scopes):
        scope.number = number
    for function in model.functions:
        scopes += _read(function, None, versions_of(function), facts, kind)
    return scopes


def _read(holder: Holder, outer: S | None, versions: Versions, facts: Facts, kind: type[S]) -> Iterator[S]:
    scope = kind(holder, outer, versions, facts)
    yield scope
    for _, graph in scope.graphs:
        inner = list(_read(graph, scope, versions, facts, kind))
        scope.pinned |= inner[0].pinned
        scope.beneath |= inner[0].beneath | inner[0].outputs.keys() | inner[0].made.keys()
        yield from inner


def read_elements(tensor: TensorProto, blobs: Blobs) -> list[int] | None:
    """Return the elements of a small tensor of whole numbers or truth values."""
    size = prod(tensor.dims)
    if tensor.data_type not in _INTEGERS or size > MOST_READ or tensor.data_location == TensorProto.EXTERNAL:
        return None
    if tensor.HasField("raw_data"):
        dtype = np.dtype(_INTEGERS[tensor.data_type])
        data = blobs.find(tensor.raw_data)
        found = np.frombuffer(data, dtype).tolist() if len(data) == size * dtype.itemsize else []
    else:
        found = list(tensor.int64_data if tensor.data_type == TensorProto.INT64 else tensor.int32_data)
    return found if len(found) == size else None
