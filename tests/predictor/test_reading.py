"""What the predictor reads: sketches are texts of the language, and nothing but the architecture is in them."""

from __future__ import annotations

import os
from pathlib import Path

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import onnxtext
from onnxtext.spaces.nasbench201 import NasBench201, enumerate_architectures, parameters
from onnxtext.spaces.registry import find_network, find_space
from onnxtext_predictor import live_graph
from onnxtext_predictor.features import NAMES, visits
from onnxtext_predictor.reading import distinct, read
from onnxtext_predictor.vocabulary import words

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
SPACES = ["nasbench101", "nasbench201", "nasbench-macro", "transnas-micro", "transnas-macro", "darts", "synthetic"]
CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"


def network(specification: str = CELL, space: str = "nasbench201") -> onnx.ModelProto:
    found = find_network(f"{space}:{specification}")
    assert found is not None
    return found


def shuffled(model: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """Return a model with other names, and its nodes in another order that can be carried out."""
    import random

    drawn = random.Random(seed)
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    made = {value.name for value in copy.graph.input} | {tensor.name for tensor in copy.graph.initializer} | {""}
    waiting, order = list(copy.graph.node), []
    while waiting:
        ready = [node for node in waiting if made.issuperset(node.input)]
        node = drawn.choice(ready)
        waiting.remove(node)
        order.append(node)
        made.update(node.output)
    names = {name: f"v{drawn.randrange(1 << 60)}" for node in order for name in node.output if name}
    for node in order:
        node.name = f"n{drawn.randrange(1 << 60)}"
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in copy.graph.output:
        value.name = names[value.name]
    del copy.graph.node[:]
    copy.graph.node.extend(order)
    return copy


@pytest.mark.parametrize("space", SPACES)
def test_a_sketch_is_a_text_of_the_language(space: str):
    for specification in find_space(space).sample(5, seed=1):
        onnxtext.decode(read(find_space(space).model(specification)).text)


@pytest.mark.parametrize("name", sorted(os.listdir(LIGHT)))
def test_a_sketch_of_a_real_network_is_a_text_of_the_language(name: str):
    if not name.endswith(".onnx"):
        pytest.skip("the data of a model, and no model")
    onnxtext.decode(read(onnx.load(LIGHT / name)).text)


def test_parameters_and_multiplications_of_resnet50_are_the_published_ones():
    found = read(onnx.load(LIGHT / "light_resnet50.onnx"))
    assert found.parameters == found.live_parameters == 25_557_032
    assert round(found.macs / 1e9, 1) == 4.1


def test_parameters_of_nasbench201_are_the_published_ones():
    for number, architecture in enumerate(enumerate_architectures()):
        if number % 997 == 0:
            assert read(NasBench201().model(str(architecture))).parameters == parameters(architecture)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 1 << 30))
def test_names_and_order_change_nothing(specification: int, seed: int):
    model = network(str(specification), "synthetic")
    before, after = read(model), read(shuffled(model, seed))
    assert after.text == before.text
    assert after.features == pytest.approx(before.features, rel=1e-9, abs=1e-9)


def test_metadata_and_documentation_change_nothing():
    model = network()
    before = read(model)
    model.metadata_props.add(key="accuracy", value="94.37")
    model.graph.metadata_props.add(key="accuracy", value="94.37")
    model.doc_string = model.graph.doc_string = "94.37"
    model.producer_name = "94.37"
    for node in model.graph.node:
        node.doc_string = "94.37"
        node.metadata_props.add(key="accuracy", value="94.37")
    assert read(model) == before


@pytest.mark.parametrize("passes", ["prune", "strip,prune,canonicalize,dedup,merge"])
def test_passes_change_nothing(passes: str):
    model = network()
    text = onnxtext.encode(model, passes=passes)
    assert read(onnxtext.decode(text)).text == read(model).text


def test_an_addition_of_zeros_is_nothing():
    without = "|none~0|+|nor_conv_3x3~0|none~1|+|none~0|nor_conv_1x1~1|nor_conv_3x3~2|"
    plain = "|none~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|nor_conv_3x3~2|"
    one, other = read(network(without)), read(network(plain))
    assert one.text == other.text and one.live_parameters == other.live_parameters
    assert one.parameters > other.parameters


def test_published_zeros_are_zeros():
    without = "|none~0|+|nor_conv_3x3~0|none~1|+|none~0|nor_conv_1x1~1|nor_conv_3x3~2|"
    assert read(network(without)).text == read(network(without, "nasbench201{none=published}")).text


def test_a_network_without_a_way_through_is_read_and_not_live():
    found = read(network("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"))
    assert not found.is_live and found.live_macs == 0 and found.parameters > 0
    assert read(network()).is_live


def test_a_walk_ends_at_the_input():
    for space in SPACES:
        for specification in find_space(space).sample(3, seed=2):
            graph = live_graph.read(find_space(space).model(specification))
            ends = [p for step, p in zip(graph.steps, visits(graph), strict=True) if not step.operands]
            assert not graph.steps or sum(ends) == pytest.approx(1)


def test_equal_readings_are_told_together():
    one, other = read(network()), read(network("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"))
    assert distinct([one, other, one]) == ([one, other], [0, 1, 0])


def test_a_network_of_a_benchmark_is_a_hundred_words():
    for space in SPACES:
        found = [words(read(find_space(space).model(one)).text) for one in find_space(space).sample(5, seed=3)]
        assert max(map(len, found)) < (1000 if space in ("darts", "synthetic") else 150)


def test_features_have_names():
    assert tuple(read(network()).features) == NAMES


def test_an_open_batch_is_one():
    model = network()
    fixed = read(model)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "N"
    assert read(model) == fixed


def test_a_body_uses_what_it_captures():
    text = (
        '<ir_version: 10, opset_import: ["": 17]> g (float[1,4] x, bool c) => (float[1,4] z) { y = Relu(x) '
        "z = If(c) <then_branch = a () => (p) { p = Neg(y) }, else_branch = b () => (q) { q = Abs(y) }> }"
    )
    assert "Relu" in read(onnx.parser.parse_model(text)).text
