"""NAS-Bench-101: cells read, printed, pruned and listed; networks with the published number of parameters."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from published import rows, trainable

from onnxtext.core.errors import UsageError
from onnxtext.spaces.nasbench101 import NasBench101, parse_cell
from onnxtext.spaces.nasbench101_cells import distinct_cells

SPACE = NasBench101()
PUBLISHED = {  # of the table of the benchmark: cells with an odd number of leaves, truncated values, unused vertices
    "7-02001-100110100001001010101": 8_555_530,
    "7-11010-100000100001000111101": 5_878_154,
    "7-02121-100010100101000101101": 3_729_162,
}


@pytest.mark.parametrize(("cell", "count"), PUBLISHED.items())
def test_parameters_are_as_published(cell: str, count: int):
    assert trainable(SPACE.model(cell)) == count


def test_a_network_has_three_stacks_of_three_cells():
    model = SPACE.model("3-0-101")
    operators = [node.op_type for node in model.graph.node if node.op_type != "Parameter"]
    cell = ["Conv", "BatchNormalization", "Relu"] * 2  # the projection of the input, and the vertex
    rest = ["GlobalAveragePool", "Flatten", "Gemm"]
    stack = cell * 3
    assert operators == [*cell[:3], *stack, "MaxPool", *stack, "MaxPool", *stack, *rest]
    onnx.checker.check_model(model, full_check=True)


def test_the_smallest_cell_is_a_projection():
    model = NasBench101(stacks=1, cells=1).model("2--1")
    assert [n.op_type for n in model.graph.node if n.op_type != "Parameter"][3:6] == [
        "Conv",
        "BatchNormalization",
        "Relu",
    ]


def test_an_odd_channel_goes_to_the_first_leaf_and_is_cut_off_where_it_is_too_much():
    text = "5-000-1000110011"  # vertex 1 feeds the leaves 2 and 3
    assert parse_cell(text).channels(129) == (129, 65, 65, 64, 129)
    model = NasBench101(channels=129).model(text)
    assert sum(node.op_type == "Slice" for node in model.graph.node) == 3  # at 258 and 516 channels all is even
    onnx.checker.check_model(model, full_check=True)


def test_vertices_that_lead_nowhere_are_left_out():
    cell = parse_cell("5-012-1001100001")
    assert str(cell) == "5-012-1001100001"
    assert str(cell.pruned()) == "2--1"
    assert SPACE.model(str(cell)) == SPACE.model("2--1")


def test_all_small_cells_are_listed_once():
    assert [len(set(distinct_cells(n, 9))) for n in (2, 3, 4, 5, 6)] == [1, 6, 84, 2_441, 62_010]
    for operations, bits in list(distinct_cells(5, 9))[::97]:
        text = f"5-{operations}-{bits}"
        assert str(parse_cell(text).pruned()) == text


@pytest.mark.acceptance
def test_all_cells_are_listed_once():
    assert len(set(SPACE.specifications())) == SPACE.size == 423_624


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "8-000000-1",
            "8-000000-1: a cell is written VERTICES-OPERATIONS-EDGES, as in 4-01-101011: 2 to 7, an operation 0, 1 or "
            "2 for each inner vertex, a bit for each pair of vertices",
        ),
        ("3-00-101", "3-00-101: 3 vertices have 1 operations and 3 bits, not 2 and 3"),
        ("5-000-1111111111", "5-000-1111111111: a cell has at most 9 edges, not 10"),
        ("3-0-100", "3-0-100: no way leads from the input to the output"),
    ],
)
def test_what_is_no_cell(text: str, message: str):
    with pytest.raises(UsageError) as caught:
        SPACE.model(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"channels": 3}, "channels are divided among up to 5 vertices, so 3 are few"),
        ({"image": 30}, "the image is halved between stacks, so its side is a multiple of 4, not 30"),
    ],
)
def test_sizes_that_cannot_be(sizes: dict[str, int], message: str):
    with pytest.raises(UsageError) as caught:
        NasBench101(**sizes)  # type: ignore[arg-type]  # sizes are numbers
    assert str(caught.value) == message


def test_rows_of_tables_name_cells():
    assert SPACE.from_row({"n": "3", "ops": "0", "adj_upper": "101", "hash": "x"}) == "3-0-101"


@pytest.mark.acceptance
def test_parameters_of_all_rows_are_as_published(shared_folder: Path):
    count = 0
    for row in rows(shared_folder / "nas" / "nb101.csv.gz"):
        if row["params"]:
            specification = SPACE.from_row(row)
            assert trainable(SPACE.model(specification)) == int(row["params"]), specification
            count += 1
    assert count >= 30_001
