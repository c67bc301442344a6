"""Text to model and back: the printer and the two parsers, put together.

>>> printed = print_checked(onnx.ModelProto(ir_version=10).SerializeToString())
>>> parse(printed.text).wire == onnx.ModelProto(ir_version=10).SerializeToString()
True
"""

from __future__ import annotations

import onnx

from onnxtext.core.blobs import Blobs, attach
from onnxtext.core.errors import MeaningProblem, OnnxTextError, SyntaxProblem
from onnxtext.core.pause import collector_paused
from onnxtext.core.weights import Sidecar
from onnxtext.core.wire import ATTRIBUTE, FUNCTION, GRAPH, MODEL, NODE, TENSOR, VALUE_INFO, Schema, schema, split
from onnxtext_grammar.assembler import Assembled, Filler, Miss, OpenWeights, assemble
from onnxtext_grammar.fast_parser import parse_bag, parse_fast, parse_type
from onnxtext_grammar.printer import Printed, print_model


def parse(
    text: str, source: str = "<text>", *, open_weights: OpenWeights | None = None, filler: Filler | None = None
) -> Assembled:
    """Return the wire bytes of the model that `text` describes.

    Raises SyntaxProblem or MeaningProblem with a place in `source`, WeightsError where data is missing.
    """
    _check_characters(text, source)
    try:
        with collector_paused():
            return assemble(
                parse_fast(text),
                text,
                source,
                open_weights=open_weights,
                filler=filler,
                parse_bag=parse_bag,
                parse_type=parse_type,
            )
    except (Miss, MeaningProblem, RecursionError):
        return parse_slowly(text, source, open_weights=open_weights, filler=filler)


def parse_slowly(
    text: str, source: str = "<text>", *, open_weights: OpenWeights | None = None, filler: Filler | None = None
) -> Assembled:
    """Do what `parse` does by the parser made from the grammar alone."""
    from onnxtext_grammar.lark_parser import parse_with_lark  # lark is loaded only when it is needed

    _check_characters(text, source)
    return assemble(parse_with_lark(text, source), text, source, open_weights=open_weights, filler=filler)


def _check_characters(text: str, source: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise SyntaxProblem("this is half a character (a lone surrogate)", source, text, error.start) from None


def reads_back(printed: Printed, wire: bytes, blobs: Blobs, sidecar: Sidecar | None) -> bool:
    """Tell whether the text gives the model with the bytes `wire` back, data set aside included."""
    try:
        found = parse(printed.text, open_weights=None if sidecar is None else lambda digest: sidecar)
    except OnnxTextError:
        return False
    if found.wire == wire and not len(blobs) and not len(found.blobs):
        return True
    ours, theirs = attach(found.wire, found.blobs), attach(wire, blobs)
    if len(ours) != len(theirs):  # one of them has set nothing aside
        return b"".join(ours) == b"".join(theirs)
    return all(a == b for a, b in zip(ours, theirs, strict=True))


def print_checked(wire: bytes, blobs: Blobs | None = None, *, inline: bool = True, elided: bool = False) -> Printed:
    """Return a text that has been read back and found to give `wire` to the byte.

    Where the short notation fails, which would be a fault of ours, the smallest messages that do not come back are
    written as opaque bytes, and `escapes` names their kinds.  `inline`: no weights file; otherwise `sidecar` is its
    contents.
    """
    blobs = blobs or Blobs()
    escaped: frozenset[bytes] = frozenset()
    for _ in range(3):
        printed = print_model(wire, blobs, sidecar=None if inline else Sidecar(), elided=elided, escaped=escaped)
        if reads_back(printed, wire, blobs, printed.sidecar):
            return printed
        found = frozenset(_faulty(wire, blobs))
        if not found - escaped:
            break
        escaped |= found
    printed = print_model(wire, blobs, sidecar=None if inline else Sidecar(), elided=elided, escaped=frozenset([wire]))
    assert reads_back(printed, wire, blobs, printed.sidecar), "the escape for a whole model does not come back"
    return printed


# Which messages are tried one by one, and the model that each is tried in.
_PARTS: list[tuple[Schema, int, Schema]] = [
    (GRAPH, 1, NODE),
    (GRAPH, 5, TENSOR),
    (GRAPH, 11, VALUE_INFO),
    (GRAPH, 12, VALUE_INFO),
    (GRAPH, 13, VALUE_INFO),
    (GRAPH, 15, schema("onnx.SparseTensorProto")),
    (FUNCTION, 7, NODE),
    (FUNCTION, 11, ATTRIBUTE),
    (FUNCTION, 12, VALUE_INFO),
]


def _faulty(wire: bytes, blobs: Blobs) -> list[bytes]:
    """Return the smallest messages of a model whose text does not give them back."""
    fields, _ = split(wire, MODEL)
    out: list[bytes] = []
    for owner, number in ((GRAPH, 7), (FUNCTION, 25)):
        for holder in fields.get(number, ()):
            parts = [
                (inner, piece)
                for outer, at, inner in _PARTS
                if outer is owner
                for piece in split(holder, owner)[0].get(at, ())
            ]
            bad = [piece for inner, piece in parts if not _survives(piece, inner, blobs)]
            out += bad or [holder]
    return out


def _survives(piece: bytes, kind: Schema, blobs: Blobs) -> bool:
    """Tell whether one message comes back from its text, alone in a graph."""
    graph = onnx.GraphProto(name="g")
    if kind is NODE:
        graph.node.add().MergeFromString(piece)
    elif kind is TENSOR:
        graph.initializer.add().MergeFromString(piece)
    elif kind is VALUE_INFO:
        graph.input.add().MergeFromString(piece)
    elif kind is ATTRIBUTE:
        graph.node.add(op_type="Op").attribute.add().MergeFromString(piece)
    else:
        graph.sparse_initializer.add().MergeFromString(piece)
    wire = onnx.ModelProto(graph=graph).SerializeToString(deterministic=True)
    try:
        return reads_back(print_model(wire, blobs), wire, blobs, None)
    except OnnxTextError:
        return False
