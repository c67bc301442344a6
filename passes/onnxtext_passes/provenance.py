"""Which pass made a node, and from which nodes of the model that went in.

Passes are not asked: the model is compared before and after each of them, calls written out.  A node is the same as one
before if it has the same operator and attributes, and computes the same of the same for the same use; else if its
result has the same name; else if it computes the same at all.  What only has the name of a result that is gone was made
of the node that had it, and of those that fed that one and are gone too; it is that one of them which alone is of its
operator and attributes.  Of all else it is said which pass made it, and not of what.

>>> model = onnx.parser.parse_model(
...     '<ir_version: 10, opset_import: ["": 20]> g (float[2] x) => (float[2] y) { h = Neg(x) i = Abs(h) y = Exp(i) }')
>>> trail = Trail(model)
>>> model.graph.node[1].op_type = "Relu"  # a pass changes the model
>>> del model.graph.node[0]
>>> model.graph.node[0].input[0] = "x"
>>> trail.step("fuse", model)
>>> [(row.node, row.operator, row.made_by, row.made_from) for row in trail.rows()]
[('graph:0', 'Relu', 'fuse', ('graph:0', 'graph:1')), ('graph:1', 'Exp', 'input', ('graph:2',))]
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import onnx
from onnx import numpy_helper

from onnxtext.core.errors import UsageError
from onnxtext_passes.flattening import COMMUTATIVE
from onnxtext_passes.operators import FunctionKey, function_key, node_key
from onnxtext_passes.scopes import Holder, output_names

INPUT = "input"  # what made the nodes of the model that went in
MOST_NODES = 300_000  # with calls written out, up to which models are compared
_DEEPEST_CALL = 100
_COMMUTATIVE = {name.decode() for name in COMMUTATIVE}

Attributes = Mapping[str, onnx.AttributeProto]


@dataclass(frozen=True, slots=True)
class Row:
    """Where a node of the result comes from.

    A node is named by where it stands: `graph:3`, in a function `@f:0`, in a graph within a node `graph:3.body:1`.
    """

    node: str
    operator: str
    result: str  # the name of its first result
    made_by: str  # the pass that made it or changed its operator or attributes; "input" if none did
    made_from: tuple[str, ...]  # nodes of the model that went in; none if it is made of something else, or unknown


@dataclass(slots=True, eq=False)
class _Node:
    """A node, once for each time it is written out."""

    address: str
    root: str  # the graph of the model or the function that it stands in
    head: tuple  # operator and attributes
    operands: list[int]
    results: list[int]
    name: str
    parent: _Node | None
    label: str  # the attribute of the parent that it stands in
    forward: int = 0
    backward: int = 0
    made_from: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that is written out: where it stands, what it calls, and the nodes it stands for."""

    address: str
    function: FunctionKey
    first: int
    end: int


class Trail:
    """Follows the nodes of one model through passes."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._names: dict[Any, int] = {}  # structures that were seen, by number
        self._model = model
        self._order = {address: k for k, (address, _) in enumerate(_addresses(model))}
        self._made_by = dict.fromkeys(self._order, INPUT)
        self._before = _Written(model, self._names)
        for node in self._before.nodes:
            node.made_from = frozenset([node.address])

    def step(self, pass_name: str, model: onnx.ModelProto) -> None:
        """Note that a pass made `model` of the model before."""
        before, after = self._before, _Written(model, self._names)
        pairs = _match(before.nodes, after.nodes)
        gone = {id(n) for n in before.nodes} - {id(pair) for pair in pairs.values() if pair is not None}
        named = _by_name(before.nodes)
        sources: dict[str, set[str]] = defaultdict(set)  # by address, of nodes that did not change
        changed: set[str] = set()
        for node in after.nodes:
            same = pairs[id(node)]
            if same is None:
                named_so = named.get((node.root, node.name), []) if node.name else []
                fed = [n for other in named_so if id(other) in gone for n in before.feeding(other, gone)]
                alike = [n for n in fed if n.head == node.head]
                if len(alike) == 1:  # the others were in its way
                    same = alike[0]
                else:
                    node.made_from = frozenset().union(*(n.made_from for n in fed))
                    changed.add(node.address)
            if same is not None:
                node.made_from = same.made_from
                sources[node.address].add(same.address)
        calls = {(c.function, before.made_from(c)): self._made_by[c.address] for c in before.calls}
        made_by = dict.fromkeys((address for address, _ in _addresses(model)), pass_name)
        for address, found in sources.items():
            if len(found) == 1 and address not in changed:
                made_by[address] = self._made_by[min(found)]
        for call in after.calls:
            made_by[call.address] = calls.get((call.function, after.made_from(call)), pass_name)
        self._model, self._before, self._made_by = model, after, made_by

    def rows(self) -> list[Row]:
        """Return the nodes of the last model, in order."""
        made_from: dict[str, set[str]] = defaultdict(set)
        for node in self._before.nodes:
            made_from[node.address] |= node.made_from
        for call in self._before.calls:
            made_from[call.address] |= self._before.made_from(call)
        rows = []
        for address, node in _addresses(self._model):
            operator = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
            sources = tuple(sorted(made_from[address], key=self._order.__getitem__))
            rows.append(Row(address, operator, _name(node), self._made_by[address], sources))
        return rows


def _addresses(model: onnx.ModelProto) -> Iterator[tuple[str, onnx.NodeProto]]:
    for root, holder in _roots(model):
        yield from _addresses_in(holder, root)


def _addresses_in(holder: Holder, place: str) -> Iterator[tuple[str, onnx.NodeProto]]:
    for k, node in enumerate(holder.node):
        yield f"{place}:{k}", node
        for name, graph in _graphs(node):
            yield from _addresses_in(graph, f"{place}:{k}.{name}")


def _roots(model: onnx.ModelProto) -> Iterator[tuple[str, Holder]]:
    yield "graph", model.graph
    for function in model.functions:
        yield _root(function_key(function)), function


def _root(key: FunctionKey) -> str:
    domain, name, overload = key
    return "@" + (f"{domain}." if domain else "") + name + (f":{overload}" if overload else "")


def _graphs(node: onnx.NodeProto) -> Iterator[tuple[str, onnx.GraphProto]]:
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.name, attribute.g
        for k, graph in enumerate(attribute.graphs):
            yield f"{attribute.name}[{k}]", graph


def _name(node: onnx.NodeProto) -> str:
    return next(filter(None, node.output), "")


@dataclass(slots=True)
class _Scope:
    """The values that can be named in one place."""

    values: dict[str, int] = field(default_factory=dict)
    outer: _Scope | None = None

    def find(self, name: str) -> int | None:
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.values:
                return scope.values[name]
            scope = scope.outer
        return None


class _Written:
    """A model with its calls written out, and what is the same in structure by one number."""

    def __init__(self, model: onnx.ModelProto, names: dict[Any, int]) -> None:
        self._functions = {function_key(f): f for f in model.functions}
        self._names = names
        self.nodes: list[_Node] = []
        self.calls: list[_Call] = []
        self._sources: dict[int, tuple[_Node | None, tuple]] = {}  # what no node makes, and the node it stands within
        self._same: dict[int, int] = {}  # results of calls that hand on an operand
        self._makers: dict[int, _Node] = {}
        self._ends: dict[int, list[tuple]] = defaultdict(list)  # where values leave
        self._count = 0
        self._visited: set[str] = set()
        self._write(model.graph, "graph", "graph", _Scope(), None, (None, ""), ())
        for key, function in self._functions.items():
            if _root(key) not in self._visited:  # nothing calls it
                self._write(function, _root(key), _root(key), _Scope(), None, (None, ""), (key,))
        self._number()

    def made_from(self, call: _Call) -> frozenset[str]:
        """Return what the nodes that a call stands for are made of."""
        return frozenset().union(*(n.made_from for n in self.nodes[call.first : call.end]))

    def feeding(self, node: _Node, wanted: set[int]) -> list[_Node]:
        """Return a node and those among `wanted` that feed it, directly or by way of such."""
        found, todo = {id(node): node}, [node]
        while todo:
            for operand in todo.pop().operands:
                maker = self._makers.get(self._resolve(operand))
                if maker is not None and id(maker) in wanted and id(maker) not in found:
                    found[id(maker)] = maker
                    todo.append(maker)
        return list(found.values())

    def _new(self) -> int:
        self._count += 1
        return self._count

    def _resolve(self, value: int) -> int:
        while value in self._same:
            value = self._same[value]
        return value

    def _write(
        self,
        holder: Holder,
        place: str,
        root: str,
        scope: _Scope,
        given: Attributes | None,
        around: tuple[_Node | None, str],
        stack: tuple[FunctionKey, ...],
        results: Iterable[int] = (),
    ) -> None:
        """Note the nodes of a graph or function.

        `around`: the node it stands within, and the attribute.  `results`: the values that its outputs are, where it
        is a function that is called.
        """
        self._visited.add(place)
        outputs = output_names(holder)
        if isinstance(holder, onnx.GraphProto):
            tensors = [*holder.initializer, *(s.values for s in holder.sparse_initializer)]
            held = {tensor.name for tensor in tensors}
            for k, name in enumerate(i.name for i in holder.input if i.name not in held):
                self._source(scope, name, around, ("in", k))
            for tensor in tensors:
                self._source(scope, tensor.name, (None, ""), ("data", *_content(tensor)))
        elif not results:
            for k, name in enumerate(holder.input):
                self._source(scope, name, around, ("in", k))
        made = {name for node in holder.node for name in node.output if name}
        for name, value in zip(outputs, results, strict=False):
            if name in made:
                scope.values[name] = value
            else:  # handed on
                handed = self._resolve(self._value(scope, name))
                if handed != value:
                    self._same[value] = handed
        for name in made:
            if name not in scope.values:
                scope.values[name] = self._new()
        for k, node in enumerate(holder.node):
            address = f"{place}:{k}"
            if len(self.nodes) > MOST_NODES:
                raise UsageError(
                    f"the model has more than {MOST_NODES} nodes with calls written out: leave --provenance out"
                )
            operands = [self._value(scope, name) for name in node.input]
            values = [scope.values[name] if name else 0 for name in node.output]
            key = node_key(node)
            bound = _bind(node, given)
            if key in self._functions and key not in stack and len(stack) < _DEEPEST_CALL:
                function = self._functions[key]
                inner = _Scope(dict(zip(function.input, operands, strict=False)))
                attributes = {a.name: a for a in function.attribute_proto} | bound
                first = len(self.nodes)
                self._write(function, _root(key), _root(key), inner, attributes, around, (*stack, key), values)
                self.calls.append(_Call(address, key, first, len(self.nodes)))
                continue
            head = (*key, *sorted((name, _spelled(a)) for name, a in bound.items()))
            written = _Node(address, root, head, operands, values, _name(node), *around)
            self.nodes.append(written)
            for value in values:
                self._makers[value] = written
            for name, graph in _graphs(node):
                self._write(graph, f"{address}.{name}", root, _Scope(outer=scope), given, (written, name), stack)
        if not results:
            for k, name in enumerate(outputs):
                value = scope.find(name)
                if value is not None:
                    self._ends[value].append((place == root, k))

    def _source(self, scope: _Scope, name: str, around: tuple[_Node | None, str], what: tuple) -> None:
        if name not in scope.values:
            scope.values[name] = self._new()
        self._sources[scope.values[name]] = (around[0], (around[1], *what))

    def _value(self, scope: _Scope, name: str) -> int:
        if not name:
            return 0
        value = scope.find(name)
        if value is None:  # nothing defines it
            value = scope.values[name] = self._new()
            self._sources[value] = (None, ("name", name))
        return value

    def _number(self) -> None:
        """Give every node a number for what it computes, and one for how that is used."""
        order = self._order()
        forward: dict[int, int] = {0: 0}
        for node in order:
            operands = []
            for operand in map(self._resolve, node.operands):
                if operand not in forward:
                    within, what = self._sources.get(operand, (None, ()))
                    forward[operand] = self._intern((0 if within is None else within.forward, what))
                operands.append(forward[operand])
            if node.head[1] in _COMMUTATIVE:
                operands.sort()
            within = 0 if node.parent is None else node.parent.forward
            node.forward = self._intern((node.head, within, node.label, tuple(operands)))
            for k, value in enumerate(node.results):
                forward.setdefault(value, self._intern((node.forward, k)))
        uses: dict[int, list[tuple]] = defaultdict(list)
        for node in reversed(order):
            used = [(tuple(sorted(uses[v])), tuple(sorted(self._ends.get(v, ())))) for v in node.results]
            node.backward = self._intern((node.head, node.label, tuple(used)))
            for k, operand in enumerate(map(self._resolve, node.operands)):
                uses[operand].append((node.backward, 0 if node.head[1] in _COMMUTATIVE else k))

    def _order(self) -> list[_Node]:
        """Return the nodes, each behind those that feed it and the one it stands within."""
        waits: dict[int, int] = {}
        users: dict[int, list[_Node]] = defaultdict(list)
        for node in self.nodes:
            feeding = {id(m): m for m in (self._makers.get(self._resolve(o)) for o in node.operands) if m is not None}
            if node.parent is not None:
                feeding[id(node.parent)] = node.parent
            waits[id(node)] = len(feeding)
            for maker in feeding:
                users[maker].append(node)
        order = [n for n in self.nodes if not waits[id(n)]]
        for node in order:
            for user in users[id(node)]:
                waits[id(user)] -= 1
                if not waits[id(user)]:
                    order.append(user)
        done = {id(n) for n in order}
        return order + [n for n in self.nodes if id(n) not in done]  # in a circle, which no valid model has

    def _intern(self, what: Any) -> int:
        return self._names.setdefault(what, len(self._names) + 1)


def _content(tensor: onnx.TensorProto) -> tuple:
    """Return type, shape and data of a tensor, however it is stored; data that is set aside as its placeholder."""
    kind, dims = tensor.data_type, tuple(tensor.dims)
    if tensor.HasField("raw_data"):
        return kind, dims, tensor.raw_data
    try:
        return kind, dims, numpy_helper.to_array(tensor).tobytes()
    except Exception:  # of many kinds: strings, data elsewhere, or not as much as the shape says
        return kind, dims, tensor.SerializeToString(deterministic=True)


def _bind(node: onnx.NodeProto, given: Attributes | None) -> dict[str, onnx.AttributeProto]:
    """Return the attributes of a node without graphs, those that refer to one of the function as a call gives them.

    `given` is None where there is no call.
    """
    found = {}
    for attribute in node.attribute:
        if given is not None and attribute.ref_attr_name in given:
            bound = onnx.AttributeProto()
            bound.CopyFrom(given[attribute.ref_attr_name])
            bound.name = attribute.name
            found[attribute.name] = bound
        elif attribute.ref_attr_name and given is not None:
            continue  # the call does not give it: the operator's default holds
        elif attribute.type not in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
            found[attribute.name] = attribute
    return found


def _spelled(attribute: onnx.AttributeProto) -> tuple:
    """Return the type and value of an attribute."""
    if attribute.type == onnx.AttributeProto.TENSOR and not attribute.ref_attr_name:
        return attribute.type, *_content(attribute.t)
    if not attribute.HasField("doc_string"):
        return attribute.type, attribute.SerializeToString(deterministic=True)
    copy = onnx.AttributeProto()
    copy.CopyFrom(attribute)
    copy.ClearField("doc_string")
    return attribute.type, copy.SerializeToString(deterministic=True)


def _by_name(nodes: Iterable[_Node]) -> dict[tuple[str, str], list[_Node]]:
    named: dict[tuple[str, str], list[_Node]] = defaultdict(list)
    for node in nodes:
        named[node.root, node.name].append(node)
    return named


def _match(before: list[_Node], after: list[_Node]) -> dict[int, _Node | None]:
    """Return for each node after a pass the one before that it is, None where there is none."""
    pairs: dict[int, _Node | None] = {}
    taken: set[int] = set()
    keys = (
        lambda n: (n.forward, n.backward, n.root, n.name),
        lambda n: (n.forward, n.root, n.name),
        lambda n: (n.forward, n.backward),
        lambda n: (n.head, n.root, n.name) if n.name else None,
        lambda n: n.forward if n.operands else None,  # what has no operands computes nothing that would tell
    )
    for key in keys:
        groups: dict[Any, list[_Node]] = defaultdict(list)
        for node in reversed(before):
            if id(node) not in taken:
                groups[key(node)].append(node)
        for node in after:
            if pairs.get(id(node)) is None:
                what = key(node)
                found = groups[what].pop() if what is not None and groups.get(what) else None
                pairs[id(node)] = found
                if found is not None:
                    taken.add(id(found))
    return pairs
