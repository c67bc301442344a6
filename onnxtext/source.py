"""A model between bytes and text: read from a file, memory or one of our texts, and printed.

>>> print(print_source(read_model(onnx.ModelProto(ir_version=10))).text)
onnxt 1
model {ir_version=10}
<BLANKLINE>
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

import onnx
from google.protobuf.message import EncodeError

from onnxtext.core.blobs import Blobs, attach, detach
from onnxtext.core.errors import ModelError, UsageError, WeightsError, nearest
from onnxtext.core.files import map_bytes
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

    A text in onnx's own syntax, that of onnx.parser, is read too.
    Where no file has the name, SPACE:SPECIFICATION stands for a network of a space of architectures.
    A file is mapped and not copied, and may be larger than protobuf's 2 GiB.  Data that an ONNX file keeps in files of
    its own stays there.  Raises FileProblem, ModelError, and the errors of a text.
    """
    if isinstance(model, onnx.ModelProto):
        wire = _serialize(model)
        return Source(wire) if len(wire) < DETACH_BYTES else Source(*detach(wire))
    if isinstance(model, bytes | bytearray | memoryview) or not isinstance(model, str | os.PathLike):
        raise UsageError(f"a model is an onnx.ModelProto or a path, not {type(model).__name__}")
    if isinstance(model, str) and ":" in model and not os.path.lexists(model):
        from onnxtext.spaces.registry import find_network

        network = find_network(model)
        if network is not None:
            return read_model(network)
    data = map_bytes(model)
    if _BEGINS_A_TEXT(data) or os.fspath(model).endswith(EXTENSION):
        name, beside = ("<stdin>", None) if model == "-" else (str(model), model)
        assembled = read_text(decode_utf8(bytes(data), name), name, beside=beside)
        return Source(canonical(assembled.wire), assembled.blobs)
    if _BEGINS_ONNX_SYNTAX(data):
        return Source(_serialize(_parse_onnx_syntax(bytes(data), str(model))))
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

_BEGINS_ONNX_SYNTAX = re.compile(rb"<\s*+ir_version\b").match  # as no ONNX file does: there "<" ends a group


def _parse_onnx_syntax(data: bytes, source: str) -> onnx.ModelProto:
    """Return the model of a text in the syntax of onnx.parser.  Raises ModelError."""
    import onnx.parser

    try:
        return onnx.parser.parse_model(decode_utf8(data, source))
    except onnx.parser.ParseError as error:
        told = " ".join(error.args[0].decode(errors="replace").split())
        raise ModelError(f"{source}: onnx's parser does not read this text: {told}") from error


def check_path(path: object) -> None:
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
        check_path(weights)
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
        assembled.wire = _holes_filled(assembled, fill)
    return assembled


def _holes_filled(assembled: Assembled, fill: str) -> bytes:
    from onnxtext_passes.manager import run_pipeline
    from onnxtext_passes.pipeline import parse_pipeline

    how, _, seed = fill.partition(":")
    model = onnx.ModelProto.FromString(canonical(assembled.wire))
    result = run_pipeline(model, parse_pipeline(f"fill{{how={how},seed={seed or 0}}}"), blobs=assembled.blobs)
    return result.model.SerializeToString(deterministic=True)


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


def decode_utf8(data: bytes, source: str) -> str:
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
