"""What a model computes: run under onnxruntime on random inputs, before and after a rewrite.

>>> import onnx
>>> parse = onnx.parser.parse_model
>>> head = '<ir_version: 10, opset_import: ["": 20]> g (float[N] x) => (float[N] y)'
>>> reference = Reference(parse(head + "{ y = Neg(x) }"), Blobs())
>>> reference.difference(parse(head + "{ h = Identity(x) y = Neg(h) }"))
>>> reference.difference(parse(head + "{ y = Abs(x) }"))
'output y: 1 of 2 elements differ, at [0] -0.1257302165031433 became 0.1257302165031433'
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx

from onnxtext.core.blobs import Blobs, attach
from onnxtext.core.errors import OnnxTextError, UsageError

_SAMPLES = 2  # inputs on which two models are compared

# Size of a symbolic dimension, and below what integers are drawn.  The first with which a model runs is taken: some
# models run with a single size only, and what an integer indexes may be short.
_TRIES = ((2, 5), (1, 5), (2, 2), (1, 2), (3, 5), (4, 5), (8, 5), (16, 5))

_DTYPES = {
    "float": np.float32,
    "double": np.float64,
    "float16": np.float16,
    "bool": np.bool_,
    "string": np.object_,
    **{f"{sign}int{bits}": np.dtype(f"{sign}int{bits}").type for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
_MOST_BYTES = (1 << 31) - 1  # protobuf's limit

Feeds = dict[str, Any]


class CannotRunError(OnnxTextError):
    """A model that does not run, or gives other outputs each time."""


def require_onnxruntime() -> None:
    """Raise UsageError where onnxruntime, which is not among our requirements, is missing."""
    try:
        import onnxruntime  # noqa: F401  # only whether it is there
    except ImportError as error:
        raise UsageError(
            f"outputs are compared under onnxruntime, which cannot be imported ({error}): pip install onnxruntime"
        ) from error


class Reference:
    """A model's outputs on inputs that are drawn once, to hold those of other models against."""

    def __init__(self, model: onnx.ModelProto, blobs: Blobs, *, seed: int = 0) -> None:
        """Run `model`.  Raises CannotRunError, UsageError where onnxruntime is missing."""
        require_onnxruntime()
        session = _open(model, blobs)
        self.names = [o.name for o in session.get_outputs()]
        self.inputs = [i.name for i in session.get_inputs()]
        first: Exception | None = None
        for size, top in _TRIES if self.inputs else _TRIES[:1]:
            try:
                feeds = [
                    _draw(session.get_inputs(), size, top, seed + i) for i in range(_SAMPLES if self.inputs else 1)
                ]
                self.outputs = [_run(session, f) for f in feeds]
            except CannotRunError as error:
                first = first or error
                continue
            self.feeds = feeds
            break
        else:
            raise first or CannotRunError("it has no inputs to try")
        if self._compare([_run(session, self.feeds[0])], 0.0):
            raise CannotRunError("its outputs differ from run to run")

    def difference(self, model: onnx.ModelProto, blobs: Blobs | None = None, rtol: float = 0.0) -> str | None:
        """Return how the outputs of `model` differ from those of the reference, None where they do not.

        They are compared bit by bit, all NaNs being one; with `rtol`, up to that part of the largest magnitude of an
        output.
        """
        try:
            session = _open(model, blobs or Blobs())
            if [i.name for i in session.get_inputs()] != self.inputs:
                return f"its inputs are {_listed(session.get_inputs())}, they were {', '.join(self.inputs) or 'none'}"
            if [o.name for o in session.get_outputs()] != self.names:
                return f"its outputs are {_listed(session.get_outputs())}, they were {', '.join(self.names) or 'none'}"
            found = [_run(session, feeds) for feeds in self.feeds]
        except CannotRunError as error:
            return f"it does not run any more: {error}"
        return self._compare(found, rtol)

    def _compare(self, found: Sequence[Sequence[Any]], rtol: float) -> str | None:
        for old, new in zip(self.outputs, found, strict=False):  # fewer where one run is repeated
            for name, a, b in zip(self.names, old, new, strict=True):
                difference = _difference(a, b, rtol)
                if difference:
                    return f"output {name}: {difference}"
        return None


def _listed(arguments: Sequence[Any]) -> str:
    return ", ".join(a.name for a in arguments) or "none"


def _open(model: onnx.ModelProto, blobs: Blobs) -> Any:
    """Return a session that computes what the model says, without optimizations of its own.  Raises CannotRunError."""
    import onnxruntime as ort

    pieces = attach(model.SerializeToString(deterministic=True), blobs)
    if sum(map(len, pieces)) > _MOST_BYTES:
        raise CannotRunError("it is larger than 2 GiB")
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1  # sums in one order
    options.add_session_config_entry("session.disable_prepacking", "1")  # likewise, whether weights are constant or not
    try:
        return ort.InferenceSession(b"".join(pieces), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has many, under no common name
        raise CannotRunError(_first_line(error)) from error


def _run(session: Any, feeds: Feeds) -> Sequence[Any]:
    import onnxruntime as ort

    options = ort.RunOptions()
    options.log_severity_level = 4
    try:
        return session.run(None, feeds, options)
    except Exception as error:  # as above
        raise CannotRunError(_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:300]


def _draw(arguments: Sequence[Any], size: int, top: int, seed: int) -> Feeds:
    """Return a value for every input: normal floats, integers below `top`.  Raises CannotRunError."""
    rng = np.random.default_rng(seed)
    return {a.name: _value(a.name, a.type, a.shape, size, top, rng) for a in arguments}


def _value(name: str, kind: str, shape: Sequence[Any] | None, size: int, top: int, rng: np.random.Generator) -> Any:
    outer, _, inner = kind.partition("(")
    if outer == "optional":
        return _value(name, inner[:-1], shape, size, top, rng)
    if outer == "seq":
        return [_value(name, inner[:-1], [size, size], size, top, rng) for _ in range(size)]
    dtype = _DTYPES.get(inner[:-1]) if outer == "tensor" else None
    if dtype is None:
        raise CannotRunError(f"no value is made up for its input {name}, which is {kind}")
    dims = [d if isinstance(d, int) and d >= 0 else size for d in shape or ()]
    try:
        if dtype is np.object_:
            return np.asarray(rng.choice(["a", "b", "c"], dims), dtype)
        if issubclass(dtype, np.floating):
            return np.asarray(rng.standard_normal(dims), dtype)
        return np.asarray(rng.integers(0, 2 if dtype is np.bool_ else top, dims), dtype)
    except (MemoryError, ValueError) as error:
        raise CannotRunError(f"its input {name} of shape {dims} is more than the memory holds") from error


def _difference(a: Any, b: Any, rtol: float) -> str | None:
    """Return how two values differ, None where they do not."""
    if isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            return f"{len(a)} elements became {len(b)}"
        return next(filter(None, (_difference(x, y, rtol) for x, y in zip(a, b, strict=True))), None)
    if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)):
        return None if type(a) is type(b) and a == b else f"{a!r:.80} became {b!r:.80}"
    if (a.dtype, a.shape) != (b.dtype, b.shape):
        return f"{a.dtype}{list(a.shape)} became {b.dtype}{list(b.shape)}"
    wrong = _wrong(a, b, rtol)
    if not wrong.any():
        return None
    place = tuple(np.argwhere(wrong)[0])
    return (
        f"{wrong.sum()} of {wrong.size} element{'s' * (wrong.size > 1)} differ, "
        f"at {[int(i) for i in place]} {a[place]} became {b[place]}"
    )


def _wrong(a: np.ndarray, b: np.ndarray, rtol: float) -> np.ndarray:
    """Tell for each element whether it differs by more than it may."""
    if a.dtype.kind not in "fc":
        return np.asarray(a != b)
    nan = np.isnan(a) & np.isnan(b)
    if not rtol:
        return ~nan & ((a != b) | (np.signbit(a) != np.signbit(b) if a.dtype.kind == "f" else False))
    with np.errstate(all="ignore"):
        largest = np.abs(a[np.isfinite(a)]).max(initial=0)
        return ~(nan | (a == b) | (np.abs(a - b) <= rtol * largest))


class Keeper:
    """Holds the passes of one run to the outputs of the model before them; what cannot be compared becomes a note."""

    def __init__(self, blobs: Blobs, notes: list[str]) -> None:
        require_onnxruntime()
        self._blobs, self._notes = blobs, notes
        self._model: onnx.ModelProto | None = None  # the one the reference is of
        self._reference: Reference | None = None

    def skip(self, what: str) -> None:
        """Note why outputs are not compared, once."""
        note = f"outputs are not compared {what}"
        if note not in self._notes:
            self._notes.append(note)

    def difference(self, before: onnx.ModelProto, after: onnx.ModelProto, rtol: float, name: str) -> str | None:
        """Return how the outputs of `after` differ from those of `before`, None where they do not or do not run."""
        if self._model is not before:
            self._model = before
            try:
                self._reference = Reference(before, self._blobs)
            except CannotRunError as error:
                self._reference = None
                self.skip(f"across {name}: {error}")
        if self._reference is None:
            return None
        found = self._reference.difference(after, self._blobs, rtol)
        if not found and not rtol:
            self._model = after  # which has the same outputs
        return found
