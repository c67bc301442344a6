"""DARTS, which is also NAS-Bench-301, and NASNet: a normal and a reduction cell, each a list of operations.

A genotype gives the operations of a cell in pairs: the two results of a pair are added up.  An operation comes with the
number of what it reads: 0 and 1 are the outputs of the two cells before, 2 the first sum, 3 the second, and so on.  The
sums in `concat` are the output of the cell, their channels one behind the other.

>>> genotype = parse_genotype(Darts.example)
>>> genotype.normal.operations[:2], genotype.reduce.concat
((('sep_conv_3x3', 1), ('sep_conv_3x3', 0)), (2, 3, 4, 5))
>>> str(genotype) == Darts.example
True

Cells a third and two thirds through the network are reduction cells: they double the channels, and halve what they read
of the cells before.

Sources: Liu et al., "DARTS: Differentiable Architecture Search" (2019), and its code, github.com/quark0/darts, cnn;
Zela et al., "Surrogate NAS Benchmarks" (2022), where the networks have 8 cells and 32 channels; Zoph et al., "Learning
Transferable Architectures for Scalable Image Recognition" (2018).
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar

import onnx

from onnxtext.core.errors import UsageError, nearest
from onnxtext.spaces.base import Space, require_some
from onnxtext.spaces.builder import Builder, Value

DARTS_OPERATIONS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
NASNET_OPERATIONS = (
    "skip_connect",
    "conv_3x1_1x3",
    "conv_7x1_1x7",
    "dil_conv_3x3",
    "avg_pool_3x3",
    "max_pool_3x3",
    "max_pool_5x5",
    "max_pool_7x7",
    "conv_1x1",
    "conv_3x3",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "sep_conv_7x7",
)
OPERATIONS = tuple(dict.fromkeys(DARTS_OPERATIONS + NASNET_OPERATIONS))
MOST_SUMS = 20  # in a cell

_FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")
_RANGE = re.compile(r"range\((\d{1,3}), ?(\d{1,3})\)").fullmatch


@dataclass(frozen=True, slots=True)
class Cell:
    """The operations of a cell, each with the number of what it reads, and the sums that are its output."""

    operations: tuple[tuple[str, int], ...]
    concat: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Genotype:
    """A normal and a reduction cell."""

    normal: Cell
    reduce: Cell

    def __str__(self) -> str:
        """Return the genotype as DARTS prints it."""
        cells = [("normal", self.normal), ("reduce", self.reduce)]
        parts = [f"{name}={list(cell.operations)}, {name}_concat={list(cell.concat)}" for name, cell in cells]
        return f"Genotype({', '.join(parts)})"


def parse_genotype(text: str) -> Genotype:
    """Return the genotype that a text describes; nothing of it is executed.  Raises UsageError, which says why not."""
    try:
        call = ast.parse(text.strip(), mode="eval").body
        assert isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Genotype"
        given = {keyword.arg: _literal(keyword.value) for keyword in call.keywords}
        given |= dict(zip(_FIELDS, map(_literal, call.args), strict=False))
        assert set(given) == set(_FIELDS)
    except (AssertionError, SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise UsageError(
            f"{text[:100]}: a genotype is written Genotype(normal=[('sep_conv_3x3', 0), …], normal_concat=[2, …], "
            "reduce=[…], reduce_concat=[…])"
        ) from error
    return Genotype(*(_cell(name, given[name], given[f"{name}_concat"]) for name in ("normal", "reduce")))


def _literal(node: ast.expr) -> object:
    """Return the value of a literal, or the numbers of `range(2, 6)`."""
    match = _RANGE(ast.unparse(node))
    return list(range(int(match[1]), int(match[2]))) if match else ast.literal_eval(node)


def _cell(name: str, pairs: object, concat: object) -> Cell:
    """Return a cell.  Raises UsageError for what is none."""
    if not isinstance(pairs, Sequence) or not 0 < len(pairs) <= 2 * MOST_SUMS or len(pairs) % 2:
        raise UsageError(f"{name}: a cell is a list of operations, two for each of up to {MOST_SUMS} sums")
    operations: list[tuple[str, int]] = []
    for place, pair in enumerate(pairs):
        before = 2 + place // 2  # values that there are
        match pair:
            case (str(operation), int(source)):
                operations.append((operation, source))
            case _:
                raise UsageError(f"{name}: an operation is written ('sep_conv_3x3', 0), not {str(pair)[:100]}")
        if operation not in OPERATIONS:
            raise UsageError(f"{name}: no operation is named {operation[:100]}{nearest(operation, OPERATIONS)}")
        if not 0 <= source < before:
            raise UsageError(f"{name}: operation {place} reads one of 0 to {before - 1}, not {source}")
    last = len(pairs) // 2 + 1
    match concat:
        case [*numbers] if numbers and all(isinstance(n, int) and 2 <= n <= last for n in numbers):
            return Cell(tuple(operations), tuple(numbers))
    raise UsageError(f"{name}: the output is made of one or more of the sums 2 to {last}, not {str(concat)[:100]}")


@dataclass(frozen=True)
class Cells(Space):
    """What the networks of DARTS and NASNet share: they are normal cells with two reduction cells among them."""

    operations: ClassVar[tuple[str, ...]]

    cells: int = 8
    channels: int = 32  # of the first cells, for each sum
    classes: int = 10
    image: int = 32  # pixels a side

    def __post_init__(self) -> None:
        require_some(channels=self.channels, classes=self.classes)
        if self.cells < 3:
            raise UsageError(
                f"a third and two thirds through the network are reduction cells: 3 cells, not {self.cells}"
            )
        if self.image < 4 or self.image % 4:
            raise UsageError(f"the image is halved twice, so its side is a multiple of 4, not {self.image}")

    def model(self, specification: str) -> onnx.ModelProto:
        genotype = parse_genotype(specification)
        b = self.builder()
        image = b.input("image", (1, 3, self.image, self.image))
        before = x = b.conv_norm("stem", image, 3 * self.channels, 3)
        channels = self.channels
        for number in range(self.cells):
            is_reduction = number in (self.cells // 3, 2 * self.cells // 3)
            channels *= 2 if is_reduction else 1
            kind = genotype.reduce if is_reduction else genotype.normal
            before, x = x, _network_cell(b, f"cell{number}", kind, before, x, channels, is_reduction)
        return b.finish(b.linear("scores", b.average("features", x), self.classes))


@dataclass(frozen=True)
class Darts(Cells):
    """Genotypes of DARTS: a normal and a reduction cell of four sums of two operations each.

    The defaults are those of NAS-Bench-301; DARTS itself trains networks of 20 cells and 36 channels.
    """

    name = "darts"
    title = "DARTS, NAS-Bench-301"
    source = (
        "Liu et al., DARTS: Differentiable Architecture Search (2019); Zela et al., Surrogate NAS Benchmarks (2022)"
    )
    size = math.prod(math.comb(before, 2) * len(DARTS_OPERATIONS) ** 2 for before in (2, 3, 4, 5)) ** 2
    example = (
        "Genotype(normal=[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 0), ('sep_conv_3x3', 1), "
        "('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 2)], "
        "normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), "
        "('max_pool_3x3', 0), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('avg_pool_3x3', 0)], "
        "reduce_concat=[2, 3, 4, 5])"
    )
    columns = ("genotype",)
    operations = DARTS_OPERATIONS

    def draw(self, random: Random) -> str:
        """Return a genotype whose sums have two different terms, each as likely as any other."""
        return str(Genotype(*(self._draw_cell(random) for _ in range(2))))

    def _draw_cell(self, random: Random) -> Cell:
        found = []
        for before in (2, 3, 4, 5):
            for source in sorted(random.sample(range(before), 2)):
                found.append((random.choice(self.operations), source))
        return Cell(tuple(found), (2, 3, 4, 5))


@dataclass(frozen=True)
class NasNet(Cells):
    """Cells of NASNet's kind: five sums of two of thirteen operations, the output made of all that no operation reads.

    They stand in a network of DARTS's kind.
    """

    name = "nasnet"
    title = "NASNet"
    source = "Zoph et al., Learning Transferable Architectures for Scalable Image Recognition (2018)"
    size = math.prod((before * len(NASNET_OPERATIONS)) ** 2 for before in (2, 3, 4, 5, 6)) ** 2
    example = (
        "Genotype(normal=[('sep_conv_5x5', 1), ('sep_conv_3x3', 0), ('sep_conv_5x5', 0), ('sep_conv_3x3', 0), "
        "('avg_pool_3x3', 1), ('skip_connect', 0), ('avg_pool_3x3', 0), ('avg_pool_3x3', 0), ('sep_conv_3x3', 1), "
        "('skip_connect', 1)], normal_concat=[2, 3, 4, 5, 6], reduce=[('sep_conv_5x5', 1), ('sep_conv_7x7', 0), "
        "('max_pool_3x3', 1), ('sep_conv_7x7', 0), ('avg_pool_3x3', 1), ('sep_conv_5x5', 0), ('skip_connect', 3), "
        "('avg_pool_3x3', 2), ('sep_conv_3x3', 2), ('max_pool_3x3', 1)], reduce_concat=[4, 5, 6])"
    )
    columns = ("genotype",)
    operations = NASNET_OPERATIONS

    def draw(self, random: Random) -> str:
        """Return a genotype, each as likely as any other."""
        return str(Genotype(*(self._draw_cell(random) for _ in range(2))))

    def _draw_cell(self, random: Random) -> Cell:
        pairs = [(random.choice(self.operations), random.randrange(before)) for before in (2, 3, 4, 5, 6) for _ in "ab"]
        read = {source for _, source in pairs}
        return Cell(tuple(pairs), tuple(number for number in range(2, 7) if number not in read))


def _network_cell(
    b: Builder, name: str, cell: Cell, before: Value, x: Value, channels: int, is_reduction: bool
) -> Value:
    """Add a cell that reads the outputs of two cells before it, and return its output."""
    if before.shape[2:] != x.shape[2:]:  # the cell between them was a reduction cell
        before = _factorized_reduction(b, f"{name}.before", before, channels)
    else:
        before = b.conv_norm(f"{name}.before", b.relu(f"{name}.before.relu", before), channels, 1)
    values = [before, b.conv_norm(f"{name}.input", b.relu(f"{name}.input.relu", x), channels, 1)]
    terms: list[Value] = []
    for place, (operation, source) in enumerate(cell.operations):
        stride = 2 if is_reduction and source < 2 else 1
        terms.append(_operation(b, f"{name}.operation{place}", operation, values[source], stride))
        if place % 2:
            values.append(b.add(f"{name}.sum{place // 2 + 2}", terms))
            terms = []
    return b.concat(f"{name}.output", [values[number] for number in cell.concat])


def _operation(b: Builder, name: str, operation: str, x: Value, stride: int) -> Value:
    if operation == "skip_connect":
        return x if stride == 1 else _factorized_reduction(b, name, x, x.channels)
    kind, size = operation.rsplit("_", 1)
    length = int(size.split("x")[-1])
    if kind == "max_pool":
        return b.max_pool(name, x, length, stride=stride)
    if kind == "avg_pool":
        return b.avg_pool(name, x, length, stride=stride)
    x = b.relu(f"{name}.relu", x)
    if kind == "dil_conv":
        return _separable(b, name, x, length, stride, dilation=2)
    if kind == "sep_conv":
        y = b.relu(f"{name}.b.relu", _separable(b, f"{name}.a", x, length, stride))
        return _separable(b, f"{name}.b", y, length, 1)
    if kind == "conv":
        return b.conv_norm(name, x, x.channels, length, stride=stride)
    y = b.conv(f"{name}.row", x, x.channels, (1, length), stride=(1, stride))  # conv_3x1_1x3 and conv_7x1_1x7
    y = b.conv(f"{name}.column", y, x.channels, (length, 1), stride=(stride, 1))
    return b.norm(f"{name}.norm", y)


def _separable(b: Builder, name: str, x: Value, size: int, stride: int, dilation: int = 1) -> Value:
    """Add a convolution of each channel alone, one of 1x1 across the channels, and a normalization."""
    y = b.conv(f"{name}.depth", x, x.channels, size, stride=stride, dilation=dilation, groups=x.channels)
    return b.norm(f"{name}.norm", b.conv(f"{name}.point", y, x.channels, 1))


def _factorized_reduction(b: Builder, name: str, x: Value, channels: int) -> Value:
    """Add two 1x1 convolutions of half the channels and every other pixel, the second one moved by a pixel."""
    x = b.relu(f"{name}.relu", x)
    side = x.shape[2]
    moved = b.part(f"{name}.moved", x, (2, 3), (1, 1), (side, side))
    halves = [b.conv(f"{name}.{half}", y, channels // 2, 1, stride=2) for half, y in (("a", x), ("b", moved))]
    return b.norm(f"{name}.norm", b.concat(f"{name}.concat", halves))
