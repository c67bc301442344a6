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

from onnxtext.core.blobs import Blobs, attach, detach
from onnxtext.core.errors import UsageError, nearest
from onnxtext_passes.base import Context, Keeps, Pass, PassError
from onnxtext_passes.outputs import Keeper
from onnxtext_passes.pipeline import Pipeline, kept_by, parse_pipeline, tolerance_of
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
    parameters: int | None = None  # elements of weights; None where they were not asked for
    tokens: int | None = None  # of the text, likewise


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


def require(passes: Pipeline, at_least: Keeps) -> None:
    """Raise UsageError, which names it, where a pass keeps less than `at_least`."""
    for p in passes.body:
        if _ORDER.index(kept_by(p)) > _ORDER.index(at_least):
            raise UsageError(f"the pass {p} is {kept_by(p)}, and only {at_least} ones are wanted")


def run_pipeline(
    model: onnx.ModelProto,
    pipeline: str | Pipeline,
    *,
    blobs: Blobs | None = None,
    verify: Verify = "none",
    verify_outputs: bool = False,
    at_least: Keeps = "lossy",
    size_of: Callable[[onnx.ModelProto], Size] = measure,
    after_each: Callable[[int, Pass, onnx.ModelProto, bool], None] | None = None,
) -> Result:
    """Return the model as the pipeline rewrites it; `model` itself stays as it is.

    `blobs` holds the data behind placeholders in `model`.  `verify`: run the checker and shape inference after each
    pass or at the end; with `verify_outputs` the model is also run on random inputs, and passes that are not lossy
    have to give the same outputs.  `at_least`: refuse passes that keep less.  `size_of` measures the model for the
    report.  `after_each` is told the number of the pass, the pass, the model after it and whether it changed.
    Without `blobs`, large data is set aside here, and `size_of` and `after_each` see placeholders in its place.
    Raises UsageError for a pipeline that cannot be, PassError, which names the pass and those before it, for a pass
    that fails or breaks its word.
    """
    if verify not in VERIFY_MODES:
        raise UsageError(f"passes are verified each, end or none, not {verify}{nearest(verify, VERIFY_MODES)}")
    if verify_outputs and verify == "none":
        raise UsageError("outputs are verified after each pass or at the end: --verify-passes each or end says when")
    passes = parse_pipeline(pipeline) if isinstance(pipeline, str) else pipeline
    require(passes, at_least)
    context = Context(Blobs() if blobs is None else blobs)
    keeper = Keeper(context.blobs, context.notes) if verify_outputs else None
    current, result = model, Result(model)
    wire = model.SerializeToString(deterministic=True)
    if blobs is None:  # large data is set aside, so that no pass copies it
        skeleton, _ = detach(wire, blobs=context.blobs)
        if len(context.blobs):
            wire = skeleton
            model = current = onnx.ModelProto.FromString(wire)
    size = size_of(current)

    def failure(message: str, before: onnx.ModelProto, number: int) -> PassError:
        return _failure(message, before if blobs is not None else _whole(before, context.blobs), passes, number)

    for number, p in enumerate(passes.body):
        trail = ",".join(map(str, passes.body[:number]))
        where = f"the pass {p}" + (f", after {trail}," if trail else "")
        candidate = onnx.ModelProto.FromString(wire)
        started = time.perf_counter()
        try:
            rewrites = p.run(candidate, context)
        except Exception as error:
            raise failure(
                f"{where} failed, and the model is as it was before: {type(error).__name__}: {error}",
                current,
                number,
            ) from error
        elapsed_s = time.perf_counter() - started
        before, wire = wire, candidate.SerializeToString(deterministic=True)
        changed = wire != before
        if changed != (rewrites > 0):
            raise failure(
                f"{where} broke its word: it counts {rewrites} rewrites, "
                f"and the model {'changed' if changed else 'is the same'}",
                current,
                number,
            )
        if verify == "each" and changed:
            problem = _new_problem(current, candidate, context)
            if problem:
                raise failure(f"{where} gives a model that does not check: {problem}", current, number)
            if keeper is not None and kept_by(p) == "lossy":
                keeper.skip(f"across {p}, which is lossy")
            elif keeper is not None:
                different = keeper.difference(current, candidate, tolerance_of(p), str(p))
                if different:
                    raise failure(f"{where} gives other outputs: {different}", current, number)
        after = size_of(candidate) if changed else size
        result.steps.append(Step(str(p), kept_by(p), rewrites, elapsed_s, size, after))
        current, size = candidate, after
        if after_each is not None:
            after_each(number, p, current, changed)
    if verify == "end" and current is not model:
        problem = _new_problem(model, current, context)
        if problem:
            raise failure(f"after {passes}: the model does not check: {problem}", model, 0)
        if keeper is not None and kept_by(passes) == "lossy":
            keeper.skip(f"across {passes}, which is lossy; --verify-passes each compares those passes that are not")
        elif keeper is not None:
            different = keeper.difference(model, current, tolerance_of(passes), str(passes))
            if different:
                raise failure(f"after {passes}: the model gives other outputs: {different}", model, 0)
    result.model, result.notes = current if blobs is not None else _whole(current, context.blobs), context.notes
    return result


def _whole(model: onnx.ModelProto, blobs: Blobs) -> onnx.ModelProto:
    """Return a model with the data that was set aside, or that passes made, in place of placeholders."""
    if not len(blobs):
        return model
    return onnx.ModelProto.FromString(b"".join(attach(model.SerializeToString(), blobs)))


def _failure(message: str, model: onnx.ModelProto, passes: Pipeline, number: int) -> PassError:
    """Return the error of the pass `number`, with what it takes to see it again."""
    error = PassError(message)
    error.model, error.remaining = model, str(Pipeline(body=passes.body[number:]))
    return error


def _new_problem(before: onnx.ModelProto, after: onnx.ModelProto, context: Context) -> str | None:
    """Return what is wrong with a model, None where that was so before: passes are not to blame for it."""
    problem = problem_of(after, context.blobs)
    earlier = problem_of(before, context.blobs) if problem else None
    if earlier:
        note = f"the model does not check, and did not before: {earlier}"
        context.notes += [] if note in context.notes else [note]
        return None
    return problem


def problem_of(model: onnx.ModelProto, blobs: Blobs) -> str | None:
    """Return what the checker and strict shape inference have to say against a model.

    Raises UsageError for a model that is too large for them.
    """
    data = b"".join(attach(model.SerializeToString(deterministic=True), blobs))
    if len(data) > onnx.checker.MAXIMUM_PROTOBUF:
        raise UsageError("onnx checks models up to 2 GiB, and this one is larger: leave the checks out")
    try:
        onnx.checker.check_model(data, full_check=True)
    except Exception as error:  # the checker and the inference have errors of their own and of the language's
        return str(error) or type(error).__name__
    return None
