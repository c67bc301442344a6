"""Torch's exports come back to the byte, and the texts of real networks are as short as they should be.

The networks are exported here, with torch's metadata; the lengths are counted in the tokens of the given tokenizer.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from benchmarks.lengths import MOST_OF_PRINTER, MOST_OF_TEXTPROTO, counter, geometric_mean, light_models, tokens

import onnxtext
from onnxtext.core.wire import canonical

torch_models = pytest.importorskip("benchmarks.torch_models", exc_type=ModuleNotFoundError)

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the exports, one for all workers."""
    folder = tmp_path_factory.getbasetemp()
    return (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "exports"


@pytest.fixture(scope="session")
def count(tokenizer_file: Path) -> Callable[[str], int]:
    return counter(tokenizer_file)


@pytest.mark.parametrize("optimize", [True, False], ids=["optimized", "raw"])
@pytest.mark.parametrize("name", torch_models.MODELS)
def test_an_export_comes_back_to_the_byte_without_escape(
    name: str, optimize: bool, cache: Path, tmp_path: Path
) -> None:
    path = torch_models.export(name, cache, optimize=optimize)
    printed = onnxtext.save(path, tmp_path / "model.onnxt")
    assert printed.escapes == []
    back = onnxtext.load(tmp_path / "model.onnxt")
    assert back.SerializeToString(deterministic=True) == canonical(path.read_bytes())


def test_a_text_is_shorter_than_onnx_printers(cache: Path, count: Callable[[str], int]) -> None:
    models = light_models() | {name: onnx.load(torch_models.export(name, cache)) for name in torch_models.MODELS}
    found = {name: tokens(torch_models.strip_metadata(model), count) for name, model in models.items()}
    ratios = {name: lengths["onnxtext"] / lengths["onnx.printer"] for name, lengths in found.items()}
    assert geometric_mean(list(ratios.values())) <= MOST_OF_PRINTER, ratios


def test_a_text_with_metadata_is_shorter_than_a_third_of_textproto(cache: Path, count: Callable[[str], int]) -> None:
    found = {name: tokens(onnx.load(torch_models.export(name, cache)), count) for name in torch_models.MODELS}
    ratios = {name: lengths["onnxtext"] / lengths["textproto"] for name, lengths in found.items()}
    assert geometric_mean(list(ratios.values())) <= MOST_OF_TEXTPROTO, ratios
