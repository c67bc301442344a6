"""prune: what computes nothing, or nothing that is used, goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableSequence
from dataclasses import dataclass

import onnx

from onnxtext.core.blobs import Blobs
from onnxtext_passes.base import Context, Pass
from onnxtext_passes.node_names import renumber
from onnxtext_passes.noops import hands_on
from onnxtext_passes.operators import FunctionKey, Purity, function_key, node_key, plain_domain
from onnxtext_passes.scopes import Holder, count_uses, drop, graph_attributes, within
from onnxtext_passes.tensors import equal_tensors, is_weight
from onnxtext_passes.values import Scope, read_scopes


@dataclass(frozen=True)
class Prune(Pass):
    """Remove what computes nothing or nothing that is used, in the graph, in graphs within it and in functions.

    These go: nodes, initializers, functions and imports of operator sets that nothing uses; nodes that hand on their
    operand as it is (Identity, Dropout in inference, Cast, Reshape, Transpose, Pad, Slice, Squeeze, Unsqueeze, Concat,
    Sum, Max, Min, Mean and Expand, where they do); initializers that equal one before them in the same graph, but
    weights only where that is asked for.  Which weights are equal is not a matter of the architecture: those of a
    fresh network are in many places, and would be trained as one.

    These stay: inputs, and their default values; outputs, and their names; nodes that draw random numbers; nodes
    whose operator onnx does not know, for they may do more than compute; two outputs with one value, as two values; the
    training part of a model, and what it names.

    Example: in `h = Identity(x) y = Relu(h)` the node Identity goes, and Relu takes x.
    """

    name = "prune"
    keeps = "equivalent"

    weights: bool = False  # weights of equal values become one, too

    def run(self, model: onnx.ModelProto, context: Context) -> int:
        if not model.graph.output:
            context.notes.append("prune: the graph has no outputs, so nothing is used or unused, and nothing was done")
            return 0
        total = 0
        while made := _prune(model, context.blobs, self.weights):
            total += made
        return total


def _prune(model: onnx.ModelProto, blobs: Blobs, weights: bool) -> int:
    """Return how many things went in one round."""
    scopes = read_scopes(model, blobs)
    idle = [{k for k, node in enumerate(scope.nodes) if hands_on(node, scope)} for scope in scopes]
    gone = [_bypass(scope, places, weights) for scope, places in zip(scopes, idle, strict=True)]
    purity = Purity(scopes[0].facts.functions)
    total = 0
    for scope, places in zip(reversed(scopes), reversed(gone), strict=True):  # what is within a node goes before it
        total += _sweep(scope, places, purity)
    return total + _drop_functions(model) + _drop_imports(model)


# ---- nodes that hand on what they get, initializers that are there already


class _Names:
    """Which values stand for others, and which take the name of an output."""

    def __init__(self) -> None:
        self.stands_for: dict[str, str] = {}
        self.becomes: dict[str, str] = {}

    def find(self, name: str) -> str:
        """Return the value that stands for this one, under the name it had."""
        passed = []
        while name in self.stands_for:
            passed.append(name)
            name = self.stands_for[name]
        for other in passed:  # so that a long row of values costs no more than its length
            self.stands_for[other] = name
        return name

    def final(self, name: str) -> str:
        """Return the name that a use of this value has in the end."""
        name = self.find(name)
        return self.becomes.get(name, name)


def _bypass(scope: Scope, idle: set[int], weights: bool) -> set[int]:
    """Let uses of results of idle nodes, and of repeated initializers, be uses of what those stand for.

    Returns the places of the nodes that then do nothing at all.  The order of nodes makes no difference.
    """
    names = _Names()
    for other, kept in _equal_initializers(scope, weights):
        names.stands_for[other] = kept
    gone = set()
    handed: dict[str, int] = {}  # outputs of the graph -> the idle node that makes it
    for place in sorted(idle):
        result, operand = scope.nodes[place].output[0], names.find(scope.nodes[place].input[0])
        if not _is_free(scope, result) or not isinstance(operand, str) or operand == result:
            continue
        if operand in scope.beneath or scope.made[operand] > 1:
            continue
        if result in scope.outputs:
            handed[result] = place
        else:
            names.stands_for[result] = operand
            gone.add(place)
    taken = set(scope.outputs)  # outputs, and results that become one
    for output in scope.outputs:  # in their order: where several have one value, the first is its name
        if output not in handed:
            continue
        operand = names.find(scope.nodes[handed[output]].input[0])
        if operand in scope.makers and operand not in taken and operand not in scope.pinned:
            taken.add(operand)
            names.becomes[operand] = output
            gone.add(handed[output])
        # else it is an input, an initializer or an output: both names have to stay, and the output needs a node
    if names.stands_for or names.becomes:
        _rename(scope.holder, names, {*names.becomes, *names.stands_for})
    return gone


def _is_free(scope: Scope, name: str) -> bool:
    """Tell whether a value may have another name wherever it is used, and its own be given to another."""
    if not isinstance(name, str):  # protobuf gives a name that is no UTF-8 as bytes, and does not take it back
        return False
    return scope.made[name] == 1 and name not in scope.beneath and name not in scope.pinned


def _rename(holder: Holder, names: _Names, lost: set[str]) -> None:
    """Rename the uses of values, and the results that become outputs, in a graph and those within it."""
    for node in holder.node:
        for k, name in enumerate(node.input):
            if (final := names.final(name)) != name:
                node.input[k] = final
        for k, name in enumerate(node.output):
            if name in names.becomes:
                node.output[k] = names.becomes[name]
        for graph in graph_attributes(node):
            _rename(graph, names, lost)
    _drop_infos(holder, lost)


def _equal_initializers(scope: Scope, weights: bool) -> Iterator[tuple[str, str]]:
    """Yield the name of each initializer that another equals in type, shape and bytes, and the name of that one.

    That one is an output, the first, if one of the equal ones is, or else the first initializer.
    """
    rank = {name: k for k, name in enumerate(scope.outputs)}
    tensors = [t for t in scope.initializers.values() if _is_free(scope, t.name) and (weights or not is_weight(t))]
    for group in equal_tensors(tensors, scope.facts.blobs) if rank else ():
        kept = min(group, key=lambda name: rank.get(name, len(rank)))
        yield from ((name, kept) for name in group if name not in rank and name != kept)


# ---- what nothing uses


def _sweep(scope: Scope, gone: set[int], purity: Purity) -> int:
    """Remove the nodes at the places `gone`, and whatever nothing uses, from one graph or function."""
    holder, nodes = scope.holder, scope.nodes
    reads = [list(node.input) for node in nodes]
    for place, graph in scope.graphs:
        reads[place] += count_uses(graph)
    makers: dict[str, list[int]] = {}
    for place, node in enumerate(nodes):
        for name in node.output if place not in gone else ():
            makers.setdefault(name, []).append(place)
    used: set[str] = set()
    live: set[int] = set()

    def use(names: Iterable[str]) -> None:
        todo = list(names)
        while todo:
            name = todo.pop()
            if not name or name in used:
                continue
            used.add(name)
            for place in makers.get(name, ()):
                if place not in live:
                    live.add(place)
                    todo += reads[place]

    use([*scope.outputs, *scope.pinned])
    for place, node in enumerate(nodes):
        if place in live or place in gone:
            continue
        if not scope.outputs or not purity.is_pure(node, scope.versions):
            live.add(place)
            use(reads[place])
    dead = set(range(len(nodes))) - live
    lost = {name for place in dead for name in nodes[place].output}
    total = len(dead)
    drop(holder.node, dead)
    if dead:
        left = sorted(live)
        renumber([nodes[place] for place in left], left, [scope.results[place] for place in left])
    if isinstance(holder, onnx.GraphProto) and scope.outputs:
        kept = used | scope.inputs
        for field, names in (
            (holder.initializer, [t.name for t in holder.initializer]),
            (holder.sparse_initializer, [s.values.name for s in holder.sparse_initializer]),
        ):
            unused = {place for place, name in enumerate(names) if name not in kept}
            lost |= {names[place] for place in unused}
            total += len(unused)
            drop(field, unused)
    _drop_infos(holder, lost - used - scope.inputs)
    return total


def _drop_infos(holder: Holder, names: set[str]) -> None:
    """Remove what is said of the types of values that are no more."""
    drop(holder.value_info, {place for place, info in enumerate(holder.value_info) if info.name in names})


def _drop_functions(model: onnx.ModelProto) -> int:
    """Remove the functions that no node calls, from the graph on."""
    if not model.functions:
        return 0
    keys = [function_key(f) for f in model.functions]
    bodies = dict(zip(keys, model.functions, strict=True))
    used: set[FunctionKey] = set()
    todo = {node_key(node) for holder in _roots(model) for node in holder.node} & set(bodies)
    while todo:
        key = todo.pop()
        used.add(key)
        todo |= {node_key(n) for holder in within(bodies[key]) for n in holder.node} & set(bodies) - used
    unused = {place for place, key in enumerate(keys) if key not in used}
    drop(model.functions, unused)
    return len(unused)


def _drop_imports(model: onnx.ModelProto) -> int:
    """Remove the imports of operator sets that neither the nodes nor, for the model, its functions need."""
    if not model.functions and not any(plain_domain(entry.domain) for entry in model.opset_import):
        return 0
    total = 0
    needed = {""} | {plain_domain(node.domain) for holder in _roots(model) for node in holder.node}
    for function in model.functions:
        own = {plain_domain(node.domain) for holder in within(function) for node in holder.node} or {""}
        total += _keep_imports(function.opset_import, own)
        needed |= {plain_domain(entry.domain) for entry in function.opset_import}  # onnxruntime wants these too
    return total + _keep_imports(model.opset_import, needed)


def _roots(model: onnx.ModelProto) -> Iterator[Holder]:
    """Yield what holds nodes of a model that run whether or not a function is called."""
    yield from within(model.graph)
    for info in model.training_info:
        yield from within(info.initialization)
        yield from within(info.algorithm)


def _keep_imports(imports: MutableSequence[onnx.OperatorSetIdProto], domains: set[str]) -> int:
    unused = {place for place, entry in enumerate(imports) if plain_domain(entry.domain) not in domains}
    drop(imports, unused)
    return len(unused)
