"""Orders of DAGs: the same form for all numberings of a DAG, another for every other DAG; networkx is the judge."""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from dataclasses import dataclass
from random import Random

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples
from networkx.generators.atlas import graph_atlas_g

from onnxtext_passes import ordering
from onnxtext_passes.ordering import Circle, Dag, TooAlike, sort

Form = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True)
class Sample:
    """A DAG: of each vertex its label, its children, and where the bag among them begins."""

    labels: list[str]
    children: list[list[int]]
    start: dict[int, int]

    def form(self) -> Form:
        """Return the DAG in its canonical order: two forms are equal exactly if an order takes one to the other."""
        children = [list(below) for below in self.children]
        order = sort(Dag(children, self.start, lambda v: (self.labels[v].encode(),)))
        assert sorted(order) == list(range(len(children)))
        index = {v: i for i, v in enumerate(order)}
        assert all(index[c] < index[v] for v in order for c in children[v])
        assert [sorted(below) for below in children] == [sorted(below) for below in self.children]
        return tuple((self.labels[v], tuple(index[c] for c in children[v])) for v in order)

    def renumbered(self, random: Random) -> Sample:
        """Return the same with other numbers and other orders of bags; the root stays the last."""
        count = len(self.labels)
        to = list(range(count - 1))
        random.shuffle(to)
        to.append(count - 1)
        back = sorted(range(count), key=to.__getitem__)
        children = []
        for v in back:
            below = [to[c] for c in self.children[v]]
            at = self.start.get(v, len(below))
            children.append(below[:at] + random.sample(below[at:], len(below) - at))
        return Sample([self.labels[v] for v in back], children, {to[v]: at for v, at in self.start.items()})

    def graph(self) -> nx.DiGraph:
        """Return a graph for networkx: an edge is a vertex too, with its place as its label."""
        graph = nx.DiGraph()
        for v, label in enumerate(self.labels):
            graph.add_node(v, label=f"{label} {self.start.get(v)}")
        for v, below in enumerate(self.children):
            for i, c in enumerate(below):
                edge = ("edge", v, i)
                graph.add_node(edge, label=i if i < self.start.get(v, len(below)) else "bag")
                graph.add_edges_from([(v, edge), (edge, c)])
        return graph


def same_label(a: dict, b: dict) -> bool:
    return a["label"] == b["label"]


def a_dag(random: Random) -> Sample:
    """Return a DAG with much that looks alike."""
    count = 1 + random.randrange(9)
    labels, children, start = [], [], {}
    for v in range(count):
        below = [random.randrange(v) for _ in range(random.choice([0, 1, 1, 2, 2, 2, 3]))] if v else []
        children.append(below)
        labels.append(random.choice("aab") + str(len(below)))
        if len(below) > 1 and random.randrange(3):
            start[v] = random.choice([0, 0, 1])
    used = set(itertools.chain.from_iterable(children))
    return Sample(
        [*labels, "root"],
        [*children, [v for v in range(count) if v not in used]],
        start | {count: random.choice([0, 1])},
    )


def of_graph(graph: nx.Graph) -> Sample:
    """Return a DAG whose leaves are the vertices of a graph, and whose sums are its edges: as symmetric as that is."""
    number = {v: i for i, v in enumerate(graph.nodes)}
    edges = [[number[a], number[b]] for a, b in graph.edges]
    count = len(number)
    children = [*([] for _ in number), *edges, list(range(count + len(edges)))]
    start = dict.fromkeys(range(count, len(children)), 0)
    return Sample(["leaf"] * count + ["sum"] * len(edges) + ["root"], children, start)


@examples(400)
@given(st.randoms(use_true_random=False))
def test_any_numbering_gives_the_same_form(random: Random) -> None:
    sample = a_dag(random)
    form = sample.form()
    for _ in range(3):
        assert sample.renumbered(random).form() == form


@examples(300)
@given(st.randoms(use_true_random=False))
def test_forms_are_equal_exactly_if_dags_are_isomorphic(random: Random) -> None:
    one = a_dag(random)
    children = [list(below) for below in one.children]
    v = random.randrange(len(children))
    if children[v]:  # another that is nearly the same
        children[v][random.randrange(len(children[v]))] = random.randrange(v)
    other = Sample(one.labels, children, one.start)
    if set(range(len(children) - 1)) != set(itertools.chain.from_iterable(children)):
        return  # not all of it hangs below the root any more
    expected = nx.is_isomorphic(one.graph(), other.graph(), node_match=same_label)
    assert (one.form() == other.renumbered(random).form()) == expected


def test_every_graph_of_six_vertices_has_a_form_of_its_own() -> None:
    random = Random(1)
    graphs = [graph for graph in graph_atlas_g() if 1 < graph.number_of_nodes() <= 6]
    forms = [of_graph(graph).form() for graph in graphs]
    assert len(set(forms)) == len(graphs) == 207
    for graph, form in zip(graphs, forms, strict=True):
        assert of_graph(graph).renumbered(random).form() == form


def shrikhande() -> nx.Graph:
    steps = ((0, 1), (1, 0), (1, 1))
    places = itertools.product(range(4), repeat=2)
    return nx.Graph(((i, j), ((i + di) % 4, (j + dj) % 4)) for i, j in places for di, dj in steps)


def rook() -> nx.Graph:
    return nx.line_graph(nx.complete_bipartite_graph(4, 4))


SYMMETRIC = {
    "rook": rook(),
    "Shrikhande": shrikhande(),
    "Petersen": nx.petersen_graph(),
    "dodecahedron": nx.dodecahedral_graph(),
    "hypercube": nx.hypercube_graph(5),
    "torus": nx.grid_2d_graph(5, 5, periodic=True),
    "complete": nx.complete_graph(14),
    "complete bipartite": nx.complete_bipartite_graph(7, 7),
    "ring": nx.cycle_graph(60),
    "thirty triangles": nx.disjoint_union_all([nx.complete_graph(3)] * 30),
    "three hypercubes": nx.disjoint_union_all([nx.hypercube_graph(3)] * 3),
    "cubic": nx.random_regular_graph(3, 24, seed=1),
    "tree": nx.balanced_tree(3, 4),
    "many alike": nx.star_graph(300),
}


@pytest.mark.parametrize("name", SYMMETRIC)
def test_symmetric_graphs(name: str) -> None:
    sample, random = of_graph(SYMMETRIC[name]), Random(1)
    form = sample.form()
    for _ in range(3):
        assert sample.renumbered(random).form() == form


def test_graphs_that_only_symmetry_tells_apart() -> None:
    assert of_graph(rook()).form() != of_graph(shrikhande()).form()  # both are strongly regular (16, 6, 2, 2)
    rings = nx.disjoint_union(nx.cycle_graph(10), nx.cycle_graph(10))
    assert of_graph(rings).form() != of_graph(nx.cycle_graph(20)).form()


def test_what_would_take_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "WORK_LIMIT", 200_000)
    with pytest.raises(TooAlike) as caught:
        of_graph(twisted(nx.random_regular_graph(3, 40, seed=1))).form()
    assert (
        str(caught.value)
        == "so many parts of this graph are alike that no order of them was found in reasonable time; "
        "`prune` may take some of them away, and with weights kept there are fewer that are alike"
    )


def test_what_would_go_too_deep_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "_MAX_DEPTH", 5)
    with pytest.raises(TooAlike) as caught:
        of_graph(nx.complete_graph(8)).form()
    assert str(caught.value).startswith("so many parts of this graph are alike that the search for their order went")


def test_equal_values_that_equal_sums_use_are_told_apart_in_no_time() -> None:
    # Two leaves, two sums of both, two sums of those, and so on.
    children: list[list[int]] = [[], []]
    for v in range(0, 2_000, 2):
        children += [[v, v + 1], [v, v + 1]]
    children.append([len(children) - 2, len(children) - 1])
    start = dict.fromkeys(range(2, len(children)), 0)
    sample = Sample(["same"] * len(children), children, start)
    assert sample.renumbered(Random(1)).form() == sample.form()


def twisted(base: nx.Graph) -> nx.Graph:
    """Return the graph of Cai, Fuerer and Immerman over a cubic graph, which refinement does not take apart."""
    graph: nx.Graph = nx.Graph()
    for v in base:
        for subset in itertools.chain.from_iterable(itertools.combinations(base[v], k) for k in (0, 2)):
            for u in base[v]:
                graph.add_edge(("inner", v, subset), ("outer", v, u, u in subset))
    for v, u in base.edges:
        for side in (False, True):
            graph.add_edge(("outer", v, u, side), ("outer", u, v, side))
    return graph


def test_a_circle_is_an_error() -> None:
    with pytest.raises(Circle) as caught:
        sort(Dag([[1], [2], [1], [0]], {}, lambda v: ()))
    assert str(caught.value) == "the vertex 1 depends on itself"


def test_order_is_found_in_linear_time() -> None:
    def seconds(count: int) -> float:
        # Blocks of two equal branches that meet in a sum, one behind the other.
        children: list[list[int]] = [[]]
        start = {}
        for _ in range(count):
            last = len(children) - 1
            children += [[last], [last], [last + 1], [last + 2], [last + 3, last + 4]]
            start[len(children) - 1] = 0
        best = float("inf")
        for _ in range(3):
            begun = time.process_time()
            assert len(sort(Dag([list(below) for below in children], start, lambda v: ()))) == len(children)
            best = min(best, time.process_time() - begun)
        return best

    assert seconds(4_000) < 12 * seconds(500)  # 8 times as much, and what a shared machine adds


def test_the_order_keeps_branches_together() -> None:
    #      0 -> 1 -> 2 -> 6,   0 -> 3 -> 4 -> 5 -> 6
    children = [[], [0], [1], [0], [3], [4], [2, 5], [6]]
    assert sort(Dag(children, {}, lambda v: ())) == [0, 3, 4, 5, 1, 2, 6, 7]


def test_leaves_that_are_shared_come_first() -> None:
    children: list[list[int]] = [[], [], [], [0, 1], [3, 2], [4, 1], [5]]
    assert sort(Dag(children, {}, lambda v: ())) == [1, 0, 3, 2, 4, 5, 6]


def test_isomorphic_dags_are_few_enough_to_meet() -> None:
    """The properties above would be empty if no two random DAGs were isomorphic."""
    forms: dict[Form, int] = defaultdict(int)
    for seed in range(2_000):
        forms[a_dag(Random(seed)).form()] += 1
    assert sum(count > 1 for count in forms.values()) > 20
