"""From the tree of a text to the wire bytes of its model: what a text means.

The opposite of the printer.  `Lines`, the fast parser's rows, are assembled without a detour through the tree; their
meaning is that of the statements they stand for, and a property test holds the two equal.

>>> from onnxtext_grammar.lark_parser import parse_with_lark
>>> text = "onnxt 1 graph @g (%x: f32[2]) -> (%y: f32[2]) { %y = Relu(%x) }"
>>> model = onnx.ModelProto.FromString(assemble(parse_with_lark(text), text).wire)
>>> model.graph.node[0].op_type, list(model.graph.node[0].input)
('Relu', ['x'])
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NoReturn, Protocol

import onnx

from onnxtext.core.blobs import Blobs, detach
from onnxtext.core.errors import MeaningProblem, ModelError, WeightsError, nearest
from onnxtext.core.weights import element_count
from onnxtext.core.wire import (
    ATTRIBUTE,
    FUNCTION,
    GRAPH,
    MODEL,
    NODE,
    TENSOR,
    TYPE,
    VALUE_INFO,
    Field,
    Heads,
    Schema,
    delimited,
    join,
    pack,
    schema,
    unpack,
)
from onnxtext_grammar import syntax as s
from onnxtext_grammar.attributes import FIELDS, ITEMS, KIND_NAMES, KINDS
from onnxtext_grammar.dtypes import DTYPE_NUMBERS, DTYPES, dtype_number
from onnxtext_grammar.fast_bags import NO_NAME, Bags, Read
from onnxtext_grammar.interning import EACH_BYTES, REPEATED_BYTES, Texts, allowance_bytes
from onnxtext_grammar.literals import HOLE_DOMAIN, KEYWORDS, parse_float, parse_name, print_value
from onnxtext_grammar.naming import Naming, naming
from onnxtext_grammar.tensor_data import parse_raw
from onnxtext_grammar.types import DIMENSION, MAP, MAPPING, OPTIONAL, SEQ, SEQUENCE, SHAPE, SPARSE, TENSOR_TYPE
from onnxtext_grammar.types import TENSOR as TENSOR_FIELD

VERSIONS = ("1",)  # the versions of the language that are read
MAX_DEPTH = 100  # messages within messages; protobuf reads no deeper

_AT = onnx.AttributeProto
_PAIR = schema("onnx.StringStringEntryProto")
_OPSET = schema("onnx.OperatorSetIdProto")
_SPARSE_TENSOR = schema("onnx.SparseTensorProto")
_RANGES = {
    ("int", 64): (-(1 << 63), (1 << 63) - 1),
    ("int", 32): (-(1 << 31), (1 << 31) - 1),
    ("uint", 64): (0, (1 << 64) - 1),
    ("uint", 32): (0, (1 << 32) - 1),
}
_INT64 = _RANGES["int", 64]


class Miss(Exception):
    """The fast way does not understand this; the authority decides what it is."""


class WeightsSource(Protocol):
    """Where the data of tensors comes from that the text does not hold."""

    def get(self, key: str, dtype: str, dims: Sequence[int]) -> bytes | memoryview: ...


OpenWeights = Callable[[str | None], WeightsSource]  # from the digest in the text, where it has one
Filler = Callable[[str, str, Sequence[int]], bytes]  # key, element type, dimensions -> raw data


@dataclass(slots=True)
class Assembled:
    """The wire bytes of a model, large data set aside in `blobs`, and the keys of the weights that it uses."""

    wire: bytes
    blobs: Blobs = field(default_factory=Blobs)
    used: list[str] = field(default_factory=list)


class Scope(dict[str, bytes]):
    """The values defined so far, seen from one graph: the name as it prints -> the bytes of an input field."""

    __slots__ = ("outer", "types")

    def __init__(self, outer: Scope | None = None) -> None:
        super().__init__()
        self.outer = outer
        self.types: dict[str, bytes] = {}  # the type field of a ValueInfoProto, where the text has given one
        self["_"] = b"\x0a\x00"

    def __missing__(self, key: str) -> bytes:
        scope = self.outer
        while scope is not None:
            found = scope.get(key)
            if found is not None:
                return found
            scope = scope.outer
        raise Miss(key)

    def known(self) -> Iterable[str]:
        """Yield every name that can be seen."""
        scope: Scope | None = self
        while scope is not None:
            yield from scope
            scope = scope.outer


def assemble(
    module: s.Module,
    text: str,
    source: str = "<text>",
    *,
    open_weights: OpenWeights | None = None,
    filler: Filler | None = None,
    parse_bag: Callable[[str, Texts], s.Bag] | None = None,
    parse_type: Callable[[str], s.Type] | None = None,
) -> Assembled:
    """Return the model that `module`, the tree of `text`, describes.

    `parse_bag` and `parse_type` read the pieces of `Lines`.  Raises MeaningProblem with the place of what makes no
    sense, WeightsError where data is missing, and Miss where a fast row is not what it seemed.
    """
    return _Assembler(text, source, open_weights, filler, parse_bag, parse_type).module(module)


class _Assembler:
    def __init__(
        self,
        text: str,
        source: str,
        open_weights: OpenWeights | None,
        filler: Filler | None,
        parse_bag: Callable[[str, Texts], s.Bag] | None,
        parse_type: Callable[[str], s.Type] | None,
    ) -> None:
        self.text, self.source, self.open_weights, self.filler = text, source, open_weights, filler
        self.parse_bag, self.parse_type = parse_bag, parse_type
        self.blobs = Blobs()
        self.weights: WeightsSource | None = None
        self.digest: str | None = None
        self.left_bytes = allowance_bytes(len(text))  # that may still be made of what is written once
        self.used: list[str] = []
        self.scope = Scope()
        self.rules = naming(None)
        self.functions: dict[bytes, list[tuple[bytes | None, bytes | None]]] = {}
        self.texts = Texts(len(text))
        # Of the initializers of this graph: types, order, places.
        self.held: tuple[dict[bytes, bytes], list[bytes], dict[bytes, int]] = ({}, [], {})
        self.defaults: dict[tuple[bytes, str], s.Bag] = {}  # what the nodes of an operator have that say nothing
        self.given: dict[int, bytes] = {}  # the attributes that `each` gives, by the identity of their entries
        self.graphs = 0  # that were begun
        self.bags = Bags(self.texts)
        self.default_bytes: dict[str, bytes] = {}  # the attributes that `each` gives, by operator
        self.operators: dict[str, tuple[bytes, bytes]] = {}  # the fields of a NodeProto for an operator and its domain
        self.own_types: dict[tuple | None, bytes] = {}  # by element type and dimensions
        self.depth = 0  # of messages
        self.type_bytes: dict[str, bytes] = {}
        self.tails: dict[Naming, dict[tuple[str, str | None], tuple[bytes, bytes | int | None]]] = {}  # seen so far

    def fail(self, message: str, at: int) -> NoReturn:
        raise MeaningProblem(message, self.source, self.text, at)

    def charge(self, size_bytes: int, at: int) -> None:
        """Count what stands in the model and not in the text, so that no short text makes a huge model."""
        self.left_bytes -= size_bytes
        if self.left_bytes < 0:
            self.fail("far too much is made of this text by repetition (repeat, each, ranges, interned strings)", at)

    # ---- the model

    def module(self, m: s.Module) -> Assembled:
        if m.version not in VERSIONS:
            at = self.text.index(m.version, self.text.index("onnxt") + 5)
            self.fail(f"version {m.version} of the language is not known; known: {', '.join(VERSIONS)}", at)
        for more, what in ((m.weights[1:], "weights line"), (m.models[1:], "model line"), (m.graphs[1:], "graph")):
            if more:
                self.fail(f"a second {what}; a text has one", more[0].at)
        self.texts = m.texts
        self.bags = Bags(m.texts)
        if m.weights:
            self.digest, word = m.weights[0].digest.decode("latin-1"), m.weights[0].word
            if word not in (None, "elided"):
                self.fail(
                    f'the digest may have "elided" in front, not "{word}"{nearest(word or "", ["elided"])}',
                    m.weights[0].at,
                )
        for f in m.functions:
            if f.name is not None:
                self.functions.setdefault(f.name, []).append(self.function_id(f))
        pairs: list[tuple[int, object]] = []
        opaque = b""
        if m.models:
            pairs, opaque = self.pairs(m.models[0], MODEL, without=("graph", "functions"))
        pairs += [(25, self.function(f)) for f in m.functions]
        self.depth = 1
        pairs += [(7, self.graph(g)) for g in m.graphs]
        return Assembled(join(pairs, MODEL, opaque), self.blobs, self.used)

    def function_id(self, f: s.Function) -> tuple[bytes | None, bytes | None]:
        """Return the domain and overload of a function, as its bag has them."""
        found: dict[bytes, bytes] = {}
        for entry in f.bag.entries if f.bag else ():
            if isinstance(entry.value, s.String):
                found[entry.key] = entry.value.value
        return found.get(b"domain"), found.get(b"overload")

    def function(self, f: s.Function) -> bytes:
        if f.name is None or f.body is None:
            assert f.bag is not None
            return self.message(f.bag, FUNCTION)
        outer, self.scope = self.scope, Scope()
        self.depth = 1
        pairs, opaque = (
            self.pairs(f.bag, FUNCTION, without=("name", "input", "output", "attribute", "node", "value_info"))
            if f.bag
            else ([], b"")
        )
        pairs.append((1, f.name))
        for formal in f.formals:
            if formal.value is None and formal.tag is None:
                pairs.append((6, formal.key))
            else:
                self.depth += 1
                pairs.append((11, self.attribute(formal)))
                self.depth -= 1
        for name in f.inputs:
            pairs.append((4, self.defined(name)))
        nodes, infos, tensors, sparse = self.body(f.body, b"\x3a")
        if tensors or sparse:
            self.fail("a function holds no initializers; use a Constant node", f.at)
        pairs += [(5, self.referred(name)) for name in f.outputs]
        pairs += [(12, info) for info in infos]
        self.scope = outer
        # join sorts by field number and knows nodes one by one; they are already one run of bytes here.
        return self.join_with_nodes(pairs, FUNCTION, 7, nodes, opaque)

    @staticmethod
    def join_with_nodes(
        pairs: list[tuple[int, object]], message: Schema, number: int, nodes: bytes, opaque: bytes
    ) -> bytes:
        before = join([p for p in pairs if p[0] < number], message)
        return before + nodes + join([p for p in pairs if p[0] > number], message, opaque)

    # ---- graphs

    def graph(self, g: s.Graph) -> bytes:
        self.graphs += 1
        outer, self.scope = self.scope, Scope(self.scope)
        rules = self.rules
        without = ("name", "node", "initializer", "sparse_initializer", "input", "output", "value_info")
        pairs, opaque = self.pairs(g.bag, GRAPH, without=without) if g.bag else ([], b"")
        if g.name is not None:
            pairs.append((2, g.name))
        outer_held, self.held = self.held, self.held_types(g)
        for item in g.inputs:
            pairs += [(11, wire) for wire in self.inputs(item, self.defined)]
        nodes, infos, tensors, sparse = self.body(g.body, b"\x0a")
        pairs += [(5, t) for t in tensors]
        pairs += [(15, t) for t in sparse]
        pairs += [(13, info) for info in infos]
        for item in g.outputs:
            if isinstance(item, s.InputRange):
                self.fail("a range stands for inputs only; name each output", item.at)
            if isinstance(item.type, s.NoType):
                self.fail(
                    "? says that an input lacks the type of its initializer; an output has none by itself", item.at
                )
            pairs.append((12, self.value_info(item, self.referred)))
        self.scope, self.rules, self.held = outer, rules, outer_held
        return self.join_with_nodes(pairs, GRAPH, 1, nodes, opaque)

    def held_types(self, g: s.Graph) -> tuple[dict[bytes, bytes], list[bytes], dict[bytes, int]]:
        """Return the types of the initializers that the text shows as such, their names in order and their places."""
        held: dict[bytes, bytes] = {}
        order: list[bytes] = []
        for statement in g.body.statements:
            if (
                type(statement) is s.Assignment
                and not isinstance(statement.right, list)
                and len(statement.targets) == 1
            ):
                target = statement.targets[0]
                if target.name is not None and type(target.type) is s.TensorType and target.type.dims is not None:
                    order.append(target.name.name)
                    if all(isinstance(d, int) for d in target.type.dims):
                        held.setdefault(target.name.name, self.own_type(target.type))
        return held, order, {order[k]: k for k in reversed(range(len(order)))}

    def inputs(self, item: s.Input | s.InputRange, named: Callable[[s.Name | None], bytes]) -> Iterable[bytes]:
        """Yield the ValueInfoProto of an input or value_info, which has the type of its initializer if it says none."""
        held, order, place = self.held
        if isinstance(item, s.InputRange):
            for end in (item.first, item.last):
                if end.name not in held:
                    self.fail(
                        f"{self.shown(end)} is no initializer of this graph{nearest_name(end.name, order)}", end.at
                    )
            first, last = place[item.first.name], place[item.last.name]
            if last < first:
                self.fail("the range runs backwards: its first initializer stands behind its last", item.at)
            for name in order[first : last + 1]:
                if name not in held:
                    self.fail(
                        f"the initializer {print_value(name)} of this range has no type an input could have", item.at
                    )
                wire = self.value_info(s.Input(s.Name(name, False, item.at), None, None, item.at), named, held)
                self.charge(len(wire) + REPEATED_BYTES, item.at)
                yield wire
            return
        yield self.value_info(item, named, held)

    def value_info(
        self, item: s.Input, named: Callable[[s.Name | None], bytes], held: dict[bytes, bytes] | None = None
    ) -> bytes:
        if item.name is None:
            assert item.bag is not None
            wire = self.message(item.bag, VALUE_INFO)
            if named == self.defined:
                self.define_all(item.bag, b"name")
            return wire
        pairs, opaque = self.pairs(item.bag, VALUE_INFO, without=("name", "type")) if item.bag else ([], b"")
        pairs.append((1, named(item.name)))
        kind = None
        if item.type is None:
            kind = held.get(item.name.name) if held else None
        elif not isinstance(item.type, s.NoType):
            kind = self.info_type(item.type)
        if kind is not None:
            pairs.append((2, kind))
            if held is not None:
                self.scope.types[print_value(item.name.name)] = delimited(b"\x12", kind)
        return join(pairs, VALUE_INFO, opaque)

    # ---- names

    def define(self, name: bytes) -> None:
        if name:
            self.scope[print_value(name)] = delimited(b"\x0a", name)

    def defined(self, name: s.Name | None) -> bytes:
        """Define a name where it stands in front and return its bytes."""
        if name is None:
            return b""
        if name.is_unknown:
            self.fail(
                f"{self.shown(name)} is defined here, so it is not unknown: write {print_value(name.name)}", name.at
            )
        self.define(name.name)
        return name.name

    def referred(self, name: s.Name | None) -> bytes:
        """Return the bytes of a name that must be defined (`%x`) or must not be (`%?x`)."""
        if name is None:
            return b""
        text = print_value(name.name)
        try:
            self.scope[text]
            found = True
        except Miss:
            found = False
        if name.is_unknown and found:
            self.fail(f"{text} is defined, so the question mark in {self.shown(name)} is wrong", name.at)
        if not name.is_unknown and not found:
            hint = nearest(text, (k for k in self.scope.known() if k != "_"))
            self.fail(
                f"{text} is used before it is defined; definitions come first{hint}, "
                f"and a value that nothing defines is written {print_value(name.name, '%?')}",
                name.at,
            )
        return name.name

    @staticmethod
    def shown(name: s.Name) -> str:
        return print_value(name.name, "%?" if name.is_unknown else "%")

    # ---- the body of a graph or function

    def body(self, body: s.Body, tag: bytes) -> tuple[bytes, list[bytes], list[bytes], list[bytes]]:
        """Return the nodes (as one run of fields with `tag`), value infos, initializers and sparse initializers."""
        outer = self.rules, self.defaults, self.tails, self.operators, self.default_bytes
        self.operators, self.default_bytes = {}, {}
        self.rules, self.defaults = self.each(body.each)
        if self.defaults or outer[1]:
            self.tails = {}
        nodes: list[bytes] = []
        infos: list[bytes] = []
        tensors: list[bytes] = []
        sparse: list[bytes] = []
        for statement in body.statements:
            if isinstance(statement, s.Lines):
                self.lines(statement, nodes, infos)
            elif isinstance(statement, s.Assignment):
                if isinstance(statement.right, list):
                    if statement.bag is not None:
                        self.fail("the bag of a node stands behind its operands", statement.bag.at)
                    self.chain(statement.targets, statement.right, nodes, infos)
                else:
                    tensors.append(self.initializer(statement))
            elif isinstance(statement, s.Call):
                self.chain([], statement.links, nodes, infos)
            elif isinstance(statement, s.Info):
                infos += self.inputs(statement.value, self.mentioned)
            else:
                self.general_statement(statement, nodes, infos, tensors, sparse)
        self.rules, self.defaults, self.tails, self.operators, self.default_bytes = outer
        heads = Heads(tag)
        run = b"".join(chain.from_iterable(zip(map(heads.__getitem__, map(len, nodes)), nodes, strict=True)))
        return run, infos, tensors, sparse

    def mentioned(self, name: s.Name | None) -> bytes:
        """Return the bytes of a name that may be defined later."""
        assert name is not None
        return name.name

    def each(self, statements: list[s.Each]) -> tuple[Naming, dict[tuple[bytes, str], s.Bag]]:
        """Return the rules of a graph, and what the nodes of an operator have that say nothing."""
        rules: Naming | None = None
        defaults: dict[tuple[bytes, str], s.Bag] = {}
        for each in statements:
            if each.operator is not None:
                operator = _unquoted(*each.operator)
                if operator in defaults:
                    self.fail("a second each for this operator", each.at)
                defaults[operator] = each.bag
                continue
            if rules is not None:
                self.fail("a second each; a graph has one, and one for each operator", each.at)
            fields: dict[bytes, bytes] = {}
            for entry in each.bag.entries:
                if (
                    entry.is_field
                    or entry.tag is not None
                    or not isinstance(entry.value, s.String)
                    or entry.key in fields
                ):
                    self.fail(
                        'each takes value, name, domain, tensor and type, once each and as strings, as in {value="r#"}',
                        entry.at,
                    )
                fields[entry.key] = entry.value.value
            try:
                rules = naming(fields)
            except ValueError as error:
                self.fail(str(error), each.bag.at)
        return rules or naming(None), defaults

    def general_statement(
        self, m: s.Message, nodes: list[bytes], infos: list[bytes], tensors: list[bytes], sparse: list[bytes]
    ) -> None:
        if m.keyword == "node":
            nodes.append(self.message(m.bag, NODE))
            self.define_all(m.bag, b"output")
        elif m.keyword == "init":
            tensors.append(self.message(m.bag, TENSOR))
            self.define_all(m.bag, b"name")
        elif m.keyword == "value_info":
            infos.append(self.message(m.bag, VALUE_INFO))
        else:
            sparse.append(self.message(m.bag, _SPARSE_TENSOR))
            for entry in m.bag.entries:
                if entry.key == b"values":
                    if isinstance(entry.tag, s.TensorTag) and entry.tag.bag:
                        self.define_all(entry.tag.bag, b"name")
                    elif isinstance(entry.value, s.Bag):
                        self.define_all(entry.value, b"name")

    def define_all(self, bag: s.Bag, key: bytes) -> None:
        """Define the names that a message in the general notation gives under `key`."""
        for entry in bag.entries:
            if entry.key == key:
                items = entry.value.items if isinstance(entry.value, s.List) else [entry.value]
                for item in items:
                    if isinstance(item, s.String):
                        self.define(item.value)

    def initializer(self, a: s.Assignment) -> bytes:
        target = a.targets[0]
        if len(a.targets) != 1 or target.name is None or target.type is None:
            at = a.right.at if a.right is not None and not isinstance(a.right, list) else a.at
            self.fail("an initializer is one value with a type, as in %w: f32[2] = [1, 2]", at)
        name = self.defined(target.name)
        tag = s.TensorTag(target.type, a.bag, a.at)
        assert not isinstance(a.right, list)
        wire = self.tensor(tag, a.right, name, (_T_NAME, name))
        self.scope.types[print_value(name)] = delimited(b"\x12", self.own_type(target.type))
        return wire

    # ---- nodes

    def chain(self, targets: list[s.Target], links: list[s.Link], nodes: list[bytes], infos: list[bytes]) -> None:
        piped: bytes | None = None
        total = sum(link.times for link in links)
        for i, link in enumerate(self.unrolled(links)):
            operands = link.operands
            ins = [] if piped is None else [piped]
            for operand in operands:
                ins.append(self.hole(operand, nodes) if isinstance(operand, s.Hole) else self.referred(operand))
            k = len(nodes)
            last = i == total - 1
            if last:
                if link.type is not None:
                    self.fail("the type of a statement's result stands at its target, in front", link.at)
                outs = [b"" if t.name is None else t.name.name for t in targets]
            else:
                hidden = self.rules.value.name(k)
                if hidden is None:
                    self.fail("the rule of `each` gives no name to the value that this link hands on", link.at)
                outs = [hidden]
            first = outs[0] if outs else b""
            node = self.node(link, ins, outs, k, first)
            # The operands and the subgraphs do not see the results of their own node.
            results = targets if last else [s.Target(s.Name(outs[0], False, link.at), link.type)]
            self.results(results, ins[0] if ins else b"", infos)
            piped = first
            nodes.append(node)
            if link.times > 1:
                self.charge(len(node) + REPEATED_BYTES, link.at)

    @staticmethod
    def unrolled(links: list[s.Link]) -> Iterable[s.Link]:
        """Yield every node of a chain; where the first is repeated, its first operand is what is handed on."""
        for i, link in enumerate(links):
            yield link
            again = link if i else link._replace(operands=link.operands[1:])
            for _ in range(link.times - 1):
                yield again

    def hole(self, hole: s.Hole, nodes: list[bytes]) -> bytes:
        """Append the node that stands for a weight with a type and no data, and return the name of its result."""
        name = self.rules.value.name(len(nodes))
        if name is None:
            self.fail("the rule of `each` gives no name to this weight", hole.at)
        number = self.dtype(hole.dtype, hole.at)
        if isinstance(hole.shape, bytes):
            shape = join([(1, b"shape"), (20, _AT.INTS), (21, hole.shape)], ATTRIBUTE)
        else:
            dims = [(8, self.in_range(d, hole.at)) for d in hole.shape]
            shape = join([(1, b"shape"), (20, _AT.INTS), *dims], ATTRIBUTE)
        dtype = join([(1, b"dtype"), (3, number), (20, _AT.INT)], ATTRIBUTE)
        pairs: list[tuple[int, object]] = [(2, name), (4, b"Parameter"), (5, dtype), (5, shape), (7, HOLE_DOMAIN)]
        nodes.append(join(pairs, NODE))
        self.define(name)
        return name

    def results(self, targets: list[s.Target], first_operand: bytes, infos: list[bytes]) -> None:
        """Define the results of a node, and append the value_info of those that have a type."""
        types = self.scope.types
        for target in targets:
            if target.name is None:
                continue
            if target.type is None:
                same = self.rules.same_types and len(targets) == 1
                kind = types.get(print_value(first_operand)) if same else None
            else:
                kind = None if isinstance(target.type, s.NoType) else delimited(b"\x12", self.info_type(target.type))
            name = self.defined(target.name)
            if kind is not None:
                infos.append(delimited(b"\x0a", name) + kind)
                types[print_value(name)] = kind

    def node(self, link: s.Link, ins: list[bytes], outs: list[bytes], k: int, first: bytes) -> bytes:
        tail, name = self.tail(link)
        if name == _DEFAULT_NAME:
            name = self.rules.node.name(k, first) if self.rules.node else None
        head = b"".join([delimited(b"\x0a", n) for n in ins] + [delimited(b"\x12", n) for n in outs])
        assert not isinstance(name, int)
        return head + (b"" if name is None else delimited(b"\x1a", name)) + tail

    def tail(self, link: s.Link) -> tuple[bytes, bytes | int | None]:
        """Return a node's bytes behind its name, and its name (None: none; _DEFAULT_NAME: what `each` says)."""
        self.enter(link.at)
        operator, domain = link.operator, self.rules.domain
        pairs: list[tuple[int, object]] = []
        if link.form == "word":
            head, dot, last = operator.rpartition(b".")
            if dot:
                operator, domain = last, head
        elif link.form == "function":
            found = self.functions.get(operator, [])
            if len(found) != 1:
                shown = print_value(operator, "@")
                known = (print_value(name, "@") for name in self.functions)
                self.fail(
                    f"{shown} is defined {len(found)} times; @ calls a function that one def of this text defines"
                    if found
                    else f"no function {shown} is defined in this text{nearest(shown, known)}",
                    link.at,
                )
            domain, overload = found[0]
            if overload is not None:
                pairs.append((8, overload))
        name: bytes | int | None = _DEFAULT_NAME
        opaque = b""
        bag, given = link.bag, 0
        default = self.defaults.get(_unquoted(link.operator, link.form))
        if default is not None and (bag is None or (bag.entries and not any(map(_gives_attribute, bag.entries)))):
            bag, given = s.Bag([*default.entries, *(bag.entries if bag else ())], link.at), len(default.entries)
        if bag is not None:
            fields: list[s.Entry] = []
            for i, entry in enumerate(bag.entries):
                if not entry.is_field:
                    pairs.append((5, self.node_attribute(entry, is_given=i < given)))
                elif entry.key == b"attribute":
                    if not isinstance(entry.value, s.Bag):
                        self.fail(".attribute takes one attribute in the general notation, {name=…}", entry.at)
                    self.enter(entry.at)
                    pairs.append((5, self.message(entry.value, ATTRIBUTE)))
                    self.depth -= 1
                elif entry.key in (b"name", b"domain") and isinstance(entry.value, s.Nothing | s.String):
                    value = entry.value.value if isinstance(entry.value, s.String) else None
                    if entry.key == b"name":
                        name = value
                    else:
                        domain = value
                elif entry.key in (b"input", b"output", b"op_type", b"name", b"domain"):
                    self.fail(f".{entry.key.decode()} is not given here", entry.at)
                else:
                    fields.append(entry._replace(is_field=False))
            if fields:
                more, opaque = self.pairs(s.Bag(fields, bag.at), NODE)
                pairs += more
        pairs.append((4, operator))
        if domain is not None:
            pairs.append((7, domain))
        self.depth -= 1
        wire = join(pairs, NODE, opaque)
        if default is not None and len(wire) > EACH_BYTES:
            self.charge(len(wire), link.at)
        return wire, name

    def node_attribute(self, entry: s.Entry, *, is_given: bool) -> bytes:
        """Return an attribute; one that `each` gives is made once, but for graphs, which depend on their place."""
        wire = self.given.get(id(entry)) if is_given else None
        if wire is None:
            graphs = self.graphs
            self.enter(entry.at)
            wire = self.attribute(entry)
            self.depth -= 1
            if is_given and graphs == self.graphs:
                self.given[id(entry)] = wire
        return wire

    def lines(self, lines: s.Lines, nodes: list[bytes], infos: list[bytes]) -> None:
        """Append the nodes of a run of rows: this loop is what reading a large graph costs."""
        if self.depth > MAX_DEPTH - 10:
            raise Miss  # here it would not be noticed where messages are nested too deeply
        scope, rules = self.scope, self.rules
        tails, types, same, node_name = self.tails.setdefault(rules, {}), scope.types, rules.same_types, rules.node
        k = len(nodes)
        prefix = print_value(rules.value.prefix + b"0")[:-1]  # the text of a value without a name, but for its number
        ins = handed = b""
        left = before = ""  # the target of the current statement; what the row before has made: as texts
        kind: str | None = None
        # The groups are taken one row after the other: those of all rows would not stay in the processor's cache.
        rows: Iterator[tuple[Any, ...]] = map(re.Match.groups, lines.rows)
        row = next(rows)
        for following in chain(rows, (_NO_ROW,)):
            text, type_text, arrow, operator, operands, bag = row
            row = following
            if arrow is not None:
                ins = handed
                if operands:
                    ins += scope.get(operands) or self.operands(operands, nodes)
                    k = len(nodes)
            else:
                left, kind = text, type_text
                if not operands:
                    ins = b""
                elif operands == before:
                    ins = handed
                else:
                    ins = scope.get(operands) or self.operands(operands, nodes)
                    k = len(nodes)
            rest, name = tails.get((operator, bag)) or self.row_tail(operator, bag, tails)
            if len(rest) > EACH_BYTES:
                self.charge(len(rest), 0)
            if following[2] is None:
                key, info = left, kind
                target = left[1:].encode()
            else:  # a further link follows: the value handed on has no name here
                number, info = k + rules.value.start, None
                if number < 0:
                    raise Miss
                if prefix[1:2] == '"':
                    target = rules.value.prefix + b"%d" % number
                    key = print_value(target)
                else:
                    key = f"{prefix}{number}"
                    target = key[1:].encode()
            size = len(target)
            if size > 127:
                handed, out = delimited(b"\x0a", target), delimited(b"\x12", target)
            else:
                handed, out = _IN[size] + target, _OUT[size] + target
            if isinstance(name, int):
                name = None if node_name is None else node_name.name(k, target)
            nodes.append(ins + out + rest if name is None else b"".join((ins, out, delimited(b"\x1a", name), rest)))
            if same or info is not None:
                if info is None:
                    first = operands.partition(", ")[0] if arrow is None and operands else before if arrow else "_"
                    found_type = types.get(first if first[1:2] != "?" else "%" + first[2:])
                else:
                    found_type = None if info == "?" else self.row_type(info)
                if found_type is not None:
                    infos.append(handed + found_type)
                    types[key] = found_type
            scope[key] = handed
            before = key
            k += 1

    def operands(self, text: str, nodes: list[bytes]) -> bytes:
        """Return the input fields of a row's operands; the nodes that stand among them are appended."""
        if "[" in text:
            return self.row_operands(text, nodes)
        scope = self.scope
        return b"".join([scope[o] if o[1:2] != "?" else self.unknown(o) for o in text.split(", ")])

    def unknown(self, text: str) -> bytes:
        """Return the input field of `%?x`, which must not be defined."""
        if not _UNKNOWN(text):
            raise Miss
        name = parse_name(text, 2)
        try:
            self.scope[print_value(name)]
        except Miss:
            return delimited(b"\x0a", name)
        raise Miss

    def row_operands(self, text: str, nodes: list[bytes]) -> bytes:
        """Return the input fields of operands of which some are holes."""
        out = b""
        for operand in text.split(", "):
            if operand[:1] == "%":
                out += self.scope[operand] if operand[1:2] != "?" else self.unknown(operand)
                continue
            match = _HOLE(operand)
            if match is None:
                out += self.scope[operand]
                continue
            shape: list[int] | bytes = match[3].encode() if match[3] else [int(d) for d in match[2].split(",") if d]
            out += delimited(b"\x0a", self.hole(s.Hole(match[1], shape, 0), nodes))
        return out

    def row_tail(
        self, operator: str, bag: str | None, tails: dict[tuple[str, str | None], tuple[bytes, bytes | int | None]]
    ) -> tuple[bytes, bytes | int | None]:
        if operator in KEYWORDS or self.parse_bag is None:
            raise Miss
        if bag:
            quick = self.bags.read(bag)
            default = None if quick is None or quick.attributes else self.default_attributes(operator)
            if quick is not None and (quick.attributes or default is not None):
                return self.quick_tail(operator, bag, quick, default, tails)
        parsed = self.parse_bag(bag, self.texts) if bag else None
        found = self.tail(s.Link(operator.encode(), "word", [], parsed, None, 1, 0))
        # A tensor whose data lies in the weights is looked up each time; a name of its own makes a row unlike others.
        # What a subgraph says depends on what it sees.
        if bag is None or not ("stored" in bag or ".name" in bag or "graph" in bag):
            tails[operator, bag] = found
        return found

    def default_attributes(self, operator: str) -> bytes | None:
        """Return what `each` gives the nodes of an operator; None where that is more than numbers and strings."""
        found = self.default_bytes.get(operator)
        if found is None:
            bag = self.defaults.get((operator.encode(), "word"))
            entries = bag.entries if bag else []
            if any(e.is_field or e.tag is not None or not isinstance(e.value, _PLAIN_VALUES) for e in entries):
                return None
            found = b"".join([delimited(b"\x2a", self.attribute(entry)) for entry in entries])
            self.default_bytes[operator] = found
        return found

    def quick_tail(
        self,
        operator: str,
        bag: str,
        quick: Read,
        default: bytes | None,
        tails: dict[tuple[str, str | None], tuple[bytes, bytes | int | None]],
    ) -> tuple[bytes, bytes | int | None]:
        """Do what `tail` does for a row whose bag has been read the quick way."""
        head = self.operators.get(operator)
        if head is None:
            domain, dot, name = operator.rpartition(".")
            whose = domain.encode() if dot else self.rules.domain
            head = delimited(b"\x22", name.encode()), b"" if whose is None else delimited(b"\x3a", whose)
            self.operators[operator] = head
        wire = head[0] + (default or quick.attributes) + head[1] + quick.pairs
        if len(wire) > EACH_BYTES and (operator.encode(), "word") in self.defaults:
            self.charge(len(wire), 0)
        if quick.name == NO_NAME and not quick.pairs:  # others are unlike all others
            tails[operator, bag] = wire, quick.name
        return wire, quick.name

    def row_type(self, text: str) -> bytes:
        """Return the bytes of the type field of a ValueInfoProto."""
        found = self.type_bytes.get(text)
        if found is None:
            if self.parse_type is None:
                raise Miss
            found = self.type_bytes[text] = delimited(b"\x12", self.type(self.parse_type(text)))
        return found

    # ---- attributes

    def attribute(self, entry: s.Entry) -> bytes:
        """Return the bytes of an AttributeProto."""
        value, tag = entry.value, entry.tag
        if isinstance(tag, s.TensorTag):
            return self.attribute_of(entry, _AT.TENSOR, [self.tagged_tensor(tag, value)])
        if isinstance(value, s.Param):
            if tag is None:
                self.fail("a reference needs the kind of the attribute, as in axis: int=$axis", value.at)
            return join([(1, entry.key), (20, KINDS[tag.text]), (21, value.name)], ATTRIBUTE)
        if value is None:
            self.fail("an attribute has a value, as in axis=1", entry.at)
        kind = KINDS[tag.text] if tag else self.kind_of(value)
        if kind in ITEMS:
            if not isinstance(value, s.List):
                self.fail(f"this attribute is a list ({KIND_NAMES[kind]})", value.at)
            item_kind = ITEMS[kind]
            return self.attribute_of(entry, kind, [self.attribute_value(v, item_kind) for v in value.items])
        return self.attribute_of(entry, kind, [self.attribute_value(value, kind)])

    def attribute_of(self, entry: s.Entry, kind: int, values: list) -> bytes:
        number = FIELDS[kind]
        return join([(1, entry.key), (20, kind), *((number, v) for v in values)], ATTRIBUTE)

    def kind_of(self, value: s.Value) -> int:
        """Return the kind of attribute that a literal says it is."""
        if isinstance(value, s.Number):
            return _AT.INT if _is_whole(value.text) else _AT.FLOAT
        if isinstance(value, s.List):
            if any(isinstance(item, s.List) for item in value.items):
                self.fail("an attribute holds a list of values and no lists of lists", value.at)
            if not value.items:
                self.fail("an empty list does not say its kind; write it, as in axes: ints=[]", value.at)
            kinds = {self.kind_of(item) for item in value.items}
            for kind, item in ITEMS.items():
                if kinds == {item}:
                    return kind
            self.fail("a list holds values of one kind: all ints, all floats (1.0) or all strings", value.at)
        for of, kind in _VALUE_KINDS:
            if isinstance(value, of):
                return kind
        what = "a word without quotes" if isinstance(value, s.Word) else "this"
        self.fail(f"{what} is no value of an attribute; a string has quotes, a message a kind", value.at)

    def attribute_value(self, value: s.Value, kind: int) -> object:
        """Return one element of an attribute of `kind`, as `join` takes it."""
        if kind == _AT.INT:
            return self.integer(value, _INT64)
        if kind == _AT.FLOAT:
            return self.floating(value, "f32")
        if kind == _AT.STRING:
            if isinstance(value, s.String):
                return value.value
            self.fail("a string is expected here, in quotes", value.at)
        return self.message_value(value, schema(ATTRIBUTE.by_number[FIELDS[kind]].message))

    def integer(self, value: s.Value, limits: tuple[int, int]) -> int:
        if not isinstance(value, s.Number) or not _is_whole(value.text):
            self.fail("a whole number is expected here", value.at)
        number = int(value.text) if len(value.text) < 25 else None
        if number is None or not limits[0] <= number <= limits[1]:
            self.fail(f"{value.text[:40]} is out of range: from {limits[0]} to {limits[1]}", value.at)
        return number

    def floating(self, value: s.Value, dtype: str) -> bytes:
        if not isinstance(value, s.Number):
            self.fail("a number is expected here", value.at)
        try:
            return parse_float(value.text, dtype)
        except ValueError as error:
            self.fail(str(error), value.at)

    # ---- tensors

    def tagged_tensor(self, tag: s.TensorTag, data: s.Value | None) -> bytes:
        """Return the bytes of a tensor that is no initializer: its name stands in its bag, or in `each`."""
        name = self.rules.tensor
        if tag.bag:
            for entry in tag.bag.entries:
                if entry.key == b"name":
                    name = entry.value.value if isinstance(entry.value, s.String) else None
            bag = s.Bag(
                [e for e in tag.bag.entries if not (e.key == b"name" and isinstance(e.value, s.Nothing))], tag.bag.at
            )
            tag = tag._replace(bag=bag)
            if any(e.key == b"name" for e in bag.entries):
                return self.tensor(tag, data, name or b"", None)
        return self.tensor(tag, data, name or b"", None if name is None else (_T_NAME, name))

    def tensor(self, tag: s.TensorTag, data: s.Value | None, name: bytes, extra: tuple[int, bytes] | None) -> bytes:
        kind = tag.type
        if not isinstance(kind, s.TensorType) or kind.is_sparse:
            self.fail(
                "a tensor has an element type and dimensions, as in f32[2,3]",
                kind.bag.at if isinstance(kind, s.RawType) else kind.at,
            )
        if kind.dims is None or not all(isinstance(d, int) for d in kind.dims):
            self.fail("the dimensions of a tensor are numbers", kind.at)
        dims: list[int] = kind.dims  # type: ignore[assignment]  # checked above
        number = self.dtype(kind.dtype, kind.at)
        without = ("dims", "data_type", "name") if extra else ("dims", "data_type")
        pairs, opaque = self.pairs(tag.bag, TENSOR, without=without) if tag.bag else ([], b"")
        if extra:
            pairs.append(extra)
        pairs += [(1, self.in_range(d, kind.at)) for d in dims]
        pairs.append((2, number))
        at = tag.at if data is None else data.at
        inner = data.value if isinstance(data, s.Typed) else data
        # Data that is made up is raw: there is no original to be exact to.
        typed = isinstance(data, s.Typed) and not (self.filler and isinstance(inner, s.Stored))
        if isinstance(inner, s.Nothing) and not typed:
            return join(pairs, TENSOR, opaque)
        dtype = DTYPES.get(number)
        if inner is None or isinstance(inner, s.Stored):
            key = inner.key if inner is not None and inner.key is not None else name
            payload: bytes | memoryview = self.stored(key, kind.dtype, dims, at)
            size = (element_count(dims) * dtype.bits + 7) // 8 if dtype else -1
            if inner is None and len(payload) != size >= 0:
                shown = f"{kind.dtype}[{','.join(map(str, dims))}]"
                self.fail(f"the weights hold {len(payload)} bytes for {print_value(name)}, {shown} has {size}", at)
        elif isinstance(inner, s.Base64):
            payload = self.base64(inner)
        elif isinstance(inner, s.Number | s.List):
            if dtype is None:
                self.fail(f'the elements of {kind.dtype} are not written as numbers; write base64("…")', inner.at)
            items = inner.items if isinstance(inner, s.List) else [inner]
            if dtype.name == "text":
                if typed:
                    self.fail("strings stand without data in front", at)
                return join([*pairs, *((6, self.attribute_value(v, _AT.STRING)) for v in items)], TENSOR, opaque)
            if typed:
                return self.with_typed(pairs, dtype.field, self.elements(items, TENSOR.by_name[dtype.field]), opaque)
            payload = self.numbers(items, dtype.name, at)
            if len(payload) != (element_count(dims) * dtype.bits + 7) // 8:
                self.fail(f"{len(items)} numbers do not fill {kind.dtype}[{','.join(map(str, dims))}]", at)
        else:
            self.fail("the data of a tensor is numbers, strings, base64(…), stored or none", at)
        if typed:
            if dtype is None or dtype.name == "text":
                self.fail(f"{kind.dtype} has no typed field of numbers", at)
            typed_field = TENSOR.by_name[dtype.field]
            try:
                elements = unpack(bytes(payload), typed_field)
                canonical = pack(elements, typed_field)
            except ModelError:
                self.fail(f"this is no data of {dtype.field}: its last number has no end", at)
            if typed_field.wire_type and len(payload) % len((elements or [b"1"])[0]):
                self.fail(f"this is no data of {dtype.field}: its last element is cut short", at)
            return self.with_typed(pairs, dtype.field, canonical, opaque)
        return join([*pairs, (9, self.blobs.keep(payload))], TENSOR, opaque)

    @staticmethod
    def with_typed(pairs: list[tuple[int, object]], name: str, payload: bytes, opaque: bytes) -> bytes:
        more = [(TENSOR.by_name[name].number, payload)] if payload else []
        return join([*pairs, *more], TENSOR, opaque)

    def elements(self, items: Sequence[s.Value], typed: Field) -> bytes:
        if typed.wire_type:
            return b"".join(self.floating(v, "f32" if typed.kind == "float" else "f64") for v in items)
        return pack([self.integer(v, _RANGES[typed.kind, typed.bits]) for v in items], typed)

    def numbers(self, items: Sequence[s.Value], dtype: str, at: int) -> bytes:
        for item in items:
            if not isinstance(item, s.Number):
                self.fail(f"a number is expected here, an element of {dtype}", item.at)
        texts = [item.text for item in items if isinstance(item, s.Number)]
        try:
            return parse_raw(texts, dtype)
        except ValueError as error:
            wrong = (item.at for item, text in zip(items, texts, strict=True) if not _is_element(text, dtype))
            self.fail(str(error), next(wrong, at))

    def base64(self, value: s.Base64) -> bytes:
        try:
            return b64decode(value.text, validate=True)
        except (binascii.Error, ValueError) as error:
            self.fail(f"this is no base64: {error}", value.at)

    def stored(self, key: bytes, dtype: str, dims: list[int], at: int) -> bytes | memoryview:
        """Return the data of a tensor from the weights, or from the filler where there are none."""
        try:
            text = key.decode()
        except UnicodeDecodeError:
            self.fail("a key of the weights is UTF-8", at)
        if not text:
            self.fail('this tensor has no data and no name to look for: write = none, = [1, 2] or = stored("key")', at)
        known = DTYPES.get(dtype_number(dtype))
        if self.filler is not None:
            try:
                return self.filler(text, dtype, dims)
            except ValueError as error:
                self.fail(str(error), at)
        if self.weights is None:
            if self.open_weights is None:
                raise WeightsError(
                    f"{self.source}: the data of the tensor {text!r} is not in the text; "
                    "give the weights file with --weights FILE, or make data up with --fill zeros or --fill random"
                )
            self.weights = self.open_weights(self.digest)
        self.used.append(text)
        return self.weights.get(text, known.safetensors if known else "", dims)

    def dtype(self, name: str, at: int) -> int:
        number = dtype_number(name)
        return self.in_range(number, at, _RANGES["int", 32])

    def in_range(self, number: int, at: int, limits: tuple[int, int] = _INT64) -> int:
        if not limits[0] <= number <= limits[1]:
            self.fail(f"{number} is out of range: from {limits[0]} to {limits[1]}", at)
        return number

    # ---- types

    def type(self, t: s.Type) -> bytes:
        """Return the bytes of a TypeProto, which is a message deeper than what holds it."""
        depth = self.depth
        if isinstance(t, s.TensorType):
            self.enter(t.at, 2 if t.dims is None else 3 if not t.dims else 4)
            self.depth = depth
            pairs: list[tuple[int, object]] = [(1, self.dtype(t.dtype, t.at))]
            if t.dims is not None:
                pairs.append((2, join([(1, self.dim(d, t.at)) for d in t.dims], SHAPE)))
            return join([(SPARSE if t.is_sparse else TENSOR_FIELD, join(pairs, TENSOR_TYPE))], TYPE)
        if isinstance(t, s.WrappedType):
            self.enter(t.at, 2)
            inner = [] if t.inner is None else [(1, self.type(t.inner))]
            self.depth = depth
            return join([(SEQ if t.word == "seq" else OPTIONAL, join(inner, SEQUENCE))], TYPE)
        if isinstance(t, s.MapType):
            self.enter(t.at, 2)
            parts: list[tuple[int, object]] = [(1, self.dtype(t.key, t.at))]
            if t.inner is not None:
                parts.append((2, self.type(t.inner)))
            self.depth = depth
            return join([(MAPPING, join(parts, MAP))], TYPE)
        assert isinstance(t, s.RawType), "? stands for no type only where the callers look for it"
        self.enter(t.at)
        wire = self.message(t.bag, TYPE)
        self.depth = depth
        return wire

    def info_type(self, t: s.Type) -> bytes:
        """Return the bytes of the type of a value info."""
        self.enter(t.at)
        wire = self.type(t)
        self.depth -= 1
        return wire

    def own_type(self, t: s.Type) -> bytes:
        """Return the bytes of the type of an initializer, which stands in the model only where a value info has it."""
        key = (t.dtype, *t.dims) if isinstance(t, s.TensorType) and not t.is_sparse and t.dims is not None else None
        wire = self.own_types.get(key)
        if wire is None:
            depth, self.depth = self.depth, 0
            wire = self.type(t)
            self.depth = depth
            if key is not None:
                self.own_types[key] = wire
        return wire

    def dim(self, value: int | bytes | None, at: int) -> bytes:
        if value is None:
            return b""
        if isinstance(value, int):
            return join([(1, self.in_range(value, at))], DIMENSION)
        return join([(2, value)], DIMENSION)

    # ---- the general notation

    def message(self, bag: s.Bag, message: Schema) -> bytes:
        pairs, opaque = self.pairs(bag, message)
        return join(pairs, message, opaque)

    def enter(self, at: int, messages: int = 1) -> None:
        """Go this many messages deeper, which the caller takes back.  Fails where protobuf would not read it."""
        self.depth += messages
        if self.depth > MAX_DEPTH:
            self.fail(f"messages are nested deeper than {MAX_DEPTH}, which protobuf does not read", at)

    def pairs(
        self, bag: s.Bag, message: Schema, without: tuple[str, ...] = ()
    ) -> tuple[list[tuple[int, object]], bytes]:
        """Return the fields of a message in the general notation, as `join` takes them, and its opaque bytes."""
        pairs: list[tuple[int, object]] = []
        opaque = b""
        seen: set[str] = set()
        for entry in bag.entries:
            key = entry.key.decode(errors="replace")
            if entry.is_field:
                self.fail(f"only the fields of a node have a dot in front; write {key}=", entry.at)
            if key == "opaque":
                if not isinstance(entry.value, s.String):
                    self.fail("opaque takes a string", entry.at)
                opaque += self.opaque(entry.value, message)
                continue
            found = message.by_name.get(key)
            if found is None or key in without:
                known = [name for name in message.by_name if name not in without]
                kind = message.name.removeprefix("onnx.")
                why = "is not given here" if found else f"is no field of {kind} in onnx {onnx.__version__}"
                self.fail(f"{key} {why}{nearest(key, known)}", entry.at)
            if found.name in seen or (found.oneof and found.oneof in seen):
                self.fail(
                    f"{key} is given twice" if found.name in seen else f"{key} excludes the other one given", entry.at
                )
            seen |= {found.name, found.oneof} - {""}
            pairs += self.field(entry, found)
        return pairs, opaque

    def opaque(self, value: s.String, message: Schema) -> bytes:
        """Return the bytes of an escape, large data set aside."""
        try:
            return detach(value.value, message, self.blobs)[0]
        except ModelError as error:
            why = str(error).removeprefix("not an ONNX model: ")
            self.fail(f"these are no fields of {message.name.removeprefix('onnx.')}: {why}", value.at)

    def field(self, entry: s.Entry, f: Field) -> list[tuple[int, object]]:
        value = entry.value
        if isinstance(entry.tag, s.TensorTag):
            if f.message != TENSOR.name or f.repeated:
                self.fail(f"{f.name} is no tensor", entry.at)
            return [(f.number, self.tagged_tensor(entry.tag, value))]
        if entry.tag is not None:
            self.fail("only attributes have a kind", entry.tag.at)
        if value is None:
            self.fail(f"{f.name} needs a value", entry.at)
        if not f.repeated:
            return [(f.number, self.field_value(value, f))]
        if not isinstance(value, s.List):
            self.fail(f"{f.name} is a list", value.at)
        values = [self.field_value(item, f) for item in value.items]
        if f.packed:
            return [(f.number, pack(values, f))] if values else []
        return [(f.number, v) for v in values]

    def field_value(self, value: s.Value, f: Field) -> object:
        if f.message:
            return self.message_value(value, schema(f.message))
        if f.kind == "string":
            if isinstance(value, s.String):
                return self.blobs.keep(value.value) if f is _RAW_DATA else value.value
            self.fail(f"{f.name} takes a string", value.at)
        if f.enum:
            numbers = {name: number for number, name in f.enum.items()}
            if isinstance(value, s.Word) and value.text in numbers:
                return numbers[value.text]
            shown = value.text if isinstance(value, s.Word) else ""
            self.fail(f"{f.name} is one of {', '.join(numbers)}{nearest(shown, numbers)}", value.at)
        if f.wire_type:
            return self.floating(value, "f32" if f.kind == "float" else "f64")
        return self.integer(value, _RANGES[f.kind, f.bits])

    def message_value(self, value: s.Value, message: Schema) -> bytes:
        """Return the bytes of a message given as a value."""
        self.enter(value.at)
        if isinstance(value, s.Bag):
            wire = self.message(value, message)
        elif isinstance(value, s.Pair) and message in (_PAIR, _OPSET):
            if message is _OPSET:
                second: object = self.integer(value.value, _INT64)
            elif isinstance(value.value, s.String):
                second = value.value.value
            else:
                self.fail("a pair of strings is expected here", value.at)
            if isinstance(second, bytes):
                wire = delimited(b"\x0a", value.key) + delimited(b"\x12", second)
            else:
                wire = join([(1, value.key), (2, second)], message)
        elif isinstance(value, s.TypeValue) and message is TYPE:
            self.depth -= 1
            wire = self.type(value.type)
            self.depth += 1
        elif isinstance(value, s.TensorValue) and message is TENSOR:
            wire = self.tagged_tensor(s.TensorTag(value.type, value.bag, value.at), value.data)
        elif isinstance(value, s.Graph) and message is GRAPH:
            wire = self.graph(value)
        else:
            self.fail(f"a {message.name.removeprefix('onnx.')} is expected here", value.at)
        self.depth -= 1
        return wire


_UNKNOWN = re.compile(r"%\?[A-Za-z0-9_./]+(?:-[A-Za-z0-9_./]+)*(?::[0-9]+)?").fullmatch
_HOLE = re.compile(
    rf"({'|'.join(sorted(DTYPE_NUMBERS, reverse=True))}|t-?[0-9]{{1,9}})"
    r"\[(?:((?:-?[0-9]{1,18}(?:,-?[0-9]{1,18})*)?)|\$([A-Za-z_][A-Za-z0-9_]*))\]"
).fullmatch
_T_NAME = 8
_DEFAULT_NAME = NO_NAME  # a node's name is what `each` says
_RAW_DATA = TENSOR.by_name["raw_data"]
_IN = [b"\x0a" + bytes([n]) for n in range(128)]
_OUT = [b"\x12" + bytes([n]) for n in range(128)]
_PLAIN_VALUES = (s.Number, s.String, s.List)
_VALUE_KINDS = (
    (s.String, _AT.STRING),
    (s.Graph, _AT.GRAPH),
    (s.TypeValue, _AT.TYPE_PROTO),
    (s.TensorValue, _AT.TENSOR),
)


def _gives_attribute(entry: s.Entry) -> bool:
    """Tell whether an entry in the bag of a node gives an attribute, and not a field of the node."""
    return not entry.is_field or entry.key == b"attribute"


def _unquoted(operator: bytes, form: str) -> tuple[bytes, str]:
    """Return an operator and its form: quotes around one word say nothing."""
    return operator, "word" if form == "string" and b"." not in operator else form


_NO_ROW: tuple[Any, ...] = (None,) * 6


def _is_whole(text: str) -> bool:
    return text.lstrip("+-").isdigit()


def _is_element(text: str, dtype: str) -> bool:
    try:
        parse_raw([text], dtype)
    except ValueError:
        return False
    return True


def nearest_name(name: bytes, known: Iterable[bytes]) -> str:
    """Return a hint at the known value whose name is closest."""
    return nearest(print_value(name), map(print_value, known))
