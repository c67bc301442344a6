"""Calls written out: the nodes that a call of a function stands for.

This is the check on what dedup makes, so it reads the functions and the calls themselves and nothing else.

>>> function = onnx.parser.parse_function(
...     '<opset_import: ["": 20], domain: "d"> f <k> (x) => (z) { y = Neg(x) z = Elu<alpha: float = @k>(y) }')
>>> call, *nodes = (onnx.parser.parse_node(t) for t in ("r = d.f<k=2.0>(q)", "h = Neg(q)", "r = Elu<alpha=2.0>(h)"))
>>> functions = Expansion([function])
>>> functions.stands_for(head_of(call), list(map(head_of, nodes)))
True
>>> functions.stands_for(head_of(call), list(map(head_of, nodes[::-1])))
False
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import onnx

from onnxtext.core.wire import NODE, delimited, join
from onnxtext_passes.units import Head, head_of, split_attribute, split_node

_N_OPERATOR, _N_ATTRIBUTE, _N_DOMAIN, _N_OVERLOAD = 4, 5, 7, 8
_A_REF = 21

_Key = tuple[bytes, bytes, bytes]  # domain, name and overload


@dataclass(slots=True)
class _Step:
    """A node of a function that is written out: its operands and results are places in the list of all names."""

    operands: list[int]
    makes: list[bool]  # False for a result without a name
    tail: bytes
    is_open: bool  # whether an attribute refers to one of the function


@dataclass(slots=True)
class _Template:
    inputs: int
    outputs: list[int]
    steps: list[_Step] = field(default_factory=list)


class Expansion:
    """The functions of a model, ready to stand for themselves."""

    def __init__(self, functions: Iterable[onnx.FunctionProto]) -> None:
        self._functions = {(f.domain.encode(), f.name.encode(), f.overload.encode()): f for f in functions}
        self._templates: dict[_Key, _Template] = {}
        self._tails: dict[tuple, bytes] = {}
        self._calls: dict[bytes, tuple[tuple[bytes, bytes], ...]] = {}

    def stands_for(self, call: Head, nodes: Sequence[Head]) -> bool:
        """Tell whether `call` is the same as `nodes`, apart from the names inside the function."""
        operands, results, tail = call
        key = _key(tail)
        template = self._template(key)
        names = [b"", *operands]
        if len(operands) != template.inputs or len(template.steps) != len(nodes):
            return False
        given = self._given(key, tail)
        for step, (ins, outs, real) in zip(template.steps, nodes, strict=True):
            if [names[i] for i in step.operands] != ins or len(step.makes) != len(outs):
                return False
            if real != (self._filled(step.tail, given) if step.is_open else step.tail):
                return False
            if not (all(outs) and all(step.makes)) and step.makes != list(map(bool, outs)):
                return False
            names += outs
        return [names[i] for i in template.outputs] == results

    def _template(self, key: _Key) -> _Template:
        """Return a function with the functions it calls written out."""
        if key in self._templates:
            return self._templates[key]
        function = self._functions[key]
        places = {b"": 0} | {name.encode(): i for i, name in enumerate(function.input, 1)}
        template = _Template(len(function.input), [])
        count = len(function.input) + 1
        for node in function.node:
            ins, outs, tail = head_of(node)
            called = _key(tail)
            operands = [places[name] for name in ins]
            if called not in self._functions:
                places |= {name: count + i for i, name in enumerate(outs) if name}
                count += len(outs)
                template.steps.append(_Step(operands, list(map(bool, outs)), tail, _is_open(tail)))
                continue
            inner = self._template(called)
            given = self._given(called, tail)
            shift = count - inner.inputs - 1
            at = [0, *operands]
            for step in inner.steps:
                filled = self._filled(step.tail, given) if step.is_open else step.tail
                ins_at = [at[i] if i < len(at) else i + shift for i in step.operands]
                template.steps.append(_Step(ins_at, step.makes, filled, step.is_open and _is_open(filled)))
                count += len(step.makes)
            for name, i in zip(outs, inner.outputs, strict=True):
                places[name] = at[i] if i < len(at) else i + shift
        template.outputs = [places[name.encode()] for name in function.output]
        self._templates[key] = template
        return template

    def _given(self, key: _Key, tail: bytes) -> tuple[tuple[bytes, bytes], ...]:
        """Return names and values of the attributes of a call, its function's defaults where it says nothing."""
        if tail not in self._calls:
            attributes = [a.SerializeToString() for a in self._functions[key].attribute_proto]
            attributes += split_node(tail)[0].get(_N_ATTRIBUTE, [])
            values = {name: value.wire for name, _, _, value in map(split_attribute, attributes)}
            self._calls[tail] = tuple(sorted(values.items()))
        return self._calls[tail]

    def _filled(self, tail: bytes, given: tuple[tuple[bytes, bytes], ...]) -> bytes:
        """Return a node's bytes with the attributes of the function put in place of references to them."""
        filled = self._tails.get((tail, given))
        if filled is None:
            values = dict(given)
            fields, opaque = split_node(tail)
            pairs = [(n, v) for n, found in fields.items() if n != _N_ATTRIBUTE for v in found]
            for attribute in fields.get(_N_ATTRIBUTE, ()):
                name, known, _, _ = split_attribute(attribute)
                reference = known.get(_A_REF)
                if reference is None:
                    pairs.append((_N_ATTRIBUTE, attribute))
                elif reference[0] in values:
                    pairs.append((_N_ATTRIBUTE, delimited(b"\x0a", name) + values[reference[0]]))
            filled = self._tails[tail, given] = join(pairs, NODE, opaque)
        return filled


@lru_cache(maxsize=4096)
def _key(tail: bytes) -> _Key:
    fields, _ = split_node(tail)
    domain, name, overload = (fields.get(n, [b""])[0] for n in (_N_DOMAIN, _N_OPERATOR, _N_OVERLOAD))
    return domain, name, overload


@lru_cache(maxsize=4096)
def _is_open(tail: bytes) -> bool:
    return any(split_attribute(a)[3].is_reference for a in split_node(tail)[0].get(_N_ATTRIBUTE, ()))
