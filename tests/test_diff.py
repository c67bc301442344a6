"""`diff`: nothing for the same network under other names, and for a planted change exactly that change."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import numpy as np
import onnx
import pytest
from edits import EDITS, Expected, network, plant
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper
from passes.disguise import disguise
from passes.graphs import idle_model
from running import a_linear_model, run, write_model

import onnxtext
from onnxtext.core.blobs import Blobs
from onnxtext.tools.diff_text import show_changes
from onnxtext.tools.differences import Change, compare

ONE = """onnxt 1
model {ir_version=10, opset_import=["": 21]}
graph @g (%x: f32[1,8]) -> (%y: f32[1,8]) {
 %a = Relu(%x)
 %b = Elu(%a) {alpha=0.5}
 %y = Add(%a, %b)
}
"""


def found(old: onnx.ModelProto, new: onnx.ModelProto) -> list[Change]:
    return compare(old, new, Blobs(), Blobs())


def check_planted(model: onnx.ModelProto, random: Random, kind: str) -> None:
    changed, expected = plant(model, random, kind)
    changes = found(model, disguise(changed, random))
    shown = show_changes(changes, "old", "new")
    assert [Expected(c.kind, c.what) for c in changes] == [expected], shown
    assert changes[0].count == 1, shown


@pytest.mark.parametrize("kind", sorted(EDITS))
@settings(max_examples=25)  # 200 in all
@given(seed=st.integers(0, 2**32))
def test_a_planted_change_is_reported_as_that_change(kind: str, seed: int):
    check_planted(network(Random(seed), 40), Random(seed + 1), kind)


@settings(max_examples=40)
@given(random=st.randoms(use_true_random=False))
def test_names_and_order_are_no_change(random: Random):
    model = idle_model(random)
    assert found(model, disguise(model, random)) == []


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), count=st.integers(2, 5))
def test_several_planted_changes_are_never_no_change(seed: int, count: int):
    random = Random(seed)
    model = changed = network(random)
    for number in range(count):
        changed, _ = plant(changed, random, random.choice(["inserted", "attribute", "weight"]))
        for node in changed.graph.node:  # so that the next may insert too
            for names in (node.input, node.output):
                names[:] = [f"fresh{number}" if name == "fresh" else name for name in names]
        assert found(model, changed) != []


def test_a_block_inserted_at_several_places_shows_once():
    model = network(Random(5), nodes=1)
    nodes = [helper.make_node("Relu", ["x"], ["v0"])]
    nodes += [helper.make_node("Elu", [f"v{k}"], [f"v{k + 1}"]) for k in range(6)]
    nodes.append(helper.make_node("Identity", ["v6"], ["y"]))
    graph = helper.make_graph(nodes, "g", model.graph.input, model.graph.output)
    old = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)])
    new = onnx.ModelProto.FromString(old.SerializeToString())
    for k in (5, 3, 1):
        user = new.graph.node[k + 1]
        new.graph.node.insert(k + 1, helper.make_node("Erf", [user.input[0]], [f"e{k}"]))
        new.graph.node.insert(k + 2, helper.make_node("Neg", [f"e{k}"], [f"n{k}"]))
        user.input[0] = f"n{k}"
    (change,) = found(old, new)
    assert (change.kind, change.what, change.count) == ("inserted", "2 nodes, Erf, Neg", 3)
    assert show_changes([change], "a", "b") == (
        "--- a\n+++ b\n@@ graph: inserted 2 nodes, Erf, Neg, 3 times @@\n"
        "+%e1 = Erf(%v1)\n+%n1 = Neg(%e1)\n\\ likewise %n3, %n5"
    )


@pytest.mark.parametrize("suffix", ["onnxt", "onnx"])
def test_the_command_shows_a_changed_attribute(tmp_path: Path, suffix: str):
    old, new = tmp_path / f"old.{suffix}", tmp_path / f"new.{suffix}"
    onnxtext.save(onnxtext.decode(ONE), old) if suffix == "onnxt" else write_model(old, onnxtext.decode(ONE))
    changed = onnxtext.decode(ONE.replace("0.5", "0.25").replace("%a", "%renamed"))
    onnxtext.save(changed, new) if suffix == "onnxt" else write_model(new, changed)
    shown = run("diff", old, new)
    assert shown.status == 1
    assert shown.out.decode() == (
        f"--- {old}\n+++ {new}\n@@ graph: alpha of Elu @@\n-%b = Elu(%a) {{alpha=0.5}}\n+%b = Elu(%a) {{alpha=0.25}}\n"
    )
    coloured = run("diff", old, new, is_terminal=True).out.decode()
    assert "\x1b[31m-%b = Elu(%a) {alpha=0.5}\x1b[0m\n" in coloured
    assert (run("diff", old, old).status, run("diff", old, old).out) == (0, b"")


def test_json_holds_every_change(tmp_path: Path):
    write_model(tmp_path / "a.onnx", onnxtext.decode(ONE))
    write_model(tmp_path / "b.onnx", onnxtext.decode(ONE.replace("Relu", "Neg")))
    outcome = run("diff", tmp_path / "a.onnx", tmp_path / "b.onnx", "--json")
    told = json.loads(outcome.out)
    assert (outcome.status, told["same"], told["changes"]) == (
        1,
        False,
        [
            {
                "kind": "operator",
                "what": "Relu is Neg now",
                "scope": "graph",
                "old": ["%a = Relu(%x)"],
                "new": ["%a = Neg(%x)"],
                "note": "",
                "places": ["a"],
                "count": 1,
            }
        ],
    )
    assert json.loads(run("diff", tmp_path / "a.onnx", tmp_path / "a.onnx", "--json").out)["same"] is True


def test_changed_weights_are_shown_with_the_norm_of_the_difference():
    old = a_linear_model()
    new = a_linear_model()
    matrix = numpy_helper.to_array(old.graph.initializer[0]).copy()
    matrix[0, 0], matrix[1, 1] = 3, matrix[1, 1] + 4
    new.graph.initializer[0].CopyFrom(numpy_helper.from_array(matrix, "w"))
    (change,) = found(old, new)
    assert (change.kind, change.what) == ("weight", "weight of MatMul, operand 1")
    own = np.linalg.norm(numpy_helper.to_array(old.graph.initializer[0]).astype(np.float64))
    assert change.note == f"norm of the difference 5, {5 / own:.3g} of the old one's; 2 of 4,000 elements differ"


def test_a_weight_of_another_type_says_so():
    new = a_linear_model(columns=50)
    new.graph.output[0].CopyFrom(a_linear_model().graph.output[0])
    (change,) = found(a_linear_model(), new)
    assert (change.kind, change.note) == ("weight", "of another type")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"": 21', '"": 20', ("opset", "opset", "model")),
        ("ir_version=10", "ir_version=9", ("model", "ir_version", "model")),
        ("(%x: f32[1,8])", "(%x: f32[1,8], %m: f32[2])", ("input", "input 1 is new", "graph")),
        ("Add(%a, %b)", "Add(%b, %a)", ("operand", "operand 0 of Add", "graph")),
        ("Relu(%x)", "ai.onnx.ml.Normalizer(%x)", ("operator", "Relu is ai.onnx.ml.Normalizer now", "graph")),
        ("{alpha=0.5}", "{alpha=0.5, beta=1}", ("attribute", "beta of Elu", "graph")),
    ],
)
def test_what_else_can_change(old: str, new: str, expected: tuple[str, str, str]):
    changes = found(onnxtext.decode(ONE), onnxtext.decode(ONE.replace(old, new)))
    assert expected in [(c.kind, c.what, c.scope) for c in changes], changes


def test_functions_are_compared_by_name():
    text = """onnxt 1
model {ir_version=10, opset_import=["": 21, "local": 1]}
def @f {opset_import=["": 21], domain="local"} (%x) -> (%y) {
 %y = Relu(%x)
}
graph @g (%x: f32[1]) -> (%y: f32[1]) {
 %y = @f(%x)
}
"""
    old = onnxtext.decode(text)
    new = onnxtext.decode(text.replace("Relu", "Neg"))
    assert [(c.kind, c.what, c.scope) for c in found(old, new)] == [("operator", "Relu is Neg now", "@local.f")]
    new.functions[0].name = "other"
    assert [(c.kind, c.what) for c in found(old, new)] == [("function", "@local.f"), ("function", "@local.other")]


def test_a_circle_is_refused(tmp_path: Path):
    model = onnxtext.decode(ONE)
    model.graph.node[0].input[0] = "b"
    write_model(tmp_path / "circle.onnx", model)
    outcome = run("diff", tmp_path / "circle.onnx", tmp_path / "circle.onnx")
    assert (outcome.status, outcome.err) == (
        2,
        "error: the value %a depends on itself; such a model has no order to compare\n",
    )


def test_standard_input_can_be_one_of_the_two(tmp_path: Path):
    data = write_model(tmp_path / "a.onnx", onnxtext.decode(ONE))
    assert run("diff", "-", tmp_path / "a.onnx", given=data).status == 0
    outcome = run("diff", "-", "-", given=data)
    assert (outcome.status, outcome.err) == (2, "error: standard input can be one of the two models, not both\n")


@pytest.mark.acceptance
def test_thousands_of_planted_changes():
    for seed in range(400):
        for kind in sorted(EDITS):
            check_planted(network(Random(seed), 40), Random(seed + 1), kind)
    check_planted(network(Random(1), 100, blocks=100), Random(1), "inserted")
