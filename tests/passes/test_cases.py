"""Every case file: what a pipeline makes of a model, to the character."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from cases import made_up, read_case
from suite import outputs_equal

import onnxtext
from onnxtext_passes.manager import run_pipeline

FILES = sorted(Path(__file__).parent.glob("*.case"))


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_case(file: Path) -> None:
    case = read_case(file.read_text())
    before = onnxtext.decode(case.before)
    result = run_pipeline(before, case.passes)
    assert onnxtext.encode(result.model) == (case.after or onnxtext.encode(before))
    again = run_pipeline(result.model, case.passes)
    assert not any(step.rewrites for step in again.steps), "a second run changes something"
    if case.not_checked is None:
        onnx.checker.check_model(before, full_check=True)
        onnx.checker.check_model(result.model, full_check=True)
    if case.not_run is None and case.after is not None:
        assert outputs_equal(made_up(file.stem, before), result.model)


def test_there_are_cases() -> None:
    assert len(FILES) > 90
