"""The text of an architecture says nothing of the values of its weights, and tells shared weights from equal ones."""

from __future__ import annotations

from math import prod
from random import Random

import numpy as np
import onnx
import pytest
from graphs import idle_models
from hypothesis import given
from hypothesis import strategies as st
from laws import examples
from onnx import TensorProto, helper, numpy_helper
from strategies import running_models

from onnxtext.source import Source, print_source
from onnxtext.spaces.nasbench201 import Architecture, build
from onnxtext_passes.manager import run_pipeline
from onnxtext_passes.scopes import holders
from onnxtext_passes.tensors import is_weight

SHORTEST = "canonicalize,dedup,merge"
ORDERS = ("prune,strip", "strip,prune", "prune,strip,prune", "cse,strip", "strip,cse")


def text_of(model: onnx.ModelProto, passes: str) -> str:
    result = run_pipeline(model, passes).model
    return print_source(Source(result.SerializeToString(deterministic=True)), verify=False).text


def refilled(model: onnx.ModelProto, random: Random | None) -> onnx.ModelProto:
    """Return a copy with other data in its weights: drawn numbers, or one number everywhere."""
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    for holder in holders(copy):
        for tensor in holder.initializer if isinstance(holder, onnx.GraphProto) else ():
            if tensor.data_type == TensorProto.FLOAT and is_weight(tensor):
                drawn = [random.random() if random else 1.0 for _ in range(prod(tensor.dims))]
                new = np.array(drawn, np.float32).reshape(tensor.dims)
                tensor.CopyFrom(numpy_helper.from_array(new, tensor.name))
    return copy


@pytest.mark.parametrize("order", ORDERS)
def test_fresh_and_trained_networks_have_one_text(order: str) -> None:
    cell = Architecture(("nor_conv_3x3", "avg_pool_3x3", "nor_conv_1x1", "skip_connect", "none", "nor_conv_3x3"))
    fresh, trained = (build(cell, cells=2, channels=4, image=8, seed=seed) for seed in (None, 1))
    assert text_of(fresh, f"{order},{SHORTEST}") == text_of(trained, f"{order},{SHORTEST}")
    if "cse" not in order:
        assert text_of(trained, f"{order},{SHORTEST}") == text_of(fresh, f"prune,strip,{SHORTEST}")


@pytest.mark.parametrize("models", [idle_models(), running_models()], ids=["idle", "running"])
@given(data=st.data(), random=st.randoms(use_true_random=False), order=st.sampled_from(ORDERS[:3]))
@examples(40)
def test_values_of_weights_make_no_difference(
    models: st.SearchStrategy[onnx.ModelProto], data: st.DataObject, random: Random, order: str
) -> None:
    model = data.draw(models)
    equal, drawn = refilled(model, None), refilled(model, random)
    assert text_of(equal, f"{order},{SHORTEST}") == text_of(drawn, f"{order},{SHORTEST}")


def test_a_shared_weight_is_not_two_weights() -> None:
    def chain(names: str) -> onnx.ModelProto:
        nodes = [helper.make_node("Mul", [a, w], [b]) for a, b, w in zip("xa", "ay", names, strict=True)]
        x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy")
        weights = [helper.make_tensor(name, TensorProto.FLOAT, [2], [1, 1]) for name in sorted(set(names))]
        return helper.make_model(helper.make_graph(nodes, "g", [x], [y], weights))

    for order in ORDERS:
        assert text_of(chain("ww"), f"{order},{SHORTEST}") != text_of(chain("wv"), f"{order},{SHORTEST}")
        assert text_of(chain("wv"), f"{order},{SHORTEST}") == text_of(chain("vw"), f"{order},{SHORTEST}")
