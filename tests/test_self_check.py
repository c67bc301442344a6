"""A fault in the codec costs an escape and never a bit: what the short notation gets wrong travels as its bytes."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import onnx
import pytest
from laws import MODES, opener, whole
from onnx import helper
from strategies import any_model

from onnxtext.core.blobs import detach
from onnxtext.core.wire import canonical
from onnxtext.source import Source, print_source
from onnxtext_grammar import assembler, fast_bags, printer
from onnxtext_grammar.codec import parse


def model() -> onnx.ModelProto:
    """Return a model with attributes, types, weights small and large, a subgraph and a function."""
    branch = helper.make_graph([helper.make_node("Abs", ["b"], ["z"])], "then", [], [_info("z", [2])])
    nodes = [
        helper.make_node("LeakyRelu", ["x"], ["a"], alpha=0.1),
        helper.make_node("Reshape", ["a", "shape"], ["b"], "reshape", allowzero=1),
        helper.make_node("If", ["b"], ["c"], then_branch=branch, else_branch=branch),
        helper.make_node("cell", ["c"], ["d"], domain="local"),
        helper.make_node("MatMul", ["d", "w"], ["y"]),
    ]
    weights = [
        helper.make_tensor("shape", 7, [2], [1, -1]),
        helper.make_tensor("bias", 1, [2], bytes(8), raw=True),
        helper.make_tensor("w", 1, [16, 64], bytes(range(256)) * 16, raw=True),
    ]
    graph = helper.make_graph(nodes, "g", [_info("x", [2, 3])], [_info("y", ["N", 64])], weights)
    cell = helper.make_function(
        "local", "cell", ["x"], ["y"], [helper.make_node("Neg", ["x"], ["y"])], [helper.make_opsetid("", 21)]
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("local", 1)]
    return helper.make_model(graph, functions=[cell], opset_imports=opsets)


def _info(name: str, dims: list[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, 1, dims)


def fails(*args: Any, **kwargs: Any) -> Any:
    """Stand in for a function that has become wrong."""
    raise KeyError("a fault")


# What becomes wrong where, and the kinds of messages that are escaped then.
FAULTS: dict[str, tuple[object, str, Callable, set[str]]] = {
    "wrong_float": (printer, "print_float_attribute", lambda bits: "1.0", {"AttributeProto"}),
    "crash_at_a_float": (printer, "print_float_attribute", fails, {"AttributeProto"}),
    "wrong_numbers_of_a_tensor": (printer, "print_raw", lambda raw, dtype, count: ["1"] * count, {"TensorProto"}),
    "wrong_type": (printer, "print_type", lambda wire: "f64[7]", {"TypeProto"}),
    "wrong_operator": (printer, "print_word", lambda word: "Relu", {"NodeProto"}),
    "no_operator": (printer, "print_word", lambda word: "", {"NodeProto"}),
    "wrong_function": (printer, "print_function", lambda name: "@f", {"FunctionProto", "GraphProto"}),
    "parser_of_integers": (assembler._Assembler, "integer", lambda self, value, limits: 7, {"ModelProto"}),
    "parser_of_floats": (fast_bags, "parse_float", lambda text: bytes(4), {"AttributeProto"}),
}


@pytest.mark.parametrize(("where", "name", "wrong", "escaped"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("weights", MODES)
def test_a_fault_escapes_the_smallest_message(
    monkeypatch: pytest.MonkeyPatch, weights: Any, where: object, name: str, wrong: Callable, escaped: set[str]
) -> None:
    wire = model().SerializeToString(deterministic=True)
    monkeypatch.setattr(where, name, wrong)
    printed = print_source(Source(*detach(wire)), weights=weights, verify=True)
    assert set(printed.escapes) == escaped, printed.text
    assert whole(parse(printed.text, open_weights=opener(printed))) == wire


SMALL_MODELS = [wire for wire in (any_model(Random(seed)) for seed in range(20)) if len(wire) < 1_000]

# Faults that no message alone shows: then the whole model is escaped, its large weights included.
BROKEN = {
    "names": (printer._Printer, "define", lambda self, name: "%x"),
    "graphs": (printer._Printer, "graph", fails),
    "nodes": (printer._Printer, "nodes", lambda self, *args: None),
    "fields": (printer._Printer, "field", fails),
}


@pytest.mark.parametrize(("where", "name", "wrong"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("weights", MODES)
def test_whatever_fails_the_model_comes_back(
    monkeypatch: pytest.MonkeyPatch, weights: Any, where: object, name: str, wrong: Callable
) -> None:
    monkeypatch.setattr(where, name, wrong)
    for wire in [model().SerializeToString(deterministic=True), *SMALL_MODELS]:
        printed = print_source(Source(*detach(wire)), weights=weights, verify=True)
        assert whole(parse(printed.text, open_weights=opener(printed))) == wire


def test_without_a_fault_there_is_no_escape() -> None:
    wire = canonical(model().SerializeToString())
    for weights in MODES:
        assert print_source(Source(*detach(wire)), weights=weights, verify=True).escapes == []
