"""The models of onnx's backend tests with the suite's own inputs, and whether two models give the same on them.

>>> one = Sample("one", onnx.parser.parse_model(
...     '<ir_version: 10, opset_import: ["": 21]> g (float[2] x) => (float[2] y) { y = Relu(x) }'),
...     (({"x": np.float32([1, 2])}),))
>>> outputs_equal(one, one.model)
True
"""

from __future__ import annotations

import ctypes
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
LIGHT = sorted(file.stem for file in (DATA / "light").glob("*.onnx"))

# Models whose outputs are drawn at random, so that no two runs are equal.
RANDOM = {
    "test_bernoulli": "Bernoulli without a seed",
    "test_bernoulli_double": "Bernoulli without a seed",
    "test_bernoulli_expanded": "RandomUniformLike without a seed",
    "test_bernoulli_double_expanded": "RandomUniformLike without a seed",
}

_PACKED = (
    "int4",
    "uint4",
    "int2",
    "uint2",
    "float4_e2m1fn",
)  # two or four to a byte, which onnxruntime takes from none
_WITHOUT_NUMPY = ("bfloat16", "float8", "float4", "int4", "int2")  # in the names of types, as onnxruntime gives them

Feeds = dict[str, Any]  # the values of a model's inputs


@dataclass(frozen=True, eq=False)
class Sample:
    """A model with the inputs to try it on."""

    name: str
    model: onnx.ModelProto
    feeds: tuple[Feeds, ...]


@dataclass(frozen=True)
class Suite:
    """The models that run on their inputs, and why the others do not."""

    runnable: tuple[Sample, ...]
    refused: dict[str, str]


class CannotRunError(Exception):
    """A model that onnxruntime does not load, or does not run on an input."""


@cache
def samples() -> tuple[Sample, ...]:
    """Return the models of all backend tests that come with onnx, without those it would download."""
    from onnx.backend.test.case.model import collect_testcases as collect_models
    from onnx.backend.test.case.node import collect_testcases as collect_nodes

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tests compute with overflows and divisions by zero
        cases = [*collect_nodes(None), *collect_models()]  # type: ignore[arg-type]  # None: of every operator
    found = []
    for case in cases:
        if case.model is not None:
            feeds = [_name(case.model, inputs) for inputs, _ in case.data_sets or []]
            found.append(Sample(case.name, case.model, tuple(feeds)))
    for folder in sorted((DATA / "pytorch-converted").iterdir()) + sorted((DATA / "pytorch-operator").iterdir()):
        model = onnx.load(folder / "model.onnx")
        feeds = []
        for data in sorted(folder.glob("test_data_set_*")):
            inputs = sorted(data.glob("input_*.pb"), key=lambda file: int(file.stem.split("_")[1]))
            feeds.append(_name(model, [onnx.TensorProto.FromString(file.read_bytes()) for file in inputs]))
        found.append(Sample(folder.name, model, tuple(feeds)))
    return tuple(found)


def read_light(name: str) -> Sample:
    """Return one of the image classifiers that come with onnx without their weights, with an input made up."""
    model = onnx.load(DATA / "light" / f"{name}.onnx")
    held = {tensor.name for tensor in model.graph.initializer}
    feeds = {}
    for value in model.graph.input:
        if value.name not in held:
            dims = [d.dim_value or 1 for d in value.type.tensor_type.shape.dim]
            feeds[value.name] = np.random.default_rng(0).random(dims, np.float32)
    return Sample(name, model, (feeds,))


def _name(model: onnx.ModelProto, inputs: Sequence[Any]) -> Feeds:
    """Return the inputs, which the suite gives in order, by name."""
    names = [value.name for value in model.graph.input]
    if len(inputs) < len(names):
        held = {tensor.name for tensor in model.graph.initializer}
        names = [name for name in names if name not in held]
    return {name: _feed(value) for name, value in zip(names, inputs, strict=False) if value is not None}


def _feed(value: Any) -> Any:
    """Return a value as arrays, whose elements may be of types that numpy lacks and onnx adds."""
    if isinstance(value, list):
        return [_feed(item) for item in value]
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


# ---- running


def open_session(model: onnx.ModelProto) -> ort.InferenceSession:
    """Return a session of onnxruntime that runs the model as it is.  Raises CannotRunError.

    onnxruntime's own rewrites are off: what they fuse depends on nodes that do nothing, and rounds otherwise.
    """
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.disable_prepacking", "1")  # else constant weights are summed otherwise
    try:
        return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a dozen of its own
        raise CannotRunError(f"loading: {error}") from error


def run(session: ort.InferenceSession, feeds: Feeds) -> Any:
    """Return the outputs of a model such that they equal those of another run only if all bits do.

    Raises CannotRunError.
    """
    given = {name: _ort_feed(value) for name, value in feeds.items()}
    try:
        if not any(kind in output.type for output in session.get_outputs() for kind in _WITHOUT_NUMPY):
            return _bits(session.run(None, given))
        values = {name: _ort_value(value) for name, value in given.items()}
        return [_memory(value) for value in session.run_with_ort_values(None, values)]
    except Exception as error:
        raise CannotRunError(f"running: {error}") from error


def run_reference(model: onnx.ModelProto, feeds: Feeds) -> Any:
    """Return the outputs as `run` does, computed by onnx itself: slowly, and without a check of types.

    Raises CannotRunError.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it computes with overflows
        try:
            return _bits(ReferenceEvaluator(model).run(None, feeds))  # type: ignore[arg-type]  # it takes lists too
        except Exception as error:
            raise CannotRunError(f"onnx's reference evaluator: {error}") from error


def _ort_feed(value: Any) -> Any:
    """Return an input as onnxruntime takes it.  Raises CannotRunError."""
    if isinstance(value, np.ndarray) and value.dtype.isbuiltin == 2:  # a type that onnx adds to numpy
        if value.dtype.name in _PACKED:
            raise CannotRunError(f"onnxruntime takes no array of {value.dtype.name}")
        kind = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
        return ort.OrtValue.ortvalue_from_numpy_with_onnx_type(value.view(f"u{value.itemsize}"), kind)
    return value


def _ort_value(value: Any) -> ort.OrtValue:
    return value if isinstance(value, ort.OrtValue) else ort.OrtValue.ortvalue_from_numpy(value)


def _memory(value: ort.OrtValue) -> tuple[str, tuple[int, ...], bytes]:
    """Return the type, the shape and the bytes of a tensor for whose elements numpy has no type."""
    return value.data_type(), tuple(value.shape()), ctypes.string_at(value.data_ptr(), value.tensor_size_in_bytes())


def _bits(value: Any) -> Any:
    """Return a value of a run such that equal means equal in type, shape and every bit."""
    if isinstance(value, list | tuple):
        return [_bits(item) for item in value]
    if isinstance(value, dict):
        return {key: _bits(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        content = value.tolist() if value.dtype.kind in "OUST" else value.tobytes()
        return value.dtype.name, value.shape, content
    return type(value).__name__, value


@cache
def run_sample(sample: Sample) -> tuple[str, Any]:
    """Return what ran the sample's own model, "onnxruntime" or else "reference", and the outputs.

    Raises CannotRunError.
    """
    try:
        session = open_session(sample.model)
        return "onnxruntime", [run(session, feeds) for feeds in sample.feeds]
    except CannotRunError:
        return "reference", [run_reference(sample.model, feeds) for feeds in sample.feeds]


def outputs_equal(sample: Sample, rewritten: onnx.ModelProto) -> bool:
    """Tell whether a rewritten model gives the outputs of the sample's own, bit for bit, run by the same.

    Raises CannotRunError.
    """
    runner, outputs = run_sample(sample)
    if runner == "reference":
        return outputs == [run_reference(rewritten, feeds) for feeds in sample.feeds]
    session = open_session(rewritten)
    return outputs == [run(session, feeds) for feeds in sample.feeds]


@cache
def suite() -> Suite:
    """Return the suite, each model tried on its inputs."""
    runnable, refused = [], {}
    for sample in samples():
        if sample.name in RANDOM:
            refused[sample.name] = f"random: {RANDOM[sample.name]}"
            continue
        try:
            run_sample(sample)
            runnable.append(sample)
        except CannotRunError as error:
            refused[sample.name] = str(error)
    return Suite(tuple(runnable), refused)
