"""canonicalize: order and names that depend on the graph alone.

>>> model = onnx.parser.parse_model(
...     '<ir_version: 10, opset_import: ["": 21]> '
...     "g (float[2] image) => (float[2] scores) { b = Neg(image) a = Relu(image) scores = Sub(a, b) }"
... )
>>> Canonicalize().run(model, Context())
6
>>> [(node.op_type, *node.input, *node.output) for node in model.graph.node]
[('Relu', 'x0', 'v0'), ('Neg', 'x0', 'v1'), ('Sub', 'v0', 'v1', 'y0')]

The order is found by `ordering.py`, reading and writing is done by `flattening.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from onnxtext.core.pause import collector_paused
from onnxtext.core.wire import FUNCTION, MODEL, split
from onnxtext_passes.base import Context, Pass, PassError
from onnxtext_passes.flattening import Call, Part, join_fields, sort_opsets


@dataclass(frozen=True)
class Canonicalize(Pass):
    """Give nodes, values, weights and symbolic dimensions an order and names that depend on the graph alone.

    Two models have the same result exactly if they are isomorphic.  What counts: domain, operator, overload and
    attributes, the places of operands, results, inputs and outputs, types and shapes, weights and their data, opsets,
    functions with their names, the version of the format.  What does not count, and is lost: all other names, the order
    of nodes, doc strings, metadata and the producer.  Two ways to say the same thing, such as an attribute at its
    default or the two ways to store a tensor, count as different; `normalize` makes one of them.

    commutative: nor does the order of the operands of Add, Mul, Max and the like count.  (A Sum or Mean of more than
    two floats may round otherwise in another order.)

    A model with training information or device configurations is refused.

    Example: in `h = Relu(image) scores = Add(image, h)` the values become x0, v0 and y0.
    """

    name = "canonicalize"
    keeps = "lossy"

    commutative: bool = False

    def run(self, model: onnx.ModelProto, context: Context) -> int:
        before = model.SerializeToString(deterministic=True)
        with collector_paused():
            after, changes = self.rewrite(before, context)
        if after == before:
            return 0
        model.ParseFromString(after)
        return max(1, changes)

    def rewrite(self, wire: bytes, context: Context) -> tuple[bytes, int]:
        """Return the bytes of a model in canonical form, and how many names and places changed."""
        fields, opaque = split(wire, MODEL)
        if 20 in fields:
            raise PassError(
                "training information has no canonical form yet; remove the training_info of the model first"
            )
        for number in (2, 3, 4, 5, 6, 14):  # producer, its version, domain, model version, doc string, metadata
            fields.pop(number, None)
        functions = fields.pop(25, [])
        calls = [_call(function) for function in functions]
        if len(set(calls)) < len(calls):
            domain, name, _ = max(calls, key=calls.count)
            shown = b".".join(part for part in (domain, name) if part).decode(errors="replace")
            raise PassError(f"two functions of the model are {shown}; remove one of them")
        known = frozenset(calls)
        written: dict[Call, bytes] = {}
        callees: dict[Call, list[Call]] = {}
        parts = [Part(context.blobs, commutative=self.commutative, functions=known) for _ in (*calls, 0)]
        for call, function, part in zip(calls, functions, parts[1:], strict=True):
            written[call] = part.write_function(function)
            callees[call] = part.calls
        if 7 in fields:
            fields[7] = [parts[0].write_graph(fields[7][0])]
        order = _callees_first([*parts[0].calls, *sorted(known)], callees)
        if order:
            fields[25] = [written[call] for call in order]
        if 8 in fields:
            fields[8] = sort_opsets(fields[8])
        stale = sum(part.stale for part in parts)
        if stale:
            context.notes.append(f"canonicalize left out the types of {stale} names that no value has")
        changes = sum(part.changes for part in parts) + sum(a != b for a, b in zip(calls, order, strict=True))
        return join_fields(fields, MODEL, opaque), changes


def _call(function: bytes) -> Call:
    """Return the domain, name and overload of a function."""
    fields, _ = split(function, FUNCTION)
    domain, name, overload = (fields.get(number, [b""])[0] for number in (10, 1, 13))
    return domain, name, overload


def _callees_first(roots: list[Call], callees: dict[Call, list[Call]]) -> list[Call]:
    """Return the functions, each behind those it calls, in the order in which the roots call them."""
    order: dict[Call, None] = {}
    opened: set[Call] = set()
    stack = [(root, False) for root in reversed(roots)]
    while stack:
        call, is_done = stack.pop()
        if is_done:
            order[call] = None
        elif call not in opened:
            opened.add(call)
            stack.append((call, True))
            stack += [(callee, False) for callee in reversed(callees[call])]
    return list(order)
