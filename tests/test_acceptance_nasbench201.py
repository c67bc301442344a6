"""As many canonical texts of NAS-Bench-201 networks as there are classes of isomorphism; networkx is the judge.

The networks have one cell in a stage.  What is compared with the texts shares no code with the passes.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterable

import networkx as nx
import onnx
import pytest

from onnxtext.source import Source, print_source
from onnxtext.spaces.nasbench201 import Architecture, build, enumerate_architectures
from onnxtext_passes.manager import run_pipeline


def as_graph(model: onnx.ModelProto) -> nx.DiGraph:
    """Return a graph of what counts in a model without subgraphs: operators, attributes, operands, types, weights."""
    graph = nx.DiGraph()
    made: dict[str, tuple[str, int]] = {}

    def add(kind: str, k: int, label: bytes, name: str) -> None:
        graph.add_node((kind, k), label=f"{kind} {hashlib.sha256(label).hexdigest()}")
        made[name] = kind, k

    for k, value in enumerate(model.graph.input):
        add("input", k, bytes([k]) + value.type.SerializeToString(), value.name)
    for k, tensor in enumerate(model.graph.initializer):
        add("weight", k, repr((tensor.data_type, list(tensor.dims), tensor.raw_data)).encode(), tensor.name)
    for k, node in enumerate(model.graph.node):
        attributes = sorted(a.SerializeToString(deterministic=True) for a in node.attribute)
        (result,) = node.output
        add("node", k, repr((node.domain, node.op_type, attributes)).encode(), result)
    uses: dict[tuple, list[int]] = defaultdict(list)
    for k, node in enumerate(model.graph.node):
        for place, name in enumerate(node.input):
            uses[("node", k), made[name]].append(0 if node.op_type in ("Add", "Mul") else place)
    for k, value in enumerate(model.graph.output):
        graph.add_node(("output", k), label=f"output {k} {value.type}")
        uses[("output", k), made[value.name]].append(0)
    for (user, operand), places in uses.items():
        graph.add_edge(user, operand, places=tuple(sorted(places)))
    return graph


def fingerprint(graph: nx.DiGraph) -> str:
    """Return something that is equal for isomorphic graphs, and hardly ever for others."""
    colours = {v: hash(label) for v, label in graph.nodes(data="label")}
    edges = [(u, v, hash(places)) for u, v, places in graph.edges(data="places")]
    count = 0
    while len(set(colours.values())) > count:
        count = len(set(colours.values()))
        met: dict[object, list[tuple[int, int, int]]] = {v: [] for v in colours}
        for u, v, places in edges:
            met[u].append((0, places, colours[v]))
            met[v].append((1, places, colours[u]))
        colours = {v: hash((colour, tuple(sorted(met[v])))) for v, colour in colours.items()}
    return repr(sorted(colours.values()))


def isomorphic(a: nx.DiGraph, b: nx.DiGraph) -> bool:
    return nx.is_isomorphic(
        a, b, node_match=lambda m, n: m["label"] == n["label"], edge_match=lambda m, n: m["places"] == n["places"]
    )


def count_texts(architectures: Iterable[Architecture], passes: str) -> int:
    """Count the canonical texts after `passes`, and assert that each stands for one class of isomorphism."""
    by_text: dict[bytes, tuple[str, nx.DiGraph]] = {}
    for architecture in architectures:
        model = build(architecture, cells=1, channels=2, image=4)
        if passes:
            model = run_pipeline(model, passes).model
        graph = as_graph(model)
        model = run_pipeline(model, "canonicalize{commutative=true}").model
        text = print_source(Source(model.SerializeToString(deterministic=True)), verify=False).text
        digest = hashlib.sha256(text.encode()).digest()
        if digest in by_text:
            assert isomorphic(by_text[digest][1], graph), f"{architecture} shares its text with another network"
        else:
            by_text[digest] = fingerprint(graph), graph
    alike: dict[str, list[nx.DiGraph]] = defaultdict(list)
    for mark, graph in by_text.values():
        alike[mark].append(graph)
    for graphs in alike.values():
        for a, b in itertools.combinations(graphs, 2):
            assert not isomorphic(a, b), "a network has two texts"
    return len(by_text)


def test_some_networks() -> None:
    operations = ("none", "skip_connect", "nor_conv_3x3")
    cells = [(*five, "nor_conv_3x3") for five in itertools.product(operations, repeat=5)]
    assert count_texts(map(Architecture, cells), "prune,strip") == 156


@pytest.mark.acceptance
@pytest.mark.parametrize(("passes", "count"), [("", 10_445), ("prune,strip", 8_089)])
def test_all_networks(passes: str, count: int) -> None:
    assert count_texts(enumerate_architectures(), passes) == count
