"""The Python interface: encode, decode, save, load, and the registration with onnx.

>>> import onnx
>>> text = encode(onnx.ModelProto(ir_version=10))
>>> decode(text).ir_version
10
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import onnx
import onnx.serialization
from google.protobuf.message import EncodeError

from onnxtext.core.blobs import Blobs, attach, detach
from onnxtext.core.errors import ModelError, UsageError, WeightsError, nearest
from onnxtext.core.files import is_replaceable, map_bytes, read_bytes, replacing, write_output, write_pieces
from onnxtext.core.weights import SUFFIX, Sidecar, Weights, filler, sidecar_path
from onnxtext.core.wire import canonical

if TYPE_CHECKING:
    from onnxtext_grammar.assembler import Assembled
    from onnxtext_grammar.printer import Printed

EXTENSION = ".onnxt"
DETACH_BYTES = 16_000_000  # of a model in memory, from which on its large data is set aside and not copied about
VERIFY_BYTES = 4_000_000  # of a model without its weights, up to which `encode` reads its own text back by default

WeightsMode = Literal["sidecar", "inline", "elide"]
_MODES = get_args(WeightsMode)
PathLike = str | os.PathLike[str]


@dataclass(slots=True)
class Source:
    """A model as it was read: canonical wire bytes, large data set aside, whether the file's own bytes were others."""

    wire: bytes
    blobs: Blobs = field(default_factory=Blobs)
    differs: bool = False

    @property
    def total_bytes(self) -> int:
        """The size of the model with its data."""
        return sum(map(len, attach(self.wire, self.blobs)))


def read_model(model: onnx.ModelProto | PathLike) -> Source:
    """Return a model's bytes, from memory, from an ONNX file, from one of our texts, or from standard input for "-".

    A file is mapped and not copied, and may be larger than protobuf's 2 GiB.  Data that an ONNX file keeps in files of
    its own stays there.  Raises FileProblem, ModelError, and the errors of a text.
    """
    if isinstance(model, onnx.ModelProto):
        wire = _serialize(model)
        return Source(wire) if len(wire) < DETACH_BYTES else Source(*detach(wire))
    if isinstance(model, bytes | bytearray | memoryview) or not isinstance(model, str | os.PathLike):
        raise UsageError(f"a model is an onnx.ModelProto or a path, not {type(model).__name__}")
    data = map_bytes(model)
    if _BEGINS_A_TEXT(data) or os.fspath(model).endswith(EXTENSION):
        name, beside = ("<stdin>", None) if model == "-" else (str(model), model)
        assembled = read_text(_decode_utf8(bytes(data), name), name, beside=beside)
        return Source(canonical(assembled.wire), assembled.blobs)
    try:
        if not len(data):
            raise ModelError("not an ONNX model: it is empty")
        skeleton, blobs = detach(data)
        wire = canonical(skeleton)
    except ModelError as error:
        raise ModelError(f"{model}: {error}") from error
    source = Source(wire, blobs)
    source.differs = wire != skeleton or source.total_bytes != len(data)
    return source


_BEGINS_A_TEXT = re.compile(rb"(?:[ \t\r\n]|//[^\n]*+\n)*+onnxt").match


def _check_path(path: object) -> None:
    if not isinstance(path, str | os.PathLike):
        raise UsageError(f"a path is a str or os.PathLike, not {type(path).__name__}")


def _serialize(model: onnx.ModelProto) -> bytes:
    try:
        return model.SerializeToString(deterministic=True)
    except (EncodeError, ValueError) as error:
        raise ModelError(
            f"protobuf cannot serialize this model ({error}); save its weights as external data, or give a file's path"
        ) from error


def print_source(source: Source, *, weights: WeightsMode = "inline", verify: bool | None = None) -> Printed:
    """Return the text of a model, read back and compared if `verify` says so (by default, where that costs little)."""
    from onnxtext_grammar.codec import print_checked
    from onnxtext_grammar.printer import print_model

    if weights not in _MODES:
        raise UsageError(f"weights are sidecar, inline or elide, not {weights}{nearest(str(weights), _MODES)}")
    if verify is None:
        verify = len(source.wire) <= VERIFY_BYTES
    inline, elided = weights == "inline", weights == "elide"
    if verify:
        return print_checked(source.wire, source.blobs, inline=inline, elided=elided)
    return print_model(source.wire, source.blobs, sidecar=None if inline else Sidecar(), elided=elided)


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


_REMEDY = "give them with --weights FILE, or make data up with --fill zeros or --fill random"


def read_text(
    text: str,
    source: str = "<text>",
    *,
    beside: PathLike | None = None,
    weights: PathLike | None = None,
    fill: str | None = None,
) -> Assembled:
    """Return the model that a text describes, large data set aside.

    Data that is not in the text comes from `weights`, by default from the file that belongs to the path `beside`; or is
    made up: `fill` is "zeros", "random" or "random:SEED".  Raises TextError with a place, WeightsError, FileProblem.
    """
    from onnxtext_grammar.codec import parse

    if weights is not None and fill is not None:
        raise UsageError("weights come from a file or are made up: give --weights or --fill, not both")
    if weights is not None:
        _check_path(weights)
    opened: list[Weights | Sidecar] = []

    def open_weights(digest: str | None) -> Weights | Sidecar:
        path = weights
        if path is None:
            if beside is None:
                raise WeightsError(f"{source}: its weights are not in the text, which came without a path; {_REMEDY}")
            path = sidecar_path(beside)
            if not os.path.lexists(path):
                raise WeightsError(f"{source}: its weights are not here: no file {path}; {_REMEDY}")
        opened.append(_open_weights(path, digest))
        return opened[0]

    assembled = parse(text, source, open_weights=open_weights, filler=filler(fill) if fill is not None else None)
    if opened and isinstance(opened[0], Weights):
        opened[0].check(assembled.used)
    if fill is not None and b"Parameter" in assembled.wire:  # weights of which only the type is known
        how, _, seed = fill.partition(":")
        filled = _rewritten(Source(canonical(assembled.wire), assembled.blobs), f"fill{{how={how},seed={seed or 0}}}")
        assembled.wire = filled.wire
    return assembled


def _open_weights(path: PathLike, digest: str | None) -> Weights | Sidecar:
    """Open a weights file, or take the weights out of the ONNX model of which the text was made."""
    if os.fspath(path).endswith(SUFFIX) or not os.fspath(path).endswith((".onnx", EXTENSION)):
        return Weights(path, digest)
    sidecar = print_source(read_model(path), weights="sidecar", verify=False).sidecar
    assert sidecar is not None
    if digest is not None and sidecar.digest() != digest:
        raise WeightsError(
            f"{path}: these are not the weights of this text: their digest is {sidecar.digest()}, "
            f"the text asks for {digest}"
        )
    return sidecar


def _decode_utf8(data: bytes, source: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ModelError(
            f"{source}:{line}: this is no text in UTF-8 (byte {error.start}); is it a binary model?"
        ) from error


def model_of(assembled: Assembled | Source) -> onnx.ModelProto:
    """Return the ModelProto.  Raises ModelError where protobuf does not read it."""
    data = b"".join(attach(assembled.wire, assembled.blobs))
    try:
        return onnx.ModelProto.FromString(data)
    except Exception as error:  # protobuf has one error for what is malformed and others for what is too large
        raise ModelError(f"protobuf does not read this model: {error}") from error


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
    _check_path(path)
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
    _check_path(path)
    source = "<stdin>" if path == "-" else str(path)
    text = _decode_utf8(read_bytes(path), source)
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
        text = serialized if isinstance(serialized, str) else _decode_utf8(serialized, "<bytes>")
        try:
            proto.CopyFrom(decode(text))
        except WeightsError as error:
            raise WeightsError(
                "the weights of this text lie in a file beside it, and onnx.load tells no path: use onnxtext.load(path)"
            ) from error
        return proto


onnx.serialization.registry.register(_Serializer())
