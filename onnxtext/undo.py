"""The record that undoes passes: `FILE.undo` beside a text gives back the model the text was made from, to the byte.

A record holds how the old model differs from the one in the text, and two digests: it serves that one text only, and
what it gives back is what was there.  Large data is not in it; it is taken from the text's own model, by number.

>>> import onnx
>>> from onnxtext.source import Source
>>> old, new = (Source(onnx.ModelProto(producer_name=n).SerializeToString()) for n in ("old", "new"))
>>> restore(make_record(old, new), new).wire == old.wire
True

Source: the copies and literals of a binary delta, as in RFC 3284 (VCDIFF); xz around them.
"""

from __future__ import annotations

import lzma
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from onnxtext.core.blobs import LARGE_BYTES, Blobs, attach, detach
from onnxtext.core.errors import ModelError, OnnxTextError
from onnxtext.core.wire import canonical, read_varint, varint

if TYPE_CHECKING:
    from onnxtext.source import Source

SUFFIX = ".undo"
MAX_BYTES = 1 << 28  # of a model without its large data, and of what a record may unpack to

_HEAD = b"onnxtext undo 1\n"
_MEMORY_BYTES = 1 << 26  # what unpacking may use besides the result
_OWN_BYTES = 16  # fewer than what is set aside has at least

# Measured on torch exports: a model before and after `merge` is alike in pieces of a hundred bytes, between names.
_NEAR_BYTES, _NEAR_WINDOW, _MAX_WINDOW = 8, 128, 1024  # what counts as alike where it is expected, and how near that is
_FAR_BYTES, _FAR_STEP = 32, 8  # and anywhere; one in eight places is looked up


class UndoError(OnnxTextError):
    """A record that is missing, damaged or that of another text."""


def undo_path(text_path: str | os.PathLike[str]) -> Path:
    """Return the name of the record that belongs to a text."""
    return Path(f"{os.fspath(text_path)}{SUFFIX}")


def make_record(old: Source, new: Source) -> bytes:
    """Return the record with which `new`, the model of a text, gives back `old`.  Raises UndoError for huge models."""
    before, after = _Model.of(old), _Model.of(new)
    blobs, renumbered = Blobs(), Blobs()
    numbers = {digest: blobs.add(data) for data, digest in zip(after.data, after.digests, strict=True)}
    own: list[bytes | memoryview] = []  # data that only the old model has
    for data, digest in zip(before.data, before.digests, strict=True):
        if digest not in numbers:
            numbers[digest] = blobs.add(data)
            own.append(data)
        renumbered.add(numbers[digest])
    wire = b"".join(attach(before.wire, renumbered))
    size = max(len(after.wire), len(wire) + sum(map(len, own)))
    if size > MAX_BYTES:
        raise UndoError(
            f"no record can be written: without the data that both models share one has {size >> 20} MiB, "
            f"and a record serves up to {MAX_BYTES >> 20}"
        )
    body = b"".join([varint(len(own)), *(varint(len(data)) for data in own), *own, *_diff(after.wire, wire)])
    assert _unpack(body, after.wire) == (wire, own)
    return b"".join([_HEAD, after.digest(), before.digest(), lzma.compress(body, check=lzma.CHECK_CRC32)])


def restore(record: bytes, new: Source, name: str = "<record>") -> Source:
    """Return the model that a text was made from, given its record and the text's model.

    Raises UndoError, beginning with `name`, for a record that is damaged or belongs to another text.
    """
    from onnxtext.source import Source

    if not record.startswith(_HEAD):
        raise UndoError(f"{name}: not a record of `encode --restorable`, or one of another version of onnxtext")
    digests, packed = record[len(_HEAD) : len(_HEAD) + 64], record[len(_HEAD) + 64 :]
    after = _Model.of(new)
    if digests[:32] != after.digest():
        raise UndoError(
            f"{name}: this record does not belong to the text, which was changed since, or written anew without a "
            "record; encode the model again with --restorable"
        )
    try:
        wire, own = _unpack(_decompress(packed), after.wire)
        blobs = Blobs()
        for data in [*after.data, *own]:
            blobs.add(data)
        if canonical(wire) != wire or _Model.of(Source(wire, blobs)).digest() != digests[32:]:
            raise ModelError("it gives another model")
    except (lzma.LZMAError, ModelError, IndexError) as error:  # the last: data with a number that none has
        raise UndoError(f"{name}: the record is damaged; encode the model again with --restorable") from error
    return Source(wire, blobs)


@dataclass(frozen=True, slots=True)
class _Model:
    """A model in a form that depends on its bytes alone: large data set aside and numbered in order."""

    wire: bytes
    data: list[bytes | memoryview]
    digests: list[bytes]  # of the data

    @classmethod
    def of(cls, source: Source) -> _Model:
        wire, outer = detach(source.wire)
        data = [raw if len(raw) >= LARGE_BYTES else source.blobs.find(bytes(raw)) for raw in outer]
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:  # hashing releases the interpreter lock
            return cls(wire, data, list(pool.map(lambda d: sha256(d).digest(), data)))

    def digest(self) -> bytes:
        return sha256(b"".join([sha256(self.wire).digest(), *self.digests])).digest()


def _decompress(packed: bytes) -> bytes:
    """Return the body of a record.  Raises LZMAError, ModelError where it is cut short, goes on or is too large."""
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY_BYTES)
    body = unpacker.decompress(packed, max_length=2 * MAX_BYTES)
    if not unpacker.eof or unpacker.unused_data:
        raise ModelError("it is cut short, or goes on behind its end")
    return body


def _diff(old: bytes, new: bytes) -> list[bytes]:
    """Return the pieces of a delta that makes `new` of `old`: what is copied from where, and what is not in `old`.

    They are the number of copies; for each the length of the literal before it, its own length, and how far its start
    is from the end of the one before; and the literals.
    """
    far = {old[i : i + _FAR_BYTES]: i for i in range(0, len(old) - _FAR_BYTES + 1, _FAR_STEP)}
    lengths: list[bytes] = []
    literals: list[bytes] = []
    at = start = expected = 0  # in new: where we look, and up to where all is said; in old: where that goes on
    while at <= len(new) - _NEAR_BYTES:
        window = min(at - start, _MAX_WINDOW) + _NEAR_WINDOW
        found = old.find(new[at : at + _NEAR_BYTES], expected, expected + window)
        if found < 0:
            found = far.get(new[at : at + _FAR_BYTES], -1)
            if found < 0:
                at += 1
                continue
        while at > start and found > 0 and new[at - 1] == old[found - 1]:
            at, found = at - 1, found - 1
        length = _common(old, found, new, at)
        step = found - expected
        lengths += varint(at - start), varint(length), varint(2 * step if step >= 0 else -2 * step - 1)
        literals.append(new[start:at])
        at = start = at + length
        expected = found + length
    return [varint(len(literals)), *lengths, *literals, new[start:]]


def _common(a: bytes, i: int, b: bytes, k: int) -> int:
    """Return how many bytes of `a` from `i` on are those of `b` from `k` on."""
    begin, step = i, 64
    while step:
        piece = a[i : i + step]
        if len(piece) == step and piece == b[k : k + step]:
            i, k, step = i + step, k + step, min(2 * step, 1 << 16)
        else:
            step //= 2
    return i - begin


def _unpack(body: bytes, old: bytes) -> tuple[bytes, list[bytes | memoryview]]:
    """Return what a record's body makes of the wire bytes `old`, and the data in it.  Raises ModelError."""
    at = 0

    def number() -> int:
        nonlocal at
        value, at = read_varint(body, at)
        return value

    count = number()
    if count > len(body) // _OWN_BYTES:
        raise ModelError("more data than there is")
    sizes = [number() for _ in range(count)]
    own: list[bytes | memoryview] = []
    for size in sizes:
        own.append(body[at : at + size])
        at += size
    copies = number()
    lengths = at
    for _ in range(3 * copies):
        number()
    literals, at = at, lengths
    made = bytearray()
    end = 0
    for _ in range(copies):
        literal, length, step = number(), number(), number()
        begin = end + (step >> 1 if not step & 1 else -(step + 1 >> 1))
        end = begin + length
        if not 0 <= begin < end <= len(old) or literals + literal > len(body) or len(made) + length > MAX_BYTES:
            raise ModelError("a copy of what is not there")
        made += body[literals : literals + literal]
        made += old[begin:end]
        literals += literal
    return bytes(made + body[literals:]), own
