"""A graph of networkx made of a graph or function, for analysis: isomorphism, longest paths, cuts.

>>> graph = onnx.parser.parse_graph("g (float[2] x) => (float[2] y) { h = Neg(x) y = Sub(x, h) }")
>>> view = networkx_view(graph)
>>> [(u, v, edge["operand"]) for u, v, edge in view.edges(data=True)]
[(0, 1, 1), (1, ('output', 0), 0), ('x', 0, 0), ('x', 1, 0)]
>>> view.nodes[1]["op"], view.nodes["x"]["op"]
('Sub', 'input')
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx

from onnxtext_passes.scopes import Holder, graph_attributes, output_names

if TYPE_CHECKING:
    from networkx import MultiDiGraph


def networkx_view(holder: Holder) -> MultiDiGraph:
    """Return the nodes of `holder` and how values flow between them; later changes of either do not show in the other.

    Its nodes are the numbers of the nodes, with `op`, `domain` and the message itself, `node`; the names of values that
    no node makes, with "input", "initializer" or "outer" as `op`; and ("output", 0), ("output", 1) and so on.  Its
    edges carry `value`, the name, `result`, at which place of its maker the value stands (0 where no node makes it),
    and `operand`, at which place of its user, None where a graph within the user uses it.
    """
    import networkx

    view = networkx.MultiDiGraph()
    made: dict[str, tuple[int, int]] = {}
    for number, node in enumerate(holder.node):
        view.add_node(number, op=node.op_type, domain=node.domain, node=node)
        for result, name in enumerate(node.output):
            if name:
                made.setdefault(name, (number, result))
    is_graph = isinstance(holder, onnx.GraphProto)
    kinds = {i.name if is_graph else i: "input" for i in holder.input}  # type: ignore[union-attr]  # strings in a function
    for name in [t.name for t in holder.initializer] if isinstance(holder, onnx.GraphProto) else []:
        kinds[name] = "initializer"
    for name in [s.values.name for s in holder.sparse_initializer] if isinstance(holder, onnx.GraphProto) else []:
        kinds[name] = "initializer"
    for name, kind in kinds.items():
        if name not in made:
            view.add_node(name, op=kind, domain="")

    def connect(name: str, user: object, operand: int | None) -> None:
        source, result = made.get(name, (name, 0))
        if source not in view:
            view.add_node(source, op="outer", domain="")
        view.add_edge(source, user, value=name, result=result, operand=operand)

    for number, node in enumerate(holder.node):
        for operand, name in enumerate(node.input):
            if name:
                connect(name, number, operand)
        for graph in graph_attributes(node):
            for name in sorted(_free(graph)):
                connect(name, number, None)
    for place, name in enumerate(output_names(holder)):
        view.add_node(("output", place), op="output", domain="")
        connect(name, ("output", place), 0)
    return view


def _free(graph: onnx.GraphProto) -> set[str]:
    """Return the names that a graph, with those within it, takes from around it."""
    used = {name for node in graph.node for name in node.input if name} | set(output_names(graph))
    used |= {name for node in graph.node for inner in graph_attributes(node) for name in _free(inner)}
    own = {v.name for v in graph.input} | {t.name for t in graph.initializer}
    own |= {s.values.name for s in graph.sparse_initializer}
    return used - own - {name for node in graph.node for name in node.output}
