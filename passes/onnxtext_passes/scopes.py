"""The graphs of a model, and who uses which value: what almost every pass has to know.

>>> graph = onnx.parser.parse_graph("g (float[2] x) => (float[2] y) { h = Neg(x) y = Add(h, x) }")
>>> dict(count_uses(graph))
{'x': 2, 'h': 1, 'y': 1}
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, MutableSequence

import onnx

Holder = onnx.GraphProto | onnx.FunctionProto


def graph_attributes(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Yield the graphs in the attributes of a node."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == onnx.AttributeProto.GRAPHS:
            yield from attribute.graphs


def holders(model: onnx.ModelProto) -> Iterator[Holder]:
    """Yield everything in a model that holds nodes: functions, the graph, training graphs, and graphs within each.

    An inner graph comes before the one it stands in.
    """
    for function in model.functions:
        yield from within(function)
    yield from within(model.graph)
    for info in model.training_info:
        yield from within(info.initialization)
        yield from within(info.algorithm)


def within(holder: Holder) -> Iterator[Holder]:
    """Yield the graphs inside `holder`, innermost first, and `holder` itself."""
    for node in holder.node:
        for graph in graph_attributes(node):
            yield from within(graph)
    yield holder


def count_uses(holder: Holder) -> Counter[str]:
    """Count the uses of every value by the nodes of `holder`, by graphs within them, and as outputs."""
    uses: Counter[str] = Counter()
    for node in holder.node:
        uses.update(node.input)
        for graph in graph_attributes(node):
            uses.update(count_uses(graph))
    if isinstance(holder, onnx.GraphProto):
        uses.update(o.name for o in holder.output)
    else:
        uses.update(holder.output)
    del uses[""]
    return uses


def captured(holder: Holder) -> set[str]:
    """Return the names that graphs within the nodes of `holder` use, whether or not they are its values."""
    names: set[str] = set()
    for node in holder.node:
        for graph in graph_attributes(node):
            names.update(count_uses(graph))
    return names


def output_names(holder: Holder) -> list[str]:
    """Return the names of a graph's or function's outputs."""
    return [o.name for o in holder.output] if isinstance(holder, onnx.GraphProto) else list(holder.output)


def replace_all(field: MutableSequence, items: list) -> None:
    """Put `items` in place of the contents of a repeated message field."""
    kept = [type(item).FromString(item.SerializeToString()) for item in items]
    del field[:]
    field.extend(kept)
