"""A graph or function as vertices and what they read: what `diff` compares, without names.

A vertex is a node, or an input that a caller gives: of the graph, or of a graph within a node.  Graphs within nodes are
written out: the node reads what they return, as it reads its operands.  Weights are no vertices; they are read.

>>> graph = onnx.parser.parse_graph("g (float[2] x) => (float[2] y) { h = Neg(x) y = Add(h, x) }")
>>> wiring = read_wiring(graph, Blobs())
>>> [(v.operator, [read.value for read in v.reads]) for v in wiring.vertices]
[('input', []), ('Neg', [(0, 0)]), ('Add', [(1, 0), (0, 0)])]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import onnx

from onnxtext.core.blobs import Blobs
from onnxtext.core.errors import ModelError

Value = tuple[int, int]  # the vertex that makes it, and the place among its results


@dataclass(frozen=True, slots=True)
class Weight:
    """An initializer: its name, what it is, and the digest of its data."""

    name: str
    kind: str  # element type and shape, as in f32[2,3]; whether a caller may give another
    digest: str
    tensor: onnx.TensorProto | onnx.SparseTensorProto = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Read:
    """One use of a value: where (operand 0, or what the graph "body" returns at 0), and what.

    `value` is None for a weight, for an operand that is left out, and for a name that nothing defines.
    """

    slot: str
    value: Value | None
    weight: Weight | None = None
    name: str = ""  # what the model calls it

    @property
    def is_named(self) -> bool:
        """Tell whether only the name says what this is: nothing in the model defines it."""
        return self.value is None and self.weight is None and bool(self.name)


@dataclass(slots=True, eq=False)
class Vertex:
    """A node, or an input."""

    number: int
    operator: str  # with its domain and overload; "input" for an input
    attributes: dict[str, bytes]  # what counts of each, graphs left out
    results: list[str]
    reads: list[Read]
    place: str  # of the graph it stands in: "" or, within nodes, as in "%loop body"
    kind: str = ""  # the type of an input
    node: onnx.NodeProto | None = None

    @property
    def name(self) -> str:
        """What to call it: its first result."""
        return next((name for name in self.results if name), "")


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a graph or function: its name, its type, and what it is."""

    name: str
    kind: str
    read: Read


@dataclass(slots=True)
class Wiring:
    """A graph or function, in an order in which what is read comes first."""

    vertices: list[Vertex]
    inputs: list[Port]
    outputs: list[Port]
    unused: list[Weight]


def read_wiring(holder: onnx.GraphProto | onnx.FunctionProto, blobs: Blobs) -> Wiring:
    """Return what `holder` consists of.  Raises ModelError where a value depends on itself."""
    return _Reader(blobs).read(holder)


class _Scope:
    """What the names of a graph mean, and where the graph stands."""

    def __init__(self, outer: _Scope | None, place: str) -> None:
        self.outer, self.place = outer, place
        self.values: dict[str, Value] = {}
        self.weights: dict[str, Weight] = {}

    def find(self, name: str) -> Value | Weight | None:
        scope: _Scope | None = self
        while scope is not None:
            found = scope.values.get(name) or scope.weights.get(name)
            if found is not None:
                return found
            scope = scope.outer
        return None


class _Reader:
    def __init__(self, blobs: Blobs) -> None:
        self.blobs = blobs
        self.vertices: list[Vertex] = []
        self.used: set[int] = set()
        self.weights: list[Weight] = []
        self.symbols: dict[str, str] = {}
        self.waiting: list[tuple[Vertex, _Scope]] = []
        self.inner: dict[int, list[tuple[str, str, _Scope]]] = {}  # what graphs within a node return, by its number

    def read(self, holder: onnx.GraphProto | onnx.FunctionProto) -> Wiring:
        scope = _Scope(None, "")
        inputs, outputs = self.open(holder, scope, "")
        for vertex, around in self.waiting:  # only now is every name known
            assert vertex.node is not None
            own = [self.use(str(k), name, around) for k, name in enumerate(vertex.node.input)]
            while own and own[-1].value is None and own[-1].weight is None and not own[-1].name:
                own.pop()  # operands that are left out at the end say nothing
            vertex.reads = own
        for number, pairs in self.inner.items():
            for slot, name, within in pairs:
                self.vertices[number].reads.append(self.use(slot, name, within))
        ports = [Port(name, kind, self.use("", name, scope)) for name, kind in outputs]
        order = _sorted(self.vertices, ports)
        return Wiring(order, inputs, ports, [w for w in self.weights if id(w) not in self.used])

    def open(
        self, holder: onnx.GraphProto | onnx.FunctionProto, scope: _Scope, prefix: str
    ) -> tuple[list[Port], list[tuple[str, str]]]:
        """Add what stands in `holder`, and return its inputs, and the names and types of its outputs."""
        inputs: list[Port] = []
        is_graph = isinstance(holder, onnx.GraphProto)
        given = [(i.name, self.type(i.type)) for i in holder.input] if is_graph else [(i, "") for i in holder.input]  # type: ignore[union-attr]
        names = {name for name, _ in given}
        if isinstance(holder, onnx.GraphProto):
            for tensor in holder.initializer:
                weight = read_weight(tensor, self.blobs, tensor.name in names)
                scope.weights[tensor.name] = weight
                self.weights.append(weight)
            for sparse in holder.sparse_initializer:
                digest = sha256(sparse.SerializeToString(deterministic=True)).hexdigest()
                kind = f"sparse {_kind(sparse.values.data_type, sparse.dims)}"
                scope.weights[sparse.values.name] = Weight(sparse.values.name, kind, digest, sparse)
                self.weights.append(scope.weights[sparse.values.name])
        for place, (name, kind) in enumerate(given):
            if name in scope.weights:
                continue
            vertex = self.add(f"input {prefix}{place}" if prefix else "input", [name], scope)
            vertex.kind = kind
            inputs.append(Port(name, kind, Read("", (vertex.number, 0), name=name)))
        for node in holder.node:
            vertex = self.add(_operator(node), list(node.output), scope)
            vertex.node = node
            self.waiting.append((vertex, scope))
            for attribute in node.attribute:
                graphs = [attribute.g] if attribute.type == onnx.AttributeProto.GRAPH else list(attribute.graphs)
                for k, graph in enumerate(graphs):
                    slot = attribute.name if attribute.type == onnx.AttributeProto.GRAPH else f"{attribute.name}.{k}"
                    around = f"{scope.place} in " if scope.place else ""
                    within = _Scope(scope, f"{around}{slot} of %{vertex.name}")
                    _, outputs = self.open(graph, within, f"{slot} ")
                    self.inner.setdefault(vertex.number, []).extend(
                        (f"{slot} returns {at}", name, within) for at, (name, _) in enumerate(outputs)
                    )
                    told = [kind for _, kind in outputs]
                    vertex.attributes[slot] = f"graph of {len(graph.input)} inputs -> {', '.join(told)}".encode()
                if not graphs:
                    vertex.attributes[attribute.name] = self.attribute(attribute)
        if isinstance(holder, onnx.GraphProto):
            return inputs, [(o.name, self.type(o.type)) for o in holder.output]
        return inputs, [(name, "") for name in holder.output]

    def add(self, operator: str, results: list[str], scope: _Scope) -> Vertex:
        vertex = Vertex(len(self.vertices), operator, {}, results, [], scope.place)
        self.vertices.append(vertex)
        for place, name in enumerate(results):
            if name:
                scope.values[name] = (vertex.number, place)
        return vertex

    def use(self, slot: str, name: str, scope: _Scope) -> Read:
        found = scope.find(name) if name else None
        if isinstance(found, Weight):
            self.used.add(id(found))
            return Read(slot, None, found, name)
        return Read(slot, found, None, name)

    def attribute(self, attribute: onnx.AttributeProto) -> bytes:
        """Return the bytes of what counts of an attribute."""
        if attribute.type == onnx.AttributeProto.TENSOR:
            weight = read_weight(attribute.t, self.blobs)
            return f"{weight.kind} {weight.digest}".encode()
        if attribute.doc_string or attribute.tensors:
            bare = onnx.AttributeProto()
            bare.CopyFrom(attribute)
            bare.ClearField("doc_string")
            for tensor in bare.tensors:
                tensor.ClearField("name")
                tensor.ClearField("doc_string")
            attribute = bare
        return attribute.SerializeToString(deterministic=True)

    def type(self, kind: onnx.TypeProto) -> str:
        """Return a type in our notation, symbols named in the order in which they come."""
        from onnxtext_grammar.types import print_type

        if kind.HasField("tensor_type") and any(d.dim_param for d in kind.tensor_type.shape.dim):
            copy = onnx.TypeProto()
            copy.CopyFrom(kind)
            for dimension in copy.tensor_type.shape.dim:
                if dimension.dim_param:
                    dimension.dim_param = self.symbols.setdefault(dimension.dim_param, f"N{len(self.symbols)}")
            kind = copy
        return print_type(kind.SerializeToString(deterministic=True)) or str(kind).replace("\n", " ")


def _operator(node: onnx.NodeProto) -> str:
    domain = "" if node.domain in ("", "ai.onnx") else f"{node.domain}."
    return domain + node.op_type + (f":{node.overload}" if node.overload else "")


def _kind(element: int, dims: Sequence[int]) -> str:
    from onnxtext_grammar.dtypes import dtype_name

    return f"{dtype_name(element)}[{','.join(map(str, dims))}]"


def read_weight(tensor: onnx.TensorProto, blobs: Blobs, may_be_given: bool = False) -> Weight:
    """Return what a tensor is; raw and typed storage of the same data are the same."""
    kind = _kind(tensor.data_type, tensor.dims) + (" or given" if may_be_given else "")
    data: Any = blobs.find(tensor.raw_data)
    if not tensor.HasField("raw_data"):
        try:
            data = onnx.numpy_helper.to_array(tensor).tobytes()
        except Exception:  # of many kinds: data elsewhere, of another length, of an unknown type
            bare = onnx.TensorProto()
            bare.CopyFrom(tensor)
            bare.ClearField("name")
            bare.ClearField("doc_string")
            data = bare.SerializeToString(deterministic=True)
    return Weight(tensor.name, kind, sha256(data).hexdigest(), tensor)


def _sorted(vertices: list[Vertex], outputs: list[Port]) -> list[Vertex]:
    """Number vertices anew, what is read first, in the order in which the outputs reach them."""
    order: list[int] = []
    state = bytearray(len(vertices))  # 1: open, 2: in the order
    roots = [p.read.value[0] for p in outputs if p.read.value is not None]
    stack = [*range(len(vertices) - 1, -1, -1), *reversed(roots)]
    while stack:
        number = stack.pop()
        if number < 0:
            state[~number] = 2
            order.append(~number)
        elif not state[number]:
            state[number] = 1
            stack.append(~number)
            for read in reversed(vertices[number].reads):
                if read.value is None:
                    continue
                if state[read.value[0]] == 1:
                    name = vertices[read.value[0]].name
                    raise ModelError(f"the value %{name} depends on itself; such a model has no order to compare")
                if not state[read.value[0]]:
                    stack.append(read.value[0])
    inputs = [n for n in order if vertices[n].operator == "input"]
    order = [*sorted(inputs), *(n for n in order if vertices[n].operator != "input")]
    new = {old: number for number, old in enumerate(order)}
    moved = [vertices[old] for old in order]
    for vertex in moved:
        vertex.number = new[vertex.number]
        vertex.reads = [_moved(read, new) for read in vertex.reads]
    outputs[:] = [Port(p.name, p.kind, _moved(p.read, new)) for p in outputs]
    return moved


def _moved(read: Read, new: dict[int, int]) -> Read:
    if read.value is None:
        return read
    return Read(read.slot, (new[read.value[0]], read.value[1]), None, read.name)
