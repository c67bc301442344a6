"""Protobuf wire bytes, read and written under the guidance of the descriptors that the installed onnx brings.

Python's protobuf objects quiet signalling NaNs, decode strings and hide unknown fields; wire bytes do none of that.
Everything here speaks of the *canonical* bytes, those of `SerializeToString(deterministic=True)`: known fields in the
order of their numbers, what the descriptors do not know behind them.

>>> join([(2, b"name")], NODE)
b'\\x12\\x04name'
>>> split(b"\\x12\\x04name", NODE)
({2: [b'name']}, b'')

Source: Protocol Buffers, "Encoding".
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from operator import itemgetter

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError

from onnxtext.core.errors import ModelError

# How a field's value stands in the wire: its own Python type there, and the wire type in the low bits of its tag.
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

_KINDS = {
    FieldDescriptor.TYPE_DOUBLE: ("double", FIXED64),
    FieldDescriptor.TYPE_FLOAT: ("float", FIXED32),
    FieldDescriptor.TYPE_INT64: ("int", VARINT),
    FieldDescriptor.TYPE_UINT64: ("uint", VARINT),
    FieldDescriptor.TYPE_INT32: ("int", VARINT),
    FieldDescriptor.TYPE_UINT32: ("uint", VARINT),
    FieldDescriptor.TYPE_BOOL: ("uint", VARINT),
    FieldDescriptor.TYPE_ENUM: ("enum", VARINT),
    FieldDescriptor.TYPE_STRING: ("string", BYTES),
    FieldDescriptor.TYPE_BYTES: ("string", BYTES),
    FieldDescriptor.TYPE_MESSAGE: ("message", BYTES),
}


class Heads(dict[int, bytes]):
    """What stands in front of a field of so many bytes: its tag and the varint, made when it is first needed."""

    def __init__(self, tag: bytes) -> None:
        super().__init__()
        self.tag = tag

    def __missing__(self, size: int) -> bytes:
        head = self.tag + varint(size)
        if size < 65536:
            self[size] = head
        return head


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message: `kind` is double, float, int, uint, enum, string or message."""

    number: int
    name: str
    kind: str
    wire_type: int
    repeated: bool
    packed: bool
    message: str  # full name of the message it holds, or ""
    enum: dict[int, str]
    oneof: str
    bits: int  # 32 or 64: the range of an integer
    tag: bytes  # the bytes that open this field, for a packed field those of the whole run
    heads: Heads | None  # the bytes that open it where it has a length


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """A message type: its fields by number and by name."""

    name: str
    by_number: dict[int, Field]
    by_name: dict[str, Field]
    tags: dict[int, Field]  # by the tag's value, the fast way in


@cache
def schema(full_name: str) -> Schema:
    """Return the schema of a message such as "onnx.NodeProto".  Raises KeyError where onnx has no such message."""
    descriptor = onnx.ModelProto.DESCRIPTOR.file.pool.FindMessageTypeByName(full_name)
    fields = [_field(f) for f in descriptor.fields]  # type: ignore[arg-type]  # upb's descriptors have the same members
    return Schema(
        full_name,
        {f.number: f for f in fields},
        {f.name: f for f in fields},
        {f.number << 3 | (BYTES if f.packed else f.wire_type): f for f in fields},
    )


def _field(f: FieldDescriptor) -> Field:
    kind, wire_type = _KINDS[f.type]
    enum = {v.number: v.name for v in f.enum_type.values} if f.enum_type else {}
    tag = varint(f.number << 3 | (BYTES if f.is_packed else wire_type))
    bits = 32 if f.type in (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_ENUM) else 64
    return Field(
        f.number,
        f.name,
        kind,
        wire_type,
        f.is_repeated,
        f.is_packed,
        f.message_type.full_name if f.message_type else "",
        enum,
        f.containing_oneof.name if f.containing_oneof else "",
        bits,
        tag,
        Heads(tag) if f.is_packed or wire_type == BYTES else None,
    )


_SMALL = [bytes([i]) for i in range(128)]


def varint(value: int) -> bytes:
    """Return `value` as a varint; a negative one as its 64-bit two's complement, as protobuf does."""
    if 0 <= value < 128:
        return _SMALL[value]
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


MODEL = schema("onnx.ModelProto")
GRAPH = schema("onnx.GraphProto")
NODE = schema("onnx.NodeProto")
ATTRIBUTE = schema("onnx.AttributeProto")
TENSOR = schema("onnx.TensorProto")
VALUE_INFO = schema("onnx.ValueInfoProto")
TYPE = schema("onnx.TypeProto")
FUNCTION = schema("onnx.FunctionProto")


def read_varint(wire: bytes | memoryview, at: int) -> tuple[int, int]:
    """Return the unsigned varint at `at` and the offset behind it.  Raises ModelError where it does not end."""
    value = shift = 0
    while True:
        if at >= len(wire) or shift > 63:
            raise ModelError(f"not an ONNX model: the number at byte {at} has no end")
        byte = wire[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7


def signed(value: int) -> int:
    """Return a 64-bit varint's value read as two's complement."""
    return value - (1 << 64) if value >> 63 else value


def delimited(tag: bytes, payload: bytes) -> bytes:
    """Return a length-delimited field."""
    n = len(payload)
    return tag + (_SMALL[n] if n < 128 else varint(n)) + payload


def split(wire: bytes, message: Schema) -> tuple[dict[int, list], bytes]:
    """Return the fields of canonical bytes by number, and the unknown bytes behind them.

    A value is an int (signed where the field is), the 4 or 8 bytes of a float or double, or the bytes of a string or
    message; a packed field gives its elements.  What is out of order, of another wire type or an enum value without a
    name is unknown, and so is all that follows it.
    """
    found: dict[int, list] = {}
    tags, at, end, last = message.tags, 0, len(wire), 0
    while at < end:
        start = at
        tag = wire[at]
        if tag < 128:
            at += 1
        else:
            tag, at = read_varint(wire, at)
        field = tags.get(tag)
        if field is None or field.number < last or (field.number == last and not field.repeated):
            return found, wire[start:]
        last = field.number
        if tag & 7 == BYTES:
            size = wire[at]
            if size < 128:
                at += 1
            else:
                size, at = read_varint(wire, at)
            value = wire[at : at + size]
            at += size
            if field.packed:
                found.setdefault(last, []).extend(unpack(value, field))
                continue
        elif tag & 7 == VARINT:
            value, at = read_varint(wire, at)
            if field.kind != "uint":
                value = signed(value)
                if field.enum and value not in field.enum:
                    return found, wire[start:]
        else:
            size = 4 if tag & 7 == FIXED32 else 8
            value = wire[at : at + size]
            at += size
        if field.repeated:
            found.setdefault(last, []).append(value)
        else:
            found[last] = [value]
    return found, b""


def unpack(payload: bytes, field: Field) -> list:
    """Return the elements of a packed field's payload."""
    if field.wire_type == VARINT:
        out, at = [], 0
        while at < len(payload):
            value, at = read_varint(payload, at)
            out.append(value if field.kind == "uint" else signed(value))
        return out
    size = 4 if field.wire_type == FIXED32 else 8
    return [payload[i : i + size] for i in range(0, len(payload), size)]


def pack(values: Iterable, field: Field) -> bytes:
    """Return the payload of a packed field."""
    return b"".join(values) if field.wire_type != VARINT else b"".join(map(varint, values))


_number = itemgetter(0)


def join(values: Iterable[tuple[int, object]], message: Schema, opaque: bytes = b"") -> bytes:
    """Return canonical bytes of (field number, value) pairs: values as `split` gives them, packed ones as a payload.

    The order of the numbers does not matter, the order within one number does.
    """
    parts = []
    by_number = message.by_number
    for number, value in sorted(values, key=_number):
        field = by_number[number]
        if field.heads is not None:
            parts.append(field.heads[len(value)])  # type: ignore[arg-type]  # bytes: not an int
            parts.append(value)
        else:
            parts.append(field.tag)
            # An int, or the 4 or 8 bytes of a float.
            parts.append((_SMALL[value] if 0 <= value < 128 else varint(value)) if isinstance(value, int) else value)
    parts.append(opaque)
    return b"".join(parts)  # type: ignore[arg-type]  # bytes, all of them


def canonical(wire: bytes, message: type = onnx.ModelProto) -> bytes:
    """Return protobuf's deterministic serialization of `wire`.  Raises ModelError where protobuf cannot read it."""
    try:
        return message.FromString(wire).SerializeToString(deterministic=True)
    except (DecodeError, ValueError) as error:
        raise ModelError(f"not an ONNX model: {error}") from error


def float_bits(value: float) -> bytes:
    """Return the 4 bytes of the float32 nearest to `value`; infinity where it is too large."""
    try:
        return struct.pack("<f", value)
    except OverflowError:
        return struct.pack("<f", float("inf") if value > 0 else float("-inf"))
