"""The laws that every model and every text has to obey, each as one function that asserts it.

>>> assert_exact(onnx.ModelProto(ir_version=10).SerializeToString())
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import get_args

import onnx
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet
from hypothesis import HealthCheck, settings

from onnxtext.core.blobs import attach, detach
from onnxtext.core.errors import MeaningProblem, ModelError, OnnxTextError, SyntaxProblem, TextError
from onnxtext.core.weights import element_count, filler
from onnxtext.core.wire import canonical
from onnxtext.source import Source, WeightsMode, print_source
from onnxtext_grammar.assembler import Assembled, Filler, Miss, OpenWeights, assemble
from onnxtext_grammar.codec import parse, parse_slowly
from onnxtext_grammar.fast_parser import parse_bag, parse_fast, parse_type
from onnxtext_grammar.printer import Printed

MODES: tuple[WeightsMode, ...] = get_args(WeightsMode)
LIMIT_S = 1.0  # of processor time: what one small input, however hostile, may cost


def examples(count: int) -> settings:
    """Return settings for `count` examples, or for the number that a profile asks for where that is more."""
    largest = max(count, settings().max_examples)
    return settings(max_examples=largest, suppress_health_check=list(HealthCheck))  # type: ignore[arg-type]  # large and slow ones are wanted


def print_unchecked(wire: bytes, weights: WeightsMode = "inline") -> Printed:
    """Return the text of a model without the self-check, which would hide a fault of the short notation."""
    return print_source(Source(*detach(wire)), weights=weights, verify=False)


def opener(printed: Printed) -> OpenWeights | None:
    """Return what hands a parser the weights of a text."""
    sidecar = printed.sidecar
    return None if sidecar is None else lambda digest: sidecar


def whole(assembled: Assembled) -> bytes:
    """Return the bytes of a model with the data that was set aside."""
    return b"".join(attach(assembled.wire, assembled.blobs))


def read_fast(text: str, open_weights: OpenWeights | None = None, filler: Filler | None = None) -> Assembled:
    """Return what the fast parser alone makes of `text`.  Raises Miss where it leaves that to the slow one."""
    return assemble(
        parse_fast(text), text, open_weights=open_weights, filler=filler, parse_bag=parse_bag, parse_type=parse_type
    )


def messages_with_unknown_fields(message: Message) -> Iterator[str]:
    """Yield the kind of every message within `message` that holds fields its descriptor does not know."""
    if len(UnknownFieldSet(message)):
        yield message.DESCRIPTOR.full_name.removeprefix("onnx.")
    for field, value in message.ListFields():
        if field.message_type:
            for inner in value if field.is_repeated else [value]:
                yield from messages_with_unknown_fields(inner)


def assert_exact(wire: bytes) -> None:
    """Assert that a model's text gives it back to the byte, whatever becomes of the weights, by the fast parser.

    Only a message with unknown fields is written as an escape, and the printer says so.
    """
    unknown = sorted(messages_with_unknown_fields(onnx.ModelProto.FromString(wire)))
    for mode in MODES:
        printed = print_unchecked(wire, mode)
        try:
            found = whole(read_fast(printed.text, opener(printed)))
        except (Miss, MeaningProblem):
            found = whole(parse_slowly(printed.text, open_weights=opener(printed)))  # says what is wrong, and where
            raise AssertionError(f"the fast parser does not read\n{printed.text}") from None
        assert found == wire, f"weights {mode}: {onnx.ModelProto.FromString(found)}\nfrom\n{printed.text}"
        assert set(printed.escapes) == set(unknown), printed.text


def assert_parsers_agree(text: str, open_weights: OpenWeights | None = None) -> bytes | None:
    """Assert that the fast parser reads nothing that the one made from the grammar does not read alike.

    Returns the model, or None where the text is none.  Whatever is wrong with a text is an error with a place.  Data
    that the text does not hold is zeros, or comes from `open_weights`.
    """
    filling = None if open_weights else zeros
    try:
        slow = parse_slowly(text, open_weights=open_weights, filler=filling)
    except TextError as error:
        slow = None
        assert error.line >= 1 and error.column >= 1 and len(str(error)) < 10_000
        assert isinstance(error, SyntaxProblem | MeaningProblem)
    except OnnxTextError:
        slow = None
    try:
        text.encode()
        fast = read_fast(text, open_weights, filling)
    except (Miss, OnnxTextError, UnicodeEncodeError):  # what is no text does not come so far
        pass
    else:
        assert slow is not None, f"only the fast parser reads\n{text}"
        assert whole(fast) == whole(slow), f"the parsers differ on\n{text}"
    return None if slow is None else whole(slow)


def zeros(key: str, dtype: str, dims: Sequence[int]) -> bytes:
    """Make up the data of a tensor, as `--fill zeros` does, if that takes no time."""
    if element_count(dims) > 1_000_000:
        raise ValueError("too large for a test")
    return filler("zeros")(key, dtype, dims)


def decode_or_error(text: str) -> bytes | None:
    """Return the model of a text, or None where it is refused, as it may be: with an error of ours."""
    try:
        return whole(parse(text))
    except OnnxTextError as error:
        assert len(str(error)) < 10_000
        return None


def encode_or_error(data: bytes) -> bytes | None:
    """Return the canonical bytes of a model, or None where `data` is refused, as it may be: with an error of ours.

    What is a model comes back from its text.
    """
    try:
        wire = canonical(whole(Assembled(*detach(data))))
        source = Source(*detach(data))
        source.wire = canonical(source.wire)
    except ModelError as error:
        assert len(str(error)) < 10_000
        return None
    printed = print_source(source, verify=False)
    assert whole(parse(printed.text)) == wire, printed.text
    return wire


@contextmanager
def at_most(limit_s: float = LIMIT_S) -> Iterator[None]:
    """Assert that what is done inside takes no more than `limit_s` seconds of processor time."""
    start_s = time.process_time()
    yield
    used_s = time.process_time() - start_s
    assert used_s <= limit_s, f"took {used_s:.2f} s of processor time, {limit_s} s are allowed"
