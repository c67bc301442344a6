"""merge: every maximal run of nodes, each feeding only the next, becomes one chain in the text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import onnx

from onnxtext_passes.base import Context, Pass
from onnxtext_passes.holes import is_hole
from onnxtext_passes.node_names import renumber
from onnxtext_passes.scopes import (
    Holder,
    captured,
    count_uses,
    graph_attributes,
    named_by,
    named_in_training,
    output_names,
    replace_all,
    within,
)


@dataclass(frozen=True)
class Merge(Pass):
    """Give the values inside runs of nodes the names that chains hide, and let the nodes of a run stand together.

    A run is a sequence of nodes of which each has one result that only the next one uses, as its first operand.  The
    graph computes what it computed; only the order of nodes and names change, those of hidden values and those of nodes
    that are made of the node's number or of its result's name.

    Example: in `h = Relu(x) y = Neg(h)` the value h is renamed `_0`, and the text reads `%y = Relu(%x) -> Neg`.
    """

    name = "merge"
    keeps = "exact"

    def run(self, model: onnx.ModelProto, context: Context) -> int:
        trained = named_in_training(model)
        return sum(_merge_within(holder, trained) for holder in (*model.functions, model.graph))


def _merge_within(holder: Holder, fixed: set[str]) -> int:
    """Merge the runs of a graph or function and of the graphs within it, which share one space of names.

    `fixed` are names to keep.  Returns how many names and places changed.
    """
    fixed = fixed | {name for inner in within(holder) for node in inner.node for name in named_by(node)}
    plans = list(_plan(holder, fixed, Counter()))
    known = Counter(name for plan in plans for name in plan.names)
    known.subtract(name for plan in plans for name in plan.hidden)
    others = fixed | {name for name, count in known.items() if count}  # names that stay, in whichever graph
    return sum(_merge(plan, others, len(plans) - 1 - k) for k, plan in enumerate(plans))


@dataclass(frozen=True)
class _Plan:
    """What is to be done to one graph or function."""

    holder: Holder
    nodes: list[onnx.NodeProto]
    order: list[int]  # of the nodes, afterwards
    names: set[str]  # of the values that stand in it, but not in graphs within it
    hidden: dict[str, int]  # the values to rename, with the new numbers of their nodes


def _plan(holder: Holder, fixed: set[str], above: Counter[str]) -> Iterator[_Plan]:
    """Yield the plans for the graphs within `holder` and then for itself; `above` are names in the graphs around it."""
    nodes, names = list(holder.node), _own_names(holder)
    links, holes = _links(holder, nodes, fixed, above)
    order = _order(nodes, links, holes)
    above.update(names)
    for i in order:  # as they will stand, so that a second run comes by the same way
        for graph in graph_attributes(nodes[i]):
            yield from _plan(graph, fixed, above)
    above.subtract(names)
    hidden = {nodes[i].output[0]: k for k, i in enumerate(order) if i in links or i in holes}
    yield _Plan(holder, nodes, order, names, hidden)


def _merge(plan: _Plan, others: set[str], number: int) -> int:
    """Merge the runs of one graph or function, and return how many names and places changed."""
    holder, nodes, order, hidden = plan.holder, plan.nodes, plan.order, plan.hidden
    if not hidden:
        return 0
    prefix = _free_prefix(others, hidden, number)
    renamed = {name: f"{prefix}{k}" for name, k in hidden.items() if name != f"{prefix}{k}"}
    moved = sum(i != k for k, i in enumerate(order))
    if not renamed and not moved:
        return _sort_infos(holder, nodes)
    results = [nodes[i].output[0] if nodes[i].output else "" for i in order]
    if moved:
        replace_all(holder.node, [nodes[i] for i in order])
    for node in holder.node:
        for place, name in enumerate(node.input):
            if name in renamed:
                node.input[place] = renamed[name]
        if node.output and node.output[0] in renamed:
            node.output[0] = renamed[node.output[0]]
    for info in holder.value_info:
        if info.name in renamed:
            info.name = renamed[info.name]
    renumber(list(holder.node), order, results)
    _sort_infos(holder, list(holder.node))
    return len(renamed) + moved


def _links(
    holder: Holder, nodes: list[onnx.NodeProto], fixed: set[str], above: Counter[str]
) -> tuple[dict[int, int], dict[int, int]]:
    """Return, for each node whose result only one other node uses, as its first operand, the number of that node.

    And for each weight without data that only one node uses, as any operand, the number of that node.
    """
    uses = count_uses(holder)
    made = Counter(name for node in nodes for name in node.output)
    fixed = fixed | captured(holder) | set(output_names(holder))
    if isinstance(holder, onnx.GraphProto):
        fixed.update(a.tensor_name for a in holder.quantization_annotation)
        fixed.update(p.value for a in holder.quantization_annotation for p in a.quant_parameter_tensor_names)
        fixed.update(i.name for i in holder.initializer)
        fixed.update(i.name for i in holder.input)
    else:
        fixed.update(holder.input)
    users: dict[str, int] = {}
    for i, node in enumerate(nodes):
        if node.input and node.input[0]:
            users.setdefault(node.input[0], i)
    anywhere = {name: i for i, node in enumerate(nodes) for name in node.input}
    links, holes = {}, {}
    for i, node in enumerate(nodes):
        if len(node.output) != 1 or node.device_configurations:
            continue
        name = node.output[0]
        if uses[name] != 1 or made[name] != 1 or name in fixed or above[name]:
            continue
        if is_hole(node) and not node.HasField("name"):
            if anywhere.get(name, -1) > i:
                holes[i] = anywhere[name]
        elif users.get(name, -1) > i:
            links[i] = users[name]
    return links, holes


def _order(nodes: list[onnx.NodeProto], links: dict[int, int], holes: dict[int, int]) -> list[int]:
    """Return the order in which the nodes of a run stand together, where the last of the run stood.

    A weight without data stands in front of the node that uses it, in the order of the operands.
    """
    weights: dict[int, list[int]] = {}
    for i, user in holes.items():
        weights.setdefault(user, []).append(i)
    for user, found in weights.items():
        places = {name: place for place, name in enumerate(nodes[user].input)}
        found.sort(key=lambda i: places[nodes[i].output[0]])
    heads = dict.fromkeys(range(len(nodes)), -1)  # node -> the node that feeds it in its run
    for i, user in links.items():
        heads[user] = i
    order: list[int] = []
    for i in range(len(nodes)):
        if i in links or i in holes:
            continue
        run = [i]
        while heads[run[-1]] >= 0:
            run.append(heads[run[-1]])
        for k in reversed(run):
            order += weights.get(k, [])
            order.append(k)
    return order


def _free_prefix(others: set[str], hidden: dict[str, int], number: int) -> str:
    """Return a prefix under which no other value is named; for the outermost graph `_`, where that is free."""
    prefix, attempt = ("_", 0) if number == 0 else (f"_{number}_", 0)
    while any(f"{prefix}{k}" in others for k in hidden.values()):
        attempt += 1
        prefix = f"_{number}_{attempt}_"
    return prefix


def _sort_infos(holder: Holder, nodes: list[onnx.NodeProto]) -> int:
    """Let the types of results stand in the order of their nodes, so that each is written at its definition."""
    place = {name: k for k, name in enumerate(name for node in nodes for name in node.output)}
    infos = list(holder.value_info)
    order = sorted(range(len(infos)), key=lambda i: place.get(infos[i].name, -1))
    if order == list(range(len(infos))):
        return 0
    replace_all(holder.value_info, [infos[i] for i in order])
    return 1


def _own_names(holder: Holder) -> set[str]:
    """Return the names of values that stand in a graph or function, but not in graphs within it."""
    names = {name for node in holder.node for name in (*node.input, *node.output)}
    names.update(v.name for v in holder.value_info)
    if isinstance(holder, onnx.FunctionProto):
        return names.union(holder.input, holder.output)
    names.update(v.name for v in (*holder.input, *holder.output))
    names.update(t.name for t in holder.initializer)
    names.update(s.values.name for s in holder.sparse_initializer)
    return names
