"""The manager holds passes to their word, and a model survives those that fail."""

from __future__ import annotations

import onnx
import probes
import pytest

from onnxtext import OnnxTextError
from onnxtext.core.blobs import attach, detach
from onnxtext_passes.base import Pass, PassError
from onnxtext_passes.fixpoint import FixPoint
from onnxtext_passes.manager import Size, run_pipeline
from onnxtext_passes.merge import Merge
from onnxtext_passes.pipeline import Pipeline
from onnxtext_passes.prune import Prune

MODEL = onnx.parser.parse_model(
    '<ir_version: 10, opset_import: ["": 21]> g (float[2] x) => (float[2] y) { h = Identity(x) y = Relu(h) }'
)
WIRE = MODEL.SerializeToString(deterministic=True)


def pipeline(*passes: Pass) -> Pipeline:
    return Pipeline(body=passes)


@pytest.fixture(autouse=True)
def the_model_stays() -> object:
    """Hold every test to it that the model given is not touched."""
    yield
    assert MODEL.SerializeToString(deterministic=True) == WIRE


@pytest.mark.parametrize(
    ("passes", "message"),
    [
        (
            [Prune(), probes.Fail(), Merge()],
            "the pass fail, after prune, failed, and the model is as it was before: RuntimeError: out of luck",
        ),
        ([probes.Fail()], "the pass fail failed, and the model is as it was before: RuntimeError: out of luck"),
        (
            [probes.Rename(count=0)],
            "the pass rename{count=0} broke its word: it counts 0 rewrites, and the model changed",
        ),
        (
            [Merge(), probes.Rename(to="g")],
            "the pass rename{to=g}, after merge, broke its word: it counts 1 rewrites, and the model is the same",
        ),
        (
            [FixPoint(body=(Prune(), probes.Fail()))],
            "the pass fixpoint(prune,fail) failed, and the model is as it was before: RuntimeError: out of luck",
        ),
    ],
)
def test_a_pass_that_fails_or_lies(passes: list[Pass], message: str) -> None:
    with pytest.raises(PassError) as caught:
        run_pipeline(MODEL, pipeline(*passes))
    assert str(caught.value) == message


def test_the_error_holds_the_model_before_and_what_was_to_be_done() -> None:
    with pytest.raises(PassError) as caught:
        run_pipeline(MODEL, pipeline(Prune(), probes.Fail(), Merge()))
    assert caught.value.remaining == "fail,merge"
    assert caught.value.model is not None and len(caught.value.model.graph.node) == 1


@pytest.mark.parametrize("verify", ["each", "end"])
def test_a_result_that_does_not_check(verify: str) -> None:
    with pytest.raises(PassError) as caught:
        run_pipeline(MODEL, pipeline(probes.Break()), verify=verify)  # type: ignore[arg-type]  # one of the modes
    first = str(caught.value).splitlines()[0]
    where = {
        "each": "the pass break gives a model that does not check: ",
        "end": "after break: the model does not check: ",
    }
    assert first.startswith(where[verify])
    assert run_pipeline(MODEL, pipeline(probes.Break())).model.graph.node == []  # unasked, nothing is checked


@pytest.mark.parametrize("verify", ["each", "end"])
def test_other_outputs_than_promised(verify: str) -> None:
    with pytest.raises(PassError) as caught:
        run_pipeline(MODEL, pipeline(probes.Negate()), verify=verify, verify_outputs=True)  # type: ignore[arg-type]
    assert "gives other outputs: output y: " in str(caught.value)
    run_pipeline(MODEL, pipeline(Prune(), Merge()), verify=verify, verify_outputs=True)  # type: ignore[arg-type]


def test_a_mode_of_verification_that_there_is_not() -> None:
    with pytest.raises(OnnxTextError) as caught:
        run_pipeline(MODEL, "prune", verify="echo")  # type: ignore[arg-type]  # the mistake
    assert str(caught.value) == "passes are verified each, end or none, not echo (did you mean each?)"


@pytest.mark.parametrize(
    ("at_least", "passes", "message"),
    [
        ("exact", [Merge(), Prune()], "the pass prune is equivalent, and only exact ones are wanted"),
        (
            "exact",
            [FixPoint(body=(Prune(),))],
            "the pass fixpoint(prune) is equivalent, and only exact ones are wanted",
        ),
        ("equivalent", [Prune(), probes.Rename()], "the pass rename is lossy, and only equivalent ones are wanted"),
    ],
)
def test_passes_that_keep_less_than_wanted(at_least: str, passes: list[Pass], message: str) -> None:
    with pytest.raises(OnnxTextError) as caught:
        run_pipeline(MODEL, pipeline(*passes), at_least=at_least)  # type: ignore[arg-type]  # one of the words
    assert str(caught.value) == message


def test_what_passes_did_is_reported() -> None:
    seen = []
    result = run_pipeline(
        MODEL,
        pipeline(Prune(), probes.Probe(), probes.Rename()),
        after_each=lambda number, p, model, changed: seen.append((number, str(p), len(model.graph.node), changed)),
    )
    assert seen == [(0, "prune", 1, True), (1, "probe", 1, False), (2, "rename", 1, True)]
    assert [(step.name, step.keeps, step.rewrites) for step in result.steps] == [
        ("prune", "equivalent", 1),
        ("probe", "equivalent", 0),
        ("rename", "lossy", 1),
    ]
    assert [(step.before.nodes, step.after.nodes) for step in result.steps] == [(2, 1), (1, 1), (1, 1)]
    assert result.notes == ["probe: 1 nodes"]
    report = result.report()
    assert report["notes"] == ["probe: 1 nodes"]
    assert report["steps"][0]["after"]["nodes"] == 1


def test_a_pipeline_without_passes_gives_the_model_itself() -> None:
    assert run_pipeline(MODEL, "").model is MODEL


def test_fixpoint_ends_at_its_bound_and_says_so() -> None:
    result = run_pipeline(MODEL, pipeline(FixPoint(max=3, body=(probes.Rename(),))))
    assert result.steps[0].rewrites == 3
    assert result.notes == ["fixpoint{max=3}(rename): still changing after 3 rounds"]


def test_fixpoint_ends_when_nothing_changes() -> None:
    result = run_pipeline(MODEL, pipeline(FixPoint(body=(Prune(), Merge()))))
    assert (result.steps[0].rewrites, result.notes) == (1, [])


def test_a_size_of_ones_own() -> None:
    result = run_pipeline(MODEL, "prune", size_of=lambda model: Size(0, 0, 0, tokens=7))
    assert result.steps[0].before.tokens == 7


def test_large_data_stays_behind_its_placeholders() -> None:
    """Passes see a skeleton; the weights are where they were afterwards, and equal ones are one."""
    model = onnx.ModelProto()
    model.CopyFrom(MODEL)
    del model.graph.node[:]
    data = bytes(range(256)) * 16
    other = data[:2000] + b"\xff" + data[2001:]
    for name, raw in (("a", data), ("b", data), ("c", other)):
        model.graph.initializer.append(onnx.TensorProto(name=name, data_type=1, dims=[1024], raw_data=raw))
    model.graph.node.append(onnx.helper.make_node("Concat", ["x", "a", "b", "c"], ["y"], axis=0))
    skeleton, blobs = detach(model.SerializeToString())
    assert len(skeleton) < 500
    result = run_pipeline(onnx.ModelProto.FromString(skeleton), "prune{weights=true},merge", blobs=blobs).model
    whole = onnx.ModelProto.FromString(b"".join(attach(result.SerializeToString(), blobs)))
    assert list(whole.graph.node[0].input) == ["x", "a", "a", "c"]
    assert [tensor.raw_data for tensor in whole.graph.initializer] == [data, other]


def test_large_data_is_whole_again_in_the_result_and_in_the_error() -> None:
    model = onnx.ModelProto()
    model.CopyFrom(MODEL)
    model.graph.initializer.append(onnx.TensorProto(name="w", data_type=1, dims=[1024], raw_data=bytes(4096)))
    seen: list[int] = []
    result = run_pipeline(model, "merge", after_each=lambda _number, _pass, now, _changed: seen.append(now.ByteSize()))
    assert result.model.graph.initializer == model.graph.initializer and max(seen) < 500
    with pytest.raises(PassError) as caught:
        run_pipeline(model, pipeline(probes.Fail()))
    assert caught.value.model == model
