"""What a model costs in characters of its text: a model of the printer, close enough to compare two ways of writing.

Names are taken to be as short as `merge` and `dedup` make them, and a result that only the next node reads, as its
first operand, to be handed on by a chain.

>>> ints = onnx.helper.make_attribute("", [3, 3]).SerializeToString()
>>> value_characters(Value(onnx.AttributeProto.INTS, ints[2:], False))  # [3,3]
5
>>> Bags([("Conv", 1, 40)] * 5).characters()  # `each Conv {…}`, once
52
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import onnx

from onnxtext.core.blobs import LARGE_BYTES
from onnxtext.core.wire import ATTRIBUTE, TENSOR, split
from onnxtext_grammar.attributes import FIELDS, KIND_NAMES
from onnxtext_grammar.interning import INTERN_CHARACTERS
from onnxtext_passes.units import LOCAL_DOMAIN, Tail, Units, Value


@dataclass(frozen=True, slots=True)
class Measure:
    """What parts of a text count, in characters or otherwise."""

    statement: int  # ` %ab = (…)` and the end of the line, without the comma that the last operand lacks
    operand: int  # `%ab, `
    chained: int  # what a chain spares: the name of the value it hands on, twice
    called: int  # `@f1`
    function: int  # its first and last line without what is named in it
    domain: int  # the import of a domain, without its name
    repeat: int  # `repeat 5 `
    letter: int  # of operators, domains and attributes


CHARACTERS = Measure(
    statement=8,
    operand=5,
    chained=8,
    called=3,
    function=len('def @f1 {opset_import=[], domain="onnxtext.local"} () -> () {\n}\n'),
    domain=8,
    repeat=len("repeat 5 "),
    letter=1,
)
NODES = Measure(statement=1, operand=0, chained=0, called=0, function=0, domain=0, repeat=0, letter=0)

_AT = onnx.AttributeProto
_STORED_CHARACTERS = 24  # data that stands beside the text
_HOLE = len("f32, ")  # and the shape


@lru_cache(maxsize=4096)
def value_characters(value: Value) -> int:
    """Return the length of an attribute's value in the text."""
    if value.is_reference:
        return reference_characters(value.kind)
    fields, _ = split(value.wire, ATTRIBUTE)
    values = fields.get(FIELDS.get(value.kind, 0), [])
    if value.kind in (_AT.INT, _AT.INTS):
        length = sum(len(str(v)) + 1 for v in values) - 1
    elif value.kind in (_AT.FLOAT, _AT.FLOATS):
        length = 5 * len(values) - 1
    elif value.kind in (_AT.STRING, _AT.STRINGS):
        length = sum(min(len(v) + 2, INTERN_CHARACTERS) + 1 for v in values) - 1
    elif value.kind == _AT.TENSOR and values:
        return _tensor_characters(values[0])
    else:
        length = len(value.wire)
    return length + (2 if value.kind in (_AT.INTS, _AT.FLOATS, _AT.STRINGS) else 0)


def reference_characters(kind: int) -> int:
    """Return the length of `: ints` and `$a`."""
    return len(KIND_NAMES.get(kind, "")) + 4


def _tensor_characters(wire: bytes) -> int:
    fields, _ = split(wire, TENSOR)
    shape = sum(len(str(d)) + 1 for d in fields.get(1, ())) + 6
    data = len(wire) - sum(len(v) for v in fields.get(8, ()))
    return shape + (_STORED_CHARACTERS if data >= LARGE_BYTES else data + data // 3)


@dataclass(frozen=True, slots=True)
class Bags:
    """The attributes of nodes of one graph or function: operator, what distinguishes the bag, its characters."""

    given: Iterable[tuple[object, object, int]]
    measure: Measure = CHARACTERS

    def characters(self) -> int:
        """Return the characters of all bags, where `each` says for an operator's nodes what most of them have."""
        if not self.measure.letter:
            return 0
        total = 0
        by_operator: dict[object, dict[object, list[int]]] = {}
        for operator, bag, length in self.given:
            total += length
            seen = by_operator.setdefault(operator, {}).setdefault(bag, [0, length])
            seen[0] += 1
        for bags in by_operator.values():
            spared = max([(count - 1) * length for count, length in bags.values()])
            if spared > _EACH:
                spared -= _EACH + 3 * sum([count for count, length in bags.values() if not length])
                total -= max(spared, 0)
        return total


_EACH = 12  # ` each Conv` and the end of the line


class Costs:
    """The characters of every unit of a model."""

    def __init__(self, units: Units, again: Collection[int], measure: Measure = CHARACTERS) -> None:
        self.units, self.again, self.measure = units, again, measure
        self.values = [measure.letter * value_characters(value) for value in units.values]
        self.bags = [self._bag(tail) for tail in units.tails]
        # The attributes of each variant's nodes, as `Bags` takes them.
        self.given = [
            [((tail.domain, tail.operator), (t,), self.bags[t]) for t in tails if not (tail := units.tails[t]).is_hole]
            for tails in units.unit_tails
        ]
        self.plain: list[int] = []  # of each unit, without the attributes of its nodes
        bodies, graphs = self._units()
        self.in_bodies = np.concatenate([[0], np.cumsum(bodies)])  # of all units before: where `each` says nothing
        self.in_graphs = np.concatenate([[0], np.cumsum(graphs)])  # and where they stand

    def _bag(self, tail: Tail) -> int:
        """Return the length of a node's attributes and further fields."""
        if tail.is_hole:
            return 0
        values = {i: len(name) + self.values[v] for (i, name), v in zip(tail.slots, tail.values, strict=True)}
        length = sum(3 + values.get(i, len(attribute)) for i, attribute in enumerate(tail.attributes))
        length += sum(
            len(v) for n, field in tail.fields.items() if n not in (4, 5, 7) for v in field if isinstance(v, bytes)
        )
        return self.measure.letter * (length + 1 if length else 0)

    def reference(self, kind: int) -> int:
        """Return the characters of a reference to a parameter in place of an attribute's value: `: ints` and `$a`."""
        return self.measure.letter * reference_characters(kind)

    def bag_of_call(self, lengths: Collection[int]) -> int:
        """Return the characters of the attributes of a call, whose values have these lengths."""
        return sum(lengths) + self.measure.letter * (4 * len(lengths) + 1) if lengths else 0

    def _units(self) -> tuple[list[int], list[int]]:
        units, bags, measure = self.units, self.bags, self.measure
        fixed = [self._variant(tails) for tails in units.unit_tails]
        attributes = [sum(bags[t] for t in tails) for tails in units.unit_tails]
        bodies: list[int] = []
        graphs: list[int] = []
        for place in units.places:
            spared = self._said_once(Counter(units.variants[place.first : place.end]))
            last = -1
            for unit in range(place.first, place.end):
                operands, variant, start = units.operands[unit], units.variants[unit], units.starts[unit]
                results = units.starts[unit + 1] - start
                cost = fixed[variant] + measure.statement + measure.operand * (len(operands) + results - 1)
                if last >= 0 and operands and operands[0] == last and units.last_uses[last] == unit:
                    cost -= measure.chained
                last = start if results == 1 else -1
                bag = attributes[variant]
                if unit in self.again:
                    cost = bag = 0
                self.plain.append(cost)
                bodies.append(cost + bag)
                graphs.append(cost + bag - (spared.get(variant, 0) if bag else 0))
            for column in (self.plain, bodies, graphs):
                column.append(0)  # the barrier
        return bodies, graphs

    def _variant(self, tails: tuple[int, ...]) -> int:
        """Return the characters of a unit's operators, and of the nodes that feed its last one."""
        length, measure = 0, self.measure
        for k, number in enumerate(tails):
            tail = self.units.tails[number]
            if tail.is_hole:
                length += _HOLE * measure.letter + sum(self.values[v] for v in tail.values)
                continue
            called = tail.domain == LOCAL_DOMAIN
            length += measure.letter * (len(tail.operator) + (called or len(tail.domain) + bool(tail.domain)))
            if k < len(tails) - 1:
                length += measure.statement + measure.operand
        return length

    def _said_once(self, variants: Counter[int]) -> dict[int, int]:
        """Return the characters of the attributes that an `each` line says for all, by variant."""
        units = self.units
        seen: Counter[int] = Counter()
        for variant, count in variants.items():
            seen[units.unit_tails[variant][-1]] += count
        best: dict[tuple[bytes, bytes], tuple[int, int]] = {}
        bare: Counter[tuple[bytes, bytes]] = Counter()
        for number, count in seen.items():
            operator = units.tails[number].domain, units.tails[number].operator
            if not self.bags[number]:
                bare[operator] += count
            best[operator] = max(best.get(operator, (0, -1)), (count * self.bags[number], -number))
        said = {
            -number
            for operator, (length, number) in best.items()
            if length - self.bags[-number] > 3 * bare[operator] + _EACH
        }
        return {v: self.bags[units.unit_tails[v][-1]] for v in variants if units.unit_tails[v][-1] in said}
