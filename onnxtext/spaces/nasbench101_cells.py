"""The cells of NAS-Bench-101 up to isomorphism: one for each class of cells that differ in the order of their vertices.

>>> [len(list(distinct_cells(n, 9))) for n in (2, 3, 4, 5)]
[1, 6, 84, 2441]
>>> list(distinct_cells(3, 9))[:2]
[('0', '101'), ('1', '101')]

A cell is a graph, as bits for the pairs of its vertices, row by row, and an operation for each inner vertex.  First
come the graphs: of all that differ in the order of their inner vertices the one with the smallest bits stands for all.
Then, for each graph, the operations: of all that an order which leaves the graph as it is carries into each other, the
first stands for all.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

OPERATIONS = 3


def distinct_cells(vertices: int, most_edges: int) -> Iterator[tuple[str, str]]:
    """Yield the operations and the bits of one cell of each class, all of whose vertices lie on a way to the output."""
    pairs = list(itertools.combinations(range(vertices), 2))
    graphs = _graphs(pairs, vertices, most_edges)
    orders = [(0, *order, vertices - 1) for order in itertools.permutations(range(1, vertices - 1))]
    reordered = np.stack([_reorder(graphs, pairs, order) for order in orders])  # (orders, graphs)
    first = reordered.min(axis=0) == graphs
    inner = vertices - 2
    choices = np.array(list(itertools.product(range(OPERATIONS), repeat=inner)), int).reshape(OPERATIONS**inner, inner)
    digits = OPERATIONS ** np.arange(inner - 1, -1, -1)
    names = ["".join(map(str, choice)) for choice in choices]
    carried = np.stack([choices[:, np.array(o[1:-1], int) - 1] @ digits for o in orders])  # (orders, choices)
    every = np.arange(len(choices))
    for graph, symmetries in zip(graphs[first], (reordered[:, first] == graphs[first]).T, strict=True):
        bits = format(graph, f"0{len(pairs)}b")
        for choice in np.flatnonzero(carried[symmetries].min(axis=0) == every):
            yield names[choice], bits


def _graphs(pairs: list[tuple[int, int]], vertices: int, most_edges: int) -> np.ndarray:
    """Return all graphs with an edge into every vertex but the first and out of every one but the last.

    An edge leads to a higher number, so that all vertices of such a graph lie on a way from the first to the last.
    """
    graphs = np.arange(1 << len(pairs))
    edges = {pair: _bits(graphs, pairs, pair) for pair in pairs}
    kept = sum(edges.values()) <= most_edges
    for vertex in range(vertices):
        if vertex:
            kept &= np.logical_or.reduce([edges[pair] for pair in pairs if pair[1] == vertex])
        if vertex < vertices - 1:
            kept &= np.logical_or.reduce([edges[pair] for pair in pairs if pair[0] == vertex])
    return graphs[kept]


def _reorder(graphs: np.ndarray, pairs: list[tuple[int, int]], order: tuple[int, ...]) -> np.ndarray:
    """Return graphs with their vertices renumbered, vertex v to order[v]; a number that is none where an edge falls."""
    found = np.zeros_like(graphs)
    for pair in pairs:
        source, target = order[pair[0]], order[pair[1]]
        edge = _bits(graphs, pairs, pair)
        place = len(pairs) - 1 - pairs.index((source, target)) if source < target else len(pairs) + 1
        found += edge << place
    return found


def _bits(graphs: np.ndarray, pairs: list[tuple[int, int]], pair: tuple[int, int]) -> np.ndarray:
    return graphs >> (len(pairs) - 1 - pairs.index(pair)) & 1
