"""What holds of prune and merge for every model: outputs stay to the bit, it checks, a second run finds nothing."""

from __future__ import annotations

import time
from random import Random

import onnx
import pytest
from cases import made_up
from graphs import idle_models
from hypothesis import given
from hypothesis import strategies as st
from laws import at_most, examples
from onnx import helper
from strategies import any_models, running_models
from suite import outputs_equal

from onnxtext_passes.manager import run_pipeline
from onnxtext_passes.scopes import count_uses, graph_attributes

PIPELINES = ("prune", "merge", "prune,merge", "merge,prune")


def assert_kept(model: onnx.ModelProto, pipeline: str) -> None:
    onnx.checker.check_model(model, full_check=True)
    result = run_pipeline(model, pipeline).model
    onnx.checker.check_model(result, full_check=True)
    assert outputs_equal(made_up("drawn", model, sets=1), result)
    assert [v.name for v in result.graph.input] == [v.name for v in model.graph.input]
    assert [v.name for v in result.graph.output] == [v.name for v in model.graph.output]
    again = run_pipeline(result, pipeline)
    if pipeline != "merge,prune":  # there the first pass may find what the second one left
        assert [step.rewrites for step in again.steps] == [0] * len(again.steps)


@pytest.mark.parametrize("pipeline", PIPELINES)
@given(model=idle_models())
@examples(60)
def test_models_full_of_idle_nodes(pipeline: str, model: onnx.ModelProto) -> None:
    assert_kept(model, pipeline)


@given(model=running_models(), pipeline=st.sampled_from(PIPELINES))
@examples(60)
def test_ordinary_models(pipeline: str, model: onnx.ModelProto) -> None:
    assert_kept(model, pipeline)


@given(wire=any_models(), pipeline=st.sampled_from(["prune", "merge"]))
@examples(80)
def test_whatever_protobuf_can_hold(wire: bytes, pipeline: str) -> None:
    """A model that makes no sense goes through, and a second time unchanged."""
    result = run_pipeline(onnx.ModelProto.FromString(wire), pipeline).model
    assert run_pipeline(result, pipeline).steps[0].rewrites == 0


@given(model=idle_models(), random=st.randoms(use_true_random=False))
@examples(60)
def test_the_order_of_nodes_makes_no_difference_to_prune(model: onnx.ModelProto, random: Random) -> None:
    shuffled = onnx.ModelProto()
    shuffled.CopyFrom(model)
    del shuffled.graph.node[:]
    shuffled.graph.node.extend(_in_another_order(model.graph, random))
    assert _unordered(run_pipeline(shuffled, "prune").model) == _unordered(run_pipeline(model, "prune").model)


@pytest.mark.parametrize("pipeline", ["prune", "merge"])
def test_time_grows_as_the_number_of_nodes(pipeline: str) -> None:
    """Four times the nodes take at most eight times the time, all rules in use."""
    taken_s = []
    for count in (2_500, 10_000):
        model = _row(count)
        start_s = time.process_time()
        assert run_pipeline(model, pipeline).steps[0].rewrites > count / 4
        taken_s.append(time.process_time() - start_s)
    assert taken_s[1] <= 8 * taken_s[0]


@pytest.mark.parametrize(
    "calls",
    [
        {f"f{k}": [f"f{k + 1}"] * 2 for k in range(60)} | {"f60": []},  # 2**60 calls, were they written out
        {f"f{k}": [f"f{k + 1}"] for k in range(1_000)} | {"f1000": []},
        {"f0": ["f0"]},
        {"f0": ["f1"], "f1": ["f0", "f0"]},
    ],
    ids=["doubling", "long", "calls itself", "call each other"],
)
def test_functions_that_call_functions_end_soon(calls: dict[str, list[str]]) -> None:
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("local", 1)]
    functions = []
    for name, called in calls.items():
        values = [f"v{k}" for k in range(len(called) + 1)]
        nodes = [
            helper.make_node(other, [values[k]], [values[k + 1]], domain="local") for k, other in enumerate(called)
        ]
        nodes.append(helper.make_node("Identity", [values[-1]], ["out"]))
        functions.append(helper.make_function("local", name, ["v0"], ["out"], nodes, opsets))
    nodes = [helper.make_node("f0", ["x"], ["h"], domain="local"), helper.make_node("Cast", ["h"], ["y"], to=1)]
    inputs, outputs = ([helper.make_tensor_value_info(name, 1, [2])] for name in "xy")
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    model = helper.make_model(graph, functions=functions, opset_imports=opsets, ir_version=10)
    with at_most(5):
        result = run_pipeline(model, "prune,merge").model
    assert len(result.functions) == len(functions)


def _row(count: int) -> onnx.ModelProto:
    """Return a model of nodes in a row, half of which are idle, with an equal initializer for every ten of them."""
    nodes, value = [], "x"
    for k in range(count):
        operator, more = [("Relu", []), ("Reshape", [f"s{k // 10}"]), ("Identity", []), ("Neg", [])][k % 4]
        nodes.append(helper.make_node(operator, [value, *more], [f"v{k}"]))
        value = f"v{k}"
    nodes.append(helper.make_node("Abs", [value], ["y"]))
    inputs, outputs = ([helper.make_tensor_value_info(name, 1, [2, 3])] for name in "xy")
    tensors = [helper.make_tensor(f"s{k}", 7, [2], [2, 3]) for k in range(count // 10 + 1)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def _in_another_order(graph: onnx.GraphProto, random: Random) -> list[onnx.NodeProto]:
    """Return the nodes in an order in which each still comes after those that it uses."""
    made = {name for node in graph.node for name in node.output}
    waiting = [
        (node, made & {*node.input, *(name for inner in graph_attributes(node) for name in count_uses(inner))})
        for node in graph.node
    ]
    order: list[onnx.NodeProto] = []
    while waiting:
        node, _ = waiting.pop(random.choice([k for k, (_, needs) in enumerate(waiting) if not needs]))
        order.append(node)
        waiting = [(other, needs.difference(node.output)) for other, needs in waiting]
    return order


def _unordered(model: onnx.ModelProto) -> list[bytes]:
    """Return the rest of a model and its nodes, sorted, without the names of nodes: those may say a number."""
    rest = onnx.ModelProto()
    rest.CopyFrom(model)
    for node in rest.graph.node:
        node.ClearField("name")
    nodes = sorted(node.SerializeToString(deterministic=True) for node in rest.graph.node)
    del rest.graph.node[:]
    return [rest.SerializeToString(deterministic=True), *nodes]
