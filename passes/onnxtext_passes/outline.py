"""Repeats into functions: the FunctionProtos and the calls of them, made, checked and put into a model.

Names inside a function are as short as can be; the values that a call gives keep their names.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

import onnx

from onnxtext.core.wire import ATTRIBUTE, delimited, join
from onnxtext_passes.choice import Choice
from onnxtext_passes.expansion import Expansion
from onnxtext_passes.scopes import graph_attributes, output_names, replace_all
from onnxtext_passes.units import LOCAL_DOMAIN, Place, Units, encoded, head_of

IR_FUNCTIONS, IR_TYPES = 8, 10  # the first versions of the IR with functions, and with types in them

_DOMAIN = LOCAL_DOMAIN.decode()
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_A_NAME, _A_TYPE, _A_REF = 1, 20, 21


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that stands for units of a graph."""

    rule: int
    unit: int
    node: onnx.NodeProto


@dataclass(slots=True)
class _Function:
    proto: onnx.FunctionProto
    place: Place  # the first place of its nodes
    # Its nodes that hold graphs, each with the place and the node there that it is a copy of.
    with_graphs: list[tuple[onnx.NodeProto, Place, int]] = field(default_factory=list)


class Outline:
    """The functions and calls for a choice of repeats.  The model stays as it is until `apply`."""

    def __init__(self, model: onnx.ModelProto, units: Units, choice: Choice, *, types: bool) -> None:
        self.model, self.units, self.choice, self.types = model, units, choice, types
        self.tables = choice.tables
        self.ends = [place.end for place in units.places]
        self.version = next((o.version for o in model.opset_import if o.domain == _DOMAIN), 1)
        taken = {f.name for f in model.functions}
        fresh = (name for n in range(1 << 30) if (name := f"f{n}") not in taken)
        self.names = {rule: next(fresh) for rule, kept in enumerate(choice.kept) if kept}
        self.functions = {rule: self.function(rule) for rule in self.names}
        self.lines = self.top()

    def top(self) -> list[list[int | _Call]]:
        """Return what stands in each graph and function: calls, and units as they were."""
        units, tables, grammar = self.units, self.tables, self.choice.grammar
        lines: list[list[int | _Call]] = []
        for place in units.places:
            line: list[int | _Call] = []
            for i in range(bisect_left(grammar.heads, place.first), bisect_left(grammar.heads, place.end)):
                for rule, unit in self.choice.parts(grammar.symbols[i], grammar.heads[i]):
                    if rule < 0:
                        line.append(unit)
                        continue
                    repeat, read, made = self.choice.repeats[rule], tables.reads[unit], units.starts[unit]
                    inputs = [units.name(int(tables.operands[read + slots[0]])) for slots in repeat.inputs]
                    outputs = [units.names[made + o] for o in repeat.outputs]
                    line.append(_Call(rule, unit, self.call(rule, unit, inputs, outputs, {})))
            lines.append(line)
        return lines

    def call(
        self,
        rule: int,
        unit: int,
        inputs: list[bytes],
        outputs: list[bytes],
        parameters: dict[tuple[int, int], str],
    ) -> onnx.NodeProto:
        """Return the call of a function in place of the units from `unit` on.

        `parameters` of the function around it give attributes, by their units and numbers there.
        """
        values, tables = self.units.values, self.tables
        node = onnx.NodeProto(op_type=self.names[rule], domain=_DOMAIN)
        node.input.extend(name.decode() for name in inputs)
        node.output.extend(name.decode() for name in outputs)
        for name, p in zip(_letters(), self.choice.repeats[rule].parameters, strict=False):
            at, slot = p.slots[0]
            outer = parameters.get((unit + at, slot))
            number = tables.values[tables.variants[unit + at]][slot]
            if outer is not None:
                node.attribute.append(_reference(name, p.kind, outer))
            else:
                node.attribute.append(_attribute(name, values[number].wire))
        return node

    def function(self, rule: int) -> _Function:
        """Return the function of a rule, made of the units at the first of its places."""
        units, tables, choice = self.units, self.tables, self.choice
        repeat = choice.repeats[rule]
        first = int(repeat.places[0])
        place = units.places[bisect_left(self.ends, first + 1)]
        tails = {t for v in set(units.variants[first : first + repeat.size]) for t in units.unit_tails[v]}
        taken = frozenset[bytes]().union(*(units.tails[t].named for t in tails))
        fresh = (name for name in map(str.encode, _letters()) if name not in taken)
        inputs = [next(fresh) for _ in repeat.inputs]
        given = {slot: name for name, slots in zip(inputs, repeat.inputs, strict=True) for slot in slots}
        made: dict[int, bytes] = {}  # values of the repeat, counted from its first one
        proto = onnx.FunctionProto(name=self.names[rule], domain=_DOMAIN)
        function = _Function(proto, place)
        refers: dict[tuple[int, int], str] = {}
        for name, p in zip(_letters(), repeat.parameters, strict=False):
            refers |= {(first + unit, slot): name for unit, slot in p.slots}
            proto.attribute.append(name)
        infos = {encoded(i.name): i for i in place.holder.value_info} if self.types else {}

        def operand(slot: int) -> bytes:
            value = int(tables.operands[tables.reads[first] + slot]) - units.starts[first]
            return made[value] if value >= 0 else given[slot]

        def info(old: bytes, new: bytes) -> None:
            if old in infos:
                proto.value_info.add().CopyFrom(infos[old])
                proto.value_info[-1].name = new.decode()

        for part, unit in choice.body(rule):
            slot = int(tables.reads[unit] - tables.reads[first])
            value = units.starts[unit] - units.starts[first]
            if part >= 0:
                inner = choice.repeats[part]
                made |= {value + o: next(fresh) for o in inner.outputs}
                proto.node.append(
                    self.call(
                        part,
                        unit,
                        [operand(slot + slots[0]) for slots in inner.inputs],
                        [made[value + o] for o in inner.outputs],
                        refers,
                    )
                )
                continue
            fed: dict[bytes, bytes] = {}
            number = 0  # of the next attribute of the unit
            for k, tail in zip(units.nodes[unit], units.unit_tails[units.variants[unit]], strict=True):
                ins, outs, _ = place.heads[k]
                node = proto.node.add()
                node.CopyFrom(place.holder.node[k])
                node.ClearField("name")
                del node.input[:], node.output[:]
                for name in ins:
                    if name and name not in fed:
                        node.input.append(operand(slot).decode())
                        slot += 1
                    else:
                        node.input.append(fed.get(name, b"").decode())
                for o, name in enumerate(outs):
                    new = next(fresh) if name else b""
                    node.output.append(new.decode())
                    info(name, new)
                    if k == units.nodes[unit][-1]:
                        made[value + o] = new
                    else:
                        fed[name] = new
                for i, key in units.tails[tail].slots:
                    outer = refers.get((unit, number))
                    if outer is not None:
                        node.attribute[i].CopyFrom(_reference(key.decode(), node.attribute[i].type, outer))
                    number += 1
                if units.tails[tail].has_graphs:
                    function.with_graphs.append((node, place, k))
        proto.input.extend(name.decode() for name in inputs)
        proto.output.extend(made[o].decode() for o in repeat.outputs)
        return function

    # ---- the check

    def wrong(self) -> set[int]:
        """Return the rules whose calls do not give the nodes back that they stand for."""
        units, choice = self.units, self.choice
        expansion = Expansion(f.proto for f in self.functions.values())
        bad: set[int] = set()
        for place, line in zip(units.places, self.lines, strict=True):
            hidden: dict[bytes, int] = {}
            used = {encoded(name) for name in output_names(place.holder)}
            for item in line:
                if isinstance(item, int):
                    for k in units.nodes[item]:
                        used.update(place.heads[k][0])
                    used |= units.tails[units.unit_tails[units.variants[item]][-1]].captured
                    continue
                call = head_of(item.node)
                size = choice.repeats[item.rule].size
                nodes = [place.heads[k] for unit in range(item.unit, item.unit + size) for k in units.nodes[unit]]
                used.update(call[0])
                hidden.update(dict.fromkeys([name for _, outs, _ in nodes for name in outs], item.rule))
                for name in call[1]:
                    hidden.pop(name, None)
                if not expansion.stands_for(call, nodes):
                    bad.add(item.rule)
            bad.update(hidden[name] for name in hidden.keys() & used if name)
        return bad

    # ---- the model

    def apply(self) -> int:
        """Put functions and calls into the model, and return how many calls there are."""
        model, units = self.model, self.units
        calls = 0
        for place, line in reversed(list(zip(units.places, self.lines, strict=True))):  # inner graphs first
            for function in self.functions.values():
                for node, there, k in function.with_graphs:
                    if there is place:
                        _copy_graphs(node, place.holder.node[k])
            made = [item for item in line if isinstance(item, _Call)]
            if made:
                calls += len(made)
                self.rewrite(place, line)
        for function in self.functions.values():
            self.import_domains(function)
        protos = [function.proto for function in self.functions.values()]
        calls += sum(
            node.domain == _DOMAIN and node.op_type in set(self.names.values()) for f in protos for node in f.node
        )
        model.functions.extend(protos)
        _import(model, self.version)
        needed = IR_TYPES if any(f.value_info for f in protos) else IR_FUNCTIONS
        model.ir_version = max(model.ir_version, needed)
        return calls

    def import_domains(self, function: _Function) -> None:
        """Let a function import what its nodes use, in the versions that they had."""
        for domain in sorted(_domains(function.proto.node)):
            version = self.version if domain == _DOMAIN else _version(function.place, domain)
            if version is not None:
                function.proto.opset_import.add(domain=domain, version=version)

    def rewrite(self, place: Place, line: list[int | _Call]) -> None:
        units, holder = self.units, place.holder
        nodes: list[onnx.NodeProto] = []
        kept: set[bytes] = set()
        for item in line:
            if isinstance(item, int):
                nodes += [holder.node[k] for k in units.nodes[item]]
            else:
                nodes.append(item.node)
        for node in nodes:
            kept.update(map(encoded, node.output))
        gone = {name for _, outs, _ in place.heads for name in outs} - kept
        replace_all(holder.node, nodes)
        infos = [info for info in holder.value_info if encoded(info.name) not in gone]
        if len(infos) < len(holder.value_info):
            replace_all(holder.value_info, infos)
        if place.function is not None:
            _import(place.function, self.version)


def _letters() -> Iterator[str]:
    """Yield a, b, …, z, aa, ab, …"""
    length = 1
    while True:
        yield from map("".join, product(_LETTERS, repeat=length))
        length += 1


def _attribute(name: str, rest: bytes) -> onnx.AttributeProto:
    return onnx.AttributeProto.FromString(delimited(b"\x0a", name.encode()) + rest)


def _reference(name: str, kind: int, parameter: str) -> onnx.AttributeProto:
    fields = [(_A_NAME, name.encode()), (_A_TYPE, kind), (_A_REF, parameter.encode())]
    return onnx.AttributeProto.FromString(join(fields, ATTRIBUTE))


def _copy_graphs(node: onnx.NodeProto, source: onnx.NodeProto) -> None:
    for attribute, other in zip(node.attribute, source.attribute, strict=True):
        if other.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
            attribute.CopyFrom(other)


def _domains(nodes: object) -> set[str]:
    """Return the domains of nodes and of those in graphs within them."""
    found: set[str] = set()
    for node in nodes:  # type: ignore[attr-defined]  # a repeated field
        found.add("" if node.domain == "ai.onnx" else node.domain)
        for graph in graph_attributes(node):
            found |= _domains(graph.node)
    return found


def _version(place: Place, domain: str) -> int | None:
    names = ("", "ai.onnx") if not domain else (domain,)
    return next((place.versions[n.encode()] for n in names if n.encode() in place.versions), None)


def _import(holder: onnx.ModelProto | onnx.FunctionProto, version: int) -> None:
    if all(o.domain != _DOMAIN for o in holder.opset_import):
        holder.opset_import.add(domain=_DOMAIN, version=version)
