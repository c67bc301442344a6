"""Whether two models are the same but for names of hidden values, names of nodes, and the order of nodes.

>>> texts = ["h = Neg(x) y = Add(h, x)", "k = Neg(x) y = Add(k, x)", "k = Neg(x) y = Add(x, k)"]
>>> graphs = [onnx.parser.parse_graph(f"g (float[2] x) => (float[2] y) {{ {text} }}") for text in texts]
>>> difference(graphs[0], graphs[1]), difference(graphs[0], graphs[2])
(None, 'Add reads x and k')
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import onnx

_GRAPHS = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)


class _Differs(Exception):
    """Two graphs are not the same; the message says where."""


class _Side:
    """One of two graphs: the nodes that make its values, and its other values."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.made = {name: node for node in graph.node for name in node.output if name}
        self.given = [v.name for v in graph.input] + [t.name for t in graph.initializer]


class _Pair:
    """Two graphs that ought to be the same, and which nodes correspond."""

    def __init__(self, a: onnx.GraphProto, b: onnx.GraphProto, outside: _Pair | None) -> None:
        self.a, self.b, self.outside = _Side(a), _Side(b), outside
        self.nodes: dict[int, onnx.NodeProto] = {}  # of a, by id -> of b


def difference(a: onnx.GraphProto, b: onnx.GraphProto) -> str | None:
    """Return where two graphs differ, None where they are the same.

    Inputs, outputs and initializers have to be the same, in the same order; nodes that nothing needs may be paired in
    any way.
    """
    for field in ("input", "output", "initializer", "sparse_initializer"):
        if list(getattr(a, field)) != list(getattr(b, field)):
            return f"other {field}s"
    try:
        _compare(a, b)
    except _Differs as error:
        return str(error)
    return None


def _compare(a: onnx.GraphProto, b: onnx.GraphProto) -> None:
    pairs: list[_Pair] = []
    todo: list[tuple[_Pair, str, str, str]] = []  # values that ought to be the same, and who reads them

    def enter(a: onnx.GraphProto, b: onnx.GraphProto, outside: _Pair | None) -> None:
        pair = _Pair(a, b, outside)
        if len(a.node) != len(b.node) or len(pair.a.given) != len(pair.b.given) or len(a.output) != len(b.output):
            raise _Differs(f"{len(a.node)} and {len(b.node)} nodes")
        if [t.raw_data for t in a.initializer] != [t.raw_data for t in b.initializer]:
            raise _Differs("other initializers")
        pairs.append(pair)
        todo.extend((pair, u.name, v.name, "an output") for u, v in zip(a.output, b.output, strict=True))

    enter(a, b, None)
    while todo:
        pair, u, v, reader = todo.pop()
        found: _Pair | None = pair
        while found and not (u in found.a.made or v in found.b.made or u in found.a.given or v in found.b.given):
            found = found.outside
        if found is None:
            same = u == v
        elif u in found.a.made and v in found.b.made:
            x, y = found.a.made[u], found.b.made[v]
            same = list(x.output).index(u) == list(y.output).index(v)
            if id(x) not in found.nodes:
                found.nodes[id(x)] = y
                _compare_nodes(x, y)
                todo += [(found, p, q, x.op_type) for p, q in zip(x.input, y.input, strict=True)]
                for g, h in zip(_graphs(x), _graphs(y), strict=True):
                    enter(g, h, found)
            same = same and found.nodes[id(x)] is y
        else:
            same = (u in found.a.given and v in found.b.given) and found.a.given.index(u) == found.b.given.index(v)
        if not same:
            raise _Differs(f"{reader} reads {u} and {v}")
    for pair in pairs:
        live = {id(node) for node in pair.nodes.values()}
        if len(live) != len(pair.nodes):
            raise _Differs("two nodes are one")
        if _dead(pair.a, pair.nodes) != _dead(pair.b, live):
            raise _Differs("other nodes that nothing needs")


def _graphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    found = sorted((p for p in node.attribute if p.type in _GRAPHS), key=lambda p: p.name)
    return [graph for p in found for graph in ([p.g] if p.type == onnx.AttributeProto.GRAPH else p.graphs)]


def _compare_nodes(x: onnx.NodeProto, y: onnx.NodeProto) -> None:
    """Compare two nodes, but for the names of operands and results and graphs within them."""
    for field in ("op_type", "domain", "overload", "doc_string", "metadata_props"):
        if getattr(x, field) != getattr(y, field):
            raise _Differs(f"{x.op_type} has another {field}")
    if _attributes(x) != _attributes(y) or len(_graphs(x)) != len(_graphs(y)):
        raise _Differs(f"{x.op_type} has other attributes")
    for field in ("input", "output"):
        if [bool(name) for name in getattr(x, field)] != [bool(name) for name in getattr(y, field)]:
            raise _Differs(f"{x.op_type} has other {field}s")


def _attributes(node: onnx.NodeProto) -> list[bytes]:
    return sorted(p.SerializeToString() for p in node.attribute if p.type not in _GRAPHS)


def _dead(side: _Side, live: Collection[int]) -> Counter[int]:
    """Return what the nodes are that nothing needs, each with all that feeds it."""
    known: dict[str, tuple[int, int]] = {}
    found: Counter[int] = Counter()
    for node in side.graph.node:
        feeds = tuple(known.get(name) if name in side.made else bool(name) for name in node.input)
        value = hash((node.op_type, node.domain, feeds, tuple(_attributes(node)), tuple(map(bool, node.output))))
        known |= {name: (value, k) for k, name in enumerate(node.output)}
        if id(node) not in live:
            found[value] += 1
    return found
