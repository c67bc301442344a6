"""NAS-Bench-Macro: eight layers in a row, each the identity or one of two MobileNetV2 blocks.

>>> model = NasBenchMacro().model("00000001")
>>> [node.op_type for node in model.graph.node if node.op_type != "Parameter"][-12:-6]
['Conv', 'BatchNormalization', 'Relu', 'Conv', 'BatchNormalization', 'Add']

Source: Su et al., "Prioritized Architecture Sampling with Monto-Carlo Tree Search" (2021); the network is that of
github.com/xiusu/NAS-Bench-Macro, train/model.py.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

import onnx

from onnxtext.core.errors import UsageError
from onnxtext.spaces.base import Space, require_some
from onnxtext.spaces.builder import Builder, Value

LAYERS = (2, 3, 3)  # in each stage
BLOCKS = {"1": (3, 3), "2": (6, 5)}  # digit -> expansion and kernel of its block; 0 is the identity
FEATURES = 1280

_SPECIFICATION = re.compile(r"[012]{8}").fullmatch


@dataclass(frozen=True)
class NasBenchMacro(Space):
    """Eight layers in three stages, each layer a digit: 0 identity, 1 or 2 an inverted residual block.

    Block 1 has the expansion 3 and the kernel 3, block 2 has 6 and 5.  The first layer of a stage halves the image and
    doubles the channels; there the identity is a 1x1 convolution.
    """

    name = "nasbench-macro"
    title = "NAS-Bench-Macro"
    source = "Su et al., Prioritized Architecture Sampling with Monto-Carlo Tree Search (2021)"
    size = 3**8
    example = "10211220"
    columns = ("arch",)

    channels: int = 32  # of the stem
    classes: int = 10
    image: int = 32  # pixels a side

    def __post_init__(self) -> None:
        require_some(channels=self.channels, classes=self.classes)
        if self.image < 8 or self.image % 8:
            raise UsageError(f"the image is halved three times, so its side is a multiple of 8, not {self.image}")

    def specifications(self) -> Iterator[str]:
        return map("".join, itertools.product("012", repeat=sum(LAYERS)))

    def model(self, specification: str) -> onnx.ModelProto:
        if not _SPECIFICATION(specification):
            raise UsageError(f"{specification}: an architecture is eight digits, each 0, 1 or 2")
        digits = iter(specification)
        b = self.builder()
        x = b.input("image", (1, 3, self.image, self.image))
        x = b.relu("stem.relu", b.conv_norm("stem", x, self.channels, 3))
        for stage, layers in enumerate(LAYERS):
            for layer in range(layers):
                name = f"stage{stage}.layer{layer}"
                channels, stride = (x.channels, 1) if layer else (2 * x.channels, 2)
                x = _layer(b, name, next(digits), x, channels, stride)
        x = b.relu("head.relu", b.conv_norm("head", x, FEATURES, 1))
        return b.finish(b.linear("scores", b.average("head.features", x), self.classes))


def _layer(b: Builder, name: str, digit: str, x: Value, channels: int, stride: int) -> Value:
    is_alike = stride == 1 and channels == x.channels
    if digit == "0":
        return x if is_alike else b.conv_norm(name, x, channels, 1, stride=stride)
    expansion, size = BLOCKS[digit]
    inner = expansion * x.channels
    y = b.relu(f"{name}.a.relu", b.conv_norm(f"{name}.a", x, inner, 1))
    y = b.relu(f"{name}.b.relu", b.conv_norm(f"{name}.b", y, inner, size, stride=stride, groups=inner))
    y = b.conv_norm(f"{name}.c", y, channels, 1)
    return b.add(f"{name}.sum", [y, x]) if is_alike else y
