"""A model of 1 GB: into a text with its weights beside it, and back, against reading and writing it with onnx.

Input: random float32 in tensors of 16 MiB.  Peer: onnx.load and onnx.save in one program, which is what changing a
model costs; ours are two programs, `onnxtext encode` and `onnxtext decode`, each against that.  Units: seconds on the
clock, and the peak of resident memory.  Pages of mapped files count in that peak, although the system can take them
back at any time: ours maps the model, theirs holds it.  The start of Python and the imports are part of both.
"""

from __future__ import annotations

import filecmp
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
import onnx
from measuring import MIN_TURNS, Row, ratio, run_python
from onnx import TensorProto, helper

TENSOR_BYTES = 16 << 20
MOST_TIME = 2.0
MOST_MEMORY = 0.5
LOAD_AND_SAVE = "import sys, onnx; onnx.save(onnx.load(sys.argv[1]), sys.argv[2])"


def write_model(path: Path, tensors: int) -> None:
    """Write a model of `tensors` times TENSOR_BYTES."""
    names = [f"layer{i}.weight" for i in range(tensors)]
    node = helper.make_node("Sum", names, ["y"])
    model = helper.make_model(helper.make_graph([node], "large", [], []), opset_imports=[helper.make_opsetid("", 20)])
    model.graph.output.add(name="y")
    draw = np.random.default_rng(0)
    for name in names:
        data = draw.standard_normal(TENSOR_BYTES // 4, dtype=np.float32).tobytes()
        model.graph.initializer.add(name=name, data_type=TensorProto.FLOAT, dims=[2048, 2048], raw_data=data)
    onnx.save(model, path)


def weights(quick: bool) -> Iterator[Row]:
    """Yield time and memory, ours to theirs; with `quick` on a model of 128 MiB."""
    tensors = 8 if quick else 60  # 60: 1,006,632,960 bytes
    with tempfile.TemporaryDirectory(prefix="onnxtext-bench-") as name:
        folder = Path(name)
        model, text, back, theirs = (folder / n for n in ("model.onnx", "model.onnxt", "back.onnx", "theirs.onnx"))
        write_model(model, tensors)
        turns = []
        for _ in range(MIN_TURNS):
            saved = run_python("-c", LOAD_AND_SAVE, model, theirs)
            encoded = run_python("-m", "onnxtext.cli", "encode", model, "-o", text)
            decoded = run_python("-m", "onnxtext.cli", "decode", text, "-o", back)
            turns.append((saved, encoded, decoded))
            assert filecmp.cmp(model, back, shallow=False), "the model did not come back"
            for path in (theirs, text, Path(f"{text}.safetensors"), back):  # what replaces a file waits for its removal
                path.unlink()
    source = f"random float32, {tensors * TENSOR_BYTES / 1e9:.2f} GB"
    saved, encoded, decoded = zip(*turns, strict=True)
    for what, ours in (("encode", encoded), ("decode", decoded)):
        for unit, limit, of in (
            ("s", MOST_TIME, lambda child: child.elapsed_s),
            ("MB peak", MOST_MEMORY, lambda child: child.peak_bytes / 1e6),
        ):
            mine, peers = [of(child) for child in ours], [of(child) for child in saved]
            yield Row(
                *("weights", source, what, unit, median(mine), "onnx.load + onnx.save", median(peers)),
                ratio(mine, peers),
                at_most=limit,
            )
