"""Where nodes come from, held against marks on the nodes that passes carry along and the comparison does not read."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
import pytest
from onnx import numpy_helper
from running import Outcome, run, write_model
from suite import samples

from onnxtext_passes import provenance
from onnxtext_passes.manager import run_pipeline
from onnxtext_passes.provenance import Row, Trail

HEAD = '<ir_version: 10, opset_import: ["": 21, "d": 1]> g (float[2] x, bool c) => (float[2] y) '
CELL = '<domain: "d", opset_import: ["": 21]> f <k> (x) => (z) { h = Neg(x) z = Elu <alpha: float = @k> (h) }'


def parse(body: str, functions: str = "") -> onnx.ModelProto:
    return onnx.parser.parse_model(f"{HEAD}{{ {body} }} {functions}")


def follow(*models: onnx.ModelProto) -> list[tuple[str, str, str]]:
    """Return node and operator, who made it, and of what, after steps `a`, `b` and so on."""
    trail = Trail(models[0])
    for name, model in zip("abc", models[1:], strict=False):
        trail.step(name, model)
    return [(f"{row.node} {row.operator}", row.made_by, " ".join(row.made_from)) for row in trail.rows()]


# ---- what passes of ours do


def marked(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model whose nodes carry where they stand."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for address, node in provenance._addresses(copy):
        node.doc_string = address
    return copy


@pytest.mark.parametrize("passes", ["merge", "prune", "prune,merge"])
def test_backend_models(passes: str):
    for sample in samples():
        model = marked(sample.model)
        trail = Trail(model)
        result = run_pipeline(model, passes, after_each=lambda _, p, made, changed, t=trail: t.step(str(p), made))
        for row, (_, node) in zip(trail.rows(), provenance._addresses(result.model), strict=True):
            assert (row.made_by, row.made_from) == ("input", (node.doc_string,)), sample.name


def shuffled(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model with other names for all values of its graph, and its nodes in another order."""
    made = {name for node in model.graph.node for name in node.output if name}
    names = {name: f"v{k}" for k, name in enumerate(random.Random(1).sample(sorted(made), len(made)))}
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        node.input[:] = [names.get(n, n) for n in node.input]
        node.output[:] = [names.get(n, n) for n in node.output]
    for value in copy.graph.output:
        value.name = names.get(value.name, value.name)
    nodes = list(copy.graph.node)
    order = sorted(range(len(nodes)), key=lambda k: random.Random(k).random())
    replaced = [onnx.NodeProto.FromString(nodes[k].SerializeToString()) for k in order]
    copy.graph.ClearField("node")
    copy.graph.node.extend(replaced)
    return copy


def test_names_and_order_do_not_matter():
    """Of nodes that nothing tells apart any is right."""
    count = right = 0
    for sample in samples():
        if any(node.op_type in ("If", "Loop", "Scan", "SequenceMap") for node in sample.model.graph.node):
            continue  # graphs within see the names
        model = marked(sample.model)
        after = shuffled(model)
        trail = Trail(model)
        trail.step("shuffle", after)
        before = dict(provenance._addresses(model))
        for row, (_, node) in zip(trail.rows(), provenance._addresses(after), strict=True):
            assert row.made_by == "input" and len(row.made_from) == 1, sample.name
            assert (
                before[row.made_from[0]].op_type == node.op_type
                and before[row.made_from[0]].attribute == node.attribute
            )
            count, right = count + 1, right + (row.made_from == (node.doc_string,))
    assert right / count > 0.99


# ---- nodes that are made, changed or gone


def test_an_operator_that_becomes_another():
    assert follow(parse("h = Neg(x) y = Relu(h)"), parse("h = Neg(x) y = Tanh(h)")) == [
        ("graph:0 Neg", "input", "graph:0"),
        ("graph:1 Tanh", "a", "graph:1"),
    ]


def test_nodes_that_become_one_and_that_one_later_another():
    assert follow(
        parse("a = Abs(x) h = Neg(a) i = Exp(h) y = Relu(i)"),
        parse("a = Abs(x) i = Sin(a) y = Relu(i)"),
        parse("a = Abs(x) i = Cos(a) y = Relu(i)"),
        parse("a = Abs(x) i = Cos(a) y = Relu(i)"),
    ) == [
        ("graph:0 Abs", "input", "graph:0"),
        ("graph:1 Cos", "b", "graph:1 graph:2"),
        ("graph:2 Relu", "input", "graph:3"),
    ]


def test_a_node_that_is_new_is_made_of_nothing():
    assert follow(parse("h = Neg(x) y = Relu(h)"), parse("h = Neg(x) i = Relu(h) y = Sin(i)")) == [
        ("graph:0 Neg", "input", "graph:0"),
        ("graph:1 Relu", "input", "graph:1"),
        ("graph:2 Sin", "a", ""),
    ]


def test_what_stood_in_the_way_is_no_part_of_what_is_left():
    before = parse("a = Identity(x) h = Neg(a) i = Relu(h) y = Identity(i)")
    assert follow(before, parse("h = Neg(x) y = Relu(h)")) == [
        ("graph:0 Neg", "input", "graph:1"),
        ("graph:1 Relu", "input", "graph:2"),
    ]


def test_operands_of_commutative_operators_in_another_order():
    before, after = (
        parse("a = Abs(x) b = Neg(x) y = Add(a, b)"),
        parse("q = Neg(x) p = Abs(x) z = Add(q, p) y = Sin(z)"),
    )
    del after.graph.node[3]
    after.graph.output[0].name = "z"
    assert [(made_by, made_from) for _, made_by, made_from in follow(before, after)] == [
        ("input", "graph:1"),
        ("input", "graph:0"),
        ("input", "graph:2"),
    ]


def test_weights_in_other_storage_and_under_other_names():
    before = parse("h = Add(x, w) y = Sub(h, v)")
    after = parse("i = Add(x, a) y = Sub(i, b)")
    for name, value in (("w", 1.0), ("v", 2.0)):
        before.graph.initializer.add(name=name, data_type=1, dims=[1], float_data=[value])
    for name, value in (("b", 2.0), ("a", 1.0)):
        made = numpy_helper.from_array(np.array([value], np.float32), name)
        after.graph.initializer.append(made)
    assert [made_from for _, _, made_from in follow(before, after)] == ["graph:0", "graph:1"]


# ---- functions, and graphs within nodes

WRITTEN_OUT = "a = Neg(x) b = Elu <alpha = 2.0> (a) h = Neg(b) y = Elu <alpha = 3.0> (h)"
CALLED = "b = d.f <k = 2.0> (x) y = d.f <k = 3.0> (b)"


def test_nodes_that_become_calls():
    assert follow(parse(WRITTEN_OUT), parse(CALLED, CELL), parse(CALLED.replace("b", "_0"), CELL)) == [
        ("graph:0 d.f", "a", "graph:0 graph:1"),
        ("graph:1 d.f", "a", "graph:2 graph:3"),
        ("@d.f:0 Neg", "a", "graph:0 graph:2"),
        ("@d.f:1 Elu", "a", "graph:1 graph:3"),
    ]


def test_calls_that_are_written_out():
    before = parse(CALLED, CELL)
    assert follow(before, onnx.inliner.inline_local_functions(before)) == [
        ("graph:0 Neg", "input", "@d.f:0"),
        ("graph:1 Elu", "input", "@d.f:1"),
        ("graph:2 Neg", "input", "@d.f:0"),
        ("graph:3 Elu", "input", "@d.f:1"),
    ]


def test_a_function_that_nothing_calls_and_one_that_calls_itself():
    loop = '<domain: "d", opset_import: ["": 21, "d": 1]> l (x) => (z) { h = Neg(x) z = d.l(h) }'
    before = parse("y = Neg(x)", CELL + loop)
    assert [made_by for _, made_by, _ in follow(before, before)] == ["input"] * 5


def test_a_function_that_hands_its_operand_on():
    before = parse("h = d.i(x) y = Neg(h)", '<domain: "d", opset_import: ["": 21]> i (x) => (x) { u = Neg(x) }')
    rows = follow(before, parse("y = Neg(x)"))
    assert rows == [("graph:0 Neg", "input", "graph:1")]


BRANCHES = "u = Abs(x) y = If(c) <then_branch = t () => (o) {{ {} }}, else_branch = e () => (o) {{ {} }}>"


def test_nodes_in_branches():
    before = parse(BRANCHES.format("p = Neg(u) o = Sin(p)", "o = Neg(u)"))
    after = parse(BRANCHES.format("q = Neg(u) o = Sin(q)", "r = Neg(u) o = Exp(r)"))
    assert follow(before, after) == [
        ("graph:0 Abs", "input", "graph:0"),
        ("graph:1 If", "input", "graph:1"),
        ("graph:1.then_branch:0 Neg", "input", "graph:1.then_branch:0"),
        ("graph:1.then_branch:1 Sin", "input", "graph:1.then_branch:1"),
        ("graph:1.else_branch:0 Neg", "input", "graph:1.else_branch:0"),
        ("graph:1.else_branch:1 Exp", "a", ""),
    ]


def test_more_nodes_than_are_compared(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(provenance, "MOST_NODES", 2)
    with pytest.raises(
        Exception, match=r"^the model has more than 2 nodes with calls written out: leave --provenance out$"
    ):
        Trail(parse(WRITTEN_OUT))


# ---- the command line


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_model(Path("m.onnx"), parse("a = Identity(x) h = Neg(a) y = Relu(h)"))
    return tmp_path


TABLE = (
    "node\toperator\tresult\tmade_by\tmade_from\ngraph:0\tNeg\t_0\tinput\tgraph:1\ngraph:1\tRelu\ty\tinput\tgraph:2\n"
)


def test_the_table(here: Path):
    for command in ("encode", "optimize"):
        found = run(command, "m.onnx", "--passes", "prune,merge", "--provenance", "-", "-o", "x")
        assert found == Outcome(0, TABLE.encode(), "")
    run("encode", "m.onnx", "--passes", "prune,merge", "--provenance", "p.tsv")
    assert Path("p.tsv").read_text() == TABLE
    run("encode", "m.onnx", "--passes", "prune,merge", "--provenance", "p.json")
    rows = [Row(**{**row, "made_from": tuple(row["made_from"])}) for row in json.loads(Path("p.json").read_text())]
    assert rows[0] == Row("graph:0", "Neg", "_0", "input", ("graph:1",))


def test_text_and_table_do_not_share_an_output(here: Path):
    for command, what in (("encode", "text"), ("optimize", "model")):
        assert run(command, "m.onnx", "--passes", "prune", "--provenance", "-") == Outcome(
            2,
            b"",
            f"error: the {what} and the table of --provenance cannot both go to standard output: use -o FILE\n",
        )
