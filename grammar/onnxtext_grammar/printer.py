"""The printer: from the wire bytes of a model to its text.  It never drops anything.

Every message has up to three spellings, tried in this order: the short notation of its kind (a node, a type, a
tensor), the general notation (`{field=value}`, guided by the descriptors, so that a field of a future onnx has a
spelling too), and the escape `{opaque="…"}`, the bytes themselves, for what the descriptors do not know.

>>> print_model(onnx.ModelProto(ir_version=10, graph=onnx.GraphProto(name="g")).SerializeToString()).text
'onnxt 1\\nmodel {ir_version=10}\\ngraph @g () -> () {\\n}\\n'
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby, pairwise

import onnx

from onnxtext.core.blobs import Blobs, attach
from onnxtext.core.errors import ModelError
from onnxtext.core.pause import collector_paused
from onnxtext.core.weights import Sidecar, element_count
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
    Schema,
    delimited,
    join,
    pack,
    read_varint,
    schema,
    split,
)
from onnxtext_grammar.attributes import FIELDS, ITEMS, KIND_NAMES
from onnxtext_grammar.dtypes import DTYPES, DType, dtype_name
from onnxtext_grammar.interning import EACH_BYTES, INTERN_CHARACTERS, REPEATED_BYTES, allowance_bytes, intern
from onnxtext_grammar.literals import (
    HOLE_DOMAIN,
    MAX_REPEAT,
    print_float,
    print_float_attribute,
    print_function,
    print_key,
    print_param,
    print_string,
    print_value,
    print_word,
)
from onnxtext_grammar.naming import PATTERN_BYTES, Naming, find_name_pattern, find_value_pattern, naming
from onnxtext_grammar.tensor_data import print_raw
from onnxtext_grammar.types import DIMENSION, SHAPE, TENSOR_TYPE, print_type

VERSION = 1  # of the language
SAMPLED_NODES = 1024  # of a graph, from which the rules of its `each` are found
INLINE_ELEMENTS = 16  # a tensor of up to so many elements stands in the text as numbers
_MAX_DEPTH = 100  # of nested messages, as protobuf

_PAIR = schema("onnx.StringStringEntryProto")
_OPSET = schema("onnx.OperatorSetIdProto")
_AT = onnx.AttributeProto
_A_NAME, _A_TYPE, _A_REF = 1, 20, 21
_T_DIMS, _T_TYPE, _T_STRINGS, _T_NAME, _T_RAW = 1, 2, 6, 8, 9
_NUMBER_KINDS = tuple(b"\xa0\x01" + bytes([kind]) for kind in (_AT.FLOAT, _AT.INT, _AT.FLOATS, _AT.INTS))
_PARAMETER = b"\x22\x09Parameter"
_TENSOR_KIND = b"\xa0\x01\x04"  # the field that says that an attribute holds a tensor
_PLAIN_OPERATOR = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*").fullmatch
_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*").fullmatch
_PLAIN_NAMES = re.compile(rb"(?:[A-Za-z0-9_./]++(?:-[A-Za-z0-9_./]++)*+(?::[0-9]++)?+(?:\n(?!\Z)|\Z))*+").fullmatch
_MARK = re.compile("\0([0-9]+)\0")
_ESCAPE_MARK = re.compile("\1([^\1]*)\1")


# A node: its inputs, outputs, name, and the bytes behind them (operator, attributes and all else).
_Node = tuple[list[bytes], list[bytes], bytes | None, bytes]


# What the last of these say: operator, attributes, other fields, and the bag that stands in the text.
_Tail = tuple[str, str, str, str]


class _NotReusable(Exception):
    """The text of this node depends on where it stands: it holds a graph, or data in the weights file."""


class _Scope:
    """The text of every name defined so far, seen from one graph; of any other name, with a question mark."""

    __slots__ = ("names", "outer")

    def __init__(self, outer: _Scope | None = None) -> None:
        self.names = {b"": "_"}
        self.outer = outer

    def use(self, name: bytes) -> str:
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.outer
        return print_value(name, "%?")


@dataclass(slots=True)
class Printed:
    """A text, and what came up while it was written."""

    text: str
    escapes: list[str] = field(default_factory=list)  # the kinds of messages that hold an opaque escape
    sidecar: Sidecar | None = None  # the weights that go beside the text


def print_model(
    wire: bytes,
    blobs: Blobs | None = None,
    *,
    sidecar: Sidecar | None = None,
    elided: bool = False,
    escaped: frozenset[bytes] = frozenset(),
) -> Printed:
    """Return the text of the model with the canonical bytes `wire`.

    `blobs` holds the data behind its placeholders.  Tensors of more than INLINE_ELEMENTS elements go into `sidecar`,
    or, where there is none, into the text as base64.  The messages in `escaped` are written as opaque bytes.
    Raises ModelError where messages are nested too deeply.
    """
    with collector_paused():
        printer = _Printer(blobs or Blobs(), sidecar, escaped)
        body = _intern(printer.model(wire), printer.strings)
    head = f"onnxt {VERSION}\n"
    if sidecar is not None and len(sidecar):
        head += f'weights {"elided " if elided else ""}"{sidecar.digest()}"\n'
    escapes = _ESCAPE_MARK.findall(body)
    return Printed(head + (_ESCAPE_MARK.sub("", body) if escapes else body), escapes, sidecar)


def _intern(text: str, strings: list[str]) -> str:
    """Put the long strings in place of their marks."""
    if not strings:
        return text
    pieces = _MARK.split(text)
    marks = [int(mark) for mark in pieces[1::2]]
    head, shown = intern({mark: (strings[mark], uses) for mark, uses in Counter(marks).items()})
    pieces[1::2] = [shown[mark] for mark in marks]
    return "".join(line + "\n" for line in head) + "".join(pieces)


class _Printer:
    """The state of one printing: what is defined, what has been printed before, where weights go."""

    def __init__(self, blobs: Blobs, sidecar: Sidecar | None, escaped: frozenset[bytes]) -> None:
        self.blobs, self.sidecar, self.escaped = blobs, sidecar, escaped
        self.strings: list[str] = []  # the long strings, marked in the text by their place here
        self.shown: dict[bytes, str] = {}  # a string -> its literal, or its mark
        self.scope = _Scope()
        self.types: dict[bytes, str] = {}
        self.attributes: dict[bytes, str] = {}  # the text of attributes that are numbers
        self.values: dict[bytes, str] = {}  # the text of a value's name
        self.functions: dict[tuple[bytes, bytes | None, bytes | None], str] = {}
        self.depth = 0
        self.left_bytes = allowance_bytes(0) // 2  # that `repeat` may stand for
        # Of the current graph: the types of its initializers and their order, and the types the text has given so far.
        self.held: dict[bytes, bytes] = {}
        self.place: dict[bytes, int] = {}
        self.known: dict[bytes, bytes] = {}
        self.tensor_name: bytes | None = None  # what `each` says a tensor in an attribute is called
        self.is_rehearsal = False  # whether nothing may be printed that depends on more than its own bytes
        self.keys_seen: set[str] = set()

    # ---- the model

    def model(self, wire: bytes) -> str:
        fields, opaque = split(wire, MODEL)
        if wire in self.escaped:
            fields, opaque = {}, wire
        functions = [split(f, FUNCTION) for f in fields.get(25, ())]
        shown = [f for (f, _), w in zip(functions, fields.get(25, ()), strict=True) if w not in self.escaped]
        names = Counter(f[1][0] for f in shown if 1 in f)
        for f in shown:
            if 1 in f and names[f[1][0]] == 1:
                domain, overload = (f[n][0] if n in f else None for n in (10, 13))
                self.functions[f[1][0], domain, overload] = print_function(f[1][0])
        functions_text = [
            self.function(f, unknown, w) for (f, unknown), w in zip(functions, fields.get(25, ()), strict=True)
        ]
        graph = "".join(self.graph(g, 0) + "\n" for g in fields.pop(7, ()))
        fields.pop(25, None)
        entries = self.entries(fields, opaque, MODEL)
        model = f"model {{{', '.join(entries)}}}\n" if entries else ""
        return model + "".join(functions_text) + graph

    def function(self, fields: dict[int, list], opaque: bytes, wire: bytes) -> str:
        if 1 not in fields or wire in self.escaped:
            return f"def {self.general(FUNCTION, wire)}\n"
        outer, self.scope = self.scope, _Scope()
        self.held, self.place, self.known = {}, {}, {}
        name = print_function(fields.pop(1)[0])
        formals = [print_key(a) for a in fields.pop(6, ())]
        defaults = [self.attribute(attribute) for attribute in fields.get(11, ())]
        if None not in defaults:  # otherwise they stand in the bag, all of them: there is one order
            formals += filter(None, defaults)
            fields.pop(11, None)
        inputs, outputs = fields.pop(4, []), fields.pop(5, [])
        nodes, infos = [_head(w, 0, len(w)) for w in fields.pop(7, [])], fields.pop(12, [])
        entries = self.entries(fields, opaque, FUNCTION)  # before any name is defined, as they stand in the text
        operands = ", ".join(self.define(n) for n in inputs)
        body = self.body(nodes, infos, [], [], outputs, 0)
        results = ", ".join(self.use(n) for n in outputs)
        bag = f" {{{', '.join(entries)}}}" if entries else ""
        self.scope = outer
        formal = f"<{', '.join(formals)}>" if formals else ""
        return f"def {name}{formal}{bag} ({operands}) -> ({results}) {body}\n"

    # ---- graphs

    def graph(self, wire: bytes, level: int) -> str:
        if self.is_rehearsal:
            raise _NotReusable
        self.enter()
        if wire in self.escaped:
            self.leave()
            return f"graph {self.opaque(wire, GRAPH)} () -> () {{\n{' ' * level}}}"
        nodes, rest = _read_nodes(wire)
        fields, opaque = split(wire[rest:], GRAPH)
        outer, self.scope = self.scope, _Scope(self.scope)
        name = " " + print_function(fields.pop(2)[0]) if 2 in fields else ""
        tensors = fields.pop(5, [])
        outer_types, self.known = (self.held, self.place, self.known), {}
        self.hold(tensors)
        inputs = self.separate(self.inputs(fields.pop(11, [])), level)
        outputs, produced = fields.pop(12, []), []
        for output in outputs:
            parts, _ = split(output, VALUE_INFO)
            produced.append(parts.get(1, [b""])[0])
        body = self.body(nodes, fields.pop(13, []), tensors, fields.pop(15, []), produced, level)
        results = self.separate([self.output(o) for o in outputs], level)
        self.scope = outer
        self.held, self.place, self.known = outer_types
        entries = self.entries(fields, opaque, GRAPH)
        bag = f" {{{', '.join(entries)}}}" if entries else ""
        self.leave()
        return f"graph{name}{bag} ({inputs}) -> ({results}) {body}"

    @staticmethod
    def separate(items: list[str], level: int) -> str:
        """Join the inputs of a graph: on one line when it is short, otherwise one a line."""
        joined = ", ".join(items)
        if len(_MARK.sub("#0", _ESCAPE_MARK.sub("", joined))) <= 100:  # a long string counts as its number
            return joined
        pad = "\n" + " " * (level + 2)
        return pad + ("," + pad).join(items)

    def hold(self, tensors: list[bytes]) -> None:
        """Note the initializers of a graph: what its inputs and value infos need not repeat."""
        self.held, self.place = {}, {}
        at = 0
        for tensor in tensors:
            fields, opaque = split(tensor, TENSOR)
            if fields.get(_T_NAME, [b""])[0] and _T_TYPE in fields and not opaque and tensor not in self.escaped:
                name = fields[_T_NAME][0]
                self.place.setdefault(name, at)
                at += 1
                self.held.setdefault(name, _tensor_type(fields[_T_TYPE][0], fields.get(_T_DIMS, [])))

    def inputs(self, wires: list[bytes], *, are_inputs: bool = True) -> list[str]:
        """Return inputs or value infos; a run of them that repeats a run of initializers as its two ends."""
        texts: list[str] = []
        run: list[str] = []  # the texts of inputs that are initializers one behind the other, and nothing else
        last = -1

        def end_run() -> None:
            texts.extend(run if len(run) < 3 else [f"{run[0]} to {run[-1]}"])
            run.clear()

        for wire in wires:
            text = self.input(wire, are_inputs)
            at = -1
            if text[-1] != "}":  # with a bag it is more than a name; no name ends so
                name = split(wire, VALUE_INFO)[0].get(1, [b""])[0]
                at = self.place.get(name, -1) if text == print_value(name) else -1
            if at < 0 or at != last + 1:
                end_run()
            last = at
            (texts if at < 0 else run).append(text)
        end_run()
        return texts

    def input(self, wire: bytes, is_input: bool = True) -> str:
        fields, opaque = split(wire, VALUE_INFO)
        name = fields.get(1, [b""])[0]
        if wire in self.escaped:
            return self.general(VALUE_INFO, wire)
        text = self.define(name) if is_input else print_value(name)
        if opaque or not name:
            return self.general(VALUE_INFO, wire)
        del fields[1]
        kind = fields.pop(2)[0] if 2 in fields else None
        if kind is not None:
            self.known[name] = kind
        if kind is None and name in self.held:
            text += ": ?"
        elif kind is not None and kind != self.held.get(name):
            text += f": {self.type(kind)}"
        return text + self.bag(fields, b"", VALUE_INFO)

    def output(self, wire: bytes) -> str:
        fields, opaque = split(wire, VALUE_INFO)
        if opaque or 1 not in fields or not fields[1][0] or wire in self.escaped:
            return self.general(VALUE_INFO, wire)
        text = self.use(fields.pop(1)[0])
        if 2 in fields:
            text += f": {self.type(fields.pop(2)[0])}"
        return text + self.bag(fields, b"", VALUE_INFO)

    def infos(self, wires: list[bytes]) -> list[str]:
        """Return the statements for value infos that do not stand at the definition of their value."""
        return [("value_info " if text[0] == "{" else "info ") + text for text in self.inputs(wires, are_inputs=False)]

    # ---- names

    def define(self, name: bytes) -> str:
        if not name:
            return "_"
        text = self.values.get(name)
        if text is None:
            text = self.values[name] = print_value(name)
        self.scope.names[name] = text
        return text

    def use(self, name: bytes) -> str:
        return self.scope.use(name)

    # ---- the body of a graph or function

    def body(
        self,
        nodes: list[_Node],
        infos: list[bytes],
        tensors: list[bytes],
        sparse: list[bytes],
        outputs: list[bytes],
        level: int,
    ) -> str:
        pad = " " * (level + 1)
        before, types = self.place_infos(infos, nodes)
        rules, hides = self.find_naming(nodes, types)
        outer, self.tensor_name = self.tensor_name, rules.tensor
        lines: list[str] = []
        lines += [f"{pad}{self.initializer(t)}\n" for t in tensors]
        lines += [f"{pad}sparse {self.sparse(s)}\n" for s in sparse]
        tails, defaults = self.find_tails(nodes, rules, len(pad))
        hidden, holes = self.find_hidden(nodes, tails, rules, outputs, before, types) if hides else (set(), {})
        self.nodes(nodes, tails, defaults, rules, hidden, holes, before, types, pad, lines)
        self.tensor_name = outer
        each = [
            f"{pad}{text}\n"
            for text in [*self.each(rules), *(f"each {op} {{{attributes}}}" for op, attributes in defaults.items())]
        ]
        return "{\n" + "".join(each) + "".join(lines) + " " * level + "}"

    def find_naming(self, nodes: list[_Node], types: dict[bytes, bytes]) -> tuple[Naming, bool]:
        """Return the rules of a graph that save most writing, and whether chains may hide names by them."""
        step = max(1, len(nodes) // SAMPLED_NODES)  # in a large graph a sample says what is usual
        sample = range(0, len(nodes), step)
        value = find_value_pattern(
            (k, made[0])
            for k in sample
            if len(made := nodes[k][1]) == 1
            and (_PARAMETER in nodes[k][3] or (k + 1 < len(nodes) and (fed := nodes[k + 1][0]) and made[0] == fed[0]))
        )
        name = find_name_pattern([(k, nodes[k][2], nodes[k][1][0] if nodes[k][1] else b"") for k in sample])
        empty = sum(1 for k in sample if b":\0" in nodes[k][3] and split(nodes[k][3], NODE)[0].get(7) == [b""])
        fields: dict[bytes, bytes] = {}
        if value is not None:
            fields[b"value"] = bytes(value)
        if name is not None:
            fields[b"name"] = bytes(name)
        if empty * 2 > len(sample):
            fields[b"domain"] = b""
        tensor = self.find_tensor_name([nodes[k][3] for k in sample])
        if tensor is not None:
            fields[b"tensor"] = tensor
        if types and self.types_repeat(nodes, types):
            fields[b"type"] = b"same"
        return naming(fields or None), value is not None

    def types_repeat(self, nodes: list[_Node], types: dict[bytes, bytes]) -> bool:
        """Tell whether more nodes hand the type of their first operand on than have an operand with a type and none."""
        known = self.held | self.known | types
        same = lost = 0
        for ins, outs, _, _ in nodes:
            if len(outs) == 1 and ins and ins[0] in known:
                kind = types.get(outs[0])
                if kind is None:
                    lost += 1
                elif kind == known[ins[0]]:
                    same += 1
        return same > 2 and same > lost

    def find_tensor_name(self, tails: list[bytes]) -> bytes | None:
        """Return the name that most tensors in attributes have, or None where most have none or it saves nothing."""
        seen: Counter[bytes | None] = Counter()
        for tail in tails:
            if _TENSOR_KIND in tail:
                for attribute in split(tail, NODE)[0].get(5, ()):
                    for tensor in split(attribute, ATTRIBUTE)[0].get(5, ()):
                        seen[split(tensor, TENSOR)[0].get(_T_NAME, [None])[0]] += 1
        best, count = max(seen.items(), key=lambda item: item[1], default=(None, 0))
        return best if best is not None and count > max(1, seen[None]) and len(best) <= PATTERN_BYTES else None

    def each(self, rules: Naming) -> Iterable[str]:
        plain = naming(None)
        entries = []
        if rules.value != plain.value:
            entries.append(f"value={print_string(bytes(rules.value))}")
        if rules.node:
            entries.append(f"name={print_string(bytes(rules.node))}")
        if rules.domain is not None:
            entries.append(f"domain={print_string(rules.domain)}")
        if rules.tensor is not None:
            entries.append(f"tensor={print_string(rules.tensor)}")
        if rules.same_types:
            entries.append('type="same"')
        if entries:
            yield f"each {{{', '.join(entries)}}}"

    def find_tails(
        self, nodes: list[_Node], rules: Naming, level: int
    ) -> tuple[dict[bytes, _Tail | None], dict[str, str]]:
        """Return what the bytes behind a node's name say (None: they have no short notation), and what `each` says.

        Where many nodes of an operator have the same attributes, an `each` line gives them once, and the nodes none.
        """
        seen = Counter([node[3] for node in nodes])
        tails: dict[bytes, _Tail | None] = {}
        by_operator: dict[str, list[tuple[int, str]]] = {}
        self.is_rehearsal, depth = True, self.depth
        for tail, count in seen.items():
            try:
                told = self.tail(tail, rules, level)
            except _NotReusable:
                self.depth = depth
                continue
            tails[tail] = told and (*told, _bag(*told[1:]))
            if told and (len(tail) <= EACH_BYTES or not told[1]):
                by_operator.setdefault(told[0], []).append((count, told[1]))
        self.is_rehearsal = False
        defaults: dict[str, str] = {}
        by_operator.pop("onnxtext.Parameter", None)  # these mostly stand in place, as operands
        for operator, bags in by_operator.items():
            counts: Counter[str] = Counter()
            for count, attributes in bags:
                counts[attributes] += count
            attributes, count = max(counts.items(), key=lambda item: item[1] * len(item[0]))
            if (count - 1) * len(attributes) > 3 * counts[""] + len(operator) + 12:
                defaults[operator] = attributes
        # A node that has no attributes says {} then, and has no room for anything else.
        for k, (_, outs, name, tail) in enumerate(nodes if defaults else ()):
            found = tails.get(tail)
            if found and not found[1] and found[0] in defaults and (found[2] or name != rules.node_name(k, outs)):
                del defaults[found[0]]
        for tail, found in tails.items():
            if found and found[0] in defaults:
                operator, attributes, fields, _ = found
                shown = "" if attributes == defaults[operator] else attributes
                tails[tail] = (operator, attributes, fields, _bag(shown, fields) if attributes else " {}")
        return tails, defaults

    def place_infos(self, infos: list[bytes], nodes: list[_Node]) -> tuple[dict[int, list[bytes]], dict[bytes, bytes]]:
        """Return the value infos that stand as statements before node k, and the types that stand at a definition.

        The order in the text is the order in the model, so types stand at definitions only where those come in order.
        """
        if not infos:
            return {}, {}
        parsed = [split(w, VALUE_INFO) for w in infos]
        made: dict[bytes, int] = {}
        for node in nodes:
            for name in node[1]:
                made.setdefault(name, len(made))
        node_of: dict[bytes, int] = {}
        for k, node in enumerate(nodes):
            for name in node[1]:
                node_of.setdefault(name, k)
        last, ordered = -1, True
        for fields, _ in parsed:
            place = made.get(fields.get(1, [b""])[0])
            if place is not None:
                ordered = ordered and place > last
                last = place
        before: dict[int, list[bytes]] = {}
        at_definition: dict[bytes, bytes] = {}
        if not ordered:
            return {0: infos}, {}
        if not nodes:
            return {0: infos}, {}
        slot = floor = 0  # the next statement stands before this node; the last one stands before that
        for wire, (fields, opaque) in zip(infos, parsed, strict=True):
            name = fields.get(1, [b""])[0]
            k = node_of.get(name, -1) if name else -1
            if k >= floor and set(fields) == {1, 2} and not opaque and wire not in self.escaped:
                at_definition[name] = fields[2][0]
                slot = k + 1
            else:
                floor = slot = max(slot, k)
                before.setdefault(slot, []).append(wire)
        return before, at_definition

    def nodes(
        self,
        nodes: list[_Node],
        tails: dict[bytes, _Tail | None],
        defaults: dict[str, str],
        rules: Naming,
        hidden: set[int],
        holes: dict[int, str],
        before: dict[int, list[bytes]],
        types: dict[bytes, bytes],
        pad: str,
        lines: list[str],
    ) -> None:
        """Append the lines of all nodes."""
        known, same = self.known, rules.same_types
        if not (before or types or same or hidden or holes or rules.node or self.escaped):
            texts = _plain_results(nodes)
            if texts:
                self.plain_nodes(nodes, texts, tails, defaults, rules, pad, lines)
                return
        chain: list[str] = []
        chained: list[_Node] = []
        again = ""
        for k, node in enumerate(nodes):
            ins, outs, _, _ = node
            if k in holes:
                self.scope.names[outs[0]] = holes[k]
                continue
            if k in before:
                lines += [f"{pad}{text}\n" for text in self.infos(before[k])]
            told = self.short_node(k, node, tails, defaults, rules, len(pad))
            if told is None:
                self.general_node(node, types, pad, lines)
                continue
            operator, bag = told
            first = known.get(ins[0]) if same and ins else None
            operands = self.operands(ins[1:] if chain else ins)
            chained.append(node)
            if k in hidden:
                self.define(outs[0])
                kind = self.result_type(outs[0], types, first)
                if not chain:
                    again = f"{operator}{self.operands(ins[1:])}{bag}{kind}"
                chain.append(f"{operator}{operands}{bag}{kind}")
                continue
            only = first if len(outs) == 1 else None
            left = ", ".join([self.define(out) + self.result_type(out, types, only) for out in outs])
            chain.append(f"{operator}{operands}{bag}")
            lines.append(
                f"{pad}{left}{' = ' if outs else ''}" + f"\n{pad}-> ".join(self.repeats(chain, again, chained)) + "\n"
            )
            chain, chained = [], []
        if len(nodes) in before:
            lines += [f"{pad}{text}\n" for text in self.infos(before[len(nodes)])]

    def plain_nodes(
        self,
        nodes: list[_Node],
        texts: list[str],
        tails: dict[bytes, _Tail | None],
        defaults: dict[str, str],
        rules: Naming,
        pad: str,
        lines: list[str],
    ) -> None:
        """Append the lines of nodes without chains and types: what printing a very large graph costs, so all inline.

        `texts`: how the result of each node prints.
        """
        names, use, append = self.scope.names, self.scope.use, lines.append
        for k, ((ins, outs, name, tail), text) in enumerate(zip(nodes, texts, strict=True)):
            found = tails.get(tail)
            if found is None or name is not None:
                node = (ins, outs, name, tail)
                told = self.short_node(k, node, tails, defaults, rules, len(pad))
                if told is None:
                    self.general_node(node, {}, pad, lines)
                    continue
                operator, bag = told
                operands = self.operands(ins)
                left = ", ".join([self.define(out) for out in outs])
                append(f"{pad}{left}{' = ' if outs else ''}{operator}{operands}{bag}\n")
                continue
            operator, _, _, bag = found
            try:
                if len(ins) == 1:
                    append(f"{pad}{text} = {operator}({names[ins[0]]}){bag}\n")
                elif ins:
                    append(f"{pad}{text} = {operator}({', '.join([names[n] for n in ins])}){bag}\n")
                else:
                    append(f"{pad}{text} = {operator}{bag}\n")
            except KeyError:  # a name of an outer graph, or of none
                append(f"{pad}{text} = {operator}({', '.join(map(use, ins))}){bag}\n")
            names[outs[0]] = text

    def short_node(
        self,
        k: int,
        node: _Node,
        tails: dict[bytes, _Tail | None],
        defaults: dict[str, str],
        rules: Naming,
        level: int,
    ) -> tuple[str, str] | None:
        """Return the operator of node `k` and its bag in the text, or None where it has no short notation."""
        _, outs, name, tail = node
        if self.escaped and _node_bytes(node) in self.escaped:
            return None
        if tail in tails:
            found = tails[tail]
            if found is None:
                return None
            operator, attributes, fields, bag = found
        else:
            told = self.tail(tail, rules, level)
            if told is None:
                return None
            operator, attributes, fields = told
            bag = _bag(attributes, fields)
        if (name is not None or rules.node is not None) and name != rules.node_name(k, outs):
            shown = "" if attributes == defaults.get(operator) else attributes
            bag = _bag(f".name={'none' if name is None else self.string(name)}", shown, fields)
        return operator, bag

    def operands(self, names: list[bytes]) -> str:
        return f"({', '.join(map(self.scope.use, names))})" if names else ""

    def repeats(self, chain: list[str], again: str, nodes: list[_Node]) -> list[str]:
        """Return the links of a chain, equal ones in a row as one with their number as long as a parser takes that."""
        if len(nodes) * REPEATED_BYTES > self.left_bytes:
            return chain
        links = _repeats(chain, again)
        if len(links) < len(chain):
            self.left_bytes -= sum(len(_node_bytes(node)) + REPEATED_BYTES for node in nodes)
        return links if self.left_bytes >= 0 else chain

    def general_node(self, node: _Node, types: dict[bytes, bytes], pad: str, lines: list[str]) -> None:
        """Append a node in the general notation; the types of its results stand in front: it has no room for them."""
        infos = [join([(1, out), (2, types.pop(out))], VALUE_INFO) for out in node[1] if out in types]
        lines += [f"{pad}{text}\n" for text in self.infos(infos)]
        lines.append(f"{pad}node {self.general(NODE, _node_bytes(node))}\n")
        if _node_bytes(node) not in self.escaped:  # otherwise the text does not say what it defines
            for out in node[1]:
                self.define(out)

    def result_type(self, name: bytes, types: dict[bytes, bytes], first: bytes | None) -> str:
        """Return the type behind a result, or nothing where the parser gives it that of the first operand, `first`."""
        kind = types.pop(name, None)
        if kind is not None:
            self.known[name] = kind
        if kind == first:
            return ""
        return f": {self.type(kind)}" if kind is not None else ": ?"

    def find_hidden(
        self,
        nodes: list[_Node],
        tails: dict[bytes, _Tail | None],
        rules: Naming,
        outputs: list[bytes],
        before: dict[int, list[bytes]],
        types: dict[bytes, bytes],
    ) -> tuple[set[int], dict[int, str]]:
        """Return the nodes whose only output goes unnamed, because a chain hands it to the next node and no other.

        And the weights of which only the type is known that stand in place, as operands of the node behind them.
        """
        name_of, prefix = rules.value.name, rules.value.prefix
        named = {
            k
            for k, node in enumerate(nodes)
            if len(node[1]) == 1 and node[1][0].startswith(prefix) and node[1][0] == name_of(k)
        }
        if not named:
            return set(), {}
        uses = Counter([n for node in nodes for n in node[0]])
        uses.update(outputs)
        holes = {
            k: text
            for k in named
            if _PARAMETER in nodes[k][3]
            and uses[nodes[k][1][0]] == 1
            and nodes[k][1][0] not in types
            and (text := self.hole_text(nodes[k])) is not None
        }
        if holes:  # a subgraph might use one too, and would need its name
            subgraphs = b"".join([node[3] for node in nodes if tails.get(node[3]) is None])
            holes = {k: text for k, text in holes.items() if delimited(b"\x0a", nodes[k][1][0]) not in subgraphs}
        hidden: set[int] = set()
        last, pending = -1, []  # the last node that is no hole, and the holes behind it
        for k, node in enumerate(nodes):
            if k in holes:
                pending.append(k)
                continue
            fed = node[0]
            if pending:
                places = [fed.index(nodes[p][1][0]) if nodes[p][1][0] in fed else -1 for p in pending]
                stay = not any(p in before for p in [*pending, k]) and self.is_short(node, tails)
                if not stay or places[0] < 0 or any(a >= b for a, b in pairwise(places)):
                    for p in pending:
                        del holes[p]
                    last = pending[-1]
            if last in named and fed and last not in holes and nodes[last][1][0] == fed[0]:
                between = all(p in holes for p in range(last + 1, k)) and not any(
                    p in before for p in range(last + 1, k + 1)
                )
                if between and uses[fed[0]] == 1 and self.is_short(nodes[last], tails) and self.is_short(node, tails):
                    hidden.add(last)
            last, pending = k, []
        for p in pending:
            del holes[p]
        return hidden, holes

    def is_short(self, node: _Node, tails: dict[bytes, _Tail | None]) -> bool:
        """Tell whether a node has a short notation."""
        if node[3] in tails:
            return tails[node[3]] is not None and not (self.escaped and _node_bytes(node) in self.escaped)
        fields, opaque = split(node[3], NODE)
        return 4 in fields and not opaque

    def hole_text(self, node: _Node) -> str | None:
        """Return `f32[16,3,3,3]` for a weight with a type and no data, or None where the node is something else."""
        ins, _, name, tail = node
        fields, opaque = split(tail, NODE)
        if ins or name is not None or opaque or set(fields) != {4, 5, 7} or len(fields[5]) != 2:
            return None
        if fields[4][0] != b"Parameter" or fields[7][0] != HOLE_DOMAIN or tail in self.escaped:
            return None
        (dtype, rest), (shape, more) = (split(a, ATTRIBUTE) for a in fields[5])
        if rest or more or set(dtype) != {1, 3, 20} or dtype[1][0] != b"dtype" or dtype[20][0] != _AT.INT:
            return None
        if not -1 << 31 <= dtype[3][0] < 1 << 31:  # an element type has 32 bits, an attribute has 64
            return None
        if shape.get(1) != [b"shape"] or shape.get(20) != [_AT.INTS] or not set(shape) <= {1, 8, 20, 21}:
            return None
        if 21 in shape:
            return None if 8 in shape else f"{dtype_name(dtype[3][0])}[{print_param(shape[21][0])}]"
        return f"{dtype_name(dtype[3][0])}[{','.join(map(str, shape.get(8, [])))}]"

    def tail(self, wire: bytes, rules: Naming, level: int) -> tuple[str, str, str] | None:
        """Return operator, attributes and fields from the bytes behind a node's name, or None: print it whole."""
        fields, opaque = split(wire, NODE)
        if 4 not in fields or opaque:
            return None
        operator = fields.pop(4)[0]
        domain = fields.pop(7)[0] if 7 in fields else None
        overload = fields[8][0] if 8 in fields else None
        attributes, others = [], []
        called = self.functions.get((operator, domain, overload))
        if called:
            fields.pop(8, None)
            text = called
        else:
            text = print_word(operator) if _PLAIN_OPERATOR(operator) else print_string(operator)
            if domain != rules.domain:
                if domain and _WORD(domain) and _PLAIN_OPERATOR(operator):
                    text = f"{domain.decode()}.{operator.decode()}"
                else:
                    others.append(f".domain={'none' if domain is None else self.string(domain)}")
        for attribute in fields.pop(5, ()):
            attributes.append(self.attribute(attribute, level) or f".attribute={self.general(ATTRIBUTE, attribute)}")
        others += ["." + entry for entry in self.entries(fields, b"", NODE)]
        return text, ", ".join(attributes), ", ".join(others)

    # ---- attributes

    def attribute(self, wire: bytes, level: int = 0) -> str | None:
        """Return `key=value`, or None where only the general notation can say it."""
        text = self.attributes.get(wire)
        if text is None:
            text = self.new_attribute(wire, level)
            if text is not None and _holds_numbers(wire):
                self.attributes[wire] = text
        return text

    def new_attribute(self, wire: bytes, level: int) -> str | None:
        fields, opaque = split(wire, ATTRIBUTE)
        if opaque or _A_NAME not in fields or _A_TYPE not in fields or wire in self.escaped:
            return None
        key, kind = print_key(fields[_A_NAME][0]), fields[_A_TYPE][0]
        if kind not in FIELDS:
            return None
        number = FIELDS[kind]
        rest = set(fields) - {_A_NAME, _A_TYPE}
        if rest == {_A_REF}:
            return f"{key}: {KIND_NAMES[kind]}={print_param(fields[_A_REF][0])}"
        if not rest and kind in ITEMS:
            return f"{key}: {KIND_NAMES[kind]}=[]"
        if rest != {number}:
            return None
        values = fields[number]
        if kind == _AT.INT:
            return f"{key}={values[0]}"
        if kind == _AT.INTS:
            return f"{key}=[{','.join(map(str, values))}]"
        if kind == _AT.FLOAT:
            return f"{key}={print_float_attribute(values[0])}"
        if kind == _AT.FLOATS:
            return f"{key}=[{','.join(map(print_float_attribute, values))}]"
        if kind == _AT.STRING:
            return f"{key}={self.string(values[0])}"
        if kind == _AT.STRINGS:
            return f"{key}=[{','.join(map(self.string, values))}]"
        if kind == _AT.TENSOR:
            return self.tensor_entry(key, values[0]) or f"{key}: tensor={self.general(TENSOR, values[0])}"
        if kind == _AT.GRAPH:
            return f"{key}={self.graph(values[0], level)}"
        message = schema(ATTRIBUTE.by_number[number].message)
        if kind == _AT.TYPE_PROTO:
            return f"{key}={self.message_value(message, values[0])}"
        if kind == _AT.SPARSE_TENSOR:
            return f"{key}: sparse_tensor={self.message_value(message, values[0])}"
        return f"{key}: {KIND_NAMES[kind]}=[{', '.join(self.message_value(message, v, level) for v in values)}]"

    # ---- tensors

    def initializer(self, wire: bytes) -> str:
        fields, opaque = split(wire, TENSOR)
        name = fields.pop(_T_NAME, [b""])[0]
        number, dims = fields.get(_T_TYPE, [0])[0], fields.get(_T_DIMS, [])
        text, told = "", None
        if name and not opaque and wire not in self.escaped:
            text = self.define(name)
            told = self.tensor(fields, name)
        if told is None:
            if name and wire not in self.escaped:
                self.define(name)
            return f"init {self.general(TENSOR, wire)}"
        kind, bag, data = told
        self.known[name] = _tensor_type(number, dims)
        return f"{text}: {kind}{bag}" + (f" = {data}" if data else "")

    def sparse(self, wire: bytes) -> str:
        text = self.general(schema("onnx.SparseTensorProto"), wire)
        fields, _ = split(wire, schema("onnx.SparseTensorProto"))
        for values in fields.get(1, ()):
            for name in split(values, TENSOR)[0].get(_T_NAME, ()):
                if not {wire, values} & self.escaped:
                    self.define(name)
        return text

    def tensor_entry(self, key: str, wire: bytes) -> str | None:
        """Return `key: type=data`, or None where the tensor has no short notation."""
        fields, opaque = split(wire, TENSOR)
        told = None if opaque or wire in self.escaped else self.attribute_tensor(fields)
        if told is None:
            return None
        kind, bag, data = told
        return f"{key}: {kind}{bag}" + (f"={data}" if data else "")

    def attribute_tensor(self, fields: dict[int, list]) -> tuple[str, str, str] | None:
        name = fields.get(_T_NAME, [None])[0]
        if name == self.tensor_name:
            fields.pop(_T_NAME, None)
        told = self.tensor(fields, name or b"", named=True)
        if told is not None and name is None and self.tensor_name is not None:
            bag = " {name=none" + (f", {told[1][2:]}" if told[1] else "}")
            return told[0], bag, told[2]
        return told

    def tensor(self, fields: dict[int, list], name: bytes, *, named: bool = False) -> tuple[str, str, str] | None:
        """Return the type, the bag and the data of a tensor, or None where it has no element type.

        Without data in the text (""), the weights hold it under the tensor's name.  `named`: the name is in the bag.
        """
        if _T_TYPE not in fields:
            return None
        number = fields.pop(_T_TYPE)[0]
        dtype, dims = DTYPES.get(number), fields.pop(_T_DIMS, [])
        kind = f"{dtype_name(number)}[{','.join(map(str, dims))}]"
        raw, typed = fields.pop(_T_RAW, None), None
        if dtype and raw is None:
            typed_field = TENSOR.by_name[dtype.field]
            values = fields.pop(typed_field.number, None)
            if values is not None:
                typed = (typed_field, values)
        bag = self.bag(fields, b"", TENSOR)
        if typed:
            data = self.typed_data(typed[0], typed[1], dims, name)
        elif raw is None:
            data = "none"
        else:
            data = self.raw_data(self.blobs.find(raw[0]), number, dtype, dims, name, named)
        return kind, bag, data

    def raw_data(
        self, raw: bytes | memoryview, number: int, dtype: DType | None, dims: list[int], name: bytes, named: bool
    ) -> str:
        count = _count(dims)
        if dtype and dtype.bits and 0 <= count <= INLINE_ELEMENTS and len(raw) <= 16 * INLINE_ELEMENTS:
            numbers = print_raw(bytes(raw), dtype.name, count)
            if numbers is not None:
                return numbers[0] if not dims and len(numbers) == 1 else f"[{','.join(numbers)}]"
        if self.sidecar is None or len(raw) <= 2 * INLINE_ELEMENTS:
            return _base64(raw)
        fits = dtype and (count * dtype.bits + 7) // 8 == len(raw)
        key = self.key(name)
        if fits and dtype and dtype.safetensors:
            self.sidecar.add(key, dtype.safetensors, dims, raw)
        else:
            self.sidecar.add(key, "U8", [len(raw)], raw)
        return "" if fits and not named and key.encode() == name else f"stored({print_string(key.encode())})"

    def typed_data(self, typed: Field, values: list, dims: list[int], name: bytes) -> str:
        """Return the elements of a typed field (float_data, int64_data, …), `data` in front: raw is the usual form."""
        if typed.name == "string_data":
            return f"[{','.join(map(self.string, values))}]"
        if len(values) <= INLINE_ELEMENTS:
            kind = {4: "f32", 8: "f64"}
            numbers = [str(v) if isinstance(v, int) else print_float(v, kind[len(v)]) for v in values]
            return f"data {numbers[0]}" if not dims and len(numbers) == 1 else f"data [{','.join(numbers)}]"
        payload = pack(values, typed)
        if self.sidecar is None:
            return f"data {_base64(payload)}"
        key = self.key(name)
        if typed.wire_type == 0:
            self.sidecar.add(key, "U8", [len(payload)], payload)
        else:
            size = 4 if typed.name == "float_data" else 8
            fits = _count(dims) * size == len(payload)
            kind = ("F32" if size == 4 else "F64") if fits else "U8"
            self.sidecar.add(key, kind, dims if fits else [len(payload)], payload)
        return f"data stored({print_string(key.encode())})"

    def key(self, name: bytes) -> str:
        """Return the tensor's key in the weights file: its name, with a number where that is taken or cannot be one."""
        assert self.sidecar is not None
        if self.is_rehearsal:
            raise _NotReusable
        try:
            base = name.decode()
        except UnicodeDecodeError:
            base = ""
        key, number = base, 0
        while not key or key == "__metadata__" or key in self.sidecar:
            number = number + 1 if number or base not in self.sidecar else len(self.sidecar)
            key = f"{base or 'tensor'}#{number}"
        return key

    # ---- the general notation

    def general(self, message: Schema, wire: bytes) -> str:
        """Return `{field=value, …}` for any message."""
        self.enter()
        if wire in self.escaped:
            text = self.opaque(wire, message)
        else:
            text = f"{{{', '.join(self.entries(*split(wire, message), message))}}}"
        self.leave()
        return text

    def opaque(self, wire: bytes, message: Schema) -> str:
        return f"{{{self.escape(wire, message)}}}"

    def escape(self, wire: bytes, message: Schema) -> str:
        """Return the entry that holds bytes as they are, with a mark that `print_model` counts."""
        wire = b"".join(attach(wire, self.blobs, message))
        return f"\1{message.name.removeprefix('onnx.')}\1opaque={print_string(wire)}"

    def bag(self, fields: dict[int, list], opaque: bytes, message: Schema) -> str:
        if not fields and not opaque:
            return ""
        return f" {{{', '.join(self.entries(fields, opaque, message))}}}"

    def entries(self, fields: dict[int, list], opaque: bytes, message: Schema) -> list[str]:
        out = [self.field(message.by_number[number], values) for number, values in fields.items()]
        if opaque:
            out.append(self.escape(opaque, message))
        return out

    def field(self, field: Field, values: list) -> str:
        if field.message:
            message = schema(field.message)
            if field.repeated:
                return f"{field.name}=[{', '.join(self.message_value(message, v) for v in values)}]"
            if message is TENSOR:
                short = self.tensor_entry(field.name, values[0])
                if short is not None:
                    return short
            return f"{field.name}={self.message_value(message, values[0])}"
        texts = [self.scalar(field, v) for v in values]
        return f"{field.name}=[{','.join(texts)}]" if field.repeated else f"{field.name}={texts[0]}"

    def scalar(self, field: Field, value: int | bytes) -> str:
        if isinstance(value, int):
            return field.enum[value] if field.enum else str(value)
        if field.kind == "string":
            if field.message == "" and field.name == "raw_data":
                return self.string(bytes(self.blobs.find(value)))
            return self.string(value)
        return print_float(value, "f32" if field.kind == "float" else "f64")

    def message_value(self, message: Schema, wire: bytes, level: int = 0) -> str:
        """Return a message as a value: a pair, a type, a tensor, a graph, or in the general notation."""
        if wire not in self.escaped:
            if message is _PAIR and len(wire) > 3 and wire[0] == 0x0A and wire[1] < 128:
                # A key below 128 bytes and a value: what metadata is made of, too often to take the long way.
                middle = 2 + wire[1]
                if wire[middle : middle + 1] == b"\x12":
                    size, at = read_varint(wire, middle + 1)
                    if at + size == len(wire):
                        return f"{self.string(wire[2:middle])}: {self.string(wire[at:])}"
            if message is _PAIR or message is _OPSET:
                fields, opaque = split(wire, message)
                if not opaque and len(fields) == 2:
                    second = fields[2][0]
                    return f"{self.string(fields[1][0])}: {second if message is _OPSET else self.string(second)}"
            elif message is TYPE:
                return f"type {self.type(wire)}"
            elif message is TENSOR:
                fields, opaque = split(wire, TENSOR)
                told = None if opaque else self.attribute_tensor(fields)
                if told is not None:
                    return f"tensor {told[0]}{told[1]}" + (f"={told[2]}" if told[2] else "")
            elif message is GRAPH:
                return self.graph(wire, level)
        return self.general(message, wire)

    def type(self, wire: bytes) -> str:
        text = self.types.get(wire)
        if text is None:
            short = None if wire in self.escaped else print_type(wire)
            text = short or f"type {self.general(TYPE, wire)}"
            if short:
                self.types[wire] = text
        return text

    def string(self, value: bytes) -> str:
        """Return a string literal; a long one as a mark that `_intern` replaces."""
        text = self.shown.get(value)
        if text is None:
            text = print_string(value)
            if len(text) >= INTERN_CHARACTERS:
                self.strings.append(text)
                text = f"\0{len(self.strings) - 1}\0"
            self.shown[value] = text
        return text

    def enter(self) -> None:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise ModelError(f"messages are nested deeper than {_MAX_DEPTH}, which protobuf does not read back")

    def leave(self) -> None:
        self.depth -= 1


def _read_nodes(wire: bytes) -> tuple[list[_Node], int]:
    """Return the nodes of a graph, which stand in front in its bytes, and where they end."""
    at, end = 0, len(wire)
    nodes: list[_Node] = []
    append = nodes.append
    while at < end and wire[at] == 0x0A:
        size = wire[at + 1]
        at += 2
        if size > 127:
            size, at = read_varint(wire, at - 1)
        stop = at + size
        # One operand and one result with short names, then the operator: by far the most nodes of large graphs.
        if (
            size > 6
            and wire[at] == 0x0A
            and (n := wire[at + 1]) < 128
            and (middle := at + 2 + n) < stop
            and wire[middle] == 0x12
            and (n := wire[middle + 1]) < 128
            and (last := middle + 2 + n) < stop
            and wire[last] == 0x22
        ):
            append(([wire[at + 2 : middle]], [wire[middle + 2 : last]], None, wire[last:stop]))
        else:
            append(_head(wire, at, stop))
        at = stop
    return nodes, at


def _head(wire: bytes, at: int, end: int) -> _Node:
    """Return the inputs, outputs and name of the node between two offsets, and the rest of its bytes."""
    ins: list[bytes] = []
    outs: list[bytes] = []
    while at < end and wire[at] == 0x0A:
        size = wire[at + 1]
        at += 2
        if size > 127:
            size, at = read_varint(wire, at - 1)
        stop = at + size
        ins.append(wire[at:stop])
        at = stop
    while at < end and wire[at] == 0x12:
        size = wire[at + 1]
        at += 2
        if size > 127:
            size, at = read_varint(wire, at - 1)
        stop = at + size
        outs.append(wire[at:stop])
        at = stop
    if at < end and wire[at] == 0x1A:
        size = wire[at + 1]
        at += 2
        if size > 127:
            size, at = read_varint(wire, at - 1)
        return ins, outs, wire[at : at + size], wire[at + size : end]
    return ins, outs, None, wire[at:end]


def _repeats(chain: list[str], again: str) -> list[str]:
    """Return the links of a chain, equal ones in a row as one with their number.

    `again`: the first link as it would be further on, where what is handed on is its first operand.
    """
    if len(chain) < 3:
        return chain
    out = []
    for text, run in groupby([again, *chain[1:]]):
        count = len(list(run))
        while count > 0:
            times = min(count, MAX_REPEAT)
            shown = text if out else chain[0]
            out.append(shown if times == 1 else f"repeat {times} {shown}")
            count -= times
    return out


def _plain_results(nodes: list[_Node]) -> list[str]:
    """Return how the results of all nodes print where each has one whose name needs no quotes, otherwise nothing.

    All names are looked at in one go, which is far quicker than one by one.
    """
    names = [node[1][0] for node in nodes if len(node[1]) == 1]
    joined = b"\n".join(names)
    if not joined or len(names) != len(nodes) or joined.count(b"\n") != len(names) - 1 or not _PLAIN_NAMES(joined):
        return []
    return ("%" + joined.decode().replace("\n", "\n%")).split("\n")


def _holds_numbers(wire: bytes) -> bool:
    """Tell whether an attribute is of a kind whose text depends on its bytes alone: int, ints, float or floats."""
    return wire.endswith(_NUMBER_KINDS)


def _bag(*parts: str) -> str:
    """Return the parts of a bag in their braces, or nothing where there are none."""
    inside = ", ".join([part for part in parts if part])
    return f" {{{inside}}}" if inside else ""


def _node_bytes(node: _Node) -> bytes:
    """Return the bytes that `_head` took apart."""
    ins, outs, name, tail = node
    head = [delimited(b"\x0a", n) for n in ins] + [delimited(b"\x12", n) for n in outs]
    return b"".join([*head, b"" if name is None else delimited(b"\x1a", name), tail])


def _tensor_type(number: int, dims: list[int]) -> bytes:
    """Return the bytes of the TypeProto of a tensor."""
    return _type_of(number, tuple(dims))


@lru_cache(maxsize=4096)
def _type_of(number: int, dims: tuple[int, ...]) -> bytes:
    shape = join([(1, join([(1, dim)], DIMENSION)) for dim in dims], SHAPE)
    return join([(1, join([(1, number), (2, shape)], TENSOR_TYPE))], TYPE)


def _count(dims: list[int]) -> int:
    """Return the number of elements of a shape; -1 where a dimension is negative."""
    return -1 if any(dim < 0 for dim in dims) else element_count(dims)


def _base64(data: bytes | memoryview) -> str:
    return f'base64("{b64encode(data).decode()}")'
