"""The models that come with onnx go to text and back to the byte, by the fast parser and without one escape."""

from __future__ import annotations

import warnings
from pathlib import Path

import onnx
import pytest
from laws import assert_exact, print_unchecked

from onnxtext.core.wire import canonical

# How many there are, by the version of onnx: a collection that shrinks unnoticed would prove nothing.
FILES = {"1.23.2": 149}
BACKEND_MODELS = {"1.23.2": 1910}


def test_files_of_the_onnx_package() -> None:
    files = sorted(Path(onnx.__file__).parent.rglob("*.onnx"))
    assert len(files) == FILES.get(onnx.__version__, len(files)) > 100
    for file in files:
        assert_no_escape(canonical(file.read_bytes()), str(file))


def test_models_of_the_backend_tests() -> None:
    models = backend_models()
    assert len(models) == BACKEND_MODELS.get(onnx.__version__, len(models)) > 1000
    for name, model in models:
        assert_no_escape(model.SerializeToString(deterministic=True), name)


def assert_no_escape(wire: bytes, name: str) -> None:
    try:
        assert print_unchecked(wire).escapes == []
        assert_exact(wire)
    except AssertionError as error:
        pytest.fail(f"{name}: {error}")


def backend_models() -> list[tuple[str, onnx.ModelProto]]:
    """Return the name and model of every backend test that onnx makes in memory."""
    from onnx.backend.test.case.model import collect_testcases as collect_models
    from onnx.backend.test.case.node import collect_testcases as collect_nodes

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tests compute with overflows and divisions by zero
        cases = [*collect_nodes(None), *collect_models()]  # type: ignore[arg-type]  # None: of every operator
    return [(case.name, case.model) for case in cases if case.model is not None]
