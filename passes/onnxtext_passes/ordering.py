"""One order for all isomorphic DAGs, whatever their vertices are numbered like.

A vertex has a label and children.  The children of a vertex are told apart by their places, but for those from a given
place on, which are a bag: `start` says where it begins.  Two DAGs are isomorphic where a renumbering takes one to the
other, with labels, places and bags; `sort` then gives orders that take each to the same thing.

>>> names = ["weight", "weight", "conv a", "conv b", "add"]
>>> dag = Dag([[], [], [0], [1], [2, 3]], {4: 0}, lambda v: (names[v][:4].encode(),))
>>> [names[v] for v in sort(dag)]
['weight', 'conv a', 'weight', 'conv b', 'add']

How: from the root along places, every vertex is found by a path, and that is an order; only bags leave a choice.

1. Ranks from the leaves up compare a vertex by its label, how often it is used, and the ranks of its children.  They
   put bags in order up to children of equal rank.
2. Children of equal rank that can change places, with all that only they use, are *twins*: either order gives the same.
3. Where others remain, colours are refined from above and below until they are stable, what is still alike falls apart
   into components, and a component in which all is alike is searched: each candidate in turn is made special, the
   least result wins, and candidates that an automorphism takes to one that was tried are passed over.

Source: McKay and Piperno, "Practical graph isomorphism, II" (2014), for step 3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain, pairwise

from onnxtext.core.errors import OnnxTextError

WORK_LIMIT = 2_000_000  # vertices looked at in the search, some seconds: graphs exist that would take years
WORK_PER_VERTEX = 100  # which large graphs may take in addition
_MAX_DEPTH = 150  # of the search; each level takes a few of Python's frames


class TooAlike(OnnxTextError):
    """A graph so symmetric that the search for its order was given up."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"so many parts of this graph are alike that {why}; "
            "`prune` may take some of them away, and with weights kept there are fewer that are alike"
        )


class Circle(OnnxTextError):
    """What was to be a DAG has a circle, of which one vertex is `vertex`."""

    def __init__(self, vertex: int) -> None:
        self.vertex = vertex
        super().__init__(f"the vertex {vertex} depends on itself")


@dataclass(frozen=True, slots=True)
class Dag:
    """A DAG whose root is its last vertex; `start` has the vertices with a bag."""

    children: list[list[int]]
    start: dict[int, int]
    label: Callable[[int], tuple[bytes, ...]]


def sort(dag: Dag) -> list[int]:
    """Return the vertices below the root, children first, and put every bag of `dag` in its order.

    The order keeps together what belongs together.  Raises Circle, and TooAlike where the search takes too long.
    """
    heights = _heights(dag.children)
    if dag.start:
        _sort_bags(dag, heights)
    return _descend(dag.children, heights)


def _heights(children: list[list[int]]) -> list[int]:
    """Return for each vertex the length of the longest path down from it."""
    heights: list[int] = []
    append = heights.append
    try:
        for below in children:
            if len(below) > 1:
                append(max([heights[c] for c in below]) + 1)
            else:
                append(heights[below[0]] + 1 if below else 0)
    except IndexError:  # a child that is not there yet
        return _heights_unsorted(children)
    return heights


def _heights_unsorted(children: list[list[int]]) -> list[int]:
    """Return the same where a vertex may have a smaller number than its children."""
    heights = [-1] * len(children)
    is_open = bytearray(len(children))
    stack = list(range(len(children)))
    while stack:
        v = stack.pop()
        if v < 0:
            heights[~v] = max([heights[c] for c in children[~v]], default=-1) + 1
            is_open[~v] = 0
        elif heights[v] < 0:
            if is_open[v]:
                raise Circle(v)
            is_open[v] = 1
            stack.append(~v)
            for c in children[v]:
                if is_open[c]:
                    raise Circle(c)
                if heights[c] < 0:
                    stack.append(c)
    return heights


def _descend(children: list[list[int]], heights: list[int]) -> list[int]:
    """Return the vertices below the root in depth-first order: children first, the farthest from the leaves first.

    Leaves that are used more than once stand in front of all, so that no repeat differs for being the first.
    """
    order: list[int] = []
    seen = bytearray(len(children))  # 1, and 2 for a leaf that was met again
    height = heights.__getitem__
    stack = [len(children) - 1]
    while stack:
        v = stack.pop()
        if v >= 0:
            if seen[v]:
                continue
            seen[v] = 1
            inner = [c for c in children[v] if heights[c] and not seen[c]]
            while len(inner) == 1:  # a run: nothing to choose
                stack.append(~v)
                v = inner[0]
                seen[v] = 1
                inner = [c for c in children[v] if heights[c] and not seen[c]]
            if inner:
                inner.reverse()  # the last on the stack is the first to be taken
                inner.sort(key=height)
                stack.append(~v)
                stack += inner
                continue
        else:
            v = ~v
        for c in children[v]:
            if not seen[c]:  # a leaf
                seen[c] = 1
                order.append(c)
            elif not heights[c]:
                seen[c] = 2
        order.append(v)
    shared = [v for v in order if seen[v] == 2]
    return shared + [v for v in order if seen[v] == 1] if shared else order


# ---- bags


def _sort_bags(dag: Dag, heights: list[int]) -> None:
    """Put the bags in order."""
    children, start = dag.children, dag.start
    uses = Counter(chain.from_iterable(children))
    # What nobody else uses first: it can be written in one chain with its user.  Then the farthest from the leaves.
    total = len(children)
    is_sorted = True
    for v, at in start.items():
        below = children[v]
        keyed = sorted([(total * (uses[c] > 1) - heights[c], c) for c in below[at:]])
        below[at:] = [c for _, c in keyed]
        is_sorted = is_sorted and all(k != n or a == b for (k, a), (n, b) in pairwise(keyed))
    if is_sorted:
        return
    ranks = _ranks(dag, heights, uses)
    key = [2 * total * (uses[v] > 1) - rank for v, rank in enumerate(ranks)]
    are_twins = True
    for v in sorted(start, key=heights.__getitem__):  # from below: within twins, bags have their order
        at = start[v]
        below = children[v]
        below[at:] = bag = sorted(below[at:], key=key.__getitem__)
        if are_twins:
            for a, b in pairwise(bag):
                if ranks[a] == ranks[b] and a != b and not _can_swap(a, b, children, ranks, uses):
                    are_twins = False
                    break
    if not are_twins:
        places = _Search(children, start).places(ranks)
        for v, at in start.items():
            children[v][at:] = sorted(children[v][at:], key=lambda c: (key[c], places[c]))


def _ranks(dag: Dag, heights: list[int], uses: Counter[int]) -> list[int]:
    """Return numbers that compare vertices by height, label, uses and the ranks of their children."""
    children, start, label = dag.children, dag.start, dag.label
    layers: list[list[int]] = [[] for _ in range(max(heights) + 1)]
    for v, height in enumerate(heights):
        layers[height].append(v)
    ranks = [0] * len(heights)
    first = 0
    for layer in layers:
        if len(layer) == 1:  # alone at this height: nothing to compare with
            ranks[layer[0]] = first
            first += 1
            continue
        keys: list[tuple[tuple[bytes, ...], int, list[int]]] = []
        for v in layer:
            below = [ranks[c] for c in children[v]]
            if v in start:
                below[start[v] :] = sorted(below[start[v] :])
            keys.append((label(v), uses[v], below))
        by_key = sorted(range(len(layer)), key=keys.__getitem__)
        last = None
        for i in by_key:
            if last is not None and keys[i] != last:
                first += 1
            last = keys[i]
            ranks[layer[i]] = first
        first += 1
    return ranks


def _can_swap(a: int, b: int, children: list[list[int]], ranks: list[int], uses: Counter[int]) -> bool:
    """Tell whether `a` and `b`, of equal rank in one bag, can change places with all that only they use.

    Walks down from both side by side.  Where both meet in one vertex it stays; all others have to be used from within
    their own side alone.  False does not mean that no automorphism takes one to the other.
    """
    partner = {a: b}
    counted = {a: 1}
    stack = [a]
    while stack:
        u = stack.pop()
        for c, d in zip(children[u], children[partner[u]], strict=True):
            if c == d:
                continue
            if c in partner:
                if partner[c] != d:
                    return False
                counted[c] += 1
            elif ranks[c] != ranks[d]:
                return False
            else:
                partner[c] = d
                counted[c] = 1
                stack.append(c)
    others = set(partner.values())
    return (
        len(others) == len(partner)
        and others.isdisjoint(partner)
        and all(count == uses[c] for c, count in counted.items())
    )


# ---- what ranks and twins leave open

_Edges = list[list[tuple[int, int]]]  # of each vertex: the place of the edge (-1 in a bag) and the other end
_Form = tuple[tuple[int, tuple[tuple[int, int], ...]], ...]


class _Search:
    """Finds canonical places for vertices by refinement of colours, and by trial where that does not tell them apart.

    A colour is the first place that a vertex can have in the final order: a class of n vertices with the colour k has
    the places from k to k + n - 1, so splitting it leaves all other colours alone.
    """

    def __init__(self, children: list[list[int]], start: dict[int, int]) -> None:
        self.below: _Edges = []
        self.above: _Edges = [[] for _ in children]
        for v, ends in enumerate(children):
            at = start.get(v, len(ends))
            self.below.append([(i if i < at else -1, c) for i, c in enumerate(ends)])
            for i, c in self.below[v]:
                self.above[c].append((i, v))
        self.work = 0
        self.limit = WORK_LIMIT + WORK_PER_VERTEX * len(children)
        self.moves: list[dict[int, int]] = []  # automorphisms that were found: what goes where

    def places(self, ranks: list[int]) -> list[int]:
        """Return the place of every vertex.  Raises TooAlike."""
        colour: dict[int, int] = {}
        by_rank = sorted(range(len(ranks)), key=ranks.__getitem__)
        first: dict[int, int] = {}
        for place, v in enumerate(by_rank):
            colour[v] = first.setdefault(ranks[v], place)
        self.refine(colour, _cells(colour))
        order = self.order(list(colour), colour, 0, is_quick=False)
        places = [0] * len(ranks)
        for place, v in enumerate(order):
            places[v] = place
        return places

    def spend(self, work: int) -> None:
        self.work += work
        if self.work > self.limit:
            raise TooAlike("no order of them was found in reasonable time")

    def refine(self, colour: dict[int, int], cells: dict[int, list[int]]) -> None:
        """Split the classes of `colour` until vertices of one class have neighbours of the same colours.

        Sweeps go down and up the whole DAG in turn, so that what is told apart at one end is soon known at the other.
        """
        is_stable = False
        while not is_stable:
            is_stable = True
            for edges, downward in ((self.above, True), (self.below, False)):
                for first in sorted((k for k, cell in cells.items() if len(cell) > 1), reverse=downward):
                    cell = cells[first]
                    self.spend(len(cell))
                    groups: dict[tuple[tuple[int, int], ...], list[int]] = {}
                    for v in cell:
                        key = tuple(sorted([(i, colour[c]) for i, c in edges[v] if c in colour]))
                        groups.setdefault(key, []).append(v)
                    if len(groups) == 1:
                        continue
                    is_stable = False
                    for key in sorted(groups):
                        cells[first] = groups[key]
                        for v in groups[key]:
                            colour[v] = first
                        first += len(groups[key])

    def order(self, vertices: Iterable[int], colour: dict[int, int], depth: int, *, is_quick: bool) -> list[int]:
        """Return the vertices in canonical order; `colour` is stable on them.  `is_quick`: try one candidate only."""
        if depth > _MAX_DEPTH:
            raise TooAlike("the search for their order went too deep")
        cells = _cells({v: colour[v] for v in vertices})
        order = [cells[k][0] for k in sorted(cells) if len(cells[k]) == 1]
        rest = {v: k for k, cell in cells.items() if len(cell) > 1 for v in cell}
        parts = self.components(rest)
        if len(parts) == 1:
            return order + self.search(parts[0], colour, depth, is_quick=is_quick)
        orders = [self.order(part, colour, depth + 1, is_quick=is_quick) for part in parts]
        formed = sorted([(self.form(o, colour), o) for o in orders], key=lambda pair: pair[0])
        for (form, one), (next_form, other) in pairwise(formed):
            if form == next_form:
                self.moves.append(_move(one, other) | _move(other, one))
        return order + [v for _, o in formed for v in o]

    def components(self, colour: dict[int, int]) -> list[list[int]]:
        """Return the vertices of `colour` in connected parts, which can be put in order one by one.

        Where all of one class have all of another in their bags, these edges say nothing and connect nothing.
        """
        joined = self.joined(colour)
        parts: list[list[int]] = []
        seen: set[int] = set()
        for root in colour:
            if root in seen:
                continue
            seen.add(root)
            part = [root]
            for v in part:
                k = colour[v]
                ends = [c for i, c in self.below[v] if c in colour and (i >= 0 or (k, colour[c]) not in joined)]
                ends += [c for i, c in self.above[v] if c in colour and (i >= 0 or (colour[c], k) not in joined)]
                for c in ends:
                    if c not in seen:
                        seen.add(c)
                        part.append(c)
            parts.append(part)
        return parts

    def joined(self, colour: dict[int, int]) -> set[tuple[int, int]]:
        """Return the pairs of classes of which the first have all of the second in their bags, equally often."""
        sizes = Counter(colour.values())
        found = set()
        for k, v in {k: v for v, k in colour.items()}.items():  # one of each class: the others are alike
            times = Counter(c for i, c in self.below[v] if i < 0 and c in colour)
            for other, count in Counter(colour[c] for c in times).items():
                if count == sizes[other] and len({times[c] for c in times if colour[c] == other}) == 1:
                    found.add((k, other))
        return found

    def form(self, order: list[int], colour: dict[int, int]) -> _Form:
        """Return what is the same for two orders exactly if one can be put in the other's place."""
        self.spend(len(order))
        index = {v: i for i, v in enumerate(order)}
        return tuple(
            [(colour[v], tuple(sorted([(i, index[c]) for i, c in self.below[v] if c in index]))) for v in order]
        )

    def search(self, vertices: list[int], colour: dict[int, int], depth: int, *, is_quick: bool) -> list[int]:
        """Return the canonical order of a component in which no vertex has a colour of its own."""
        cells = _cells({v: colour[v] for v in vertices})
        first = min(cells, key=lambda k: (len(cells[k]), k))
        candidates = cells[first]
        known: dict[_Form, list[int]] = {}
        forms: list[_Form] = []  # of each candidate that was tried, the least
        tried: list[int] = []
        orbit = {v: v for v in candidates}
        applied = len(self.moves)

        def is_new(v: int) -> bool:
            """Tell whether no known automorphism takes `v` to a candidate that was tried."""
            nonlocal applied
            for move in self.moves[applied:]:
                for one in candidates:
                    orbit[_root(orbit, one)] = _root(orbit, move.get(one, one))
            applied = len(self.moves)
            return _root(orbit, v) not in {_root(orbit, t) for t in tried}

        def is_known(order: list[int], form: _Form) -> bool:
            if form in known:
                self.moves.append(_move(known[form], order))
            return known.setdefault(form, order) is not order

        for v in candidates:
            if not is_new(v):
                continue
            mine = {u: colour[u] for u in vertices}
            for u in candidates:
                mine[u] = first if u == v else first + 1
            self.refine(mine, _cells(mine))
            quick = self.order(vertices, mine, depth + 1, is_quick=True)
            if is_quick:
                return quick
            if is_known(quick, self.form(quick, colour)) and not is_new(v):
                continue
            order = self.order(vertices, mine, depth + 1, is_quick=False)
            forms.append(self.form(order, colour))
            is_known(order, forms[-1])
            tried.append(v)
        return known[min(forms)]


def _cells(colour: dict[int, int]) -> dict[int, list[int]]:
    """Return the vertices of each colour."""
    cells: dict[int, list[int]] = {}
    for v, k in colour.items():
        cells.setdefault(k, []).append(v)
    return cells


def _move(one: list[int], other: list[int]) -> dict[int, int]:
    """Return what goes where when one order is put in the place of the other."""
    return {a: b for a, b in zip(one, other, strict=True) if a != b}


def _root(orbit: dict[int, int], v: int) -> int:
    while orbit[v] != v:
        orbit[v] = v = orbit[orbit[v]]
    return v
