"""NAS-Bench-101: cells of up to seven vertices and nine edges, each inner vertex with one of three operations.

A cell is written VERTICES-OPERATIONS-EDGES: an operation (0 is a 3x3 convolution, 1 a 1x1 convolution, 2 a 3x3 maximum)
for each vertex but the first, the input, and the last, the output; and a bit for each pair of vertices, row by row.

>>> cell = parse_cell("4-01-101011")
>>> cell.edges
((0, 1), (0, 3), (1, 3), (2, 3))
>>> str(cell.pruned())
'3-0-111'
>>> cell.pruned().channels(128)
(128, 128, 128)

Vertices that lie on no way from the input to the output are left out.  What flows into the output is concatenated, and
its channels are divided among those vertices, a remainder going to the first of them; what flows into another vertex is
added up.  What comes from the input of a cell goes through a 1x1 convolution.

Source: Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search" (2019); the network is that of
github.com/google-research/nasbench, nasbench/lib/model_builder.py.
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

MOST_VERTICES, MOST_EDGES = 7, 9
OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")

_SPECIFICATION = re.compile(r"([2-7])-([0-2]*)-([01]+)").fullmatch


@dataclass(frozen=True, slots=True)
class Cell:
    """A graph of vertices, each edge from a lower to a higher number; operations are numbers in OPERATIONS."""

    operations: tuple[int, ...]  # of the inner vertices
    edges: tuple[tuple[int, int], ...]

    @property
    def vertices(self) -> int:
        return len(self.operations) + 2

    def __str__(self) -> str:
        pairs = itertools.combinations(range(self.vertices), 2)
        bits = "".join("1" if pair in self.edges else "0" for pair in pairs)
        return f"{self.vertices}-{''.join(map(str, self.operations))}-{bits}"

    def pruned(self) -> Cell:
        """Return the cell without vertices that lie on no way from the input to the output.

        Raises UsageError where there is no such way.
        """
        last = self.vertices - 1
        reached, reaching = {0}, {last}
        for source, target in self.edges:  # sorted, so that all edges into a vertex come before those out of it
            if source in reached:
                reached.add(target)
        for source, target in reversed(self.edges):
            if target in reaching:
                reaching.add(source)
        kept = sorted(reached & reaching)
        if last not in reached:
            raise UsageError(f"{self}: no way leads from the input to the output")
        number = {vertex: place for place, vertex in enumerate(kept)}
        edges = tuple((number[s], number[t]) for s, t in self.edges if s in number and t in number)
        return Cell(tuple(self.operations[vertex - 1] for vertex in kept[1:-1]), edges)

    def channels(self, output: int) -> tuple[int, ...]:
        """Return the channels of each vertex of a pruned cell, given those of its output; the input has them too."""
        last = self.vertices - 1
        leaves = [s for s, t in self.edges if t == last and s > 0]
        found = [output] * self.vertices
        for place, leaf in enumerate(leaves):
            found[leaf] = output // len(leaves) + (place < output % len(leaves))
        for vertex in reversed(range(1, last)):
            if vertex not in leaves:
                found[vertex] = max(found[t] for s, t in self.edges if s == vertex)
        return tuple(found)


def parse_cell(text: str) -> Cell:
    """Return the cell that a specification describes.  Raises UsageError, which says where it is none."""
    match = _SPECIFICATION(text)
    if match is None:
        raise UsageError(
            f"{text}: a cell is written VERTICES-OPERATIONS-EDGES, as in 4-01-101011: 2 to {MOST_VERTICES}, an "
            "operation 0, 1 or 2 for each inner vertex, a bit for each pair of vertices"
        )
    vertices = int(match[1])
    pairs = list(itertools.combinations(range(vertices), 2))
    if len(match[2]) != vertices - 2 or len(match[3]) != len(pairs):
        raise UsageError(
            f"{text}: {vertices} vertices have {vertices - 2} operations and {len(pairs)} bits, "
            f"not {len(match[2])} and {len(match[3])}"
        )
    edges = tuple(pair for pair, bit in zip(pairs, match[3], strict=True) if bit == "1")
    if len(edges) > MOST_EDGES:
        raise UsageError(f"{text}: a cell has at most {MOST_EDGES} edges, not {len(edges)}")
    return Cell(tuple(map(int, match[2])), edges)


@dataclass(frozen=True)
class NasBench101(Space):
    """Cells that are graphs of up to seven vertices and nine edges; three stacks of three of them are a network.

    The list has one specification for each class of isomorphic cells.  A specification may have vertices that lie on
    no way from the input to the output: they are left out.
    """

    name = "nasbench101"
    title = "NAS-Bench-101"
    source = "Ying et al., NAS-Bench-101: Towards Reproducible Neural Architecture Search (2019)"
    size = 423_624
    example = "7-02001-100110100001001010101"
    columns = ("n", "ops", "adj_upper")

    stacks: int = 3
    cells: int = 3  # in a stack
    channels: int = 128  # of the first stack
    classes: int = 10
    image: int = 32  # pixels a side

    def __post_init__(self) -> None:
        require_some(stacks=self.stacks, cells=self.cells, channels=self.channels, classes=self.classes)
        if self.channels < MOST_VERTICES - 2:
            raise UsageError(
                f"channels are divided among up to {MOST_VERTICES - 2} vertices, so {self.channels} are few"
            )
        if self.image < 1 or self.image % 2 ** (self.stacks - 1):
            raise UsageError(
                f"the image is halved between stacks, so its side is a multiple of {2 ** (self.stacks - 1)}, "
                f"not {self.image}"
            )

    def from_columns(self, *values: str) -> str:
        """Return the specification of a row: vertices, operations of the inner ones, the upper triangle as bits."""
        return "-".join(values)

    def specifications(self) -> Iterator[str]:
        from onnxtext.spaces.nasbench101_cells import distinct_cells

        for vertices in range(2, MOST_VERTICES + 1):
            for operations, bits in distinct_cells(vertices, MOST_EDGES):
                yield f"{vertices}-{operations}-{bits}"

    def model(self, specification: str) -> onnx.ModelProto:
        cell = parse_cell(specification).pruned()
        b = self.builder()
        x = b.input("image", (1, 3, self.image, self.image))
        x = _conv(b, "stem", x, self.channels, 3)
        for stack in range(self.stacks):
            if stack:
                x = b.max_pool(f"stack{stack}.pool", x, 2, stride=2, padding=0)
            for number in range(self.cells):
                x = _cell(b, f"stack{stack}.cell{number}", cell, x, self.channels << stack)
        return b.finish(b.linear("scores", b.average("features", x), self.classes))


def _cell(b: Builder, name: str, cell: Cell, x: Value, output: int) -> Value:
    """Add a cell, and return its output."""
    last = cell.vertices - 1
    channels = cell.channels(output)
    values = [x]
    for vertex in range(1, last):
        place = f"{name}.vertex{vertex}"
        sources = [s for s, t in cell.edges if t == vertex]
        terms = [_truncated(b, f"{place}.from{s}", values[s], channels[vertex]) for s in sources if s > 0]
        if 0 in sources:
            terms.append(_conv(b, f"{place}.projection", x, channels[vertex], 1))
        total = b.add(f"{place}.sum", terms)
        operation = cell.operations[vertex - 1]
        if operation == 2:
            values.append(b.max_pool(f"{place}.pool", total, 3))
        else:
            values.append(_conv(b, place, total, channels[vertex], 1 if operation else 3))
    sources = [s for s, t in cell.edges if t == last]
    terms = [b.concat(f"{name}.concat", [values[s] for s in sources if s > 0])] if sources != [0] else []
    if 0 in sources:
        terms.append(_conv(b, f"{name}.projection", x, output, 1))
    return b.add(f"{name}.sum", terms)


def _conv(b: Builder, name: str, x: Value, channels: int, size: int) -> Value:
    return b.relu(f"{name}.relu", b.conv_norm(name, x, channels, size))


def _truncated(b: Builder, name: str, x: Value, channels: int) -> Value:
    """Return the first channels of a value that may have one more, which comes of dividing them unevenly."""
    return x if x.channels == channels else b.part(name, x, (1,), (0,), (channels,))
