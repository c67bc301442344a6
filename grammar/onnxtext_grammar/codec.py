"""Text to model and back: the printer and the two parsers, put together.

>>> import onnx
>>> printed = print_checked(onnx.ModelProto(ir_version=10).SerializeToString())
>>> parse(printed.text).wire == onnx.ModelProto(ir_version=10).SerializeToString()
True
"""

from __future__ import annotations

from collections.abc import Callable

from onnxtext.core.blobs import Blobs, attach
from onnxtext.core.errors import MeaningProblem, OnnxTextError, SyntaxProblem
from onnxtext.core.pause import collector_paused
from onnxtext.core.weights import Sidecar
from onnxtext.core.wire import MODEL, TYPE, Schema, join, pack, schema, split
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
    with collector_paused():
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
    except Exception:  # an error of ours, or a fault of ours: either way it does not read back
        return False
    if found.wire == wire and not len(blobs) and not len(found.blobs):
        return True
    ours, theirs = attach(found.wire, found.blobs), attach(wire, blobs)
    if len(ours) != len(theirs):  # one of them has set nothing aside
        return b"".join(ours) == b"".join(theirs)
    return all(map(_equal, ours, theirs))


def _equal(a: bytes | memoryview, b: bytes | memoryview) -> bool:
    """Compare two pieces in portions: == looks at memoryviews one element after the other, 3 s for a gigabyte."""
    if a is b or len(a) != len(b):
        return a is b
    size = 1 << 20
    return all(bytes(a[i : i + size]) == bytes(b[i : i + size]) for i in range(0, len(a), size))


def print_checked(wire: bytes, blobs: Blobs | None = None, *, inline: bool = True, elided: bool = False) -> Printed:
    """Return a text that has been read back and found to give `wire` to the byte.

    Where the short notation fails, which would be a fault of ours, the smallest messages that do not come back are
    written as opaque bytes, and `escapes` names their kinds.  `inline`: no weights file; otherwise `sidecar` is its
    contents.  Raises ModelError where messages are nested too deeply.
    """
    blobs = blobs or Blobs()
    escaped: frozenset[bytes] = frozenset()
    for _ in range(3):
        printed = _print(wire, blobs, inline, elided, escaped)
        if printed is not None and reads_back(printed, wire, blobs, printed.sidecar):
            return printed
        escaped |= frozenset(_faulty(wire, MODEL, lambda whole: whole, blobs))
    printed = print_model(wire, blobs, sidecar=None if inline else Sidecar(), elided=elided, escaped=frozenset([wire]))
    assert reads_back(printed, wire, blobs, printed.sidecar), "the escape for a whole model does not come back"
    return printed


def _print(wire: bytes, blobs: Blobs, inline: bool, elided: bool, escaped: frozenset[bytes]) -> Printed | None:
    """Return the text, or None where a fault of ours prevents it."""
    try:
        return print_model(wire, blobs, sidecar=None if inline else Sidecar(), elided=elided, escaped=escaped)
    except OnnxTextError:
        raise
    except Exception:  # whatever it is, there is the escape, and it is reported
        return None


def _faulty(wire: bytes, message: Schema, around: Callable[[bytes], bytes], blobs: Blobs) -> list[bytes]:
    """Return the smallest messages within `wire` whose text does not give them back.

    Each part is tried in a model that has nothing else but the scalar fields of the messages it lies in: `around`
    makes such a model of `wire`.
    """
    fields, _ = split(wire, message)
    scalars: list[tuple[int, object]] = []
    for number, values in fields.items():
        field = message.by_number[number]
        if not field.message:
            scalars += [(number, pack(values, field))] if field.packed else [(number, value) for value in values]
    if not _survives(around(join(scalars, message)), blobs):
        return [wire]
    found: list[bytes] = []
    for number, values in fields.items():
        kind = message.by_number[number].message
        for part in values if kind and message is not TYPE else ():  # the parts of a type have no escape of their own

            def within(inner: bytes, number: int = number) -> bytes:
                return around(join([*scalars, (number, inner)], message))

            if not _survives(within(part), blobs):
                found += _faulty(part, schema(kind), within, blobs)
    return found or [wire]


def _survives(wire: bytes, blobs: Blobs) -> bool:
    """Tell whether a model comes back from its text."""
    printed = _print(wire, blobs, True, False, frozenset())
    return printed is not None and reads_back(printed, wire, blobs, None)
