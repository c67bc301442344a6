"""The nodes of a model as one sequence of units, in which repeats can be looked for.

A unit is a node together with the nodes without operands that feed it alone: constants, and weights of which only the
type is known.  The nodes of all graphs and functions stand one behind the other, a barrier between them.

>>> graph = "g (float[2] x) => (float[2] z) { c = Constant<value_float=1.0>() y = Add(x, c) z = Neg(y) }"
>>> model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 20]> {graph}')
>>> units = read_units(model)
>>> units.nodes, units.symbols, units.links
([(0, 1), (2,), ()], [0, 1, -1], [(-2,), (0,), ()])
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

import numpy as np
import onnx

from onnxtext.core.wire import ATTRIBUTE, NODE, delimited, read_varint, split
from onnxtext_passes import holes
from onnxtext_passes.repair import BARRIER
from onnxtext_passes.scopes import Holder, graph_attributes, named_by, named_in_training, output_names, within

LOCAL_DOMAIN = b"onnxtext.local"  # of the functions that dedup makes
HOLE = (holes.DOMAIN.encode(), holes.OPERATOR.encode())  # a weight of which only the type is known

NEVER = 1 << 60  # the last use of a value that is needed behind the last node

_AT = onnx.AttributeProto
_VARIABLE = {_AT.INT, _AT.INTS, _AT.FLOAT, _AT.FLOATS, _AT.STRING, _AT.STRINGS, _AT.TENSOR}  # kinds of parameters
_A_NAME, _A_DOC, _A_TYPE, _A_REF = 1, 13, 20, 21
_N_OPERATOR, _N_ATTRIBUTE, _N_DOMAIN, _N_OVERLOAD, _N_DEVICES = 4, 5, 7, 8, 10

Head = tuple[list[bytes], list[bytes], bytes]  # the operands and the results of a node, and its bytes behind its name


@dataclass(frozen=True, slots=True)
class Value:
    """The value of an attribute: its kind, its bytes behind the name, and whether it is a reference to a parameter."""

    kind: int
    wire: bytes
    is_reference: bool


@dataclass(frozen=True, slots=True)
class Tail:
    """A node without its operands, its results and its name."""

    wire: bytes
    group: int  # equal for nodes that differ only in the values of attributes; BARRIER: it joins no repeat
    slots: tuple[tuple[int, bytes], ...]  # the attributes whose values may differ: which one of all, and its name
    values: tuple[int, ...]  # their values, as numbers in `Units.values`
    is_hole: bool
    has_graphs: bool
    captured: frozenset[bytes]  # the values from around the node that graphs within it use
    named: frozenset[bytes]  # all names in graphs within it
    mentioned: frozenset[bytes]  # values that are named otherwise, by the node or in graphs within it
    domain: bytes
    version: int | None  # of the domain, where the node stands
    fields: dict[int, list]
    opaque: bytes

    @property
    def operator(self) -> bytes:
        return self.fields.get(_N_OPERATOR, [b""])[0]

    @property
    def attributes(self) -> list[bytes]:
        return self.fields.get(_N_ATTRIBUTE, [])


@dataclass(slots=True)
class Place:
    """A graph or function, and which units its nodes are."""

    holder: Holder
    function: onnx.FunctionProto | None  # that it is or lies in
    heads: list[Head]
    versions: dict[bytes, int]  # of the domains that may be used there
    first: int
    end: int = 0
    ids: dict[bytes, int] = field(default_factory=dict)  # the numbers of its values


@dataclass(slots=True)
class Units:
    """The units of a model, and what their numbers mean."""

    places: list[Place] = field(default_factory=list)
    # Of every unit:
    symbols: list[int] = field(default_factory=list)  # equal for units that differ only in values of attributes
    variants: list[int] = field(default_factory=list)  # equal for units that do not differ in those either
    nodes: list[tuple[int, ...]] = field(default_factory=list)  # where they stand; the last one reads the others
    starts: list[int] = field(default_factory=list)  # the number of the first value that the last one makes
    operands: list[tuple[int, ...]] = field(default_factory=list)  # the values that the last one reads; negative: given
    links: list[tuple[int, ...]] = field(default_factory=list)  # of those all but initializers
    # Of every value:
    names: list[bytes] = field(default_factory=list)
    last_uses: list[int] = field(default_factory=list)  # the last unit that reads it; NEVER: it stays
    # What the numbers stand for:
    given: list[bytes] = field(default_factory=list)  # the names of the values -2, -3, … that no unit makes
    tails: list[Tail] = field(default_factory=list)
    unit_tails: list[tuple[int, ...]] = field(default_factory=list)  # of every variant, in the order of `nodes`
    values: list[Value] = field(default_factory=list)

    def name(self, value: int) -> bytes:
        """Return the name of a value."""
        return self.names[value] if value >= 0 else self.given[-2 - value]

    def again(self) -> set[int]:
        """Return the units that do what the one before does, to its only result: the text says `repeat` of them."""
        starts, operands, variants = self.starts, self.operands, self.variants
        return {
            unit + 1
            for unit, (a, b) in enumerate(pairwise(variants))
            if a == b >= 0
            and starts[unit + 1] == starts[unit] + 1
            and starts[unit + 1] + 1 == starts[unit + 2]
            and operands[unit + 1]
            and operands[unit + 1] == (starts[unit], *operands[unit][1:])
            and self.last_uses[starts[unit]] == unit + 1
        }

    def columns(self) -> tuple[list, ...]:
        """Return what is known of every unit."""
        return self.symbols, self.variants, self.nodes, self.starts, self.operands, self.links


def encoded(name: str | bytes) -> bytes:
    """Return the bytes of a string field: protobuf gives one that is no UTF-8 as bytes."""
    return name.encode() if isinstance(name, str) else name


def _is_text(names: Iterable[bytes]) -> bool:
    """Tell whether all names are UTF-8."""
    try:
        b"\n".join(names).decode()
    except UnicodeDecodeError:
        return False
    return True


@lru_cache(maxsize=4096)
def split_node(tail: bytes) -> tuple[dict[int, list], bytes]:
    """Return the fields of a node from its bytes behind its name, and what is unknown; not to be changed."""
    return split(tail, NODE)


@lru_cache(maxsize=4096)
def split_attribute(wire: bytes) -> tuple[bytes, dict[int, list], bytes, Value]:
    """Return the name of an attribute, its fields, what is unknown, and its value; not to be changed."""
    fields, unknown = split(wire, ATTRIBUTE)
    name = fields.get(_A_NAME, [b""])[0]
    value = Value(fields.get(_A_TYPE, [0])[0], wire[len(delimited(b"\x0a", name)) :], _A_REF in fields)
    return name, fields, unknown, value


def head_of(node: onnx.NodeProto) -> Head:
    """Return the operands and the results of a node, and its bytes behind its name."""
    wire = node.SerializeToString()
    ins: list[bytes] = []
    outs: list[bytes] = []
    at, end = 0, len(wire)
    while at < end:
        tag = wire[at]
        if tag != 0x0A and tag != 0x12 and tag != 0x1A:
            break
        size = wire[at + 1]
        at += 2
        if size > 127:
            size, at = read_varint(wire, at - 1)
        if tag == 0x0A:
            ins.append(wire[at : at + size])
        elif tag == 0x12:
            outs.append(wire[at : at + size])
        at += size
    return ins, outs, wire[at:]


def read_units(model: onnx.ModelProto, *, nested: bool = True, types: bool = False) -> Units:
    """Return the units of the model's graph, of graphs within it, and of its functions.

    A graph that is not in the order of its data, or names a value twice, is left out.  `nested`: functions that dedup
    made, and calls of them, may take part.  `types`: units whose results differ in their value_info are different.
    """
    return _Reader(model, nested, types).units


class _Reader:
    def __init__(self, model: onnx.ModelProto, nested: bool, types: bool) -> None:
        self.nested, self.types = nested, types
        self.units = Units()
        self.groups: dict[tuple, int] = {}
        self.values: dict[Value, int] = {}
        self.given: dict[bytes, int] = {}
        self.symbols: dict[tuple, int] = {}
        self.known: dict[frozenset, tuple[dict[bytes, int], dict[tuple, tuple[int, int]]]] = {}  # by imports
        for function in model.functions:
            if nested or encoded(function.domain) != LOCAL_DOMAIN:
                self.read(
                    function, function, {encoded(o.domain): o.version for o in function.opset_import}, set(), set()
                )
        trained = {encoded(name) for name in named_in_training(model)}
        self.read(model.graph, None, {encoded(o.domain): o.version for o in model.opset_import}, trained, set())

    def read(
        self,
        holder: Holder,
        function: onnx.FunctionProto | None,
        versions: dict[bytes, int],
        fixed: set[bytes],
        weights: set[bytes],
    ) -> None:
        """Append the units of a graph or function, and behind them those of the graphs within it."""
        if isinstance(holder, onnx.GraphProto):
            weights = weights | _initializers(holder)
        units = self.units
        tails, symbols = self.known.setdefault(frozenset(versions.items()), ({}, {}))
        heads = [head_of(node) for node in holder.node]
        for _, _, tail in heads:
            if tail not in tails:
                tails[tail] = len(units.tails)
                units.tails.append(self.tail(tail, versions))
        fixed = fixed.union(*(units.tails[number].mentioned for number in tails.values()))
        values, early, fits = len(units.names), [], False
        for _ in range(2):
            place = Place(holder, function, heads, versions, len(units.symbols), len(units.symbols))
            fits = self.append(place, early, tails, symbols, fixed, weights)
            early = self.early(place, values) if fits and not early else []
            if fits and not early:
                units.places.append(place)
                for column, item in zip(units.columns(), (BARRIER, -1, (), len(units.names), (), ()), strict=True):
                    column.append(item)
                break
            for column in units.columns():
                del column[place.first :]
            del units.names[values:], units.last_uses[values:]
            if not fits:
                break
        if any(units.tails[number].has_graphs for number in tails.values()):
            for node, (_, _, tail) in zip(holder.node, heads, strict=True):
                if units.tails[tails[tail]].has_graphs:
                    for graph in graph_attributes(node):
                        self.read(graph, function, versions, fixed, weights)

    def append(
        self,
        place: Place,
        early: list[int],
        tails: dict[bytes, int],
        symbols: dict[tuple, tuple[int, int]],
        fixed: set[bytes],
        weights: set[bytes],
    ) -> bool:
        """Append the units of one graph or function, `early` nodes first; False where it is not in order."""
        units, holder, heads, ids, given = self.units, place.holder, place.heads, place.ids, self.given
        names, last_uses = units.names, units.last_uses
        fixed = fixed | {encoded(name) for name in output_names(holder)} | _annotated(holder)
        leaves = self.leaves(heads, tails, fixed)
        feeders = {heads[k][1][0]: k for k in leaves}
        infos = {encoded(i.name): _info(i) for i in holder.value_info} if self.types else None
        own = {encoded(n) for n in holder.input} if isinstance(holder, onnx.FunctionProto) else _own_names(holder)
        if len(feeders) != len(leaves) or not feeders.keys().isdisjoint(own):
            return False
        if not _is_text(name for ins, outs, _ in heads for name in (*ins, *outs)):
            return False
        captures = {number for number in tails.values() if units.tails[number].captured}
        missing: set[bytes] = set()
        add_symbol, add_variant, add_nodes, add_start, add_operands, add_links = (c.append for c in units.columns())
        unit = len(units.symbols) - 1
        moved = leaves.union(early)
        for k in (*early, *(k for k in range(len(heads)) if k not in moved)) if moved else range(len(heads)):
            ins, outs, tail = heads[k]
            unit += 1
            number = tails[tail]
            key: list[object] = [number, len(outs)]
            operands: list[int] = []
            links: list[int] | None = None  # None: the same as the operands
            nodes = (k,)
            for name in ins:
                value = ids.get(name)
                if value is not None:
                    key.append(-1)
                    operands.append(value)
                    last_uses[value] = unit
                    if links is not None:
                        links.append(value)
                elif not name:
                    key.append(-2)
                elif name in feeders:
                    if feeders[name] > k:
                        return False
                    nodes = (*nodes[:-1], feeders[name], k)
                    key.append(tails[heads[feeders[name]][2]])
                else:
                    missing.add(name)
                    value = given.get(name)
                    if value is None:
                        value = given[name] = -2 - len(given)
                        units.given.append(name)
                    if name in weights:
                        key.append(-3)
                        links = operands.copy() if links is None else links
                    else:
                        key.append(-1)
                        if links is not None:
                            links.append(value)
                    operands.append(value)
            if b"" in outs:
                key.append(tuple(map(bool, outs)))
            if infos is not None:
                key.append(tuple(infos.get(out) for node in nodes for out in heads[node][1]))
            token = tuple(key)
            found = symbols.get(token)
            if found is None:
                found = symbols[token] = self.symbol(token, [tails[heads[node][2]] for node in nodes])
            add_symbol(found[0])
            add_variant(found[1])
            add_nodes(nodes)
            add_start(len(names))
            add_operands(read := tuple(operands))
            add_links(read if links is None else tuple(links))
            if number in captures:
                for name in units.tails[number].captured:
                    if name in ids:
                        last_uses[ids[name]] = unit
                    else:
                        missing.add(name)
            for name in outs:
                if name:
                    if name in ids or name in own or name in feeders:
                        return False
                    ids[name] = len(names)
                names.append(name)
                last_uses.append(-1)
        for name in fixed:
            if name in ids:
                last_uses[ids[name]] = NEVER
        place.end = len(units.symbols)
        return missing.isdisjoint(ids)

    def leaves(self, heads: list[Head], tails: dict[bytes, int], fixed: set[bytes]) -> set[int]:
        """Return the nodes without operands whose only result one other node reads, once."""
        known = self.units.tails
        found = [
            k
            for k, (ins, outs, tail) in enumerate(heads)
            if not ins and len(outs) == 1 and outs[0] and outs[0] not in fixed and known[tails[tail]].group >= 0
        ]
        if not found:
            return set()
        uses = Counter([name for ins, _, _ in heads for name in ins])
        for _, _, tail in heads:
            if known[tails[tail]].captured:
                uses.update(dict.fromkeys(known[tails[tail]].captured, 2))
        return {k for k in found if uses[heads[k][1][0]] == 1}

    def early(self, place: Place, first_value: int) -> list[int]:
        """Return the nodes that ought to come first: what makes the values that live for more than half of the nodes.

        A mask that all layers read may be made in the midst of the first, which then does not look like the others.
        """
        units, first, end = self.units, place.first, place.end
        makers = np.repeat(np.arange(first, end), np.diff([*units.starts[first:end], len(units.names)]))
        lives = np.array(units.last_uses[first_value:], dtype=np.int64) - makers
        todo = makers[(2 * lives > end - first) & (lives < end)].tolist()
        found: set[int] = set()
        while todo:
            unit = todo.pop()
            if unit in found:
                continue
            found.add(unit)
            captured = units.tails[units.unit_tails[units.variants[unit]][-1]].captured
            reads = [*units.operands[unit], *(place.ids[name] for name in captured if name in place.ids)]
            todo += [int(makers[value - first_value]) for value in reads if value >= 0]
        if not found or max(found) - first + 1 == len(found):
            return []
        return [units.nodes[unit][-1] for unit in sorted(found)]

    def symbol(self, key: tuple, numbers: list[int]) -> tuple[int, int]:
        """Return the symbol and the variant of a unit: of what its operands and results are, and its nodes' tails."""
        units = self.units
        groups = [units.tails[number].group for number in numbers]
        variant = len(units.unit_tails)
        units.unit_tails.append(tuple(numbers))
        if min(groups) < 0:
            return BARRIER, variant
        kinds = [units.tails[k].group if isinstance(k, int) and k >= 0 else k for k in key[2:]]
        token = (groups[-1], key[1], *kinds)
        return self.symbols.setdefault(token, len(self.symbols)), variant

    def tail(self, wire: bytes, versions: dict[bytes, int]) -> Tail:
        """Return what is known of a node from its bytes behind its name."""
        fields, opaque = split_node(wire)
        mentioned = (
            {encoded(name) for name in named_by(onnx.NodeProto.FromString(wire))} if _names_values(fields) else set()
        )
        domain = fields[_N_DOMAIN][0] if _N_DOMAIN in fields else b""
        domain = b"" if domain == b"ai.onnx" else domain
        version = versions.get(domain, versions.get(b"ai.onnx") if not domain else None)
        operator = fields[_N_OPERATOR][0] if _N_OPERATOR in fields else b""
        joins = bool(operator) and version is not None and not mentioned and (self.nested or domain != LOCAL_DOMAIN)
        is_hole = (domain, operator) == HOLE
        has_graphs = False
        captured: set[bytes] = set()
        named: set[bytes] = set()
        slots: list[tuple[int, bytes]] = []
        values: list[int] = []
        parts: list[object] = [version]
        for i, attribute in enumerate(fields.get(_N_ATTRIBUTE, ())):
            name, known, unknown, value = split_attribute(attribute)
            kind = value.kind
            if kind in (_AT.GRAPH, _AT.GRAPHS) or 6 in known or 11 in known:
                has_graphs = True
                for wire_graph in [*known.get(6, ()), *known.get(11, ())]:
                    graph = onnx.GraphProto.FromString(wire_graph)
                    free, inside = _free_names(graph)
                    captured |= free
                    named |= inside
                    mentioned |= {encoded(n) for inner in within(graph) for node in inner.node for n in named_by(node)}
                    joins = joins and not _refers(graph) and _is_text(_domains(graph))
            plain = name and _is_text([name]) and not unknown and _A_DOC not in known and kind in _VARIABLE
            if value.is_reference and not plain:
                joins = False
            if plain and (not is_hole or name == b"shape"):
                slots.append((i, name))
                values.append(self.value(value))
                parts.append((name, kind))
            else:
                parts.append(attribute)
        if has_graphs:
            parts.append(frozenset(versions.items()))
        parts += [(n, tuple(v)) for n, v in fields.items() if n != _N_ATTRIBUTE]
        group = self.groups.setdefault((opaque, *parts), len(self.groups)) if joins and not captured else BARRIER
        return Tail(
            wire=wire,
            group=group,
            slots=tuple(slots),
            values=tuple(values),
            is_hole=is_hole,
            has_graphs=has_graphs,
            captured=frozenset(captured),
            named=frozenset(named),
            mentioned=frozenset(mentioned),
            domain=domain,
            version=version,
            fields=fields,
            opaque=opaque,
        )

    def value(self, value: Value) -> int:
        number = self.values.setdefault(value, len(self.values))
        if number == len(self.units.values):
            self.units.values.append(value)
        return number


def _initializers(graph: onnx.GraphProto) -> set[bytes]:
    return {encoded(t.name) for t in graph.initializer} | {encoded(s.values.name) for s in graph.sparse_initializer}


def _own_names(graph: onnx.GraphProto) -> set[bytes]:
    """Return the names of a graph's inputs and initializers."""
    return _initializers(graph) | {encoded(i.name) for i in graph.input}


def _annotated(holder: Holder) -> set[bytes]:
    """Return the names that a graph says something about in its quantization annotations."""
    if isinstance(holder, onnx.FunctionProto):
        return set()
    names = {encoded(a.tensor_name) for a in holder.quantization_annotation}
    return names | {encoded(p.value) for a in holder.quantization_annotation for p in a.quant_parameter_tensor_names}


def _info(info: onnx.ValueInfoProto) -> bytes:
    """Return the bytes of a value_info without its name."""
    return info.SerializeToString(deterministic=True)[len(delimited(b"\x0a", encoded(info.name))) :]


def _names_values(fields: dict[int, list]) -> bool:
    """Tell whether a node may name values other than as operands and results; see `named_by`."""
    return _N_DEVICES in fields or fields.get(_N_OPERATOR) == [b"Gradient"]


def _domains(graph: onnx.GraphProto) -> set[bytes]:
    """Return the domains of the nodes of a graph and of those within it."""
    return {encoded(node.domain) for inner in within(graph) for node in inner.node}


def _refers(graph: onnx.GraphProto) -> bool:
    """Tell whether an attribute within a graph refers to one of the function around it."""
    return any(
        any(a.ref_attr_name for a in node.attribute) or any(map(_refers, graph_attributes(node))) for node in graph.node
    )


def _free_names(graph: onnx.GraphProto) -> tuple[set[bytes], set[bytes]]:
    """Return the names that a graph uses and does not define, and all names in it."""
    own = _own_names(graph)
    free: set[bytes] = set()
    named = set(own)

    def use(names: set[bytes]) -> None:
        free.update(names - own)
        named.update(names)

    for node in graph.node:
        use({encoded(n) for n in node.input if n})
        for inner in graph_attributes(node):
            inner_free, inner_named = _free_names(inner)
            use(inner_free)
            named.update(inner_named)
        made = {encoded(n) for n in node.output if n}
        own |= made
        named |= made
    use({encoded(o.name) for o in graph.output})
    return free, named
