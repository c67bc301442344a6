"""The pass manager: runs a pipeline over a model, holds every pass to its word, and reports what happened.

>>> import onnx
>>> model = onnx.parser.parse_model(
...     '<ir_version: 10, opset_import: ["": 20]> g (float[2] x) => (float[2] y) { h = Identity(x) y = Relu(h) }')
>>> result = run_pipeline(model, "prune,merge")
>>> [(step.name, step.rewrites, step.after.nodes) for step in result.steps]
[('prune', 1, 1), ('merge', 0, 1)]
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import onnx

from onnxtext.core.blobs import Blobs, attach
from onnxtext.core.errors import UsageError, nearest
from onnxtext_passes.base import Context, Keeps, Pass, PassError
from onnxtext_passes.pipeline import Pipeline, kept_by, parse_pipeline
from onnxtext_passes.scopes import holders

Verify = Literal["each", "end", "none"]
VERIFY_MODES = ("each", "end", "none")
_ORDER: tuple[Keeps, ...] = ("exact", "equivalent", "lossy")


@dataclass(frozen=True, slots=True)
class Size:
    """How large a model is, without its weights' data."""

    nodes: int  # of all graphs and functions
    tensors: int  # initializers, of all graphs
    bytes: int  # of the model with large data set aside


@dataclass(slots=True)
class Step:
    """What one pass did."""

    name: str
    keeps: Keeps
    rewrites: int
    elapsed_s: float
    before: Size
    after: Size


@dataclass(slots=True)
class Result:
    """The rewritten model, what each pass did, and what the passes had to say."""

    model: onnx.ModelProto
    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def report(self) -> dict[str, Any]:
        """Return the steps as plain data, for JSON."""
        return {"steps": [asdict(step) for step in self.steps], "notes": self.notes}


def measure(model: onnx.ModelProto) -> Size:
    """Return the size of a model."""
    found = list(holders(model))
    tensors = sum(len(h.initializer) + len(h.sparse_initializer) for h in found if isinstance(h, onnx.GraphProto))
    return Size(sum(len(h.node) for h in found), tensors, model.ByteSize())


def run_pipeline(
    model: onnx.ModelProto,
    pipeline: str | Pipeline,
    *,
    blobs: Blobs | None = None,
    verify: Verify = "none",
    at_least: Keeps = "lossy",
    after_each: Callable[[int, Pass, onnx.ModelProto, bool], None] | None = None,
) -> Result:
    """Return the model as the pipeline rewrites it; `model` itself stays as it is.

    `blobs` holds the data behind placeholders in `model`.  `verify`: run the checker and shape inference after each
    pass or at the end.  `at_least`: refuse passes that keep less.  `after_each` is told the number of the pass, the
    pass, the model after it and whether it changed.  Raises UsageError for a pipeline that cannot be, PassError, which
    names the pass and those before it, for a pass that fails or breaks its word.
    """
    if verify not in VERIFY_MODES:
        raise UsageError(f"passes are verified each, end or none, not {verify}{nearest(verify, VERIFY_MODES)}")
    passes = parse_pipeline(pipeline) if isinstance(pipeline, str) else pipeline
    for p in passes.body:
        if _ORDER.index(kept_by(p)) > _ORDER.index(at_least):
            raise UsageError(f"the pass {p} is {kept_by(p)}, and only {at_least} ones are wanted")
    context = Context(Blobs() if blobs is None else blobs)
    current, result = model, Result(model)
    size = measure(model)
    for number, p in enumerate(passes.body):
        trail = ",".join(map(str, passes.body[:number]))
        where = f"the pass {p}" + (f", after {trail}," if trail else "")
        before = current.SerializeToString(deterministic=True)
        candidate = onnx.ModelProto.FromString(before)
        started = time.perf_counter()
        try:
            rewrites = p.run(candidate, context)
        except Exception as error:
            raise PassError(
                f"{where} failed, and the model is as it was before: {type(error).__name__}: {error}"
            ) from error
        elapsed_s = time.perf_counter() - started
        changed = candidate.SerializeToString(deterministic=True) != before
        if changed != (rewrites > 0):
            raise PassError(
                f"{where} broke its word: it counts {rewrites} rewrites, "
                f"and the model {'changed' if changed else 'is the same'}"
            )
        if verify == "each" and changed:
            check(candidate, context.blobs, where)
        after = measure(candidate) if changed else size
        result.steps.append(Step(str(p), kept_by(p), rewrites, elapsed_s, size, after))
        current, size = candidate, after
        if after_each is not None:
            after_each(number, p, current, changed)
    if verify == "end" and current is not model:
        check(current, context.blobs, f"after {passes}: the model")
    result.model, result.notes = current, context.notes
    return result


def check(model: onnx.ModelProto, blobs: Blobs, where: str) -> None:
    """Run the checker and strict shape inference.  Raises PassError, which says what they said."""
    data = b"".join(attach(model.SerializeToString(deterministic=True), blobs))
    try:
        onnx.checker.check_model(data, full_check=True)
    except Exception as error:  # the checker and the inference have errors of their own and of the language's
        raise PassError(f"{where} gives a model that does not check: {error}") from error
