"""Run the command line, in this process or in one of its own, and small models to run it on.

>>> run("--version").status, run("encode", "nowhere.onnx").err
(0, 'error: nowhere.onnx: cannot read it: there is no such file\\n')
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

CHECKOUT = Path(__file__).parent.parent
COMMAND = [sys.executable, "-m", "onnxtext.cli"]
FOLDERS = [str(CHECKOUT / folder) for folder in ("", "grammar", "passes", "predictor")]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(FOLDERS)}


@dataclass(frozen=True)
class Outcome:
    """What a command left behind: exit status, standard output, standard error."""

    status: int
    out: bytes
    err: str


class _Stream(io.TextIOWrapper):
    """A stream that keeps what is written, and may say that it is a terminal."""

    def __init__(self, is_terminal: bool = False) -> None:
        super().__init__(io.BytesIO(), "utf-8")
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


def run(*arguments: object, given: bytes = b"", is_terminal: bool = False) -> Outcome:
    """Run the command line in this process, `given` as its standard input; perhaps say it is a terminal."""
    from onnxtext.cli import app

    out, err = _Stream(is_terminal), _Stream()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), "utf-8"))
        try:
            app([str(a) for a in arguments], prog_name="onnxtext")
            status: object = 0
        except SystemExit as leaving:
            status = leaving.code or 0
    assert isinstance(status, int)
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.detach().getvalue())  # type: ignore[attr-defined]  # the BytesIO from above
    return Outcome(status, texts[0], texts[1].decode())


def start(*arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    """Start the command line in a process of its own; `options` are those of Popen (streams: pipes)."""
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    command = [*COMMAND, *(str(a) for a in arguments)]
    return subprocess.Popen[bytes](command, **{"env": ENVIRONMENT, **streams, **options})


def run_apart(*arguments: object, given: bytes = b"", **options: Any) -> Outcome:
    """Run the command line in a process of its own; `options` are those of Popen."""
    with start(*arguments, **options) as process:
        out, err = process.communicate(given if process.stdin else None, timeout=60)
    return Outcome(process.returncode, out or b"", (err or b"").decode())


def run_python(code: str, *arguments: object, **options: Any) -> Outcome:
    """Run Python code in a process of its own, the arguments in sys.argv[1:]."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        **{"env": ENVIRONMENT, "capture_output": True, "timeout": 60, **options},
    )
    return Outcome(done.returncode, done.stdout, done.stderr.decode())


def a_model(*tensors: onnx.TensorProto, nodes: Sequence[onnx.NodeProto] = ()) -> onnx.ModelProto:
    """Return a model that holds `tensors` as its initializers."""
    graph = helper.make_graph(nodes, "g", [], [], tensors)
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)], producer_name="")


def a_linear_model(columns: int = 100, factor: float = 1.0) -> onnx.ModelProto:
    """Return a model with one matrix of 40 rows, of which every byte pattern depends on `factor`."""
    matrix = np.arange(40 * columns, dtype=np.float32).reshape(40, columns) * np.float32(factor)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", 1, [1, 40])],
        [helper.make_tensor_value_info("y", 1, [1, columns])],
        [numpy_helper.from_array(matrix, "w")],
    )
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)])


def to_bytes(model: onnx.ModelProto) -> bytes:
    """Return protobuf's deterministic serialization."""
    return model.SerializeToString(deterministic=True)


def write_model(path: Path, model: onnx.ModelProto) -> bytes:
    """Write an ONNX file, and return its bytes."""
    path.write_bytes(to_bytes(model))
    return to_bytes(model)
