"""Lengths in tokens, weights external for everybody: ours, onnx.printer's, textproto's and JSON's.

Our weights lie in a file beside the text; those of the peers in an external file, by the references of ONNX itself
(location, offset, length).  onnx.printer drops metadata and doc strings, so it is compared on models without them.

>>> import onnx
>>> model = onnx.parser.parse_model('<ir_version: 10, opset_import: ["": 20]> g (float[2] x) => (y) { y = Relu(x) }')
>>> found = tokens(model, len)  # here in characters
>>> list(found), found["onnxtext"] < found["textproto"] < found["JSON"]
(['onnxtext', 'onnx.printer', 'textproto', 'JSON'], True)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import onnx
import onnx.printer
from google.protobuf import json_format, text_format

from onnxtext import source

INLINE_ELEMENTS = 16  # tensors of up to so many elements stay in the text, for everybody
MOST_OF_PRINTER = 0.65  # our tokens to onnx.printer's, geometric mean over all networks, without metadata
MOST_OF_TEXTPROTO = 1 / 3  # our tokens to textproto's, geometric mean over torch's exports, with their metadata


def light_models() -> dict[str, onnx.ModelProto]:
    """Return the nine networks of the onnx package."""
    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    return {path.stem: onnx.load(path) for path in sorted(folder.glob("*.onnx"))}


def external(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy in which the larger tensors refer to a file, one behind the other; the file is NOT written."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    offset = 0
    for tensor in _tensors(copy.graph):
        if tensor.HasField("raw_data") and math.prod(tensor.dims) > INLINE_ELEMENTS:
            size = len(tensor.raw_data)
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key, value in (("location", "weights.bin"), ("offset", offset), ("length", size)):
                tensor.external_data.add(key=key, value=str(value))
            offset += size
    return copy


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            if attribute.HasField("g"):
                yield from _tensors(attribute.g)


def print_beside_weights(model: onnx.ModelProto) -> str:
    """Return our text of a model, its weights in a file beside it."""
    return source.print_source(source.read_model(model), weights="sidecar").text


CARRIERS: dict[str, Callable[[onnx.ModelProto], str]] = {
    "onnxtext": print_beside_weights,
    "onnx.printer": lambda model: onnx.printer.to_text(external(model)),
    "textproto": lambda model: text_format.MessageToString(external(model)),
    "JSON": lambda model: json_format.MessageToJson(external(model)),
}


def tokens(model: onnx.ModelProto, count: Callable[[str], int]) -> dict[str, int]:
    """Return the length of a model's text by each carrier."""
    return {name: count(write(model)) for name, write in CARRIERS.items()}


def counter(tokenizer_file: Path) -> Callable[[str], int]:
    """Return what counts the tokens of a text, by a tokenizer.json."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def geometric_mean(values: Sequence[float]) -> float:
    """Return the geometric mean.

    >>> geometric_mean([0.5, 2.0])
    1.0
    """
    return math.exp(sum(map(math.log, values)) / len(values))
