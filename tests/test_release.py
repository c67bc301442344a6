"""What is said about versions in several places is the same in all of them."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import onnxtext

CHECKOUT = Path(__file__).parent.parent


def read(name: str) -> str:
    return (CHECKOUT / name).read_text("utf-8")


def test_the_versions_of_onnx_that_are_tested_are_those_that_the_pages_name():
    dependencies = tomllib.loads(read("pyproject.toml"))["project"]["dependencies"]
    (oldest,) = (d.removeprefix("onnx>=") for d in dependencies if d.startswith("onnx>="))
    (newest,) = re.findall(r"^onnx==(.+)$", read("constraints.txt"), re.MULTILINE)
    assert f"for onnx in {oldest}.0 " in read(".ci/run")
    assert f"| onnx | {oldest}.0 | {newest} |" in read("docs/release.md")


def test_the_version_of_onnxtext_is_that_of_the_extension_and_of_the_citation():
    assert json.loads(read("onnxtext/tools/vscode/package.json"))["version"] == onnxtext.__version__
    assert f"version = {{{onnxtext.__version__}}}" in read("docs/release.md")
