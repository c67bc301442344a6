"""NAS-Bench-201: strings read and printed, networks with the published number of parameters that check and run."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from random import Random

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from onnxtext.core.errors import UsageError
from onnxtext.spaces.nasbench201 import (
    COUNT,
    OPERATIONS,
    Architecture,
    build,
    enumerate_architectures,
    parameters,
    parse_architecture,
    print_architecture,
)

ALL = tuple(enumerate_architectures())
SAMPLED = [*Random(1).sample(ALL, 12), ALL[0], ALL[-1]]
LARGEST = Architecture(("nor_conv_3x3",) * 6)


def small(architecture: Architecture, seed: int | None = None, published_none: bool = False) -> onnx.ModelProto:
    return build(architecture, cells=1, channels=4, image=8, seed=seed, published_none=published_none)


def trainable(model: onnx.ModelProto) -> int:
    """Count the elements of all initializers but the running statistics of batch normalizations."""
    statistics = {n for node in model.graph.node if node.op_type == "BatchNormalization" for n in node.input[3:]}
    return sum(math.prod(t.dims) for t in model.graph.initializer if t.name not in statistics)


def run(model: onnx.ModelProto, seed: int = 0) -> np.ndarray:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    given = np.random.default_rng(seed).standard_normal(image.shape, np.float32)
    (scores,) = session.run(None, {image.name: given})
    assert isinstance(scores, np.ndarray)
    return scores


def test_the_space_is_enumerated() -> None:
    assert len(set(ALL)) == len(ALL) == COUNT == 15_625
    assert str(ALL[0]) == "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    assert ALL[1].operations == ("none",) * 5 + ("skip_connect",)
    assert list(enumerate_architectures()) == list(ALL)


def test_strings_are_read_and_printed() -> None:
    assert all(parse_architecture(print_architecture(a)) == a for a in ALL[::7])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": an architecture is written |op~0|+|op~0|op~1|+|op~0|op~1|op~2|"),
        (
            "|none~0|+|none~0|none~1|",
            "|none~0|+|none~0|none~1|: an architecture is written |op~0|+|op~0|op~1|+|op~0|op~1|op~2|",
        ),
        (
            "|none~0|+|none~0|none~2|+|none~0|none~1|none~2|",
            "|none~0|+|none~0|none~2|+|none~0|none~1|none~2|: edge 1 of node 2 is written op~1, not none~2",
        ),
        (
            "|none~0|+|none~0|nor_conv_5x5~1|+|none~0|none~1|none~2|",
            "|none~0|+|none~0|nor_conv_5x5~1|+|none~0|none~1|none~2|: no operation is named nor_conv_5x5 "
            "(did you mean nor_conv_3x3?); use none, skip_connect, nor_conv_1x1, nor_conv_3x3, avg_pool_3x3",
        ),
    ],
)
def test_what_is_no_architecture(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_architecture(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"cells": 0}, "a network has at least one of its cells, not 0"),
        ({"channels": -1}, "a network has at least one of its channels, not -1"),
        ({"image": 30}, "the image is halved twice, so its side is a multiple of 4, not 30"),
    ],
)
def test_sizes_that_cannot_be(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        build(LARGEST, **sizes)  # type: ignore[arg-type]  # a flag is none of them
    assert str(caught.value) == message


@pytest.mark.parametrize("architecture", SAMPLED, ids=str)
def test_parameters_are_as_published(architecture: Architecture) -> None:
    count = architecture.operations.count
    assert parameters(architecture) == 73_306 + 243_040 * count("nor_conv_3x3") + 28_000 * count("nor_conv_1x1")
    assert trainable(build(architecture)) == parameters(str(architecture))
    other = build(architecture, cells=2, channels=3, classes=7)
    assert trainable(other) == parameters(architecture, cells=2, channels=3, classes=7)


@pytest.mark.parametrize("architecture", SAMPLED, ids=str)
def test_networks_check_and_run(architecture: Architecture) -> None:
    model = small(architecture, seed=1)
    onnx.checker.check_model(model, full_check=True)
    scores = run(model)
    assert scores.shape == (1, 10)
    assert np.isfinite(scores).all()


def test_the_largest_network_of_the_published_size_checks_and_runs() -> None:
    model = build(LARGEST, seed=1)
    onnx.checker.check_model(model, full_check=True)
    assert np.isfinite(run(model)).all()
    operators = [node.op_type for node in model.graph.node]
    # Per cell six convolutions and three sums; per reduction three convolutions, a pooling and a sum.
    assert [operators.count(o) for o in ("Conv", "BatchNormalization", "Add", "AveragePool")] == [
        1 + 15 * 6 + 2 * 3,
        1 + 15 * 6 + 2 * 2 + 1,
        15 * 3 + 2,
        2,
    ]


def test_networks_without_a_seed_have_zeros_and_run() -> None:
    model = small(LARGEST)
    assert not any(any(tensor.raw_data) for tensor in model.graph.initializer)
    assert not run(model).any()


def test_a_network_is_the_same_every_time() -> None:
    first, again, other = (
        hashlib.sha256(small(LARGEST, seed).SerializeToString(deterministic=True)).digest() for seed in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize("architecture", SAMPLED, ids=str)
def test_none_as_published_gives_the_same_scores(architecture: Architecture) -> None:
    plain, published = (small(architecture, 1, p) for p in (False, True))
    onnx.checker.check_model(published, full_check=True)
    # Sums are of other numbers of terms, the additional ones zeros: rounding aside they are equal.
    np.testing.assert_allclose(run(plain), run(published), rtol=1e-4, atol=1e-4)
    assert "Mul" not in {node.op_type for node in plain.graph.node}
    counts = [sum(node.op_type == "Mul" for node in model.graph.node) for model in (plain, published)]
    assert counts == [0, 3 * architecture.operations.count("none")]


def test_a_node_that_nothing_reaches_is_zeros() -> None:
    model = small(ALL[0])
    (first, *_others) = [node for node in model.graph.node if node.op_type == "ConstantOfShape"]
    made = {name: node for node in model.graph.node for name in node.output}
    assert list(made[first.input[0]].attribute[0].ints) == [1, 4, 8, 8]
    users = [node.op_type for node in model.graph.node if node.op_type != "Constant"]
    # Three nodes in each cell are zeros, and no operation is left.
    assert users.count("ConstantOfShape") == 9
    assert users.count("Conv") == 1 + 2 * 3


def test_a_connection_that_only_skips_is_no_node() -> None:
    model = small(Architecture(("skip_connect", *("none",) * 4, "skip_connect")))
    assert {node.op_type for node in model.graph.node} & {"Identity", "Mul"} == set()


@pytest.mark.parametrize(
    ("operation", "operators"),
    [
        ("nor_conv_3x3", {"BatchNormalization", "Conv", "Relu"}),
        ("nor_conv_1x1", {"BatchNormalization", "Conv", "Relu"}),
        ("avg_pool_3x3", {"AveragePool"}),
    ],
)
def test_operations_are_what_they_are_called(operation: str, operators: set[str]) -> None:
    rest = ("none",) * 4 + ("skip_connect",)
    with_it, without = (
        Counter(node.op_type for node in small(Architecture((o, *rest))).graph.node)
        for o in (operation, "skip_connect")
    )
    assert with_it - without == dict.fromkeys(operators, 3)  # once in each stage


def test_operations_have_the_names_of_the_benchmark() -> None:
    assert OPERATIONS == ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
