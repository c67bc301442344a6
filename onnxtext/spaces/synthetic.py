"""Networks like no benchmark's: made up at random, for training on what needs no label.

>>> space = Synthetic()
>>> [node.op_type for node in space.model("7").graph.node if node.op_type != "Parameter"][:4]
['Conv', 'BatchNormalization', 'Relu', 'Relu']
>>> space.model("7") == space.model("7")
True

A specification is the number that the network is drawn with.  A network has a stem, one to four stages of one to five
equal cells, and a linear classifier; between stages the image is halved.  There are four kinds of cells: operations on
the edges of a graph whose nodes are sums; operations on the nodes of a graph, sums or concatenations; a chain with
shortcuts; and a cell that takes the two cells before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import onnx

from onnxtext.core.errors import UsageError
from onnxtext.spaces.base import Space
from onnxtext.spaces.builder import Builder, Value
from onnxtext.spaces.nasbench201 import reduction

OPERATIONS = (
    "none",
    "identity",
    "conv1",
    "conv3",
    "conv5",
    "separable3",
    "separable5",
    "dilated3",
    "grouped3",
    "bottleneck3",
    "expansion3",
    "average3",
    "maximum3",
)
WIDTHS = (8, 12, 16, 24, 32, 48, 64, 96, 128)
MOST = 2**63


@dataclass(frozen=True)
class Synthetic(Space):
    """Random networks of four kinds of cells and a dozen operations, unlike those of any benchmark."""

    name = "synthetic"
    title = "Random networks"
    source = "made up here"
    size = MOST
    example = "7"
    columns = ("specification",)

    classes: int = 10
    image: int = 32  # pixels a side

    def specifications(self) -> Iterator[str]:
        return map(str, range(MOST))

    def draw(self, random: Random) -> str:
        return str(random.randrange(MOST))

    def model(self, specification: str) -> onnx.ModelProto:
        if not specification.isascii() or not specification.isdecimal() or int(specification) >= MOST:
            raise UsageError(f"{specification}: a random network is named by a number below {MOST}")
        return _Drawing(self.builder(), Random(int(specification)), self).network()


class _Drawing:
    """One network in the making: what is drawn once holds for all of its cells."""

    def __init__(self, b: Builder, random: Random, space: Synthetic) -> None:
        self._b, self._random, self._space = b, random, space
        self._names = 0
        kinds = random.sample(OPERATIONS, random.randint(2, 7))
        self._operations = kinds if set(kinds) & {"conv3", "conv5", "separable3", "expansion3"} else [*kinds, "conv3"]
        self._first_active = random.random() < 0.5  # rectifiers in front of convolutions, or behind them
        self._concat = random.random() < 0.4
        self._shortcut = random.random() < 0.3  # around a whole cell

    def network(self) -> onnx.ModelProto:
        b, random = self._b, self._random
        x = b.input("image", (1, 3, self._space.image, self._space.image))
        x = b.conv_norm("stem", x, random.choice(WIDTHS), 3, stride=random.choice((1, 1, 1, 2)))
        if random.random() < 0.5:
            x = b.relu(self._name("relu"), x)
        kind = random.choice((self._edges, self._nodes, self._chain, self._pair))
        plan = kind()
        cells = random.randint(1, 5)
        how = random.randrange(4)
        for stage in range(random.randint(1, 4)):
            before = x
            if stage:
                x = self._reduce(x, 2 * x.channels if x.channels < 512 else x.channels, how)
                before = x
            for _ in range(cells):
                y = self._cell(plan, before, x)
                if self._shortcut and y is not x:
                    y = b.add(self._name("shortcut"), [y, x])
                before, x = x, y
        if random.random() < 0.3:
            x = b.relu(self._name("relu"), b.norm(self._name("norm"), x))
        return b.finish(b.linear("scores", b.average("features", x), self._space.classes))

    def _name(self, what: str) -> str:
        self._names += 1
        return f"{what}{self._names}"

    # ---- plans: for each node, its operands and operations; -2 and -1 are the inputs of the cell

    def _pick(self) -> str:
        return self._random.choice(self._operations)

    def _edges(self) -> tuple:
        count = self._random.randint(2, 4)
        nodes = []
        for target in range(count):
            sources = [s for s in range(-1, target) if self._random.random() < 0.8] or [target - 1]
            nodes.append([(source, self._pick()) for source in sources])
        return "edges", nodes, [count - 1]

    def _nodes(self) -> tuple:
        count = self._random.randint(2, 6)
        nodes, used = [], set()
        for target in range(count):
            most = min(2, target + 1)
            sources = sorted(self._random.sample(range(-1, target), self._random.randint(1, most)))
            used.update(sources)
            nodes.append((sources, self._pick()))
        return "nodes", nodes, [n for n in range(count) if n not in used]

    def _chain(self) -> tuple:
        count = self._random.randint(1, 6)
        return "nodes", [([target - 1], self._pick()) for target in range(count)], [count - 1]

    def _pair(self) -> tuple:
        count = self._random.randint(2, 4)
        nodes = [
            [(source, self._pick()) for source in self._random.sample(range(-2, target), 2)] for target in range(count)
        ]
        return "edges", nodes, list(range(count)) if self._concat else [count - 1]

    # ---- carrying a plan out

    def _cell(self, plan: tuple, before: Value, x: Value) -> Value:
        style, nodes, leaves = plan
        if before.shape != x.shape:
            before = x
        made = {-2: before, -1: x}
        for number, node in enumerate(nodes):
            if style == "edges":
                terms = [self._apply(operation, made[source]) for source, operation in node]
                found = [term for term in terms if term is not None]
                made[number] = self._sum(found) if found else x
            else:
                sources, operation = node
                made[number] = self._apply(operation, self._sum([made[source] for source in sources])) or x
        results = [made[leaf] for leaf in leaves]
        if len(results) > 1 and self._concat:
            joined = self._b.concat(self._name("concat"), results)
            return self._conv(joined, x.channels, 1)
        return self._sum(results)

    def _sum(self, terms: list[Value]) -> Value:
        return terms[0] if len(terms) == 1 else self._b.add(self._name("sum"), terms)

    def _conv(self, x: Value, channels: int, size: int, *, groups: int = 1, dilation: int = 1) -> Value:
        """Add a convolution with normalization and rectifier, in the order that the network has."""
        b = self._b
        if self._first_active:
            x = b.relu(self._name("relu"), x)
        x = b.conv(self._name("conv"), x, channels, size, groups=groups, dilation=dilation)
        x = b.norm(self._name("norm"), x)
        return x if self._first_active else b.relu(self._name("relu"), x)

    def _apply(self, operation: str, x: Value) -> Value | None:
        """Add an operation, and return its result; None where nothing comes through."""
        b, width, size = self._b, x.channels, int(operation[-1]) if operation[-1].isdecimal() else 0
        if operation == "none":
            return None
        if operation == "identity":
            return x
        if operation.startswith("average"):
            return b.avg_pool(self._name("average"), x, size)
        if operation.startswith("maximum"):
            return b.max_pool(self._name("maximum"), x, size)
        if operation.startswith("separable"):
            y = b.conv(self._name("depthwise"), b.relu(self._name("relu"), x), width, size, groups=width)
            return b.norm(self._name("norm"), b.conv(self._name("pointwise"), y, width, 1))
        if operation == "dilated3":
            return self._conv(x, width, 3, dilation=2)
        if operation == "grouped3":
            return self._conv(x, width, 3, groups=4)
        if operation == "bottleneck3":
            inner = self._conv(self._conv(x, max(width // 4, 4), 1), max(width // 4, 4), 3)
            return self._conv(inner, width, 1)
        if operation == "expansion3":
            inner = b.relu(self._name("relu"), b.conv_norm(self._name("expand"), x, 4 * width, 1))
            inner = b.conv_norm(self._name("depthwise"), inner, 4 * width, 3, groups=4 * width)
            return b.conv_norm(self._name("project"), b.relu(self._name("relu"), inner), width, 1)
        return self._conv(x, width, size)

    def _reduce(self, x: Value, channels: int, how: int) -> Value:
        b = self._b
        if how == 0:
            return reduction(b, self._name("reduction"), x, channels)
        if how == 1:
            return self._conv(b.max_pool(self._name("halve"), x, 2, stride=2, padding=0), channels, 1)
        if how == 2:
            return b.conv_norm(self._name("halve"), x, channels, 3, stride=2)
        return b.max_pool(self._name("halve"), self._conv(x, channels, 3), 2, stride=2, padding=0)
