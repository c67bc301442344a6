"""What passes know of operators: whose they are, their attributes, and what must not be removed or made one.

>>> is_random(onnx.helper.make_node("Dropout", ["x", "ratio", "training"], ["y"]), 13)
True
>>> read_ints(onnx.helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0]), "perm")
[1, 0]
"""

from __future__ import annotations

from collections import Counter

import onnx
import onnx.defs

from onnxtext_passes.holes import is_hole
from onnxtext_passes.scopes import graph_attributes, within

FunctionKey = tuple[str, str, str]  # domain, name, overload: what a node says to call a function
Versions = dict[str, int]  # of the imported operator sets, by domain

DOMAINS = ("", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training")  # those of onnx

# The operators that onnx marks as non-deterministic, without those that are so only through the graphs they hold.
RANDOM = frozenset(
    ["Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"]
)


class UnknownAttributeError(LookupError):
    """An attribute of a kind that was not expected, or one whose value only the caller of the function gives."""


def plain_domain(domain: str) -> str:
    """Return a domain, with the two spellings of onnx's own as one."""
    return "" if domain == "ai.onnx" else domain


def node_key(node: onnx.NodeProto) -> FunctionKey:
    """Return by what a node would name a function."""
    return plain_domain(node.domain), node.op_type, node.overload


def function_key(function: onnx.FunctionProto) -> FunctionKey:
    """Return by what nodes name a function."""
    return plain_domain(function.domain), function.name, function.overload


def versions_of(owner: onnx.ModelProto | onnx.FunctionProto) -> Versions:
    """Return the versions of the operator sets that a model or a function imports; none for one imported as two."""
    versions: Versions = {}
    twice = set()
    for entry in owner.opset_import:
        domain = plain_domain(entry.domain)
        if versions.setdefault(domain, entry.version) != entry.version:
            twice.add(domain)
    return {domain: version for domain, version in versions.items() if domain not in twice}


def find_attribute(node: onnx.NodeProto, name: str, kind: int) -> onnx.AttributeProto | None:
    """Return an attribute of a node, None where it has none.

    Raises UnknownAttributeError for another kind, and for an attribute that refers to one of the function around.
    """
    found = [a for a in node.attribute if a.name == name]
    if not found:
        return None
    if len(found) > 1 or found[0].type != kind or found[0].ref_attr_name:
        raise UnknownAttributeError(name)
    return found[0]


def read_int(node: onnx.NodeProto, name: str, default: int) -> int:
    """Return a whole number among the attributes.  Raises UnknownAttributeError."""
    found = find_attribute(node, name, onnx.AttributeProto.INT)
    return default if found is None else found.i


def read_ints(node: onnx.NodeProto, name: str) -> list[int] | None:
    """Return whole numbers among the attributes, None where there are none.  Raises UnknownAttributeError."""
    found = find_attribute(node, name, onnx.AttributeProto.INTS)
    return None if found is None else list(found.ints)


def is_random(node: onnx.NodeProto, version: int | None) -> bool:
    """Tell whether an operator of onnx draws random numbers, or may: a Dropout that is not surely in inference.

    `version` is that of the operator set, None where it is not known.
    """
    if node.op_type != "Dropout":
        return node.op_type in RANDOM
    if version is None:
        return True
    if version < 7:
        try:
            return read_int(node, "is_test", 0) == 0
        except UnknownAttributeError:
            return True
    return version >= 12 and len(node.input) > 2 and node.input[2] != ""


def is_known(domain: str, operator: str) -> bool:
    """Tell whether the installed onnx has a schema for an operator."""
    return isinstance(operator, str) and isinstance(domain, str) and onnx.defs.has(operator, domain)  # not bytes


def call_order(functions: dict[FunctionKey, onnx.FunctionProto]) -> dict[FunctionKey, Counter[FunctionKey]]:
    """Return the functions, each behind those that it calls, with how often it calls which.

    Those are left out that call themselves, by way of others too, and those that call such.
    """
    calls = {
        key: Counter(called for inner in within(f) for n in inner.node if (called := node_key(n)) in functions)
        for key, f in functions.items()
    }
    callers: dict[FunctionKey, list[FunctionKey]] = {key: [] for key in calls}
    for key, called in calls.items():
        for other in called:
            callers[other].append(key)
    waits = {key: len(called) for key, called in calls.items()}
    order = [key for key, count in waits.items() if not count]
    for key in order:
        for caller in callers[key]:
            waits[caller] -= 1
            if not waits[caller]:
                order.append(caller)
    return {key: calls[key] for key in order}


class Purity:
    """Tells which nodes of a model may go when nothing uses their results.

    Those may not that draw random numbers, because the ones drawn after them would be others, and those of which
    nothing is known, because they may do more than compute.
    """

    def __init__(self, functions: dict[FunctionKey, onnx.FunctionProto]) -> None:
        self._functions = dict.fromkeys(functions, False)
        for key in call_order(functions):
            versions = versions_of(functions[key])
            self._functions[key] = all(self.is_pure(node, versions) for node in functions[key].node)

    def is_pure(self, node: onnx.NodeProto, versions: Versions) -> bool:
        """Tell whether a node, with the graphs it holds and the functions it calls, only computes its results."""
        key = node_key(node)
        if key in self._functions:
            return self._functions[key]
        domain, operator, _ = key
        if is_hole(node):
            return True
        if domain not in DOMAINS or not is_known(domain, operator):
            return False
        if domain == "" and is_random(node, versions.get("")):
            return False
        return all(self.is_pure(inner, versions) for graph in graph_attributes(node) for inner in graph.node)
