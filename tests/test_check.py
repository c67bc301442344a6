"""`check`: each code for a model that deserves it, nothing for one that does not."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import onnx
import pytest
from edits import network
from running import a_linear_model, run, write_model

import onnxtext
from onnxtext.core.blobs import Blobs
from onnxtext.tools.checking import RULES, check

GOOD = """onnxt 1
model {ir_version=10, opset_import=["": 21]}
graph @g (%x: f32[1,8]) -> (%y: f32[1,8]) {
 %a = Relu(%x)
 %b = Elu(%a) {alpha=0.5}
 %y = Add(%a, %b)
}
"""
FUNCTION = """def @f {opset_import=["": 21], domain="local"} (%x) -> (%y) {
 %y = Relu(%x)
}
graph"""

# Code, what to put in place of what, and the finding.
CASES = [
    (
        "OXT001",
        "Relu",
        "Rleu",
        "graph, %a: OXT001 there is no operator Rleu in version 21 of onnx (did you mean Relu?)",
    ),
    ("OXT001", "Relu", "Upsample", "graph, %a: OXT001 Upsample is no longer there in version 21 of onnx"),
    (
        "OXT002",
        "Relu",
        "ai.onnx.ml.Normalizer",
        "graph, %a: OXT002 Normalizer is of the domain ai.onnx.ml, which is not imported",
    ),
    ("OXT005", "Add(%a, %b)", "Add(%a, %b, %b)", "graph, %y: OXT005 Add has 3 operands, and takes 2"),
    ("OXT006", "alpha", "alhpa", "graph, %b: OXT006 Elu has no attribute alhpa in version 21 (did you mean alpha?)"),
    ("OXT007", "0.5", "1", "graph, %b: OXT007 alpha of Elu is of the kind int, and must be float"),
    ("OXT008", "Relu(%x)", "Cast(%x)", "graph, %a: OXT008 Cast needs the attribute to"),
    ("OXT011", "Add(%a, %b)", "Add(%a, %a)", "graph, %b: OXT011 no output depends on Elu"),
    ("OXT012", "(%x: f32[1,8])", "(%x: f32[1,8], %m: f32[2])", "graph, %m: OXT012 nothing reads this input"),
    ("OXT014", "graph", FUNCTION, "model: OXT014 nothing calls the function local.f"),
]


@pytest.mark.parametrize(("code", "old", "new", "line"), CASES, ids=[f"{case[0]}-{case[2][:9]}" for case in CASES])
def test_each_code(code: str, old: str, new: str, line: str, tmp_path: Path):
    path = tmp_path / "m.onnx"
    write_model(path, onnxtext.decode(GOOD.replace(old, new, 1)))
    outcome = run("check", path)
    assert outcome.status == 1
    assert f"{path}: {line}" in outcome.out.decode().splitlines()


def changed() -> onnx.ModelProto:
    return onnxtext.decode(GOOD)


def twice(model: onnx.ModelProto) -> None:
    model.graph.node[1].output[0] = "a"
    model.graph.node[2].input[1] = "a"


def undefined(model: onnx.ModelProto) -> None:
    model.graph.node[2].input[1] = "bb"


def conflict(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT64


def unread(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(onnx.helper.make_tensor("w", 1, [1], [0.0]))


def disordered(model: onnx.ModelProto) -> None:
    first = onnx.NodeProto.FromString(model.graph.node[0].SerializeToString())
    del model.graph.node[0]
    model.graph.node.append(first)


@pytest.mark.parametrize(
    ("code", "change", "place", "message"),
    [
        ("OXT003", twice, "graph, %a", "Elu defines it once more"),
        ("OXT004", undefined, "graph, %y", "Add reads %bb, which nothing defines (did you mean %b?)"),
        ("OXT010", unread, "graph, %w", "nothing reads this weight"),
        ("OXT013", disordered, "graph, %b", "Elu reads %a, which is defined later"),
    ],
)
def test_each_code_of_names(code: str, change, place: str, message: str):
    model = changed()
    change(model)
    told = [(f.code, f.place, f.message) for f in check(model, Blobs())]
    assert (code, place, message) in told


def test_types_in_conflict_are_told_in_the_words_of_onnx():
    model = changed()
    conflict(model)
    findings = [f for f in check(model, Blobs()) if f.code == "OXT009"]
    assert findings and all(f.message for f in findings)


def test_a_good_model_has_no_finding(tmp_path: Path):
    assert check(changed(), Blobs()) == []
    assert check(network(Random(1)), Blobs()) == []
    write_model(tmp_path / "m.onnx", a_linear_model())
    outcome = run("check", tmp_path / "m.onnx")
    assert (outcome.status, outcome.out) == (0, b"")


def test_json_and_sarif_hold_every_finding(tmp_path: Path):
    path = tmp_path / "m.onnx"
    write_model(path, onnxtext.decode(GOOD.replace("Add(%a, %b)", "Add(%a, %a)")))
    told = json.loads(run("check", path, "--json").out)
    assert told == {
        "model": str(path),
        "findings": [
            {
                "code": "OXT011",
                "place": "graph, %b",
                "message": "no output depends on Elu",
                "level": "warning",
                "title": "node that no output depends on",
            }
        ],
    }
    log = json.loads(run("check", path, "--sarif").out)
    (result,) = log["runs"][0]["results"]
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert (log["version"], result["level"], rules[result["ruleIndex"]]["id"]) == ("2.1.0", "warning", "OXT011")
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == str(path)


@pytest.mark.parametrize("code", RULES)
def test_each_code_is_explained(code: str):
    outcome = run("check", "--explain", code)
    assert outcome.status == 0
    assert outcome.out.decode().startswith(f"{code}: {RULES[code].title} ({RULES[code].level})\n\n")
