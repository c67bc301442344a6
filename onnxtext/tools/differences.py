"""What changed between two models: by structure, not by names.

>>> old, new = (
...     onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 21]> g (float[2] x) => (float[2] y) {{{nodes}}}')
...     for nodes in ("h = Elu <alpha = 0.5> (x) y = Abs(h)", "e = Elu <alpha = 0.25> (x) y = Abs(e)"))
>>> for change in compare(old, new, Blobs(), Blobs()):
...     print(change.kind, change.what, change.old, change.new)
attribute alpha of Elu ('%h = Elu(%x) {alpha=0.5}',) ('%h = Elu(%x) {alpha=0.25}',)
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

import numpy as np
import onnx

from onnxtext.core.blobs import Blobs
from onnxtext.tools.matching import match
from onnxtext.tools.wiring import Port, Read, Vertex, Weight, Wiring, read_weight, read_wiring

_DIGEST_DIGITS = 12  # of a digest that are shown
_SHOWN_ELEMENTS = 8  # of a small tensor whose elements are shown
_CHUNK = 1 << 22  # elements that are compared at a time

Holder = onnx.GraphProto | onnx.FunctionProto


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changed, at one place or at several alike.

    `old` and `new` are lines of our language; in `new`, values that both models have are called as in the old one.
    """

    kind: str  # inserted, removed, attribute, operator, operand, weight, input, output, opset, function, model
    what: str  # as in "alpha of Elu"
    scope: str  # "graph" or the function, as in "@f"; with the graph within a node
    old: tuple[str, ...]
    new: tuple[str, ...]
    note: str = ""  # of weights: how far they are apart
    places: tuple[str, ...] = ()  # the values at which it is, one for each time

    @property
    def count(self) -> int:
        """How many times this change is there."""
        return max(1, len(self.places))


def compare(old: onnx.ModelProto, new: onnx.ModelProto, old_blobs: Blobs, new_blobs: Blobs) -> list[Change]:
    """Return what changed; nothing exactly where all that counts is the same.

    What counts: operators with their domains and attributes, what reads what, weights with their data, functions,
    opsets, the version of the format, and inputs and outputs with their types and their order.  What does not: names,
    the order of nodes, types of values between, whether equal weights are one, documentation, metadata, the producer.
    The `*_blobs` hold data that was set aside.  Raises ModelError where a value depends on itself.
    """
    changes = list(_compare_heads(old, new))
    changes += _compare_holders(old.graph, new.graph, old_blobs, new_blobs, "graph")
    functions, others = ({_call(f): f for f in m.functions} for m in (old, new))
    for name in sorted(functions.keys() | others.keys()):
        if name not in others:
            changes.append(Change("function", name, name, (f"def {name}: {len(functions[name].node)} nodes",), ()))
        elif name not in functions:
            changes.append(Change("function", name, name, (), (f"def {name}: {len(others[name].node)} nodes",)))
        else:
            changes += _compare_lists("opset", name, *(_opsets(f) for f in (functions[name], others[name])))
            changes += _compare_lists("function", name, *(_parameters(f) for f in (functions[name], others[name])))
            changes += _compare_holders(functions[name], others[name], old_blobs, new_blobs, name)
    training = [[i.SerializeToString(deterministic=True) for i in m.training_info] for m in (old, new)]
    if training[0] != training[1]:
        before, after = ((f"training information, {_times(len(t), 'part')}",) if t else () for t in training)
        changes.append(Change("model", "training information", "model", before, after))
    return _grouped(changes)


def _times(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def _call(function: onnx.FunctionProto) -> str:
    domain = f"{function.domain}." if function.domain else ""
    return f"@{domain}{function.name}" + (f":{function.overload}" if function.overload else "")


def _opsets(owner: onnx.ModelProto | onnx.FunctionProto) -> list[str]:
    def plain(domain: str) -> str:
        return "onnx" if domain in ("", "ai.onnx") else domain

    return sorted(
        {f"opset {e.domain if e.domain not in ('', 'ai.onnx') else 'onnx'} {e.version}" for e in owner.opset_import}
    )


def _parameters(function: onnx.FunctionProto) -> list[str]:
    own = [f"parameter {name}" for name in function.attribute]
    return sorted(own + [f"parameter {a.name}={print_attribute(a, Blobs())}" for a in function.attribute_proto])


def _compare_heads(old: onnx.ModelProto, new: onnx.ModelProto) -> Iterator[Change]:
    if old.ir_version != new.ir_version:
        yield Change(
            "model", "ir_version", "model", (f"ir_version={old.ir_version}",), (f"ir_version={new.ir_version}",)
        )
    yield from _compare_lists("opset", "model", _opsets(old), _opsets(new))


def _compare_lists(kind: str, scope: str, old: list[str], new: list[str]) -> Iterator[Change]:
    gone, come = [t for t in old if t not in new], [t for t in new if t not in old]
    if gone or come:
        what = {"opset": "opset", "function": "parameters"}[kind]
        yield Change(kind, what, scope, tuple(gone), tuple(come))


def paired_ports(old: Sequence[Port], new: Sequence[Port]) -> dict[int, int]:
    """Return which inputs or outputs are the same: those at one place, or by name and type where there are more."""
    if len(old) == len(new):
        return {k: k for k in range(len(old))}
    pairs: dict[int, int] = {}
    for keys in ([[(p.name, p.kind) for p in s] for s in (old, new)], [[p.kind for p in s] for s in (old, new)]):
        left = [[k for k in range(len(old)) if k not in pairs], [k for k in range(len(new)) if k not in pairs.values()]]
        sought = [[keys[0][k] for k in left[0]], [keys[1][k] for k in left[1]]]
        for block in SequenceMatcher(None, sought[0], sought[1], autojunk=False).get_matching_blocks():
            for n in range(block.size):
                pairs[left[0][block.a + n]] = left[1][block.b + n]
    return dict(sorted(pairs.items()))


def _compare_holders(old: Holder, new: Holder, old_blobs: Blobs, new_blobs: Blobs, scope: str) -> list[Change]:
    """Return what changed in a graph or function: of two ways to match its nodes, by the one that finds less."""
    wirings = read_wiring(old, old_blobs), read_wiring(new, new_blobs)
    found = list(_Comparison(*wirings, old_blobs, new_blobs, scope).changes())
    if len(found) < 2:
        return found
    other = list(_Comparison(*wirings, old_blobs, new_blobs, scope, use_first=True).changes())
    return min(found, other, key=len)


class _Comparison:
    """Of one graph, or of one function, with its older self."""

    def __init__(
        self, old: Wiring, new: Wiring, old_blobs: Blobs, new_blobs: Blobs, scope: str, *, use_first: bool = False
    ) -> None:
        self.old, self.new = old, new
        self.old_blobs, self.new_blobs, self.scope = old_blobs, new_blobs, scope
        self.inputs = paired_ports(old.inputs, new.inputs)
        self.outputs = paired_ports(old.outputs, new.outputs)
        self.pairs = match(old, new, self.inputs, self.outputs, use_first=use_first)
        self.back = {y: x for x, y in self.pairs.items()}
        self.called: dict[str, str] = {}  # names of the new model -> those of the old, of values that both have
        for x, y in self.pairs.items():
            for before, after in zip(old.vertices[x].results, new.vertices[y].results, strict=False):
                self.called[after] = before

    def changes(self) -> Iterator[Change]:
        yield from self.ports("input", self.old.inputs, self.new.inputs, self.inputs)
        yield from self.blocks("removed", self.old.vertices, self.pairs)
        yield from self.blocks("inserted", self.new.vertices, self.back)
        told: set[tuple[str, ...]] = set()
        for x, y in self.pairs.items():
            yield from self.vertices(self.old.vertices[x], self.new.vertices[y], told)
        yield from self.ports("output", self.old.outputs, self.new.outputs, self.outputs)
        yield from self.unused_weights()

    # ---- inputs and outputs

    def ports(self, kind: str, old: Sequence[Port], new: Sequence[Port], pairs: Mapping[int, int]) -> Iterator[Change]:
        kept = set(pairs.values())
        for k, port in enumerate(old):
            if k not in pairs:
                yield Change(kind, f"{kind} {k} is gone", self.scope, (_port(port),), (), places=(port.name,))
        for k, port in enumerate(new):
            if k not in kept:
                yield Change(kind, f"{kind} {k} is new", self.scope, (), (_port(port),), places=(port.name,))
        for k, m in pairs.items():
            before, after = old[k], new[m]
            if before.kind != after.kind:
                told = (f"%{before.name}: {before.kind}",), (f"%{before.name}: {after.kind}",)
                yield Change(kind, f"type of {kind} {k}", self.scope, *told, places=(before.name,))
            if kind == "output" and not self.is_same(before.read, after.read):
                told = (f"output {k}: {self.operand(before.read)}",), (f"output {k}: {self.operand(after.read, True)}",)
                yield Change("operand", f"output {k}", self.scope, *told, places=(before.name,))

    # ---- nodes

    def blocks(self, kind: str, vertices: Sequence[Vertex], pairs: Mapping[int, int]) -> Iterator[Change]:
        """Yield what one side alone has: nodes that read each other as one change."""
        alone = [v for v in vertices if v.number not in pairs and v.operator != "input"]
        roots = {v.number: v.number for v in alone}

        def root(n: int) -> int:
            while roots[n] != n:
                roots[n] = n = roots[roots[n]]
            return n

        for v in alone:
            for read in v.reads:
                if read.value and read.value[0] in roots:
                    roots[root(v.number)] = root(read.value[0])
        blocks: dict[int, list[Vertex]] = defaultdict(list)
        for v in alone:
            blocks[root(v.number)].append(v)
        for block in blocks.values():
            lines = tuple(self.line(v, kind == "inserted") for v in block)
            what = block[0].operator if len(block) == 1 else f"{len(block)} nodes, {_operators(block)}"
            told = ((), lines) if kind == "inserted" else (lines, ())
            around = f"{self.scope} {block[0].place}".rstrip()
            yield Change(kind, what, around, *told, places=(block[-1].name,))

    def vertices(self, a: Vertex, b: Vertex, told: set[tuple[str, ...]]) -> Iterator[Change]:
        scope = f"{self.scope} {a.place}".rstrip()
        lines = (self.line(a, False),), (self.line(b, True),)
        if a.operator == "input":
            if a.place and a.kind != b.kind:
                kinds = (f"%{a.name}: {a.kind}",), (f"%{a.name}: {b.kind}",)
                yield Change("input", f"type of {a.operator}", scope, *kinds, places=(a.name,))
            return
        if a.operator != b.operator:
            yield Change("operator", f"{a.operator} is {b.operator} now", scope, *lines, places=(a.name,))
        names = [n for n in {**a.attributes, **b.attributes} if a.attributes.get(n) != b.attributes.get(n)]
        for name in names if a.operator == b.operator else ():
            yield Change("attribute", f"{name} of {b.operator}", scope, *lines, places=(a.name,))
        if len(a.results) != len(b.results):
            yield Change("operator", f"results of {a.operator}", scope, *lines, places=(a.name,))
        others = {read.slot: read for read in b.reads}
        own = {read.slot: read for read in a.reads}
        for slot in [*own, *(s for s in others if s not in own)]:
            before, after = own.get(slot, Read(slot, None)), others.get(slot, Read(slot, None))
            if before.weight and after.weight:
                key = (before.name, after.name, before.weight.digest, after.weight.digest)
                if before.weight != replace(after.weight, name=before.weight.name) and key not in told:
                    told.add(key)
                    yield self.weight(a, slot, before.weight, after.weight, scope)
            elif not self.is_same(before, after):
                yield Change("operand", f"{_slot(slot)} of {b.operator}", scope, *lines, places=(a.name,))

    def is_same(self, before: Read, after: Read) -> bool:
        """Tell whether two uses are of one value, or differ by what was inserted or removed on the way alone."""
        if before.value is None or after.value is None:
            if before.weight and after.weight:
                return before.weight == replace(after.weight, name=before.weight.name)
            if before.value is None and after.value is None:
                return not before.weight and not after.weight and before.name == after.name
        reached = self.reached(before, self.old.vertices, self.pairs)
        others = self.reached(after, self.new.vertices, self.back)
        return any(
            (found if isinstance(found[0], str) else (self.pairs[found[0]], found[1])) in others for found in reached
        )

    def reached(self, read: Read, vertices: Sequence[Vertex], pairs: Mapping[int, int]) -> set[tuple]:
        """Return what stands behind a value, past vertices that the other side does not have; weights by their data."""
        found: set[tuple] = set()
        todo = [read]
        seen = set()
        for inner in todo:
            if inner.weight is not None:
                found.add((inner.weight.kind, inner.weight.digest))
            elif inner.value is not None and inner.value[0] in pairs:
                found.add(inner.value)
            elif inner.value is not None and inner.value not in seen:
                seen.add(inner.value)
                todo += vertices[inner.value[0]].reads
        return found

    # ---- weights

    def weight(self, vertex: Vertex, slot: str, a: Weight, b: Weight, scope: str) -> Change:
        def line(weight: Weight, blobs: Blobs) -> tuple[str]:
            return (f"%{a.name}: {weight.kind} {weight.digest[:_DIGEST_DIGITS]}{_elements(weight, blobs)}",)

        what = f"weight of {vertex.operator}, operand {slot}"
        told = line(a, self.old_blobs), line(b, self.new_blobs)
        return Change("weight", what, scope, *told, self.distance(a, b), (a.name,))

    def distance(self, a: Weight, b: Weight) -> str:
        """Return how far two weights of one type are apart."""
        if a.kind != b.kind:
            return "of another type"
        try:
            x, y = (_array(w, blobs) for w, blobs in ((a, self.old_blobs), (b, self.new_blobs)))
            total = own = 0.0
            differing = 0
            for at in range(0, len(x), _CHUNK):
                p, q = (v[at : at + _CHUNK].astype(np.float64) for v in (x, y))
                differing += int(np.count_nonzero(x[at : at + _CHUNK] != y[at : at + _CHUNK]))
                total += float(np.sum((p - q) ** 2))
                own += float(np.sum(p**2))
        except (TypeError, ValueError):
            return "of which the data cannot be read as numbers"
        relative = f", {(total / own) ** 0.5:.3g} of the old one's" if own else ""
        return f"norm of the difference {total**0.5:.6g}{relative}; {differing:,} of {len(x):,} elements differ"

    def unused_weights(self) -> Iterator[Change]:
        counts = [Counter((w.kind, w.digest) for w in side.unused) for side in (self.old, self.new)]
        for kind, side, more, fewer in (
            ("removed", self.old.unused, counts[0], counts[1]),
            ("inserted", self.new.unused, counts[1], counts[0]),
        ):
            left = more - fewer
            for w in side:
                if left[w.kind, w.digest] > 0:
                    left[w.kind, w.digest] -= 1
                    line = (f"%{w.name}: {w.kind} {w.digest[:_DIGEST_DIGITS]}",)
                    told = (line, ()) if kind == "removed" else ((), line)
                    yield Change(kind, "weight that nothing reads", self.scope, *told, places=(w.name,))

    # ---- lines

    def line(self, vertex: Vertex, is_new: bool) -> str:
        """Return a node as a statement of our language."""
        assert vertex.node is not None or vertex.operator.startswith("input")
        blobs = self.new_blobs if is_new else self.old_blobs
        results = ", ".join(self.value(name, is_new) if name else "_" for name in vertex.results)
        operands = ", ".join(self.operand(r, is_new) for r in vertex.reads if r.slot.isdigit())
        attributes = vertex.node.attribute if vertex.node is not None else ()
        shown = ", ".join(f"{a.name}={print_attribute(a, blobs)}" for a in attributes)
        return f"{results} = {vertex.operator}({operands})" + (f" {{{shown}}}" if shown else "")

    def operand(self, read: Read, is_new: bool = False) -> str:
        return self.value(read.name, is_new and read.weight is None) if read.name else "_"

    def value(self, name: str, is_new: bool) -> str:
        from onnxtext_grammar.literals import print_value

        return print_value((self.called.get(name, name) if is_new else name).encode())


def _port(port: Port) -> str:
    return f"%{port.name}: {port.kind}" if port.kind else f"%{port.name}"


def _slot(slot: str) -> str:
    return f"operand {slot}" if slot.isdigit() else f"what {slot}"


def _operators(block: Sequence[Vertex]) -> str:
    return ", ".join(f"{n} {count}" if count > 1 else n for n, count in Counter(v.operator for v in block).items())


def _array(weight: Weight, blobs: Blobs) -> np.ndarray:
    tensor = weight.tensor
    if not isinstance(tensor, onnx.TensorProto):
        raise TypeError
    if tensor.HasField("raw_data") and blobs.find(tensor.raw_data) is not tensor.raw_data:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        return np.frombuffer(blobs.find(tensor.raw_data), dtype)
    return onnx.numpy_helper.to_array(tensor).reshape(-1)


def _elements(weight: Weight, blobs: Blobs) -> str:
    """Return the elements of a small tensor, to show behind its digest."""
    try:
        values = _array(weight, blobs)
    except (TypeError, ValueError):
        return ""
    return f" = [{','.join(map(str, values))}]" if len(values) <= _SHOWN_ELEMENTS else ""


def print_attribute(attribute: onnx.AttributeProto, blobs: Blobs) -> str:
    """Return the value of an attribute, as our language has it; of a tensor its type and digest, of graphs the size."""
    from onnxtext_grammar.literals import print_float_attribute, print_param, print_string

    if attribute.ref_attr_name:
        return print_param(attribute.ref_attr_name.encode())
    a = onnx.AttributeProto
    real = lambda value: print_float_attribute(np.float32(value).tobytes())  # noqa: E731  # in three places below
    simple = {
        a.INT: lambda: str(attribute.i),
        a.FLOAT: lambda: real(attribute.f),
        a.STRING: lambda: print_string(attribute.s),
        a.INTS: lambda: f"[{','.join(map(str, attribute.ints))}]",
        a.FLOATS: lambda: f"[{','.join(map(real, attribute.floats))}]",
        a.STRINGS: lambda: f"[{','.join(map(print_string, attribute.strings))}]",
        a.TENSOR: lambda: _tensor(attribute.t, blobs),
        a.GRAPH: lambda: f"graph of {_times(len(attribute.g.node), 'node')}",
        a.GRAPHS: lambda: f"{_times(len(attribute.graphs), 'graph')}",
    }
    return simple[attribute.type]() if attribute.type in simple else f"<{a.AttributeType.Name(attribute.type).lower()}>"


def _tensor(tensor: onnx.TensorProto, blobs: Blobs) -> str:
    weight = read_weight(tensor, blobs)
    return weight.kind + (_elements(weight, blobs) or f" {weight.digest[:_DIGEST_DIGITS]}")


# ---- what is there several times


def _grouped(changes: list[Change]) -> list[Change]:
    """Return changes, those that differ in the names of values alone as one; so repeated blocks show once."""
    groups: dict[tuple, Change] = {}
    for change in changes:
        key = (change.kind, change.what, change.scope, _plain(change.old), _plain(change.new), change.note)
        if change.kind == "weight":  # each has its own data
            key += change.places
        known = groups.get(key)
        groups[key] = change if known is None else replace(known, places=known.places + change.places)
    return list(groups.values())


def _plain(lines: Sequence[str]) -> tuple[str, ...]:
    """Return statements with values named by the order in which they come."""
    names: dict[str, str] = {}
    return tuple(
        re.sub(r'%("(?:[^"\\]|\\.)*"|[^\s,()=:]+)', lambda m: names.setdefault(m[0], f"%{len(names)}"), line)
        for line in lines
    )
