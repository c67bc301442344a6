"""`onnxtext hash`: one hash for a network, whatever it is called and however it is ordered."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from running import a_linear_model, run, run_apart, write_model

from onnxtext.core.blobs import detach
from onnxtext_passes.structural_hash import PASSES, VERSION, structural_hash


def small_model() -> onnx.ModelProto:
    return onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 21]> g (float[N,2] x) => (float[N,2] y) <float[2] w = {1, 2}> '
        "{ a = Relu(x) b = Mul(x, w) y = Sub(a, b) }"
    )


def test_a_hash_is_what_it_was() -> None:
    """Where this fails, hashes that users have kept are no longer found: raise VERSION, and only then change it."""
    assert (
        structural_hash(small_model()) == "onnxtext1:65d80e025d5dcffa9f41fb3fafe663d010240cda1fcc14b3d9aeb0bf8b02cfd0"
    )
    assert (VERSION, PASSES) == (1, "canonicalize")


def test_names_order_and_documentation_do_not_count() -> None:
    model = small_model()
    expected = structural_hash(model)
    for name in ("x", "a", "y"):
        for node in model.graph.node:
            node.input[:] = [f"{name}/{n}" if n == name else n for n in node.input]
            node.output[:] = [f"{name}/{n}" if n == name else n for n in node.output]
        for value in (*model.graph.input, *model.graph.output):
            value.name = f"{name}/{name}" if value.name == name else value.name
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend([nodes[1], nodes[0], nodes[2]])
    model.doc_string = model.graph.name = "documentation"
    assert structural_hash(model) == expected


def test_weights_count_wherever_their_data_is() -> None:
    models = [a_linear_model(), a_linear_model(factor=2.0), a_linear_model(columns=99)]
    hashes = [structural_hash(model) for model in models]
    assert len(set(hashes)) == 3
    skeleton, blobs = detach(models[0].SerializeToString())
    assert len(blobs) == 1
    assert structural_hash(onnx.ModelProto.FromString(skeleton), blobs) == hashes[0]


def test_command(tmp_path: Path) -> None:
    model = a_linear_model()
    write_model(tmp_path / "model.onnx", model)
    expected = structural_hash(model)
    outcome = run("hash", tmp_path / "model.onnx")
    assert (outcome.status, outcome.out, outcome.err) == (0, f"{expected}\n".encode(), "")
    outcome = run("hash", "--json", tmp_path / "model.onnx")
    assert json.loads(outcome.out) == {"hash": expected, "version": 1, "passes": "canonicalize"}
    assert run("encode", tmp_path / "model.onnx", "-o", tmp_path / "model.onnxt").status == 0
    assert run("hash", tmp_path / "model.onnxt").out == f"{expected}\n".encode()


def test_command_reads_standard_input() -> None:
    model = small_model()
    outcome = run_apart("hash", "-", given=model.SerializeToString())
    assert (outcome.status, outcome.out.decode()) == (0, f"{structural_hash(model)}\n")


@pytest.mark.parametrize("arguments", [("hash", "nowhere.onnx"), ("hash",)])
def test_errors_of_the_command(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).status == 2


def test_a_model_without_a_form(tmp_path: Path) -> None:
    model = small_model()
    model.graph.node[0].input[0] = "lost"
    write_model(tmp_path / "model.onnx", model)
    outcome = run("hash", tmp_path / "model.onnx")
    assert (outcome.status, outcome.out) == (2, b"")
    assert outcome.err == (
        "error: the pass canonicalize failed, and the model is as it was before: "
        "PassError: %lost is used, but nothing defines it; repair or remove what uses it\n"
    )
