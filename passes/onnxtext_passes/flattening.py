"""A graph with all its subgraphs as one DAG: read from wire bytes, and written anew in the order of the DAG.

Each node, input, initializer, symbolic dimension and graph is a vertex.  Its label holds what counts and no name; its
edges say what it uses.  A graph uses its inputs and outputs, in their places, and what nothing else uses, in a bag.  A
node uses its operands and the graphs in its attributes.  A result of a node, but for the first, is a vertex that uses
it.  How deep a vertex stands is in its label; in which graph of that depth is clear from what uses it.

>>> import onnx
>>> graph = onnx.parser.parse_graph("g (float[2] a) => (float[2] b) { c = Neg(a) b = Add(a, c) }")
>>> wire = Part(Blobs()).write_graph(graph.SerializeToString())
>>> [(node.op_type, *node.input, *node.output) for node in onnx.GraphProto.FromString(wire).node]
[('Neg', 'x0', 'v0'), ('Add', 'x0', 'v0', 'y0')]
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain
from operator import ne

from onnxtext.core.blobs import LARGE_BYTES, Blobs
from onnxtext.core.wire import (
    ATTRIBUTE,
    FUNCTION,
    GRAPH,
    NODE,
    TENSOR,
    VALUE_INFO,
    Schema,
    delimited,
    join,
    pack,
    read_varint,
    schema,
    split,
)
from onnxtext_grammar.literals import print_value
from onnxtext_grammar.printer import _head
from onnxtext_grammar.types import DIMENSION
from onnxtext_passes.base import PassError
from onnxtext_passes.ordering import Circle, Dag, sort

# The operators of ONNX whose operands may change places.  (Sum and Mean of more than two floats then round otherwise.)
COMMUTATIVE = frozenset(b"Add And BitwiseAnd BitwiseOr BitwiseXor Equal Max Mean Min Mul Or Sum Xor".split())
GRAPH_NAME = b"g"  # of every graph: the checker wants one

Call = tuple[bytes, bytes, bytes]  # domain, name and overload of a function
_Label = tuple[bytes, ...]

_SPARSE = schema("onnx.SparseTensorProto")
_ANNOTATION = schema("onnx.TensorAnnotation")
_OPSET = schema("onnx.OperatorSetIdProto")
_PAIR = schema("onnx.StringStringEntryProto")
_INPUT, _OUTPUT = NODE.by_name["input"].tag, NODE.by_name["output"].tag
_INPUT_TAG, _OUTPUT_TAG, _NAME_TAG = _INPUT[0], _OUTPUT[0], NODE.by_name["name"].tag[0]
_NODE, _NAME = GRAPH.by_name["node"].tag, VALUE_INFO.by_name["name"].tag
_TENSOR_NAME, _VALUES = TENSOR.by_name["name"].tag, _SPARSE.by_name["values"].tag
_TENSORS, _SPARSES, _GRAPHS = (5, 10), (22, 23), (6, 11)  # the fields of an attribute that hold such
_T_NAME, _T_RAW, _T_DOC, _T_METADATA = 8, 9, 12, 16
_SHORT = 256  # bytes of what stands behind the names of a node, up to which it is remembered beyond one model

# A tensor as most are: dimensions, element type, a short name, and then raw data to the end.
_PLAIN_TENSOR = re.compile(rb"((?:\x08[\x80-\xff]*[\x00-\x7f])*+\x10[\x00-\x7f])B([\x00-\x7f])", re.DOTALL).match


# ---- wire bytes


def join_fields(fields: dict[int, list], message: Schema, opaque: bytes = b"") -> bytes:
    """Return the bytes of fields as `split` gives them."""
    pairs: list[tuple[int, object]] = []
    for number, values in fields.items():
        if message.by_number[number].packed:
            pairs.append((number, pack(values, message.by_number[number])))
        else:
            pairs += [(number, value) for value in values]
    return join(pairs, message, opaque)


def _split_tensor(wire: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the name of a tensor, and its bytes before and behind that, without doc string and metadata."""
    match = _PLAIN_TENSOR(wire)
    if match:
        at = match.end() + match[2][0]
        if wire[at : at + 1] == b"J":  # raw data
            size, data = read_varint(wire, at + 1)
            if data + size == len(wire):
                return wire[match.end() : at], match[1], wire[at:]
    fields, opaque = split(wire, TENSOR)
    name = fields.get(_T_NAME, [b""])[0]
    behind = {n: values for n, values in fields.items() if n > _T_NAME and n not in (_T_DOC, _T_METADATA)}
    before = {n: values for n, values in fields.items() if n < _T_NAME}
    return name, join_fields(before, TENSOR), join_fields(behind, TENSOR, opaque)


def _trim(wire: bytes) -> bytes:
    """Return the bytes of a node from its operator on, without doc string, metadata, empty domain, empty overload."""
    at = 0
    while at < len(wire) and wire[at] in b"\x22\x2a":  # operator, attributes
        size, at = read_varint(wire, at + 1)
        at += size
    if at == len(wire):
        return wire
    fields, opaque = split(wire[at:], NODE)
    for number, values in list(fields.items()):
        if number in (6, 9) or (number in (7, 8) and values == [b""]):
            del fields[number]
    return wire[:at] + join_fields(fields, NODE, opaque)


def _split_sparse(wire: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Return what `_split_tensor` returns of the values of a sparse tensor, and the rest of it."""
    fields, opaque = split(wire, _SPARSE)
    parts = _split_tensor(fields.pop(1, [b""])[0])
    if 2 in fields:  # indices
        _, before, behind = _split_tensor(fields[2][0])
        fields[2] = [before + behind]
    return *parts, join_fields(fields, _SPARSE, opaque)


def _sparse_wire(name: bytes, before: bytes, behind: bytes, rest: bytes) -> bytes:
    """Return a sparse tensor of these parts; `name` is the whole field, or nothing."""
    return delimited(_VALUES, before + name + behind) + rest


def _split_info(wire: bytes) -> tuple[bytes, bytes]:
    """Return the name of a ValueInfoProto, and the rest of it without doc string and metadata."""
    fields, opaque = split(wire, VALUE_INFO)
    name = fields.get(1, [b""])[0]
    return name, join_fields({2: fields[2]} if 2 in fields else {}, VALUE_INFO, opaque)


def sort_opsets(wires: Iterable[bytes]) -> list[bytes]:
    """Return opset imports in the order of their domains, each of which is written, the empty one too."""
    parts = [split(wire, _OPSET) for wire in wires]
    return sorted(join_fields({1: [b""], **fields}, _OPSET, opaque) for fields, opaque in parts)


def _map_symbols(wire: bytes, message: Schema, rename: Callable[[bytes], bytes]) -> bytes:
    """Return a message with types in which symbolic dimensions have other names."""
    fields, opaque = split(wire, message)
    if message is DIMENSION and fields.get(2, [b""])[0]:
        fields[2] = [rename(fields[2][0])]
    for number, values in fields.items():
        inner = message.by_number[number].message
        if inner:
            fields[number] = [_map_symbols(value, schema(inner), rename) for value in values]
    return join_fields(fields, message, opaque)


# ---- what is read


@dataclass(slots=True)
class _Scope:
    """A graph or function: what its names mean, and what stands in it."""

    depth: int
    outer: _Scope | None
    names: dict[bytes, int] = field(default_factory=lambda: {b"": -1})
    vertex: int = -1
    inputs: list[tuple[int, bytes]] = field(default_factory=list)  # vertex, type
    outputs: list[tuple[int, bytes]] = field(default_factory=list)
    types: dict[int, list[bytes]] = field(default_factory=dict)  # the value_infos
    # What follows is in the order of the result.
    nodes: list[int] = field(default_factory=list)
    weights: list[int] = field(default_factory=list)
    annotations: list[int] = field(default_factory=list)
    counts: dict[bytes, int] = field(default_factory=dict)  # of the names that were given, by their letter
    opaque: bytes = b""


@dataclass(slots=True)
class _Weight:
    """An initializer: the bytes of its tensor before and behind the name, and what else a sparse tensor has."""

    scope: _Scope
    before: bytes
    behind: bytes
    sparse: bytes | None


@dataclass(slots=True)
class _Annotation:
    """A quantization annotation: a tensor and its parameters, as vertices."""

    scope: _Scope
    tensor: int
    parameters: list[tuple[bytes, int]]
    opaque: bytes


@dataclass(slots=True)
class _Attribute:
    """An attribute, its bytes without graphs, and the graphs by the field that holds them."""

    name: bytes
    label: _Label
    wire: bytes
    graphs: dict[int, list[_Scope]]

    @property
    def scopes(self) -> list[_Scope]:
        return [scope for scopes in self.graphs.values() for scope in scopes]


@dataclass(slots=True)
class _Tail:
    """What a node is but for its operands and results."""

    label: _Label
    is_commutative: bool
    call: Call
    is_call: bool  # of a function of this model
    wire: bytes  # unless it holds graphs
    fields: dict[int, list]  # all but the attributes
    opaque: bytes
    attributes: list[_Attribute]
    scopes: list[_Scope]


# A node: the graph it stands in, its operands and results as vertices, -1 for what is left out, and the rest.
_Node = tuple[_Scope, list[int], list[int], _Tail]


class Part:
    """One graph of a model, or one function, with all that is in it.  It is for one use."""

    def __init__(self, blobs: Blobs, *, commutative: bool = False, functions: frozenset[Call] = frozenset()) -> None:
        self.blobs, self.commutative, self.functions = blobs, commutative, functions
        self.calls: list[Call] = []  # the functions it calls, in the order of the result
        self.changes = 0  # names and places that are others in the result
        self.stale = 0  # types that were given to names without a value; they are left out
        self.children: list[list[int]] = []
        self.start: dict[int, int] = {}
        self.labels: list[_Label] = []
        self.nodes: dict[int, _Node] = {}
        self.results: list[int] = []  # but for the first of each node
        self.weights: dict[int, _Weight] = {}
        self.annotations: dict[int, _Annotation] = {}
        self.symbols: dict[bytes, int] = {}
        self.scopes: list[_Scope] = []
        self.names: list[bytes] = []  # in the result: of the vertices that are values or symbols, and one for -1
        self.given: list[bytes] = []  # the same names as operands in wire bytes
        self._tails: dict[int, dict[bytes, _Tail]] = {}  # by depth
        self._types: dict[bytes, tuple[bytes, list[int]]] = {}
        self._renamed: dict[bytes, bytes] = {}

    def write_graph(self, wire: bytes) -> bytes:
        """Return the bytes of a graph in canonical form.  Raises PassError, TooAlike."""
        scope = self.read_graph(wire, None)
        self.arrange(scope)
        return self.graph_wire(scope)

    def write_function(self, wire: bytes) -> bytes:
        """Return the bytes of a function in canonical form.  Raises PassError, TooAlike."""
        fields, opaque = split(wire, FUNCTION)
        scope = self.open(None)
        defaults = sorted((self.read_attribute(a, scope) for a in fields.get(11, [])), key=_by_name)
        inputs, outputs = ([(name, b"") for name in fields.get(number, [])] for number in (4, 5))
        infos = [_split_info(w) for w in fields.get(12, [])]
        self.read_body(scope, fields.get(7, []), inputs, outputs, infos)
        self.close(scope, [inner.vertex for a in defaults for inner in a.scopes])
        self.arrange(scope)
        nodes = self.node_wires(scope)
        for number, values in (
            (4, [self.names[v] for v, _ in scope.inputs]),
            (5, [self.names[v] for v, _ in scope.outputs]),
            (6, sorted(fields.get(6, []))),
            (7, nodes),
            (9, sort_opsets(fields.get(9, []))),
            (11, [self.attribute_wire(a) for a in defaults]),
            (12, self.info_wires(scope)),
        ):
            fields[number] = values
        for number in (8, 14):  # doc string, metadata
            fields.pop(number, None)
        return join_fields(fields, FUNCTION, opaque)

    # ---- reading

    def vertex(self, label: _Label, children: Iterable[int] = ()) -> int:
        self.labels.append(label)
        self.children.append(list(children))
        return len(self.children) - 1

    def open(self, outer: _Scope | None) -> _Scope:
        scope = _Scope(outer.depth + 1 if outer else 0, outer)
        self.scopes.append(scope)
        return scope

    def close(self, scope: _Scope, children: Iterable[int] = (), label: _Label = ()) -> None:
        """Make the vertex of a graph; all that is in it is there."""
        ends = [v for v, _ in (*scope.inputs, *scope.outputs) if v >= 0]
        scope.vertex = self.vertex((b"graph", b"%d" % len(scope.inputs), *label), chain(ends, children))

    def read_graph(self, wire: bytes, outer: _Scope | None) -> _Scope:
        """Read a graph that stands in `outer`."""
        scope = self.open(outer)
        fields, scope.opaque = split(wire, GRAPH)
        inputs, outputs, infos = ([_split_info(w) for w in fields.get(number, [])] for number in (11, 12, 13))
        tensors = [(*_split_tensor(w), None) for w in fields.get(5, [])]
        tensors += [_split_sparse(w) for w in fields.get(15, [])]
        self.read_body(scope, fields.get(1, []), inputs, outputs, infos, tensors)
        for annotation in fields.get(14, []):
            self.read_annotation(annotation, scope)
        kinds = [self.kind(kind) for _, kind in scope.outputs]
        label = (_pattern(v for v, _ in scope.outputs), *(label for label, _ in kinds), scope.opaque)
        self.close(scope, [symbol for _, symbols in kinds for symbol in symbols], label)
        return scope

    def read_body(
        self,
        scope: _Scope,
        nodes: list[bytes],
        inputs: list[tuple[bytes, bytes]],
        outputs: list[tuple[bytes, bytes]],
        infos: list[tuple[bytes, bytes]],
        tensors: Iterable[tuple[bytes, bytes, bytes, bytes | None]] = (),
    ) -> None:
        """Read what a graph and a function have in common: `inputs`, `outputs` and `infos` are names with types."""
        depth = b"%d" % scope.depth
        for _, kind in chain(outputs, infos):
            self.kind(kind)  # makes the vertices of its symbols, which thus come before what uses them
        for name, kind in inputs:
            label, symbols = self.kind(kind)
            v = self.vertex((b"input", depth, label), symbols)
            self.define(name, v, scope)
            scope.inputs.append((v, kind))
        for name, before, behind, sparse in tensors:
            v = scope.names.get(name, -1)
            if v < 0 or v in self.weights:
                v = self.vertex((b"weight", depth))
                self.define(name, v, scope)
            self.weights[v] = _Weight(scope, before, behind, sparse)
        self.read_nodes(nodes, scope)
        self.read_infos(infos, scope)
        scope.outputs += [(self.find(name, scope), kind) for name, kind in outputs]

    def read_nodes(self, wires: list[bytes], scope: _Scope) -> None:
        """Read the nodes of a graph, in any order."""
        names, labels, children, nodes, start = scope.names, self.labels, self.children, self.nodes, self.start
        tails = self._tails.setdefault(scope.depth, {})
        known = names if scope.outer is None else {}  # what a name means where no other graph has a say
        waiting: list[tuple[int, list[bytes], list[int], bytes]] = []
        for wire in wires:
            # As most nodes are: short names, operands that are known, one result, and all behind that met before.
            at, operands = 0, []
            result, tail = b"", None
            try:
                while wire[at] == _INPUT_TAG and (size := wire[at + 1]) < 128:
                    stop = at + 2 + size
                    operands.append(known[wire[at + 2 : stop]])
                    at = stop
                if wire[at] == _OUTPUT_TAG and (size := wire[at + 1]) < 128:
                    stop = at + 2 + size
                    result = wire[at + 2 : stop]
                    if wire[stop] == _NAME_TAG and (size := wire[stop + 1]) < 128:
                        stop += 2 + size
                    tail = tails.get(wire[stop:])
            except (KeyError, IndexError):
                pass
            if tail is not None and result not in names and -1 not in operands:
                v = len(children)
                names[result] = v
                nodes[v] = scope, operands, [v], tail
                children.append(operands)
                labels.append(tail.label)
                if tail.is_commutative:
                    start[v] = 0
            else:
                ins, outs, _, rest = _head(wire, 0, len(wire))
                v = self.vertex(())
                waiting.append((v, ins, self.define_results(outs, v, scope), rest))
                if rest not in tails:
                    self.read_plain_tail(rest, scope)
        for v, ins, results, rest in waiting:  # now all names of this graph are known, as its subgraphs need them
            tail = tails.get(rest) or self.read_tail(rest, scope)
            nodes[v] = scope, [self.find(name, scope) for name in ins], results, tail
            self.set_children(v)

    def set_children(self, v: int) -> None:
        """Set label and children of a node, which may be any."""
        _, operands, results, tail = self.nodes[v]
        label, below = tail.label, operands
        if results != [v]:
            label = (*label, b"results", _pattern(results))
        if -1 in operands:
            label = (*label, b"operands", _pattern(operands))
            below = [o for o in operands if o >= 0]
        elif tail.is_commutative:
            self.start[v] = 0
        if tail.scopes:
            below = [*below, *(inner.vertex for inner in tail.scopes)]
        self.labels[v] = label
        self.children[v] = below

    def define_results(self, outs: list[bytes], v: int, scope: _Scope) -> list[int]:
        """Return the vertices of the results of the node `v`."""
        results: list[int] = []
        for k, name in enumerate(outs):
            if not name:
                results.append(-1)
                continue
            if k == 0:
                results.append(v)
            else:
                results.append(self.vertex((b"result", b"%d" % k), [v]))
                self.results.append(results[-1])
            outer = scope.outer
            if outer and name not in scope.names and self.find(name, outer, missing=-1) >= 0:
                raise PassError(
                    f"{print_value(name)} is defined in a subgraph and outside it too, and what it means there depends "
                    "on the order of nodes; give it another name inside"
                )
            self.define(name, results[-1], scope)
        return results

    def define(self, name: bytes, v: int, scope: _Scope) -> None:
        if name and scope.names.setdefault(name, v) != v:
            raise PassError(f"{print_value(name)} is defined twice; give one of the two another name")

    def find(self, name: bytes, scope: _Scope | None, missing: int | None = None) -> int:
        """Return the vertex that a name means in a graph, or `missing`."""
        while scope is not None:
            v = scope.names.get(name)
            if v is not None:
                return v
            scope = scope.outer
        if missing is None:
            raise PassError(f"{print_value(name)} is used, but nothing defines it; repair or remove what uses it")
        return missing

    def read_plain_tail(self, wire: bytes, scope: _Scope) -> None:
        """Read what stands behind the names of a node, unless an attribute holds tensors or graphs."""
        trimmed = _trim(wire)
        if len(trimmed) < _SHORT:
            tail = _read_plain_node(trimmed, scope.depth, self.commutative)
            if tail is not None:
                self._tails[scope.depth][wire] = self.marked(tail)

    def read_tail(self, wire: bytes, scope: _Scope) -> _Tail:
        """Read what stands behind the names of a node, whatever it is."""
        fields, opaque = split(_trim(wire), NODE)
        if 10 in fields:
            raise PassError("device configurations name values, and have no canonical form yet; remove them first")
        if _operator(fields)[:2] == (b"ai.onnx.preview.training", b"Gradient"):
            raise PassError("Gradient names values in its attributes, and has no canonical form yet; remove it first")
        attributes = [self.read_attribute(a, scope) for a in fields.pop(5, ())]
        tail = self.marked(_tail(fields, opaque, attributes, scope.depth, self.commutative))
        if not tail.scopes:
            self._tails[scope.depth][wire] = tail
        return tail

    def marked(self, tail: _Tail) -> _Tail:
        return replace(tail, is_call=True, is_commutative=False) if tail.call in self.functions else tail

    def read_attribute(self, wire: bytes, scope: _Scope) -> _Attribute:
        fields, opaque = split(wire, ATTRIBUTE)
        fields.pop(13, None)  # doc string
        if fields.keys().isdisjoint((*_TENSORS, *_SPARSES, *_GRAPHS)):
            return _plain_attribute(fields, opaque)
        graphs = {n: [self.read_graph(g, scope) for g in fields.pop(n)] for n in _GRAPHS if n in fields}
        label = [b"graphs", *(b"%d" % len(graphs.get(n, [])) for n in _GRAPHS)]
        for number in _TENSORS:
            if number in fields:
                parts = [_split_tensor(tensor)[1:] for tensor in fields[number]]
                fields[number] = [before + behind for before, behind in parts]
                label += [b"%d" % number, *chain.from_iterable(self.contents(*part) for part in parts)]
        for number in _SPARSES:
            if number in fields:
                sparse = [_split_sparse(tensor) for tensor in fields[number]]
                fields[number] = [_sparse_wire(b"", *parts[1:]) for parts in sparse]
                for _, before, behind, rest in sparse:
                    label += [b"%d" % number, *self.contents(before, behind), rest]
        named = join_fields(fields, ATTRIBUTE, opaque)
        bare = {n: values for n, values in fields.items() if n not in (*_TENSORS, *_SPARSES)}
        return _Attribute(fields.get(1, [b""])[0], (join_fields(bare, ATTRIBUTE, opaque), *label), named, graphs)

    def contents(self, before: bytes, behind: bytes) -> _Label:
        """Return what counts of a tensor: large data as its digest, whether or not it was set aside."""
        fields, opaque = split(before + behind, TENSOR)
        raw = fields.pop(_T_RAW, None)
        if raw is None:
            return b"", before + behind
        data = self.blobs.find(raw[0])
        kept = hashlib.sha256(data).digest() if len(data) >= LARGE_BYTES else bytes(data)
        return b"digest" if len(data) >= LARGE_BYTES else b"data", kept, join_fields(fields, TENSOR, opaque)

    def kind(self, wire: bytes) -> tuple[bytes, list[int]]:
        """Return the label of a type, in which symbols are numbers, and those symbols as vertices."""
        found = self._types.get(wire)
        if found is None:
            own: dict[bytes, int] = {}
            label = _map_symbols(wire, VALUE_INFO, lambda name: b"%d" % own.setdefault(name, len(own)))
            for name in own:
                if name not in self.symbols:
                    self.symbols[name] = self.vertex((b"symbol",))
            found = self._types[wire] = label, [self.symbols[name] for name in own]
        return found

    def read_infos(self, infos: list[tuple[bytes, bytes]], scope: _Scope) -> None:
        """Give values the types that value_infos say."""
        found: list[tuple[int, bytes, list[int], bytes]] = []
        for name, kind in infos:
            v = scope.names.get(name, -1)
            if v < 0:
                self.stale += 1
            else:
                found.append((v, *self.kind(kind), kind))
        found.sort()
        extra = set(self.results)
        for v, label, symbols, kind in found:
            scope.types.setdefault(v, []).append(kind)
            at, which = (self.children[v][-1], self.labels[v]) if v in extra else (v, ())
            self.labels[at] = (*self.labels[at], b"type", *which, label)
            if symbols:
                self.children[at] = [*symbols, *self.children[at]]
                if at in self.start:
                    self.start[at] += len(symbols)

    def read_annotation(self, wire: bytes, scope: _Scope) -> None:
        fields, opaque = split(wire, _ANNOTATION)
        tensor = self.find(fields.get(1, [b""])[0], scope)
        pairs = [split(pair, _PAIR)[0] for pair in fields.get(2, [])]
        parameters = sorted((p.get(1, [b""])[0], self.find(p.get(2, [b""])[0], scope)) for p in pairs)
        ends = [tensor, *(v for _, v in parameters)]
        label = (b"annotation", b"%d" % scope.depth, _pattern(ends), *(key for key, _ in parameters), opaque)
        v = self.vertex(label, (e for e in ends if e >= 0))
        self.annotations[v] = _Annotation(scope, tensor, parameters, opaque)

    # ---- order and names

    def label(self, v: int) -> _Label:
        """Return what counts of a vertex; the data of initializers is looked at here, where it is needed."""
        weight = self.weights.get(v)
        if weight is None:
            return self.labels[v]
        return *self.labels[v], *self.contents(weight.before, weight.behind), weight.sparse or b""

    def home(self, v: int) -> _Scope:
        """Return the graph in which a node or its result, an initializer or an annotation stands."""
        if v in self.weights:
            return self.weights[v].scope
        if v in self.annotations:
            return self.annotations[v].scope
        return self.nodes[v if v in self.nodes else self.children[v][-1]][0]

    def arrange(self, root: _Scope) -> None:
        """Find the order of everything, and the names of symbols."""
        children = self.children
        used = set(chain.from_iterable(children))
        if not used.issuperset(self.results):  # a result that nothing uses is no vertex
            for v in self.results:
                if v not in used:
                    children[v] = []
            used = set(chain.from_iterable(children))
        for v in chain(self.nodes, self.weights, self.annotations):
            if v not in used:
                vertex = self.home(v).vertex
                self.start.setdefault(vertex, len(children[vertex]))
                children[vertex].append(v)
        try:
            order = sort(Dag(children, self.start, self.label))
        except Circle as circle:
            names = (name for scope in self.scopes for name, v in scope.names.items() if v == circle.vertex)
            name = print_value(next(names, b"")) if circle.vertex in self.nodes else "a value"
            raise PassError(f"{name} depends on itself: the nodes go in a circle; repair the graph") from circle
        if len(self.scopes) == 1:
            root.nodes = [v for v in order if v in self.nodes]
            root.annotations = [v for v in order if v in self.annotations]
        else:
            for v in order:
                if v in self.nodes:
                    self.nodes[v][0].nodes.append(v)
                elif v in self.annotations:
                    self.annotations[v].scope.annotations.append(v)
        self.names = [b""] * (len(children) + 1)
        self.given = [b""] * len(children) + [delimited(_INPUT, b"")]
        symbols = set(self.symbols.values())
        if symbols:
            ends = chain.from_iterable(children[v] for v, _ in root.inputs)
            for v in dict.fromkeys(chain(ends, children[root.vertex], order)):
                if v in symbols:
                    self.name(v, b"N", root)

    def name(self, v: int, letter: bytes, scope: _Scope) -> None:
        """Name a value after its kind, the depth of its graph, and how many came before it there."""
        number = scope.counts.get(letter, 0)
        scope.counts[letter] = number + 1
        self.names[v] = name = b"%s%d_%d" % (letter, scope.depth, number) if scope.depth else b"%s%d" % (letter, number)
        self.given[v] = delimited(_INPUT, name)

    def name_weights(self, vertices: Iterable[int]) -> None:
        """Name those initializers that have no name yet."""
        for v in vertices:
            if v >= 0 and not self.names[v]:
                weight = self.weights[v]
                self.name(v, b"w", weight.scope)
                weight.scope.weights.append(v)

    # ---- writing

    def graph_wire(self, scope: _Scope) -> bytes:
        """Return the bytes of a graph."""
        nodes = [delimited(_NODE, wire) for wire in self.node_wires(scope)]
        pairs: list[tuple[int, object]] = [(2, GRAPH_NAME)]
        for v in scope.weights:
            weight, name = self.weights[v], delimited(_TENSOR_NAME, self.names[v])
            if weight.sparse is None:
                pairs.append((5, weight.before + name + weight.behind))
            else:
                pairs.append((15, _sparse_wire(name, weight.before, weight.behind, weight.sparse)))
        pairs += [(11, self.info_wire(v, kind)) for v, kind in scope.inputs]
        pairs += [(12, self.info_wire(v, kind)) for v, kind in scope.outputs]
        pairs += [(13, wire) for wire in self.info_wires(scope)]
        for v in scope.annotations:
            annotation = self.annotations[v]
            parts: list[tuple[int, object]] = [(1, self.names[annotation.tensor])]
            parts += [(2, join([(1, key), (2, self.names[v])], _PAIR)) for key, v in annotation.parameters]
            pairs.append((14, join(parts, _ANNOTATION, annotation.opaque)))
        return b"".join(nodes) + join(pairs, GRAPH, scope.opaque)

    def node_wires(self, scope: _Scope) -> list[bytes]:
        """Name what a graph defines, and return the bytes of its nodes."""
        names, given, start = self.names, self.given, self.start
        for v, _ in scope.inputs:
            self.name(v, b"x", scope)
        for v, _ in scope.outputs:
            if v >= 0 and not names[v] and self.home(v) is scope:
                self.name(v, b"y", scope)
        scope.weights = [v for v, _ in chain(scope.inputs, scope.outputs) if v in self.weights and names[v]]
        pattern, count = b"v%d_%%d" % scope.depth if scope.depth else b"v%d", 0
        wires = []
        for node in scope.nodes:
            _, operands, results, tail = self.nodes[node]
            if node in start:
                operands = self.children[node][start[node] :]
            parts = [given[v] for v in operands]
            if not all(parts):
                self.name_weights(operands)
                parts = [given[v] for v in operands]
            for v in results:
                as_input = given[v]
                if not as_input:
                    names[v] = name = pattern % count
                    given[v] = as_input = b"%b%c%b" % (_INPUT, len(name), name)  # it is a short one
                    count += 1
                parts.append(_OUTPUT + as_input[1:])
            parts.append(tail.wire or self.tail_wire(tail))
            wires.append(b"".join(parts))
            if tail.is_call:
                self.calls.append(tail.call)
        self.name_weights(v for v, _ in scope.outputs)
        self.name_weights(chain.from_iterable(self.children[v] for v in scope.annotations))
        self.name_weights(v for v in self.children[scope.vertex] if v in self.weights)
        self.changes += sum(map(ne, scope.nodes, sorted(scope.nodes)))
        self.changes += sum(map(ne, scope.names, [names[v] for v in scope.names.values()]))
        return wires

    def tail_wire(self, tail: _Tail) -> bytes:
        attributes = [self.attribute_wire(a) for a in tail.attributes]
        return join_fields({**tail.fields, 5: attributes}, NODE, tail.opaque)

    def attribute_wire(self, attribute: _Attribute) -> bytes:
        if not attribute.graphs:
            return attribute.wire
        fields, opaque = split(attribute.wire, ATTRIBUTE)
        for number, scopes in attribute.graphs.items():
            fields[number] = [self.graph_wire(scope) for scope in scopes]
        return join_fields(fields, ATTRIBUTE, opaque)

    def info_wires(self, scope: _Scope) -> list[bytes]:
        """Return the value_infos of a graph, in the order in which their values are defined."""
        if not scope.types:
            return []
        results = chain.from_iterable(self.nodes[node][2] for node in scope.nodes)
        order = dict.fromkeys(chain((v for v, _ in scope.inputs), scope.weights, results))
        return [self.info_wire(v, kind) for v in order for kind in scope.types.get(v, ())]

    def info_wire(self, v: int, kind: bytes) -> bytes:
        if self.symbols:
            renamed = self._renamed.get(kind)
            if renamed is None:
                renamed = _map_symbols(kind, VALUE_INFO, lambda name: self.names[self.symbols[name]])
                self._renamed[kind] = renamed
            kind = renamed
        return delimited(_NAME, self.names[v]) + kind


@lru_cache(maxsize=4096)
def _read_plain_node(wire: bytes, depth: int, commutative: bool) -> _Tail | None:
    """Return a node whose attributes hold no tensors and no graphs, otherwise None.  The same few come all the time."""
    fields, opaque = split(wire, NODE)
    attributes = []
    for attribute in fields.pop(5, ()):
        parts, unknown = split(attribute, ATTRIBUTE)
        if not parts.keys().isdisjoint((*_TENSORS, *_SPARSES, *_GRAPHS)):
            return None
        parts.pop(13, None)  # doc string
        attributes.append(_plain_attribute(parts, unknown))
    if 10 in fields or _operator(fields)[1] == b"Gradient":
        return None
    return _tail(fields, opaque, attributes, depth, commutative)


def _operator(fields: dict[int, list]) -> Call:
    """Return the domain, name and overload of a node's operator."""
    domain, operator, overload = (fields.get(number, [b""])[0] for number in (7, 4, 8))
    return domain, operator, overload


def _plain_attribute(fields: dict[int, list], opaque: bytes) -> _Attribute:
    wire = join_fields(fields, ATTRIBUTE, opaque)
    return _Attribute(fields.get(1, [b""])[0], (wire,), wire, {})


def _tail(fields: dict[int, list], opaque: bytes, attributes: list[_Attribute], depth: int, commutative: bool) -> _Tail:
    attributes.sort(key=_by_name)
    scopes = [inner for a in attributes for inner in a.scopes]
    label = [b"node", b"%d" % depth, join_fields(fields, NODE, opaque)]
    for a in attributes:
        label += a.label
    call = domain, operator, _ = _operator(fields)
    swaps = commutative and operator in COMMUTATIVE and domain in (b"", b"ai.onnx") and not attributes
    wire = b"" if scopes else join_fields({**fields, 5: [a.wire for a in attributes]}, NODE, opaque)
    return _Tail(tuple(label), swaps, call, False, wire, fields, opaque, attributes, scopes)


def _by_name(attribute: _Attribute) -> tuple[bytes, _Label]:
    return attribute.name, attribute.label


def _pattern(vertices: Iterable[int]) -> bytes:
    """Return which of these are left out."""
    return b"".join(b"_" if v < 0 else b"." for v in vertices)
