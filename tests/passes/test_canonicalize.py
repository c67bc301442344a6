"""canonicalize: one result for a network, whatever its names and order, and another for every other network."""

from __future__ import annotations

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterable
from random import Random

import networkx as nx
import onnx
import pytest
from cases import made_up
from disguise import COMMUTATIVE, disguise
from graphs import idle_models
from hypothesis import given
from hypothesis import strategies as st
from laws import examples
from onnx import TensorProto, helper
from strategies import any_models, running_models
from suite import RANDOM, CannotRunError, Sample, outputs_equal, run_sample, samples

from onnxtext.core.blobs import Blobs, detach
from onnxtext.core.errors import OnnxTextError
from onnxtext_passes.base import Context
from onnxtext_passes.canonicalize import Canonicalize
from onnxtext_passes.manager import run_pipeline

EVERY = 23  # a model of onnx's backend tests in so many is in the fixed sample


def canonical(model: onnx.ModelProto, *, commutative: bool = False, blobs: Blobs | None = None) -> bytes:
    """Return the bytes of a model in canonical form."""
    other = onnx.ModelProto()
    other.CopyFrom(model)
    Canonicalize(commutative=commutative).run(other, Context(blobs or Blobs()))
    return other.SerializeToString(deterministic=True)


def model_of(text: str, opset: int = 21, more: str = "") -> onnx.ModelProto:
    """Return a model, its graph given in onnx's own notation."""
    return onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": {opset}{more}]> {text}')


# ---- what does not count


@given(model=running_models(), random=st.randoms(use_true_random=False), commutative=st.booleans())
@examples(60)
def test_disguised_models_are_seen_through(model: onnx.ModelProto, random: Random, commutative: bool) -> None:
    form = canonical(model, commutative=commutative)
    assert canonical(disguise(model, random, operands=commutative), commutative=commutative) == form


@given(model=idle_models(), random=st.randoms(use_true_random=False), commutative=st.booleans())
@examples(80)
def test_disguised_models_with_subgraphs_and_functions(
    model: onnx.ModelProto, random: Random, commutative: bool
) -> None:
    form = canonical(model, commutative=commutative)
    onnx.checker.check_model(onnx.ModelProto.FromString(form), full_check=True)
    assert canonical(onnx.ModelProto.FromString(form), commutative=commutative) == form
    assert canonical(disguise(model, random, operands=commutative), commutative=commutative) == form


@given(wire=any_models(), commutative=st.booleans())
@examples(200)
def test_whatever_protobuf_can_hold(wire: bytes, commutative: bool) -> None:
    """A model that makes no sense has a form or an error, and its form has itself as its form."""
    model = onnx.ModelProto.FromString(wire)
    try:
        form = canonical(model, commutative=commutative)
    except OnnxTextError:
        return
    assert canonical(onnx.ModelProto.FromString(form), commutative=commutative) == form


def test_data_set_aside_makes_no_difference() -> None:
    """Which of two branches comes first depends on their weights, wherever the data of these is."""
    tensors = [helper.make_tensor(name, 1, [400], bytes([k]) * 1600, raw=True) for k, name in enumerate(["u", "w"], 1)]
    forms = []
    for first, second in itertools.permutations(tensors):
        nodes = [
            helper.make_node("Mul", ["x", first.name], ["a"]),
            helper.make_node("Mul", ["x", second.name], ["b"]),
            helper.make_node("Add", ["a", "b"], ["y"]),
        ]
        inputs, outputs = ([helper.make_tensor_value_info(name, 1, [400])] for name in "xy")
        graph = helper.make_graph(nodes, "g", inputs, outputs, [first, second])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
        forms.append(canonical(model, commutative=True))
        skeleton, blobs = detach(model.SerializeToString())
        result = run_pipeline(onnx.ModelProto.FromString(skeleton), "canonicalize{commutative=true}", blobs=blobs)
        held = [bytes(blobs.find(tensor.raw_data)) for tensor in result.model.graph.initializer]
        forms.append(form := canonical(model, commutative=True))
        assert held == [tensor.raw_data for tensor in onnx.ModelProto.FromString(form).graph.initializer]
    assert len(set(forms)) == 1


def test_names_longer_than_a_byte_can_count() -> None:
    short = model_of("g (float[2] a) => (float[2] d) { b = Relu(a) c = Neg(b) d = Add(b, c) }")
    long = onnx.ModelProto()
    long.CopyFrom(short)
    for node in long.graph.node:
        node.input[:] = [name * 300 for name in node.input]
        node.output[:] = [name * 300 for name in node.output]
        node.name = "n" * 200
    for value in (*long.graph.input, *long.graph.output):
        value.name *= 300
    assert canonical(long) == canonical(short)


# ---- what counts

PLAIN = "g (float[2] x) => (float[2] y) { a = Relu(x) b = Neg(x) y = Sub(a, b) }"
OTHERS = {
    "operator": "g (float[2] x) => (float[2] y) { a = Relu(x) b = Abs(x) y = Sub(a, b) }",
    "operands": "g (float[2] x) => (float[2] y) { a = Relu(x) b = Neg(x) y = Sub(b, a) }",
    "sharing": "g (float[2] x) => (float[2] y) { a = Relu(x) b = Neg(x) c = Relu(x) y = Sub(a, b) }",
    "wiring": "g (float[2] x) => (float[2] y) { a = Relu(x) b = Neg(a) y = Sub(a, b) }",
    "type": "g (double[2] x) => (double[2] y) { a = Relu(x) b = Neg(x) y = Sub(a, b) }",
    "shape": "g (float[3] x) => (float[3] y) { a = Relu(x) b = Neg(x) y = Sub(a, b) }",
    "a type inside": "g (float[2] x) => (float[2] y) <float[2] a> { a = Relu(x) b = Neg(x) y = Sub(a, b) }",
    "domain": "g (float[2] x) => (float[2] y) { a = other.Relu(x) b = Neg(x) y = Sub(a, b) }",
    "attribute": "g (float[2] x) => (float[2] y) { a = Relu <k = 1> (x) b = Neg(x) y = Sub(a, b) }",
    "inputs": "g (float[2] x, float[2] z) => (float[2] y) { a = Relu(x) b = Neg(x) y = Sub(a, b) }",
    "outputs": "g (float[2] x) => (float[2] y, float[2] a) { a = Relu(x) b = Neg(x) y = Sub(a, b) }",
    "order of outputs": "g (float[2] x) => (float[2] a, float[2] y) { a = Relu(x) b = Neg(x) y = Sub(a, b) }",
    "a weight": "g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { a = Relu(x) b = Neg(x) y = Sub(a, b) }",
    "an operand left out": 'g (float[2] x) => (float[2] y) { a = Relu(x, "") b = Neg(x) y = Sub(a, b) }',
    "a result left out": 'g (float[2] x) => (float[2] y) { a, "" = Relu(x) b = Neg(x) y = Sub(a, b) }',
}


def test_networks_that_differ_have_different_forms() -> None:
    texts = [PLAIN, *OTHERS.values()]
    models = [model_of(text) for text in texts] + [model_of(PLAIN, opset=20), model_of(PLAIN, more=', "other": 1')]
    for commutative in (False, True):
        assert len({canonical(model, commutative=commutative) for model in models}) == len(models)


def test_weights_count_by_type_shape_and_data() -> None:
    texts = ["float[2] w = {1, 2}", "float[2] w = {2, 1}", "double[2] w = {1, 2}", "float[1, 2] w = {1, 2}"]
    forms = {canonical(model_of(f"g (float[2] x) => (y) <{text}> {{ y = Op(x, w) }}")) for text in texts}
    assert len(forms) == len(texts)


def test_subgraphs_count() -> None:
    def branches(then: str, other: str) -> bytes:
        graphs = f"then_branch = t () => (float[2] t) {{ {then} }}, else_branch = e () => (float[2] e) {{ {other} }}"
        text = f"g (float[2] x, bool k) => (float[2] y) {{ a = Relu(x) b = Relu(x) y = If (k) <{graphs}> z = Op(b) }}"
        return canonical(model_of(text))

    plain = branches("t = Neg(a)", "e = Abs(a)")
    assert plain == branches("t = Neg(a)", "e = Abs(a)")
    others = [
        branches("t = Neg(b)", "e = Abs(b)"),  # another of two equal values, of which the other is used
        branches("t = Neg(a)", "e = Abs(b)"),
        branches("t = Abs(a)", "e = Neg(a)"),
        branches("t = Neg(a)", "d = Neg(a) e = Abs(a)"),
        branches("t = Neg(a)", "d = Relu(x) e = Abs(d)"),  # what is computed inside and what is computed outside
    ]
    assert len({plain, *others}) == 6


# ---- networkx is the judge


def small_model(nodes: Iterable[tuple[str, tuple[int, ...]]], output: int) -> onnx.ModelProto:
    """Return a model of the input 0 and nodes whose results are 1, 2 and so on."""
    protos = [
        helper.make_node(operator, [f"v{i}" for i in operands], [f"v{k}"])
        for k, (operator, operands) in enumerate(nodes, 1)
    ]
    inputs, outputs = ([helper.make_tensor_value_info(f"v{i}", 1, [2])] for i in (0, output))
    graph = helper.make_graph(protos, "g", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def as_graph(model: onnx.ModelProto, *, commutative: bool) -> nx.DiGraph:
    """Return a labelled graph; an edge to an operand is a vertex with its position as the label."""
    graph = nx.DiGraph()
    for kind, values in (("input", model.graph.input), ("output", model.graph.output)):
        for k in range(len(values)):
            graph.add_node((kind, k), label=f"{kind} {k}")
    made: dict[str, object] = {value.name: ("input", k) for k, value in enumerate(model.graph.input)}
    for node in model.graph.node:
        graph.add_node(node.output[0], label=node.op_type)
        made[node.output[0]] = node.output[0]
    uses = [
        (node.output[0], 0 if commutative and node.op_type in COMMUTATIVE else k, name, k)
        for node in model.graph.node
        for k, name in enumerate(node.input)
    ]
    uses += [(("output", k), 0, value.name, 0) for k, value in enumerate(model.graph.output)]
    for user, place, name, k in uses:
        edge = ("edge", user, k)
        graph.add_node(edge, label=f"edge {place}")
        graph.add_edges_from([(user, edge), (edge, made[name])])
    return graph


def isomorphic(a: nx.DiGraph, b: nx.DiGraph) -> bool:
    return nx.is_isomorphic(a, b, node_match=lambda one, other: one["label"] == other["label"])


def random_nodes(random: Random, count: int) -> list[tuple[str, tuple[int, ...]]]:
    nodes = []
    for k in range(1, count + 1):
        operator, arity = random.choice([("Relu", 1), ("Add", 2), ("Add", 2), ("Sub", 2), ("Sum", 3)])
        nodes.append((operator, tuple(random.randrange(k) for _ in range(arity))))
    return nodes


@given(random=st.randoms(use_true_random=False), commutative=st.booleans())
@examples(300)
def test_forms_are_equal_exactly_if_models_are_isomorphic(random: Random, commutative: bool) -> None:
    nodes = random_nodes(random, 2 + random.randrange(6))
    other = list(nodes)
    k = random.randrange(len(nodes))
    other[k] = other[k][0], tuple(random.randrange(k + 1) for _ in other[k][1])  # what may be the same, or nearly
    models = [small_model(n, random.choice([len(n), random.randrange(1, len(n) + 1)])) for n in (nodes, other)]
    expected = isomorphic(*(as_graph(model, commutative=commutative) for model in models))
    forms = [canonical(disguise(model, random), commutative=commutative) for model in models]
    assert (forms[0] == forms[1]) == expected


@pytest.mark.parametrize(("commutative", "count"), [(False, 1185), (True, 879)])
def test_all_models_of_three_nodes(commutative: bool, count: int) -> None:
    """As many forms as classes of isomorphism, and no class in two forms or form in two classes."""
    by_form: dict[bytes, list[onnx.ModelProto]] = defaultdict(list)
    choices = []
    for k in (1, 2, 3):
        pairs = list(itertools.product(range(k), repeat=2))
        choices.append([("Relu", (i,)) for i in range(k)] + [(op, pair) for op in ("Add", "Sub") for pair in pairs])
    for nodes in itertools.product(*choices):
        for output in (1, 2, 3):
            model = small_model(nodes, output)
            by_form[canonical(model, commutative=commutative)].append(model)
    classes: dict[str, list[nx.DiGraph]] = defaultdict(list)
    for models in by_form.values():
        first, *others = (as_graph(model, commutative=commutative) for model in (models[0], models[-1]))
        assert all(isomorphic(first, other) for other in others)
        classes[_degrees(first)].append(first)
    for graphs in classes.values():
        assert not any(isomorphic(a, b) for a, b in itertools.combinations(graphs, 2))
    assert len(by_form) == count


def _degrees(graph: nx.DiGraph) -> str:
    """Return something that is equal for isomorphic graphs, and different for most others."""
    kinds = {v: f"{data['label']} {graph.in_degree(v)}" for v, data in graph.nodes(data=True)}
    for _ in range(3):
        kinds = {
            v: hashlib.sha256(
                repr((kinds[v], sorted(kinds[u] for u in graph.pred[v]), sorted(kinds[u] for u in graph[v]))).encode()
            ).hexdigest()
            for v in graph
        }
    return " ".join(sorted(kinds.values()))


def test_a_graph_made_of_sums_has_the_symmetry_of_that_graph() -> None:
    """Vertices are equal Relus, edges are Adds of two of them, and all are summed up."""

    def of_graph(graph: nx.Graph, random: Random) -> bytes:
        nodes: list[tuple[str, tuple[int, ...]]] = [("Relu", (0,)) for _ in graph]
        number = {v: k for k, v in enumerate(graph, 1)}
        nodes += [("Add", (number[a], number[b])) for a, b in graph.edges]
        nodes.append(("Sum", tuple(range(len(number) + 1, len(nodes) + 1))))
        return canonical(disguise(small_model(nodes, len(nodes)), random, operands=True), commutative=True)

    graphs = [nx.petersen_graph(), nx.circular_ladder_graph(5), nx.moebius_kantor_graph(), nx.hypercube_graph(3)]
    graphs += [nx.disjoint_union(nx.cycle_graph(4), nx.cycle_graph(4)), nx.cycle_graph(8), nx.complete_graph(6)]
    forms = [{of_graph(graph, Random(seed)) for seed in range(4)} for graph in graphs]
    assert [len(form) for form in forms] == [1] * len(graphs)
    assert len(set.union(*forms)) == len(graphs)


# ---- what comes out


def test_what_it_writes() -> None:
    model = model_of(
        "other (float[2] image) => (float[2] scores) <float[2] bias = {1, 2}, float[2] unused = {0, 0}>"
        "{ b = Neg(image) a = Relu(image) scores = Sum(a, b, bias) dead = Exp(a) }"
    )
    model.graph.doc_string, model.producer_name = "a graph", "somebody"
    result = onnx.ModelProto.FromString(canonical(model))
    nodes = [(node.op_type, list(node.input), list(node.output)) for node in result.graph.node]
    assert nodes == [
        ("Relu", ["x0"], ["v0"]),
        ("Neg", ["x0"], ["v1"]),
        ("Sum", ["v0", "v1", "w0"], ["y0"]),
        ("Exp", ["v0"], ["v2"]),
    ]
    assert [tensor.name for tensor in result.graph.initializer] == ["w0", "w1"]
    assert (result.graph.name, result.graph.doc_string, result.producer_name) == ("g", "", "")


def test_rewrites_are_counted() -> None:
    model = model_of("g (float[2] x) => (float[2] y) { a = Relu(x) y = Neg(a) }")
    result = run_pipeline(model, "canonicalize,canonicalize")
    assert [step.rewrites for step in result.steps] == [3, 0]
    assert result.steps[0].keeps == "lossy"
    model = onnx.ModelProto.FromString(canonical(model))
    model.doc_string = "a model"
    assert run_pipeline(model, "canonicalize").steps[0].rewrites == 1


def test_types_of_nothing_are_left_out_with_a_note() -> None:
    model = model_of("g (float[2] x) => (float[2] y) <float[2] ghost> { y = Relu(x) }")
    result = run_pipeline(model, "canonicalize")
    assert list(result.model.graph.value_info) == []
    assert result.notes == ["canonicalize left out the types of 1 names that no value has"]


def test_hidden_values_are_hidden_by_merge() -> None:
    model = model_of("g (float[2] x) => (float[2] y) { a = Relu(x) b = Neg(a) y = Abs(b) }")
    result = run_pipeline(model, "canonicalize,merge").model
    assert [list(node.output) for node in result.graph.node] == [["_0"], ["_1"], ["y0"]]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            model_of("g (float[2] x) => (float[2] y) { y = Add(x, lost) }"),
            "%lost is used, but nothing defines it; repair or remove what uses it",
        ),
        (
            model_of("g (float[2] x) => (float[2] y) { a = Relu(b) b = Neg(a) y = Add(x, b) }"),
            "%b depends on itself: the nodes go in a circle; repair the graph",
        ),
        (
            model_of('g (float[2] x) => (float[2] y) { "a b" = Relu(x) "a b" = Neg(x) y = Add(x, x) }'),
            '%"a b" is defined twice; give one of the two another name',
        ),
        (
            model_of(
                "g (float[2] x, bool k) => (float[2] y) { a = Relu(x) y = If (k) <then_branch = t () => (float[2] a) "
                "{ a = Neg(x) }, else_branch = e () => (float[2] e) { e = Abs(a) }> }"
            ),
            "%a is defined in a subgraph and outside it too, and what it means there depends on the order of nodes; "
            "give it another name inside",
        ),
    ],
)
def test_errors(model: onnx.ModelProto, message: str) -> None:
    with pytest.raises(OnnxTextError) as caught:
        canonical(model)
    assert str(caught.value) == message


def test_what_has_no_form_yet() -> None:
    model = model_of("g (float[2] x) => (float[2] y) { y = Relu(x) }")
    messages = []
    trained, split, derived, doubled = (onnx.ModelProto.FromString(model.SerializeToString()) for _ in range(4))
    trained.training_info.add()
    split.graph.node[0].device_configurations.add(configuration_id="c").sharding_spec.add(tensor_name="x")
    derived.graph.node[0].op_type, derived.graph.node[0].domain = "Gradient", "ai.onnx.preview.training"
    for _ in range(2):
        doubled.functions.add(name="f", domain="local")
    for refused in (trained, split, derived, doubled):
        with pytest.raises(OnnxTextError) as caught:
            canonical(refused)
        messages.append(str(caught.value))
    assert messages == [
        "training information has no canonical form yet; remove the training_info of the model first",
        "device configurations name values, and have no canonical form yet; remove them first",
        "Gradient names values in its attributes, and has no canonical form yet; remove it first",
        "two functions of the model are local.f; remove one of them",
    ]


# ---- models that run


def with_its_names(result: onnx.ModelProto, model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a canonical model whose inputs and outputs have the names that they had before."""
    names = {"": ""}
    for field in ("output", "input"):
        pairs = zip(getattr(result.graph, field), getattr(model.graph, field), strict=True)
        names |= {new.name: old.name for new, old in pairs}
    other = onnx.ModelProto()
    other.CopyFrom(result)
    _rename(other.graph, names)
    return other


def _rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    def new(name: str) -> str:
        return names.get(name, f"hidden {name}")

    for named in (*graph.initializer, *(s.values for s in graph.sparse_initializer)):
        named.name = new(named.name)
    for value in (*graph.input, *graph.output, *graph.value_info):
        value.name = new(value.name)
    for node in graph.node:
        node.input[:] = map(new, node.input)
        node.output[:] = map(new, node.output)
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                _rename(inner, names)


@given(model=idle_models())
@examples(40)
def test_models_give_the_same_outputs(model: onnx.ModelProto) -> None:
    result = onnx.ModelProto.FromString(canonical(model))
    assert outputs_equal(made_up("drawn", model, sets=1), with_its_names(result, model))


def failure(sample: Sample) -> str | None:
    """Return what is wrong with the canonical form of a model that runs."""
    try:
        form = canonical(sample.model)
        if canonical(disguise(sample.model, Random(sample.name))) != form:
            return f"{sample.name}: disguised, it has another form"
        result = with_its_names(onnx.ModelProto.FromString(form), sample.model)
        return None if outputs_equal(sample, result) else f"{sample.name}: other outputs"
    except Exception as error:  # whatever it is, the other models are tried too
        return f"{sample.name}: {type(error).__name__}: {error}"


def runs(sample: Sample) -> bool:
    try:
        run_sample(sample)
    except CannotRunError:
        return False
    return sample.name not in RANDOM


def test_sample_of_the_backend_tests() -> None:
    chosen = [sample for sample in samples()[::EVERY] if runs(sample)]
    assert len(chosen) > 70
    assert [found for found in map(failure, chosen) if found] == []


@pytest.mark.acceptance
def test_all_backend_tests() -> None:
    chosen = [sample for sample in samples() if runs(sample)]
    assert len(chosen) > 1900
    assert [found for found in map(failure, chosen) if found] == []


def test_it_takes_no_more_than_linear_time() -> None:
    import time

    def seconds(count: int) -> float:
        nodes: list[tuple[str, tuple[int, ...]]] = []
        for _ in range(count):
            last = len(nodes)
            nodes += [("Relu", (last,)), ("Relu", (last,)), ("Add", (last + 1, last + 2))]
        model = small_model(nodes, len(nodes))
        begun = time.process_time()
        Canonicalize(commutative=True).run(model, Context())
        return time.process_time() - begun

    assert seconds(8_000) < 13 * seconds(1_000)  # 8 times as much, and what a shared machine adds


def test_tensors_in_attributes_have_no_names() -> None:
    models = []
    for name in ("a", "b"):
        value = helper.make_tensor(name, TensorProto.FLOAT, [1], [0.5])
        graph = helper.make_graph(
            [helper.make_node("Constant", [], ["y"], value=value)],
            "g",
            [],
            [helper.make_tensor_value_info("y", 1, [1])],
        )
        models.append(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10))
    assert canonical(models[0]) == canonical(models[1])
