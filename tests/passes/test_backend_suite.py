"""The models of onnx's backend tests give the same outputs after every pass that is not lossy, to the bit."""

from __future__ import annotations

import onnx
import onnxruntime
import pytest
from suite import LIGHT, RANDOM, CannotRunError, Sample, outputs_equal, read_light, run_sample, samples, suite

from onnxtext_passes.base import Composite, Pass
from onnxtext_passes.manager import run_pipeline
from onnxtext_passes.registry import find_pass, pass_names

# How many models there are, and how many run, by the versions of onnx and onnxruntime: a suite that shrinks unnoticed
# would prove nothing.  Models with StringNormalizer run where the machine has the locale en_US.UTF-8.
COUNTS = {("1.23.2", "1.32.0"): (2027, 2011)}
LEAST = 1931  # models that run: as many as other optimizers were measured on
BY_ONNXRUNTIME = 1800  # of them, the others by onnx's reference evaluator

EVERY = 17  # a model in so many is in the fixed sample


def _ours() -> list[str]:
    kinds: dict[str, type[Pass]] = {name: find_pass(name) for name in pass_names()}
    return [
        name
        for name, kind in kinds.items()
        if kind.__module__.startswith("onnxtext_passes.") and not issubclass(kind, Composite) and kind.keeps != "lossy"
    ]


PIPELINES = [*_ours(), "prune,merge", "simplify,dedup,merge"]


def failures(sample: Sample, pipeline: str) -> list[str]:
    """Return what is wrong after a pipeline."""
    try:
        result = run_pipeline(sample.model, pipeline)
        if not any(step.rewrites for step in result.steps):
            return []  # the manager has checked that the model is the same
        found = [] if outputs_equal(sample, result.model) else [f"{sample.name}: other outputs"]
        if any(step.rewrites for step in run_pipeline(result.model, pipeline).steps):
            found.append(f"{sample.name}: a second run changes something")
        if checks(sample.model) and not checks(result.model):
            found.append(f"{sample.name}: does not check any more")
        return found
    except Exception as error:  # whatever it is, the other models are tried too
        return [f"{sample.name}: {type(error).__name__}: {error}"]


def checks(model: onnx.ModelProto) -> bool:
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return False
    return True


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_sample(pipeline: str) -> None:
    chosen = [sample for sample in samples()[::EVERY] if sample.name not in RANDOM]
    runnable = [sample for sample in chosen if runs(sample)]
    assert len(runnable) > 100
    assert [found for sample in runnable for found in failures(sample, pipeline)] == []


def runs(sample: Sample) -> bool:
    try:
        run_sample(sample)
    except CannotRunError:
        return False
    return True


@pytest.mark.acceptance
@pytest.mark.parametrize("pipeline", PIPELINES)
def test_suite(pipeline: str) -> None:
    assert [found for sample in suite().runnable for found in failures(sample, pipeline)] == []


@pytest.mark.acceptance
@pytest.mark.parametrize("name", LIGHT)
def test_light_models(name: str) -> None:
    assert failures(read_light(name), "prune,merge") == []


@pytest.mark.acceptance
def test_as_many_models_run_as_before() -> None:
    count = len(samples()), len(suite().runnable)
    expected = COUNTS.get((onnx.__version__, onnxruntime.__version__), count)
    assert count[0] == expected[0] and 0 <= count[1] - expected[1] <= 16
    assert count[1] >= LEAST
    by = [run_sample(sample)[0] for sample in suite().runnable]
    assert by.count("onnxruntime") >= BY_ONNXRUNTIME
