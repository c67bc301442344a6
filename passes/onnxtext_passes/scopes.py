"""The graphs of a model, and who uses which value: what almost every pass has to know.

>>> graph = onnx.parser.parse_graph("g (float[2] x) => (float[2] y) { h = Neg(x) y = Add(h, x) }")
>>> dict(count_uses(graph))
{'x': 2, 'h': 1, 'y': 1}
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, MutableSequence, Sequence

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


def named_by(node: onnx.NodeProto) -> Sequence[str]:
    """Return the values that a node names other than as operands and results: these cannot be renamed or removed."""
    names: Sequence[str] = ()
    if node.device_configurations:
        names = [spec.tensor_name for one in node.device_configurations for spec in one.sharding_spec]
    if node.op_type == "Gradient" and node.domain == "ai.onnx.preview.training":
        told = [text for a in node.attribute for text in (a.s, *a.strings)]  # xs, zs, y: between which to differentiate
        names = [*names, *(text.decode(errors="replace") for text in told if text)]
    return names


def named_in_training(model: onnx.ModelProto) -> set[str]:
    """Return all names in the training part of a model, which may be those of values of its graph."""
    names: set[str] = set()
    for info in model.training_info:
        for holder in (*within(info.initialization), *within(info.algorithm)):
            names |= {name for node in holder.node for name in (*node.input, *node.output, *named_by(node))}
            names.update(output_names(holder))
        for binding in (*info.initialization_binding, *info.update_binding):
            names |= {binding.key, binding.value}
    return names


def output_names(holder: Holder) -> list[str]:
    """Return the names of a graph's or function's outputs."""
    return [o.name for o in holder.output] if isinstance(holder, onnx.GraphProto) else list(holder.output)


def replace_all(field: MutableSequence, items: list) -> None:
    """Put `items` in place of the contents of a repeated message field."""
    kept = [type(item).FromString(item.SerializeToString()) for item in items]
    del field[:]
    field.extend(kept)


def drop(field: MutableSequence, places: Collection[int]) -> None:
    """Remove the items at `places` from a repeated message field; the others stay the same objects."""
    if places:
        place = iter(range(len(field)))
        field.sort(key=lambda _: next(place) in places)  # type: ignore[attr-defined]  # stable: those that go are last
        del field[len(field) - len(places) :]
