"""Which vertex of one graph is which of another, whatever they are called and however they are ordered.

>>> import onnx
>>> from onnxtext.core.blobs import Blobs
>>> from onnxtext.tools.wiring import read_wiring
>>> one, other = (
...     read_wiring(onnx.parser.parse_graph(f"g (float[2] x) => (float[2] y) {{ {nodes} }}"), Blobs())
...     for nodes in ("h = Neg(x) y = Abs(h)", "k = Neg(x) m = Relu(k) y = Abs(m)"))
>>> [(one.vertices[a].operator, other.vertices[b].operator) for a, b in match(one, other, {0: 0}, {0: 0}).items()]
[('input', 'input'), ('Neg', 'Neg'), ('Abs', 'Abs')]

How: two vertices are the same that compute the same, and for the same use; then those that do one of both.  From
these the match goes on along edges, to what has the same operator and attributes, then to what has the same operator,
and at last to what only stands at the same place.  What is left between is aligned in its order, as lines of a text.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from onnxtext.core.line_diff import matching_blocks
from onnxtext.tools.wiring import Vertex, Wiring

_MOST_COMPARED = 50  # vertices that are alike, of which the best is looked for
_MOST_EDITS = 600  # of what is left to align, up to which the alignment is the best there is
_RADII = (3, 2, 1)  # of the surroundings by which vertices between two changes are known


def match(
    a: Wiring, b: Wiring, inputs: Mapping[int, int], outputs: Mapping[int, int], *, use_first: bool = False
) -> dict[int, int]:
    """Return the vertices of `a` with those of `b`.  `inputs` and `outputs` say which ports are the same, by place.

    What computes the same comes before what is used in the same way; with `use_first` it comes behind.
    """
    return _Matcher(a, b, inputs, outputs).match(use_first)


class _Side:
    """One of the two graphs, with who uses each vertex."""

    def __init__(self, wiring: Wiring, ports: Mapping[int, int]) -> None:
        self.vertices = wiring.vertices
        self.users: list[list[tuple[str, int, int]]] = [[] for _ in wiring.vertices]  # slot, result, user
        for vertex in wiring.vertices:
            for read in vertex.reads:
                if read.value is not None:
                    self.users[read.value[0]].append((read.slot, read.value[1], vertex.number))
        for place, port in enumerate(wiring.outputs):
            if port.read.value is not None and place in ports:
                self.users[port.read.value[0]].append(("output", port.read.value[1], ~ports[place]))


class _Matcher:
    def __init__(self, a: Wiring, b: Wiring, inputs: Mapping[int, int], outputs: Mapping[int, int]) -> None:
        self.known: dict[Hashable, int] = {}  # structures, by number: equal numbers are equal structures
        self.a, self.b = _Side(a, {k: k for k in outputs}), _Side(b, {v: k for k, v in outputs.items()})
        self.pairs: dict[int, int] = {}
        self.taken: dict[int, int] = {}  # the same from the other side
        self.ports = dict(inputs)
        number_a = {p.read.value[0]: k for k, p in enumerate(a.inputs) if p.read.value}
        number_b = {p.read.value[0]: k for k, p in enumerate(b.inputs) if p.read.value}
        back = {v: k for k, v in inputs.items()}
        self.input_a = {v: k for v, k in number_a.items() if k in inputs}
        self.input_b = {v: back[k] for v, k in number_b.items() if k in back}

    def intern(self, key: Hashable) -> int:
        return self.known.setdefault(key, len(self.known))

    def match(self, use_first: bool) -> dict[int, int]:
        place_b = {k: v for v, k in self.input_b.items()}
        for vertex, place in self.input_a.items():
            self.pair(vertex, place_b[place])
        heads = [[self.intern(_head(v)) for v in side.vertices] for side in (self.a, self.b)]
        self.heads_a, self.heads_b = heads
        exact = [self.forward(side, h, ports, True) for side, h, ports in self.sides(heads)]
        loose = [self.forward(side, h, ports, False) for side, h, ports in self.sides(heads)]
        after = [self.backward(side, h) for side, h, _ in self.sides(heads)]
        both = [list(zip(f, b, strict=True)) for f, b in zip(exact, after, strict=True)]
        shape = [list(zip(f, b, strict=True)) for f, b in zip(loose, after, strict=True)]
        for keys in (both, shape, after, exact, loose) if use_first else (both, shape, exact, after, loose):
            self.by_class(keys[0], keys[1])
        same_head: Callable[[int, int], bool] = lambda x, y: heads[0][x] == heads[1][y]  # noqa: E731  # two of a kind
        same_operator: Callable[[int, int], bool] = lambda x, y: (  # noqa: E731
            self.a.vertices[x].operator == self.b.vertices[y].operator
        )
        self.spread(same_head)
        for radius in _RADII:
            around = [self.around(side, h, radius) for side, h, _ in self.sides(heads)]
            self.by_class(around[0], around[1], unique=True)
            self.spread(same_head)
        self.spread(same_operator, strict=True)
        self.align(heads[0], heads[1], strict=False)
        self.spread(same_head)
        self.spread(same_operator)
        self.align([v.operator for v in self.a.vertices], [v.operator for v in self.b.vertices], strict=True)
        self.by_place()
        return dict(sorted(self.pairs.items()))

    def sides(self, heads: list[list[int]]) -> list[tuple[_Side, list[int], dict[int, int]]]:
        return [(self.a, heads[0], self.input_a), (self.b, heads[1], self.input_b)]

    def pair(self, x: int, y: int) -> None:
        self.pairs[x] = y
        self.taken[y] = x

    # ---- keys

    def forward(self, side: _Side, heads: list[int], ports: Mapping[int, int], with_data: bool) -> list[int]:
        """Return for each vertex a number for what it computes; with the data of weights, or only their types."""
        found: list[int] = []
        for vertex in side.vertices:
            reads: list[Hashable] = []
            for read in vertex.reads:
                if read.value is not None:
                    reads.append((found[read.value[0]], read.value[1]))
                elif read.weight is not None:
                    reads.append((read.weight.kind, read.weight.digest if with_data else ""))
                else:
                    reads.append(read.name)
            found.append(self.intern((heads[vertex.number], ports.get(vertex.number), tuple(reads))))
        return found

    def backward(self, side: _Side, heads: list[int]) -> list[int]:
        """Return for each vertex a number for what is done with its results."""
        found = [0] * len(side.vertices)
        for number in range(len(side.vertices) - 1, -1, -1):
            uses = sorted([(slot, result, found[u] if u >= 0 else u) for slot, result, u in side.users[number]])
            found[number] = self.intern((heads[number], "used", tuple(uses)))
        return found

    def around(self, side: _Side, heads: list[int], radius: int) -> list[int]:
        """Return for each vertex a number for what is up to `radius` edges away."""
        found = list(heads)
        for _ in range(radius):
            found = [
                self.intern(
                    (
                        found[v.number],
                        tuple((r.slot, found[r.value[0]], r.value[1]) if r.value else r.slot for r in v.reads),
                        tuple(sorted([(s, p, found[u] if u >= 0 else u) for s, p, u in side.users[v.number]])),
                    )
                )
                for v in side.vertices
            ]
        return found

    # ---- steps

    def by_class(self, keys_a: list[Any], keys_b: list[Any], *, unique: bool = False) -> None:
        """Match vertices of equal key; with `unique` only where there is one on either side."""
        classes: dict[Any, list[int]] = defaultdict(list)
        for y, key in enumerate(keys_b):
            if y not in self.taken and self.b.vertices[y].operator != "input":
                classes[key].append(y)
        mine: dict[Any, list[int]] = defaultdict(list)
        for x, key in enumerate(keys_a):
            if x not in self.pairs and key in classes and self.a.vertices[x].operator != "input":
                mine[key].append(x)
        for key, xs in mine.items():
            if len(xs) == len(classes[key]) == 1:
                self.pair(xs[0], classes[key][0])
        if unique:
            return
        for x in sorted(x for xs in mine.values() for x in xs if x not in self.pairs):
            left = [y for y in classes[keys_a[x]] if y not in self.taken][:_MOST_COMPARED]
            if left:
                self.pair(x, max(left, key=lambda y: self.agreement(x, y)))

    def agreement(self, x: int, y: int) -> int:
        """Return how many of what two vertices read, and of who reads them, are known to be the same."""
        count = 0
        for r, s in zip(self.a.vertices[x].reads, self.b.vertices[y].reads, strict=False):
            if r.value is not None and s.value is not None:
                partner = self.pairs.get(r.value[0])
                count += (partner == s.value[0]) - (partner is not None and partner != s.value[0])
        users = {(slot, result, u) for slot, result, u in self.b.users[y]}
        for slot, result, u in self.a.users[x]:
            if u < 0:
                count += (slot, result, u) in users
            elif u in self.pairs:
                count += 1 if (slot, result, self.pairs[u]) in users else -1
        return count

    def spread(self, are_alike: Callable[[int, int], bool], strict: bool = False) -> None:
        """Go on from what is matched, along edges, to what is alike; where `strict`, what has both sides matched."""
        todo = list(self.pairs.items())
        for x, y in todo:
            for r, s in zip(self.a.vertices[x].reads, self.b.vertices[y].reads, strict=False):
                if r.value and s.value and r.slot == s.slot and r.value[1] == s.value[1]:
                    self.try_pair(r.value[0], s.value[0], are_alike, strict, todo)
            free: dict[tuple[str, int], list[int]] = defaultdict(list)
            for slot, result, u in self.b.users[y]:
                if u >= 0 and u not in self.taken:
                    free[slot, result].append(u)
            for slot, result, u in self.a.users[x]:
                for candidate in free.get((slot, result), ())[:_MOST_COMPARED] if u >= 0 else ():
                    if self.try_pair(u, candidate, are_alike, strict, todo):
                        break

    def try_pair(
        self, x: int, y: int, are_alike: Callable[[int, int], bool], strict: bool, todo: list[tuple[int, int]]
    ) -> bool:
        if x in self.pairs or y in self.taken or not are_alike(x, y) or self.a.vertices[x].operator == "input":
            return False
        if strict and not (self.shares_operand(x, y) and self.shares_user(x, y)):
            return False
        self.pair(x, y)
        todo.append((x, y))
        return True

    def shares_operand(self, x: int, y: int) -> bool:
        """Tell whether two vertices read something matched, or weights of one type, at one place; or nothing at all."""
        reads, others = self.a.vertices[x].reads, self.b.vertices[y].reads
        if not any(r.value for r in reads) or not any(s.value for s in others):
            return not any(r.value for r in reads) and not any(s.value for s in others)
        return any(
            r.value and s.value and self.pairs.get(r.value[0]) == s.value[0]
            for r, s in zip(reads, others, strict=False)
        )

    def shares_user(self, x: int, y: int) -> bool:
        """Tell whether something matched reads two vertices at one place, or nothing reads them."""
        users, others = self.a.users[x], set(self.b.users[y])
        if not users or not others:
            return not users and not others
        return any((slot, p, u if u < 0 else self.pairs.get(u, -1 << 30)) in others for slot, p, u in users)

    def align(self, keys_a: list[Any], keys_b: list[Any], *, strict: bool) -> None:
        """Match what is left in the order in which it stands; where `strict`, what has something matched beside it."""
        rows = [[], []]
        for numbers, side, keys, partner in (
            (rows[0], self.a, keys_a, self.pairs),
            (rows[1], self.b, keys_b, self.taken),
        ):
            for v in side.vertices:
                if v.number not in partner:
                    numbers.append((v.number, keys[v.number]))
        if not rows[0] or not rows[1]:
            return
        for i, j in common_items([key for _, key in rows[0]], [key for _, key in rows[1]]):
            x, y = rows[0][i][0], rows[1][j][0]
            if self.a.vertices[x].operator == "input":
                continue
            if not strict or self.shares_operand(x, y) or self.shares_user(x, y):
                self.pair(x, y)

    def by_place(self) -> None:
        """Match what has another operator but reads the same, for the same use."""
        candidates: dict[int, list[int]] = defaultdict(list)  # of `b`, by what they read
        for v in self.b.vertices:
            if v.number not in self.taken and v.operator != "input":
                for read in v.reads:
                    if read.value:
                        candidates[read.value[0]].append(v.number)
        for v in self.a.vertices:
            if v.number in self.pairs or v.operator == "input":
                continue
            partners = [self.pairs[r.value[0]] for r in v.reads if r.value and r.value[0] in self.pairs]
            for y in [y for partner in partners for y in candidates[partner][:_MOST_COMPARED]]:
                if y not in self.taken and self.shares_operand(v.number, y) and self.shares_user(v.number, y):
                    self.pair(v.number, y)
                    break


def _head(vertex: Vertex) -> Hashable:
    return vertex.operator, tuple(sorted(vertex.attributes.items())), len(vertex.results)


def common_items(a: list[Any], b: list[Any]) -> list[tuple[int, int]]:
    """Return the places of a longest common subsequence; of a shorter one where the two differ much.

    Source: Myers, "An O(ND) difference algorithm and its variations" (1986).
    """
    farthest = {1: 0}  # by diagonal
    trace: list[dict[int, int]] = []
    for distance in range(min(len(a) + len(b), _MOST_EDITS) + 1):
        trace.append(dict(farthest))
        for k in range(-distance, distance + 1, 2):
            down = k == -distance or (k != distance and farthest[k - 1] < farthest[k + 1])
            x = farthest[k + 1] if down else farthest[k - 1] + 1
            while x < len(a) and x - k < len(b) and a[x] == b[x - k]:
                x += 1
            farthest[k] = x
            if x >= len(a) and x - k >= len(b):
                return _walk_back(trace, len(a), len(b))
    blocks = matching_blocks(a, b)
    return [(block.a + n, block.b + n) for block in blocks for n in range(block.size)]


def _walk_back(trace: list[dict[int, int]], x: int, y: int) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    for distance in range(len(trace) - 1, -1, -1):
        farthest, k = trace[distance], x - y
        down = k == -distance or (k != distance and farthest[k - 1] < farthest[k + 1])
        before = k + 1 if down else k - 1
        x_before = farthest[before]
        y_before = x_before - before
        while x > max(x_before, 0) and y > max(y_before, 0):
            x, y = x - 1, y - 1
            pairs.append((x, y))
        x, y = x_before, y_before
    return pairs[::-1]
