"""The size space of NATS-Bench: networks that check, with the parameters that their blocks have."""

from __future__ import annotations

import onnx
import pytest
from published import trainable

from onnxtext.core.errors import UsageError
from onnxtext.spaces.nasbench201 import NasBench201
from onnxtext.spaces.nats_size import CELL, NatsSize
from onnxtext_passes.structural_hash import structural_hash

SPACE = NatsSize()


def test_all_networks_are_listed():
    found = list(SPACE.specifications())
    assert len(set(found)) == len(found) == SPACE.size == 32_768
    assert found[1] == "8:8:8:8:16"


def conv(before: int, after: int, size: int = 3) -> int:
    """Return the parameters of a convolution with its normalization."""
    return size * size * before * after + 2 * after


@pytest.mark.parametrize("channels", [(8, 8, 8, 8, 8), (64, 48, 32, 24, 8), (8, 64, 16, 64, 24)])
def test_parameters_are_those_of_the_blocks(channels: tuple[int, ...]):
    total, before = conv(3, channels[0]), channels[0]
    for number, width in enumerate(channels):
        if number % 2:
            total += conv(before, width) + conv(width, width) + before * width
        else:
            total += 2 * conv(before, width) + 3 * conv(width, width)
            total += conv(before, width, 1) if before != width else 0
        before = width
    model = SPACE.model(":".join(map(str, channels)))
    onnx.checker.check_model(model, full_check=True)
    assert trainable(model) == total + 2 * before + 10 * before + 10


def test_with_doubled_channels_and_no_cell_between_it_is_a_network_of_nasbench201():
    """Where no cell changes the channels, a network is that of NAS-Bench-201 with one cell in a stage."""
    model = SPACE.model("16:32:32:64:64")
    flat = NasBench201(cells=1).model(CELL)
    assert structural_hash(model) == structural_hash(flat)


@pytest.mark.parametrize("text", ["8:8:8:8", "8:8:8:8:12", "8:8:8:8:x", "8:8:8:8:08"])
def test_what_is_no_architecture(text: str):
    with pytest.raises(UsageError) as caught:
        SPACE.model(text)
    assert str(caught.value) == (f"{text}: an architecture is five numbers of channels, 8, 16, … 64, as 8:16:24:32:40")


def test_a_side_that_cannot_be_halved_is_refused():
    with pytest.raises(UsageError) as caught:
        NatsSize(image=30)
    assert str(caught.value) == "the image is halved twice, so its side is a multiple of 4, not 30"
