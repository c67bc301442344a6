"""Which pass of a pipeline is the first after which something is wrong: found by halving.

>>> from onnxtext_passes.pipeline import parse_pipeline
>>> model = onnx.parser.parse_model(
...     '<ir_version: 10, opset_import: ["": 20]> g (float[2] x) => (float[2] y) { h = Identity(x) y = Neg(h) }')
>>> bisect(model, Blobs(), parse_pipeline("prune,merge"), "outputs")
"""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx

from onnxtext.core.blobs import Blobs, attach
from onnxtext.core.errors import UsageError
from onnxtext_passes.base import PassError
from onnxtext_passes.manager import problem_of, run_pipeline
from onnxtext_passes.outputs import CannotRunError, Reference
from onnxtext_passes.pipeline import Pipeline, tolerance_of

_SHOWN_CHARACTERS = 500  # of what a command wrote last

Check = Callable[[onnx.ModelProto, float], str | None]  # model and tolerance -> what is wrong with it


@dataclass(frozen=True, slots=True)
class Finding:
    """The first pass after which the check fails, and what it says; number 0 for the model as it was given."""

    number: int
    name: str
    reason: str


def bisect(model: onnx.ModelProto, blobs: Blobs, pipeline: Pipeline, check: str) -> Finding | None:
    """Return the first pass after which `check` fails, None where it does not fail after the last.

    `check` is "outputs" (equal under onnxruntime, but for what passes state), "checker", or a command for a shell with
    {} in place of the file of a model, which fails where it leaves with another status than 0.  A pass that raises
    fails too.  Where the check comes and goes, one of the passes after which it begins to fail is found.
    Raises UsageError for another check, and where outputs cannot be compared.
    """
    wrong = _check(check, model, blobs)
    reason = wrong(model, 0.0)
    if reason is not None:
        return Finding(0, "", f"the check fails on the model as it is: {reason}")
    good, low, high = model, 0, len(pipeline.body)  # after `low` passes all is well, after `high` it is not

    def after(count: int) -> tuple[onnx.ModelProto, str | None]:
        """Return the model after `count` passes, and what is wrong with it."""
        try:
            made = run_pipeline(good, Pipeline(body=pipeline.body[low:count]), blobs=blobs).model
        except PassError as error:
            return good, str(error)
        return made, wrong(made, sum(map(tolerance_of, pipeline.body[:count])))

    _, reason = after(high)
    if reason is None:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        made, problem = after(middle)
        if problem is None:
            good, low = made, middle
        else:
            high, reason = middle, problem
    return Finding(high, str(pipeline.body[low]), reason)


def _check(check: str, model: onnx.ModelProto, blobs: Blobs) -> Check:
    if check == "checker":
        return lambda made, rtol: problem_of(made, blobs)
    if check == "outputs":
        try:
            reference = Reference(model, blobs)
        except CannotRunError as error:
            raise UsageError(
                f"the outputs of this model cannot be compared: {error}; --check checker, or a command, can be told"
            ) from error
        return lambda made, rtol: reference.difference(made, blobs, rtol)
    if "{}" not in check:
        raise UsageError(f"--check takes outputs, checker, or a command with {{}} for the model's file, not {check}")
    return lambda made, rtol: _run(check, made, blobs)


def _run(command: str, model: onnx.ModelProto, blobs: Blobs) -> str | None:
    """Return what a command says against a model, None where it leaves with status 0."""
    with tempfile.TemporaryDirectory(prefix="onnxtext-bisect-") as folder:
        file = Path(folder) / "model.onnx"
        with open(file, "wb") as opened:
            opened.writelines(attach(model.SerializeToString(deterministic=True), blobs))
        done = subprocess.run(
            command.replace("{}", shlex.quote(str(file))),
            shell=True,  # it is what the user typed
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if not done.returncode:
        return None
    said = done.stdout.decode(errors="replace").strip()[-_SHOWN_CHARACTERS:]
    return f"the command leaves with {done.returncode}" + (f": {said}" if said else "")
