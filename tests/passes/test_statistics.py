"""Counts of multiplications and parameters, held against numbers worked out by hand or published."""

from __future__ import annotations

import onnx
import pytest
from onnx import helper
from suite import DATA

from onnxtext.core.blobs import Blobs, detach
from onnxtext_passes.statistics import collect, count_parameters


def collect_node(node: str, *inputs: str, output: str = "y") -> tuple[int, dict[str, int]]:
    """Return the multiplications of one node, and the nodes of which they are not known."""
    model = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["": 23]> g ({", ".join(inputs)}) => ({output}) {{ {node} }}'
    )
    found = collect(model, Blobs())
    return found.macs, found.unknown_macs


@pytest.mark.parametrize(
    ("node", "inputs", "macs"),
    [
        ("y = Conv <pads = [1, 1, 1, 1]> (x, w)", ["float[2,4,8,8] x", "float[6,4,3,3] w"], 2 * 6 * 64 * 4 * 9),
        ("y = Conv <strides = [2, 2]> (x, w)", ["float[1,4,8,8] x", "float[6,4,2,2] w"], 6 * 16 * 4 * 4),
        ("y = Conv <group = 4> (x, w)", ["float[1,4,8,8] x", "float[4,1,1,1] w"], 4 * 64),
        ("y = Conv (x, w)", ["float[1,3,10] x", "float[5,3,3] w"], 5 * 8 * 3 * 3),
        ("y = ConvTranspose (x, w)", ["float[1,4,5,5] x", "float[4,6,3,3] w"], 4 * 25 * 6 * 9),
        ("y = ConvInteger (x, w)", ["uint8[1,3,4,4] x", "uint8[2,3,1,1] w"], 2 * 16 * 3),
        ("y = MatMul (x, w)", ["float[7,2,3] x", "float[3,5] w"], 7 * 2 * 3 * 5),
        ("y = MatMul (x, w)", ["float[3] x", "float[3] w"], 3),
        ("y = MatMul (x, w)", ["float[4,1,2,3] x", "float[5,3,6] w"], 4 * 5 * 2 * 3 * 6),
        ("y = Gemm (x, w)", ["float[2,3] x", "float[3,5] w"], 2 * 3 * 5),
        ("y = Gemm <transA = 1, transB = 1> (x, w)", ["float[3,2] x", "float[5,3] w"], 2 * 3 * 5),
        ('y = Einsum <equation = "bij, bjk -> bik"> (x, w)', ["float[7,2,3] x", "float[7,3,5] w"], 7 * 2 * 3 * 5),
        ('y = Einsum <equation = "ij,kj"> (x, w)', ["float[2,3] x", "float[5,1] w"], 2 * 3 * 5),
        (
            "y, h, c = LSTM <hidden_size = 5> (x, w, r)",
            ["float[7,2,3] x", "float[1,20,3] w", "float[1,20,5] r"],
            7 * 2 * 4 * (5 * 3 + 5 * 5),
        ),
        ("y = Relu (x)", ["float[2,3] x"], 0),
    ],
)
def test_multiplications(node: str, inputs: list[str], macs: int):
    assert collect_node(node, *inputs) == (macs, {})


@pytest.mark.parametrize(
    ("node", "inputs"),
    [
        ("y = MatMul (x, w)", ["float[N,2,3] x", "float[3,5] w"]),
        ("y = MatMul (x, w)", ["float x", "float w"]),
        ("y = Conv (x, w)", ["float[1,3,N,N] x", "float[5,3,3,3] w"]),
        ("y = Conv (x)", ["float[1,3,4,4] x"]),
        ("y = Gemm (x, w)", ["float[N,3] x", "float[3,5] w"]),
        ('y = Einsum <equation = "...i,i"> (x, w)', ["float[2,3] x", "float[3] w"]),
        ('y = Einsum <equation = "i,i,i"> (x, w, x)', ["float[3] x", "float[3] w"]),
        ("y = Attention (x, x, x)", ["float[2,2,3,4] x"]),
    ],
)
def test_what_is_not_known_is_said(node: str, inputs: list[str]):
    assert collect_node(node, *inputs) == (0, {node.split()[2]: 1})


def test_an_operator_of_another_domain_is_not_ours_to_count():
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 23, "d": 1]> g (float[2,2] x) => (y) { y = d.MatMul(x, x) }'
    )
    found = collect(model, Blobs())
    assert (found.macs, found.unknown_macs, found.operators) == (0, {}, {"d.MatMul": 1})


def test_nodes_in_branches_and_bodies_count_once():
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 23]> g (float[2,2] x, bool c) => (float[2,2] y) {'
        " y = If(c) <then_branch = t () => (float[2,2] o) { o = MatMul(x, x) },"
        " else_branch = e () => (float[2,2] o) { p = MatMul(x, x) o = MatMul(p, x) }> }"
    )
    found = collect(model, Blobs())
    assert (found.nodes, found.macs, found.operators) == (4, 24, {"MatMul": 3, "If": 1})


@pytest.mark.parametrize(
    ("name", "macs"),
    [  # published, in billions: He et al. 2015 (ResNet-50), Simonyan and Zisserman 2014 (VGG-19), Huang et al. 2017
        ("light_resnet50", 4.09),
        ("light_vgg19", 19.63),
        ("light_densenet121", 2.83),
        ("light_squeezenet", 0.35),
    ],
)
def test_published_networks(name: str, macs: float):
    found = collect(onnx.load(DATA / "light" / f"{name}.onnx"), Blobs())
    assert round(found.macs / 1e9, 2) == macs and not found.unknown_macs


def test_large_data_behind_placeholders_counts_as_data():
    tensors = [onnx.TensorProto(name="w", data_type=1, dims=[40, 50], raw_data=bytes(8000))]
    tensors.append(onnx.TensorProto(name="target", data_type=7, dims=[200], raw_data=bytes(1600)))
    values = [helper.make_tensor_value_info(n, 1, d) for n, d in (("x", [3, 40]), ("y", [3, 50]))]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", values[:1], values[1:], tensors)
    skeleton, blobs = detach(helper.make_model(graph).SerializeToString())
    found = collect(onnx.ModelProto.FromString(skeleton), blobs)
    assert (found.parameters, found.weight_bytes, found.macs) == (2000, 9600, 6000)


def test_what_is_a_weight():
    """As strip says: floats with a dimension, narrow integers with two; sparse ones by what they store."""
    model = onnx.ModelProto()
    for kind, dims in ((1, [2, 3]), (1, [4]), (1, []), (3, [5, 2]), (3, [5]), (7, [100]), (16, [8])):
        model.graph.initializer.add(data_type=kind, dims=dims)
    sparse = model.graph.sparse_initializer.add(dims=[1000])
    sparse.values.data_type, sparse.values.dims[:] = 1, [7]
    assert count_parameters(model) == 6 + 4 + 10 + 8 + 7


def test_types_of_all_widths():
    model = onnx.ModelProto()
    for kind, dims in ((1, [2]), (16, [3]), (22, [5]), (9, [4]), (11, [1]), (99, [7])):
        model.graph.initializer.add(data_type=kind, dims=dims)
    model.graph.initializer.add(data_type=8, dims=[2], string_data=[b"ab", b"c"])
    assert collect(model, Blobs()).weight_bytes == 8 + 6 + 3 + 4 + 8 + 0 + 3
