"""NAS-Bench-Macro: networks with the published parameters and multiplications."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from published import rows, trainable

from onnxtext.core.blobs import Blobs
from onnxtext.core.errors import UsageError
from onnxtext.spaces.nasbench_macro import NasBenchMacro
from onnxtext_passes.statistics import collect

SPACE = NasBenchMacro()


def test_all_networks_are_listed():
    found = list(SPACE.specifications())
    assert len(set(found)) == len(found) == SPACE.size == 6_561
    assert found[:2] + found[-1:] == ["00000000", "00000001", "22222222"]


@pytest.mark.parametrize(
    ("specification", "parameters", "multiplications"),
    [("00000000", 387_882, 7_713_280), ("00000001", 791_594, 14_115_328), ("00000002", 1_219_370, 20_910_592)],
)
def test_parameters_and_multiplications_are_as_published(specification: str, parameters: int, multiplications: int):
    model = SPACE.model(specification)
    onnx.checker.check_model(model, full_check=True)
    assert (trainable(model), collect(model, Blobs()).macs) == (parameters, multiplications)


def test_a_residual_is_where_the_shape_stays():
    sums = [sum(n.op_type == "Add" for n in SPACE.model(s).graph.node) for s in ("11111111", "10100100", "00000000")]
    assert sums == [5, 0, 0]


@pytest.mark.parametrize("text", ["0000000", "00000003", "000000001"])
def test_what_is_no_architecture(text: str):
    with pytest.raises(UsageError) as caught:
        SPACE.model(text)
    assert str(caught.value) == f"{text}: an architecture is eight digits, each 0, 1 or 2"


def test_a_side_that_cannot_be_halved_is_refused():
    with pytest.raises(UsageError) as caught:
        NasBenchMacro(image=30)
    assert str(caught.value) == "the image is halved three times, so its side is a multiple of 8, not 30"


@pytest.mark.acceptance
def test_all_networks_are_as_published(shared_folder: Path):
    count = 0
    for row in rows(shared_folder / "nas" / "nasbench_macro.csv.gz"):
        model = SPACE.model(SPACE.from_row(row))
        found = trainable(model), collect(model, Blobs()).macs
        assert found == (int(row["params"]), int(row["flops"])), row["arch"]
        count += 1
    assert count == SPACE.size
