"""The Python interface: encode, decode, save, load, and the registration with onnx.

>>> import onnx
>>> text = encode(onnx.ModelProto(ir_version=10))
>>> decode(text).ir_version
10
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
import onnx.serialization

from onnxtext.core.errors import UsageError, WeightsError
from onnxtext.core.files import is_replaceable, read_bytes, replacing, write_output, write_pieces
from onnxtext.core.weights import sidecar_path
from onnxtext.core.wire import canonical
from onnxtext.source import (
    EXTENSION,
    PathLike,
    Source,
    WeightsMode,
    check_path,
    decode_utf8,
    model_of,
    print_source,
    read_model,
    read_text,
)

if TYPE_CHECKING:
    from onnxtext_grammar.assembler import Assembled
    from onnxtext_grammar.printer import Printed


def encode(
    model: onnx.ModelProto | PathLike, *, passes: str = "", weights: WeightsMode = "inline", verify: bool | None = None
) -> str:
    """Return the text of a model, weights included.

    `passes`: a pipeline that rewrites the model first, such as "prune,merge"; none unless asked.
    `weights`: "inline", or "elide" for a text that keeps types, shapes and a digest only.
    Raises ModelError, FileProblem, UsageError.
    """
    if weights == "sidecar":
        raise UsageError("encode returns one text; use onnxtext.save to write a text and its weights file")
    return print_source(_rewritten(read_model(model), passes), weights=weights, verify=verify).text


def _rewritten(source: Source, passes: str) -> Source:
    if not passes:
        return source
    from onnxtext.rewriting import rewrite

    return rewrite(source, passes)


def decode(text: str, *, weights: PathLike | None = None, fill: str | None = None) -> onnx.ModelProto:
    """Return the model that a text describes.

    `weights`, `fill`: where data that the text does not hold comes from, a file or "zeros", "random", "random:SEED".
    Raises TextError with the place of what is wrong, WeightsError where data is missing.
    """
    if not isinstance(text, str):
        raise UsageError(f"a text is a str, not {type(text).__name__}; onnxtext.load reads a file")
    return model_of(read_text(text, "<text>", weights=weights, fill=fill))


def save(
    model: onnx.ModelProto | PathLike,
    path: PathLike,
    *,
    passes: str = "",
    weights: WeightsMode = "sidecar",
    verify: bool | None = None,
    restorable: bool = False,
) -> Printed:
    """Write a model as a text, by default with its weights in `path` + ".safetensors" beside it.

    `restorable`: write what undoes the passes, which must be exact ones, in `path` + ".undo" beside it.
    All files are written aside and renamed when whole.  Returns what was printed, with the escapes it needed.
    Raises ModelError, FileProblem, UsageError, UndoError.
    """
    check_path(path)
    source = read_model(model)
    rewritten = _rewritten(source, passes)
    record = record_of(source, rewritten, passes) if restorable else None
    return write_text(print_source(rewritten, weights=weights, verify=verify), path, weights, record)


def record_of(source: Source, rewritten: Source, passes: str) -> bytes:
    """Return the record that undoes `passes`.  Raises UsageError, which names it, where one of them is not exact."""
    from onnxtext.rewriting import require_exact
    from onnxtext.undo import make_record

    require_exact(passes)
    return make_record(source, rewritten)


def write_text(printed: Printed, path: PathLike, weights: WeightsMode, record: bytes | None = None) -> Printed:
    """Write a text and, for weights "sidecar", the file that holds them, and the record that undoes passes."""
    from onnxtext.undo import undo_path

    sidecar = printed.sidecar if weights == "sidecar" and printed.sidecar else None
    beside = [sidecar_path(path)] if sidecar is not None else []
    beside += [undo_path(path)] if record is not None else []
    if not beside:
        write_output(path, [printed.text.encode()])
        return printed
    if not is_replaceable(path):
        what = "weights file" if sidecar is not None else "record"
        instead = "write the weights inline" if record is None else "leave out --restorable"
        raise UsageError(f"{path}: no {what} can stand beside a device or pipe: {instead}")
    with replacing(*beside, Path(path)) as files:
        if sidecar is not None:
            sidecar.write(files[0])
        if record is not None:
            write_pieces(files[-2], [record])
        write_pieces(files[-1], [printed.text.encode()])
    return printed


def load(
    path: PathLike, *, weights: PathLike | None = None, fill: str | None = None, restore: bool = False
) -> onnx.ModelProto:
    """Return the model of a text file, with the weights beside it.

    `restore`: undo the passes it went through, with the record beside it.
    Raises what `decode` raises, FileProblem, and UndoError where there is no record, or that of another text.
    """
    check_path(path)
    source = "<stdin>" if path == "-" else str(path)
    text = decode_utf8(read_bytes(path), source)
    beside = None if path == "-" else path
    if restore:
        refuse_restoring(path, fill)
    assembled = read_text(text, source, beside=beside, weights=weights, fill=fill)
    return model_of(restored(assembled, path) if restore else assembled)


def refuse_restoring(path: PathLike, fill: str | None) -> None:
    """Raise an error where there is no record for a text, or none that can serve, before its weights are read."""
    from onnxtext.undo import UndoError, undo_path

    if path == "-":
        raise UsageError("a text from standard input has no record beside it: give its file to --restore")
    if fill is not None:
        raise UsageError("made-up weights give no model back: give --restore or --fill, not both")
    if not os.path.lexists(undo_path(path)):
        raise UndoError(
            f"{path}: nothing tells what it was made from: there is no record {undo_path(path)}; "
            "`encode --restorable` writes one beside the text"
        )


def restored(assembled: Assembled, path: PathLike) -> Source:
    """Return the model that the text at `path` was made from, by the record beside it.  Raises UndoError."""
    from onnxtext.undo import restore, undo_path

    source = Source(canonical(assembled.wire), assembled.blobs)
    return restore(read_bytes(undo_path(path)), source, str(undo_path(path)))


class _Serializer(onnx.serialization.ProtoSerializer):
    """How onnx.load and onnx.save read and write our texts: weights inline, because onnx hands a format no path."""

    supported_format = "onnxt"
    file_extensions: Collection[str] = frozenset({EXTENSION})

    def serialize_proto(self, proto: Any) -> bytes:
        if not isinstance(proto, onnx.ModelProto):
            raise UsageError(f"a text holds a model, not a {type(proto).__name__}")
        return encode(proto).encode()

    def deserialize_proto(self, serialized: bytes | str, proto: Any) -> Any:
        if not isinstance(proto, onnx.ModelProto):
            raise UsageError(f"a text holds a model, not a {type(proto).__name__}")
        text = serialized if isinstance(serialized, str) else decode_utf8(serialized, "<bytes>")
        try:
            proto.CopyFrom(decode(text))
        except WeightsError as error:
            raise WeightsError(
                "the weights of this text lie in a file beside it, and onnx.load tells no path: use onnxtext.load(path)"
            ) from error
        return proto


onnx.serialization.registry.register(_Serializer())
