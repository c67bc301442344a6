"""DARTS and NASNet: genotypes read, printed and drawn; networks with the published number of parameters."""

from __future__ import annotations

from random import Random

import onnx
import pytest
from published import trainable

from onnxtext.core.errors import UsageError
from onnxtext.spaces.darts import OPERATIONS, Cell, Darts, Genotype, NasNet, parse_genotype

V1 = Darts.example
V2 = (  # as github.com/quark0/darts prints it
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], "
    "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)


@pytest.mark.parametrize(("genotype", "count"), [(V1, 3_169_414), (V2, 3_349_342)], ids=["V1", "V2"])
def test_parameters_are_as_published(genotype: str, count: int):
    """Networks of 20 cells and 36 channels, without the auxiliary head."""
    assert trainable(Darts(cells=20, channels=36).model(genotype)) == count


def test_genotypes_are_read_and_printed():
    assert str(parse_genotype(V2)) == V2
    assert parse_genotype(V2.replace("[2, 3, 4, 5]", "range(2, 6)")) == parse_genotype(V2)
    normal, rest = V2.removeprefix("Genotype(normal=").split(", normal_concat=")
    positional = f"Genotype({normal}, {rest.replace('reduce=', '').replace('reduce_concat=', '')}"
    assert parse_genotype(positional) == parse_genotype(V2)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_makes_a_network_that_checks(operation: str):
    cell = Cell(((operation, 0), (operation, 1), (operation, 1), (operation, 2)), (2, 3))
    model = Darts(cells=3, channels=4, image=16).model(str(Genotype(cell, cell)))
    onnx.checker.check_model(model, full_check=True)


def test_reduction_cells_are_where_they_are_in_the_code_of_darts():
    model = Darts(channels=4).model(V1)
    halved = {n.output[0].split(".")[0] for n in model.graph.node if any(a.name == "strides" for a in n.attribute)}
    assert halved == {
        "cell2",
        "cell3",
        "cell5",
        "cell6",
    }  # reductions at 2 and 5, and what the next reads of before them


def test_a_drawn_cell_of_nasnet_gives_out_what_nothing_reads():
    genotype = parse_genotype(NasNet().draw(Random(1)))
    for cell in (genotype.normal, genotype.reduce):
        assert len(cell.operations) == 10
        assert set(cell.concat) | {source for _, source in cell.operations} >= {2, 3, 4, 5, 6}


def test_a_drawn_cell_of_darts_reads_two_different_values_for_each_sum():
    cell = parse_genotype(Darts().draw(Random(1))).normal
    assert all(a[1] < b[1] for a, b in zip(cell.operations[::2], cell.operations[1::2], strict=True))


SHAPE = (
    "a genotype is written Genotype(normal=[('sep_conv_3x3', 0), …], normal_concat=[2, …], reduce=[…], "
    "reduce_concat=[…])"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sep_conv_3x3", f"sep_conv_3x3: {SHAPE}"),
        ("Genotype(normal=[])", f"Genotype(normal=[]): {SHAPE}"),
        ("Genotype(normal=open('x'))", f"Genotype(normal=open('x')): {SHAPE}"),
        ("(" * 10_000, f"{'(' * 100}: {SHAPE}"),
        (
            V1.replace("('sep_conv_3x3', 1), ", "", 1),
            "normal: a cell is a list of operations, two for each of up to 20 sums",
        ),
        (
            V1.replace("('max_pool_3x3', 0)", "7", 1),
            "reduce: an operation is written ('sep_conv_3x3', 0), not 7",
        ),
        (
            V1.replace("sep_conv_3x3", "sep_conv_3", 1),
            "normal: no operation is named sep_conv_3 (did you mean sep_conv_3x3?)",
        ),
        (V1.replace("('skip_connect', 0)", "('skip_connect', 3)", 1), "normal: operation 2 reads one of 0 to 2, not 3"),
        (
            V1.replace("[2, 3, 4, 5]", "[1]", 1),
            "normal: the output is made of one or more of the sums 2 to 5, not [1]",
        ),
    ],
)
def test_what_is_no_genotype(text: str, message: str):
    with pytest.raises(UsageError) as caught:
        Darts().model(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"cells": 2}, "a third and two thirds through the network are reduction cells: 3 cells, not 2"),
        ({"image": 30}, "the image is halved twice, so its side is a multiple of 4, not 30"),
    ],
)
def test_sizes_that_cannot_be(sizes: dict[str, int], message: str):
    with pytest.raises(UsageError) as caught:
        Darts(**sizes)  # type: ignore[arg-type]  # sizes are numbers
    assert str(caught.value) == message
