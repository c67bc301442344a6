"""TransNAS-Bench-101: both spaces listed, networks that check, blocks as published."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
import pytest
from published import rows, trainable

from onnxtext.core.errors import UsageError
from onnxtext.spaces.transnas import TransNasMacro, TransNasMicro

MACRO, MICRO = TransNasMacro(), TransNasMicro()


def test_all_networks_are_listed():
    macro, micro = (set(space.specifications()) for space in (MACRO, MICRO))
    assert (len(macro), len(micro)) == (MACRO.size, MICRO.size) == (3_256, 4_096)
    assert Counter(len(s.split("-")[1]) for s in macro) == {4: 210, 5: 750, 6: 2_296}


@pytest.mark.acceptance
def test_all_networks_are_those_of_the_benchmark(shared_folder: Path):
    published = {row["arch_str"] for row in rows(shared_folder / "nas" / "transnas101.csv.gz")}
    assert published == {*MACRO.specifications(), *MICRO.specifications()}


@pytest.mark.parametrize("specification", ["64-4231-basic", "64-121344-basic"])
def test_networks_of_the_macro_space_check(specification: str):
    onnx.checker.check_model(MACRO.model(specification), full_check=True)


def conv(before: int, after: int, size: int = 3) -> int:
    """Return the parameters of a convolution with its normalization."""
    return size * size * before * after + 2 * after


def test_parameters_of_a_macro_network():
    stem = conv(3, 32) + conv(32, 64)
    pair = 4 * conv(64, 64)
    doubled = conv(64, 128) + 3 * conv(128, 128) + conv(64, 128, 1)
    halved = 4 * conv(128, 128) + conv(128, 128, 1)
    model = MACRO.model("64-1231-basic")
    assert trainable(model) == stem + pair + doubled + halved + 4 * conv(128, 128) + 128 * 47 + 47


def test_parameters_of_a_micro_network():
    """An identity where the shape changes is two halves of a 1x1 convolution, and a normalization."""
    stem = conv(3, 32) + conv(32, 64)
    changes = conv(64, 128, 1) + conv(128, 256, 1) + conv(256, 512, 1)  # of the layers 4, 4 and 4
    model = MICRO.model("64-41414-0_00_100")
    assert trainable(model) == stem + changes + 512 * 47 + 47


@pytest.mark.parametrize("space", [MICRO, TransNasMicro(none="published")], ids=str)
@pytest.mark.parametrize("specification", ["64-41414-0_00_000", "64-41414-3_13_102", "64-41414-1_10_231"])
def test_networks_of_the_micro_space_check(space: TransNasMicro, specification: str):
    onnx.checker.check_model(space.model(specification), full_check=True)


def test_none_as_published():
    nodes = Counter(n.op_type for n in TransNasMicro(none="published").model("64-41414-0_00_000").graph.node)
    # Of ten cells three change the shape, where the three edges from the input are tensors of zeros.
    assert (nodes["Mul"], nodes["ConstantOfShape"]) == (7 * 6 + 3 * 3, 3 * 3)


@pytest.mark.parametrize(
    ("space", "text", "message"),
    [
        (MACRO, "64-123-basic", "an architecture is written 64-LAYERS-basic, with 4 to 6 digits 1 to 4"),
        (
            MACRO,
            "64-1111-basic",
            "one to four layers are 3 or 4 (halve the image), and one to three are 2 or 4 (double the channels)",
        ),
        (MICRO, "64-41414-4_00_000", "an architecture is written 64-41414-A_BC_DEF, with digits 0 to 3"),
    ],
)
def test_what_is_no_architecture(space: TransNasMacro | TransNasMicro, text: str, message: str):
    with pytest.raises(UsageError) as caught:
        space.model(text)
    assert str(caught.value) == f"{text}: {message}"


def test_a_side_that_cannot_be_halved_is_refused():
    with pytest.raises(UsageError) as caught:
        TransNasMacro(image=100)
    assert str(caught.value) == "the image is halved up to six times, so its side is a multiple of 64, not 100"
