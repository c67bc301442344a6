"""Case files: a model as text, a pipeline, and the model that it becomes, in one file.

    // What has to be true, in a sentence.
    // passes: prune

    onnxt 1
    ...

    // becomes            or: // stays

    onnxt 1
    ...

Two more lines may stand at the head, `// not run: reason` and `// not checked: reason`, for models that onnxruntime
does not run and that onnx's checker refuses.

>>> read_case("// It stays.\\n// passes: prune\\n\\nonnxt 1\\n\\n// stays\\n")
Case(passes='prune', before='onnxt 1\\n', after=None, not_run=None, not_checked=None)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import onnx
from suite import Feeds, Sample

_HEAD = re.compile(r"// (passes|not run|not checked): (.+)")
_TURN = re.compile(r"\n// (becomes|stays)\n")


@dataclass(frozen=True)
class Case:
    """A text, a pipeline, and the text that should come out, None where nothing should change."""

    passes: str
    before: str
    after: str | None
    not_run: str | None = None
    not_checked: str | None = None


def read_case(text: str) -> Case:
    """Return what a case file says.  Raises ValueError where something is missing."""
    turns = list(_TURN.finditer(text))
    if len(turns) != 1 or not text.startswith("// "):
        raise ValueError("a case begins with a sentence, and has one line `// becomes` or `// stays`")
    turn = turns[0]
    head, _, before = text[: turn.start()].partition("\n\n")
    said = {match[1]: match[2] for match in map(_HEAD.fullmatch, head.split("\n")) if match}
    after = text[turn.end() :].lstrip("\n")
    if "passes" not in said or bool(after) != (turn[1] == "becomes"):
        raise ValueError("a case has a line `// passes: …`, and a second text exactly if the first becomes another")
    return Case(said["passes"], before, after or None, said.get("not run"), said.get("not checked"))


def made_up(name: str, model: onnx.ModelProto, *, sets: int = 2) -> Sample:
    """Return a model with inputs made up, defaults left as they are, and given other values, by turns."""
    held = {tensor.name for tensor in model.graph.initializer}
    feeds = []
    for seed, defaults in product(range(sets), (True, False) if held & _inputs(model) else (True,)):
        generator = np.random.default_rng(seed)
        given: Feeds = {}
        for value in model.graph.input:
            if value.name not in held or not defaults:
                given[value.name] = _make_up(value.type, generator)
        feeds.append(given)
    return Sample(name, model, tuple(feeds))


def _inputs(model: onnx.ModelProto) -> set[str]:
    return {value.name for value in model.graph.input}


def _make_up(kind: onnx.TypeProto, generator: np.random.Generator) -> Any:
    which = kind.WhichOneof("value")
    if which == "sequence_type":
        return [_make_up(kind.sequence_type.elem_type, generator) for _ in range(2)]
    if which == "optional_type":
        return _make_up(kind.optional_type.elem_type, generator)
    dims = [d.dim_value if d.HasField("dim_value") else 2 for d in kind.tensor_type.shape.dim]
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind.tensor_type.elem_type))
    if dtype.kind == "O":
        return generator.choice(np.array(["a", "b", ""], object), dims)
    if dtype.kind in "iub":
        return generator.integers(0, 2, dims).astype(dtype)
    return generator.standard_normal(dims).astype(dtype)
