"""chain_slim: the legacy text of ONNX-Net, with its faults."""

from __future__ import annotations

import onnx
import pytest

from onnxtext.core.errors import ModelError
from onnxtext.spaces.nasbench201 import build
from onnxtext.tools.chain_slim import chain_slim


def text_of(graph: str) -> str:
    return chain_slim(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 21]> {graph}'))


def test_chains_and_branches() -> None:
    text = text_of(
        "g (float[1,2] x) => (float[1,2] y) <float[2,2] w = {1, 2, 3, 4}> "
        "{ a = Relu(x) b = MatMul(a, w) c = Neg(b) d = Abs(a) y = Add(c, d) }"
    )
    # x is an input, so that Relu has no operand from within and begins no chain.
    assert text == (
        "Relu(1x2) --> Value1:1x2\n"
        "MatMul(Value1, Param[2,2]) --> Neg(prev) --> Value2:1x2\n"
        "Abs() --> Value3:1x2\n"
        "Add(Value2, Value3) --> Out:1x2\n"
    )


def test_a_chain_that_ends_in_an_output_has_no_shape() -> None:
    assert text_of("g (float[1,2] x) => (float[1,2] y) { a = Relu(x) b = Neg(a) y = Abs(b) }") == (
        "Relu(1x2) --> Value1:1x2\nNeg(Value1) --> Abs(prev) --> Out"
    )


def test_attributes_that_are_lists_are_shown_and_others_are_not() -> None:
    attributes = 'kernel_shape = [1,2], strides = [1,2], pads = [0,0,0,0], ceil_mode = 1, auto_pad = "NOTSET"'
    text = text_of(f"g (float[1,2,8,8] x) => (float[1,2,8,4] y) {{ a = Relu(x) y = MaxPool <{attributes}> (a) }}")
    assert text == "Relu(1x2x8x8) --> Value1:1x2x8x8\nMaxPool(Value1)(kernel_shape=[1,2],strides=[1,2],pads=0) --> Out"


def test_what_a_constant_loses() -> None:
    text = text_of(
        "g (float[1,2] x) => (float[1,2] y) { k = Constant <value = float[2] {1, 2}> () a = Relu(x) y = Add(a, k) }"
    )
    assert text == "Constan)(value=<BLOB>) --> Value1:2\nRelu(1x2) --> Value2:1x2\nAdd(Value2, Value1) --> Out:1x2\n"


def test_where_the_original_fails() -> None:
    opsets = 'opset_import: ["": 21, "other": 1]'
    unknown = onnx.parser.parse_model(
        f"<ir_version: 10, {opsets}> g (float[1,2] x) => (float[1,2] y) {{ a = other.Op(x) y = other.Op(a, x) }}"
    )
    with pytest.raises(ModelError) as caught:
        chain_slim(unknown)
    assert str(caught.value) == "chain_slim needs the shape of %a, which shape inference does not find"
    with pytest.raises(ModelError) as caught:
        text_of("g (float[1,2] x) => (float[1,2] y) { y = other.Op(x) }")
    assert str(caught.value).startswith("chain_slim needs shapes, and shape inference fails: [TypeInferenceError] ")
    with pytest.raises(ModelError) as caught:
        text_of("g (float[1,2] x) => (float[1,2] y) { y = Relu(x) a = Neg(y) b = Abs(a) }")
    assert str(caught.value) == "chain_slim has no name for %b, the last value of the graph, as it is no output"


def test_different_networks_have_one_text() -> None:
    """The fault of this text: these two networks compute different things."""
    texts = {
        text_of(
            "g (float[1,2] x) => (float[1,2] y) "
            f"{{ a = Relu(x) b = Neg(a) c = Abs(b) d = Exp({operand}) y = Add(c, d) }}"
        )
        for operand in "ab"
    }
    assert len(texts) == 1


def test_length_of_a_network_of_nasbench201() -> None:
    model = build("|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|")
    text = chain_slim(model)
    lines = text.splitlines()
    assert (len(model.graph.node), len(text)) == (295, 14_163)
    assert lines[0] == "Conv(1x3x32x32, Param[16,3,3,3])(pads=1) --> Value1:1x16x32x32"
    assert lines[-1] == (
        "BatchNormalization(Value127, Param[64], Param[64], Param[64], Param[64]) --> Relu(prev) --> "
        "GlobalAveragePool(prev) --> Flatten(prev) --> Gemm(prev, Param[10,64], Param[10]) --> Out"
    )
