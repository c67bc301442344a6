"""Large tensor data set aside, so that what is left of a model is small and quick to work on.

`detach` reads the wire bytes of a model (of any size, also beyond protobuf's 2 GiB, also mapped from a file) and
replaces the raw data of every large tensor by a short placeholder; `attach` puts it back.  Nothing large is copied.

>>> import onnx
>>> tensor = onnx.TensorProto(data_type=2, dims=[4096], raw_data=bytes(4096))
>>> wire = onnx.ModelProto(graph=onnx.GraphProto(initializer=[tensor])).SerializeToString()
>>> skeleton, blobs = detach(wire)
>>> len(skeleton) < 64, len(blobs), b"".join(attach(skeleton, blobs)) == wire
(True, 1, True)
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from onnxtext.core.errors import ModelError
from onnxtext.core.wire import BYTES, FIXED32, FIXED64, MODEL, TENSOR, VARINT, Schema, read_varint, schema, varint

LARGE_BYTES = 1024  # raw data from this size on is set aside

_MAGIC = b"\x00onnxtext blob\x00\x01\x02"
_PLACEHOLDER_BYTES = len(_MAGIC) + 8
_RAW_TAG = TENSOR.by_name["raw_data"].tag[0]
_MAX_DEPTH = 200  # protobuf itself stops at 100 nested messages


class Blobs:
    """The data set aside from one model, by number."""

    def __init__(self) -> None:
        self._held: list[bytes | memoryview] = []

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[bytes | memoryview]:
        return iter(self._held)

    def add(self, data: bytes | memoryview) -> bytes:
        """Set `data` aside and return its placeholder."""
        self._held.append(data)
        return _MAGIC + (len(self._held) - 1).to_bytes(8, "little")

    def keep(self, raw: bytes | memoryview) -> bytes:
        """Return what may stand as raw data in a skeleton: `raw`, or a placeholder if it is large or looks like one."""
        return self.add(raw) if must_detach(raw) else bytes(raw)

    def find(self, raw: bytes) -> bytes | memoryview:
        """Return the data behind a placeholder, or `raw` itself where it is none."""
        if self._held and len(raw) == _PLACEHOLDER_BYTES and raw.startswith(_MAGIC):
            return self._held[int.from_bytes(raw[-8:], "little")]
        return raw

    @property
    def total_bytes(self) -> int:
        """The size of all that is set aside."""
        return sum(len(data) for data in self._held)


def must_detach(raw: bytes | memoryview) -> bool:
    """Tell whether `raw` is large, or could be taken for a placeholder."""
    return len(raw) >= LARGE_BYTES or raw[: len(_MAGIC)] == _MAGIC


@cache
def _holders(message: Schema) -> dict[int, Schema]:
    """Return the fields of `message`, by tag, through which a tensor can be reached, with their messages."""
    return {
        field.tag[0] if len(field.tag) == 1 else read_varint(field.tag, 0)[0]: schema(field.message)
        for field in message.by_number.values()
        if field.message and TENSOR.name in _reachable(field.message)
    }


@cache
def _reachable(name: str) -> frozenset[str]:
    seen, todo = set(), [name]
    while todo:
        current = todo.pop()
        if current not in seen:
            seen.add(current)
            todo += [f.message for f in schema(current).by_number.values() if f.message]
    return frozenset(seen)


def detach(wire: bytes | memoryview, message: Schema = MODEL, blobs: Blobs | None = None) -> tuple[bytes, Blobs]:
    """Return `wire` with its large raw data replaced by placeholders, and that data (views of `wire`, not copies).

    The data is added to `blobs` if these are given.  Raises ModelError where `wire` is no protobuf message.
    """
    blobs = Blobs() if blobs is None else blobs
    # Data that looks like our placeholder must not be taken for one: then nothing is skipped for being small.
    smallest = 0 if _contains(wire, _MAGIC) else LARGE_BYTES
    view = memoryview(wire)
    return b"".join(_detach(view, 0, len(view), message, blobs, smallest, 0)), blobs


def _contains(wire: bytes | memoryview, needle: bytes) -> bool:
    if isinstance(wire, bytes):
        return needle in wire
    find = getattr(wire.obj, "find", None)  # mmap and bytes search in place
    if find is not None:
        return find(needle) >= 0
    step = 1 << 24
    return any(needle in bytes(wire[i : i + step + len(needle)]) for i in range(0, len(wire), step))


def _detach(
    view: memoryview, at: int, end: int, message: Schema, blobs: Blobs, smallest: int, depth: int
) -> Iterator[bytes]:
    if depth > _MAX_DEPTH:
        raise ModelError(f"not an ONNX model: messages nested deeper than {_MAX_DEPTH} at byte {at}")
    holders, is_tensor = _holders(message), message is TENSOR
    copied = at  # up to here everything has been yielded
    for start, body, stop, tag in _fields(view, at, end):
        if tag & 7 != BYTES or stop - body < smallest:
            continue
        if is_tensor and tag == _RAW_TAG:
            if not must_detach(view[body:stop]):
                continue
            inner = [blobs.add(view[body:stop])]
        elif tag in holders:
            inner = list(_detach(view, body, stop, holders[tag], blobs, smallest, depth + 1))
        else:
            continue
        yield bytes(view[copied:start])
        yield varint(tag) + varint(sum(map(len, inner)))
        yield from inner
        copied = stop
    yield bytes(view[copied:end])


def _fields(view: memoryview, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield the start, the start and the end of the payload, and the tag of each field."""
    while at < end:
        start = at
        tag, at = read_varint(view, at)
        kind, body = tag & 7, at
        if kind == BYTES:
            size, body = read_varint(view, at)
            at = body + size
        elif kind == VARINT:
            _, at = read_varint(view, at)
        elif kind in (FIXED32, FIXED64):
            at += 4 if kind == FIXED32 else 8
        elif kind == 3:
            at = _group_end(view, at, end, tag >> 3)
        else:
            raise ModelError(f"not an ONNX model: the byte {start} opens no field")
        if at > end:
            raise ModelError(f"not an ONNX model: it ends within the field at byte {start}; is the file complete?")
        yield start, body, at, tag


def _group_end(view: memoryview, at: int, end: int, number: int) -> int:
    """Return the offset behind a group (an old kind of field, which a model holds only among unknown fields)."""
    opened = [number]
    while opened:
        if at >= end or len(opened) > _MAX_DEPTH:
            raise ModelError(f"not an ONNX model: a group has no end at byte {at}")
        tag, at = read_varint(view, at)
        kind = tag & 7
        if kind == 3:
            opened.append(tag >> 3)
        elif kind == 4:
            if opened.pop() != tag >> 3:
                raise ModelError(f"not an ONNX model: a group ends at byte {at} that was not open")
        elif kind == BYTES:
            size, at = read_varint(view, at)
            at += size
        elif kind == VARINT:
            _, at = read_varint(view, at)
        elif kind in (FIXED32, FIXED64):
            at += 4 if kind == FIXED32 else 8
        else:
            raise ModelError(f"not an ONNX model: the byte {at} opens no field")
    return at


def attach(skeleton: bytes, blobs: Blobs, message: Schema = MODEL) -> list[bytes | memoryview]:
    """Return the pieces, in order, of `skeleton` with the data of `blobs` in place of the placeholders."""
    if not len(blobs):
        return [skeleton]
    return _attach(skeleton, 0, len(skeleton), message, blobs, skeleton.find(_MAGIC))[0]


def _attach(
    skeleton: bytes, at: int, end: int, message: Schema, blobs: Blobs, magic: int
) -> tuple[list[bytes | memoryview], int]:
    """Return the pieces and their total length; `magic` is where the next placeholder may be, from `at` on."""
    holders, is_tensor = _holders(message), message is TENSOR
    pieces: list[bytes | memoryview] = []
    total, copied = 0, at
    for start, body, stop, tag in _fields(memoryview(skeleton), at, end):
        if tag & 7 != BYTES or stop <= magic or magic < 0:
            continue
        magic = skeleton.find(_MAGIC, start)
        if not start < magic < stop:
            continue
        if is_tensor and tag == _RAW_TAG:
            data = blobs.find(skeleton[body:stop])
            inner, size = [data], len(data)
        elif tag in holders:
            inner, size = _attach(skeleton, body, stop, holders[tag], blobs, magic)
        else:
            continue
        head = skeleton[copied:start] + varint(tag) + varint(size)
        pieces += [head, *inner]
        total += len(head) + size
        copied = stop
    if copied < end:
        pieces.append(skeleton[copied:end])
        total += end - copied
    return pieces, total
