"""Every field of every message that a ModelProto can hold has a spelling: found by walking protobuf's descriptors.

Each field is set, alone and beside what its message has in a real model, to every kind of value, along every way that
leads from ModelProto to it.  A field that nobody spelled would come out as an escape, and fails by its name.
"""

# pyright: reportArgumentType=false, reportOptionalMemberAccess=false, reportCallIssue=false
# (upb has descriptor classes of its own, which the type stubs do not take for descriptors)

from __future__ import annotations

import itertools
from collections.abc import Iterator

import onnx
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from laws import assert_exact, messages_with_unknown_fields

from onnxtext.core.wire import canonical, delimited, varint

F = FieldDescriptor
A = onnx.AttributeProto
MODEL = onnx.ModelProto.DESCRIPTOR

_WIRE_TYPES = {F.TYPE_DOUBLE: 1, F.TYPE_FLOAT: 5, F.TYPE_STRING: 2, F.TYPE_BYTES: 2, F.TYPE_MESSAGE: 2}
_STRINGS = [b"", b"x", b"none", b'\xff\x00"\\\n', "é\u2028".encode(), b"0", b"a string long enough to be interned"]
_SAMPLES = {
    F.TYPE_DOUBLE: [
        bytes(8),
        b"\x9a\x99\x99\x99\x99\x99\xb9\x3f",
        b"\x01" + bytes(5) + b"\xf0\x7f",
        bytes(6) + b"\xf8\xff",
    ],
    F.TYPE_FLOAT: [
        bytes(4),
        b"\xcd\xcc\xcc\x3d",
        b"\x01\x00\x80\x7f",
        b"\x00\x00\xc0\xff",
        b"\x00\x00\x80\xff",
        bytes(3) + b"\x80",
    ],
    F.TYPE_INT64: [0, 1, -1, (1 << 63) - 1, -(1 << 63)],
    F.TYPE_UINT64: [0, 1, (1 << 64) - 1],
    F.TYPE_INT32: [0, 1, -1, 99, (1 << 31) - 1, -(1 << 31)],
    F.TYPE_STRING: _STRINGS,
    F.TYPE_BYTES: [*_STRINGS, b"\x00onnxtext blob\x00\x01\x02" + bytes(8), bytes(2000)],
    F.TYPE_MESSAGE: [b""],
}

# What a message has in a real model, so that its short notation is tried and not only the general one.
_DRESSES: dict[str, list[dict[str, object]]] = {
    "NodeProto": [{"op_type": b"Op", "output": b"y"}, {"op_type": b"Op", "input": b"x", "output": b"y", "name": b"n"}],
    "AttributeProto": [{"name": b"a", "type": kind} for kind in A.AttributeType.values()],
    "GraphProto": [{"name": b"g"}],
    "FunctionProto": [{"name": b"f", "domain": b"d"}],
    "TensorProto": [
        {"name": b"w", "data_type": 1, "dims": 1, "raw_data": b"\x00\x00\x80\x3f"},
        {"name": b"w", "data_type": 7, "dims": 2},
        {"data_type": 8},
    ],
    "ValueInfoProto": [{"name": b"x"}, {"name": b"x", "type": b"\x0a\x04\x08\x01\x12\x00"}],
    "Tensor": [{"elem_type": 1}],
    "SparseTensor": [{"elem_type": 1, "shape": b""}],
    "Map": [{"key_type": 7}],
    "StringStringEntryProto": [{"key": b"k"}, {"value": b"v"}],
    "OperatorSetIdProto": [{"domain": b""}, {"version": 21}],
    "SparseTensorProto": [{"values": b"\x08\x01\x10\x01\x42\x01\x77", "indices": b"\x08\x01\x10\x07"}],
}

Path = tuple[FieldDescriptor, ...]


def paths_to_messages(root: Descriptor) -> dict[str, list[Path]]:
    """Return, for the full name of each message that `root` reaches, the ways to it that meet no message twice."""
    found: dict[str, list[Path]] = {}

    def walk(message: Descriptor, path: Path, met: frozenset[str]) -> None:
        found.setdefault(message.full_name, []).append(path)
        for field in message.fields:
            if field.message_type and field.message_type.full_name not in met:
                walk(field.message_type, (*path, field), met | {field.message_type.full_name})

    walk(root, (), frozenset([root.full_name]))
    return {name: sorted(paths, key=len) for name, paths in found.items()}


def fields_of(root: Descriptor) -> list[FieldDescriptor]:
    """Return every field of every message that `root` reaches."""
    return [field for name in paths_to_messages(root) for field in root.file.pool.FindMessageTypeByName(name).fields]


def encoded(field: FieldDescriptor, *values: object) -> bytes:
    """Return a field with these values, as protobuf writes it."""
    wire_type = _WIRE_TYPES.get(field.type, 0)
    payloads = [
        varint(v) if isinstance(v, int) else delimited(b"", v) if wire_type == 2 else v  # type: ignore[arg-type]
        for v in values
    ]
    if field.is_packed:
        return delimited(varint(field.number << 3 | 2), b"".join(payloads))  # type: ignore[arg-type]
    return b"".join(varint(field.number << 3 | wire_type) + p for p in payloads)  # type: ignore[operator]


def values_of(field: FieldDescriptor) -> Iterator[bytes]:
    """Yield a field set to its default, to every enumerator or to other values; a repeated one once and twice."""
    samples = list(field.enum_type.values_by_number) if field.enum_type else _SAMPLES[field.type]
    for sample in samples:
        yield encoded(field, sample)
        if field.is_repeated:
            yield encoded(field, sample, sample)
    if field.is_repeated:
        yield from (encoded(field, *pair) for pair in itertools.pairwise(samples))


def dressed(message: Descriptor, wire: bytes, without: FieldDescriptor | None = None) -> Iterator[bytes]:
    """Yield `wire`, fields of a message, alone and beside what the message has in real models."""
    yield wire
    for dress in _DRESSES.get(message.name, []):
        known = {name: value for name, value in dress.items() if without is None or name != without.name}
        yield b"".join(encoded(message.fields_by_name[name], value) for name, value in known.items()) + wire


def within(path: Path, wire: bytes) -> Iterator[bytes]:
    """Yield models that hold a message at the end of `path`: in bare messages, and in such as real models have."""
    bare = clothed = wire
    for field in reversed(path):
        bare = encoded(field, bare)
        clothed = list(dressed(field.containing_type, encoded(field, clothed), without=field))
        # An attribute has to say that it holds what it holds.
        clothed = clothed[_KIND_OF[field.name] + 1] if field.containing_type.name == "AttributeProto" else clothed[-1]
    yield canonical(bare)
    if clothed != bare:
        yield canonical(clothed)


_KIND_OF = {
    **{"t": A.TENSOR, "tensors": A.TENSORS, "g": A.GRAPH, "graphs": A.GRAPHS, "tp": A.TYPE_PROTO},
    **{"type_protos": A.TYPE_PROTOS, "sparse_tensor": A.SPARSE_TENSOR, "sparse_tensors": A.SPARSE_TENSORS},
}


def probes(field: FieldDescriptor, root: Descriptor, *, all_paths: bool) -> Iterator[bytes]:
    """Yield the smallest models in which `field` is set.

    Each value along the two shortest ways from `root`, and one value along each other, or all of them.
    """
    seen: set[bytes] = set()
    values = list(values_of(field))
    for i, path in enumerate(paths_to_messages(root)[field.containing_type.full_name]):
        for value in values if all_paths or i < 2 else [values[i % len(values)]]:
            for message in dressed(field.containing_type, value, without=field):
                for model in within(path, message):
                    if model not in seen:
                        seen.add(model)
                        yield model


def assert_spelled(field: FieldDescriptor, root: Descriptor = MODEL, *, all_paths: bool = False) -> None:
    """Assert that every probe of `field` comes back and needs no escape."""
    for count, wire in enumerate(probes(field, root, all_paths=all_paths)):
        unknown = set(messages_with_unknown_fields(onnx.ModelProto.FromString(wire)))
        assert not unknown, f"{name_of(field)} has no spelling: an escape carries it (probe {count})"
        assert_exact(wire)


def name_of(field: FieldDescriptor) -> str:
    """Return the name of a field as it stands in the report of a test."""
    return f"{field.containing_type.name}.{field.name}"


@pytest.mark.parametrize("field", fields_of(MODEL), ids=name_of)
def test_field_has_a_spelling(field: FieldDescriptor) -> None:
    assert_spelled(field)


@pytest.mark.acceptance
@pytest.mark.parametrize("field", fields_of(MODEL), ids=name_of)
def test_field_has_a_spelling_along_every_way(field: FieldDescriptor) -> None:
    assert_spelled(field, all_paths=True)


def test_a_field_that_nobody_spelled_fails_by_its_name() -> None:
    """The checker is tried on an onnx of the future, in which a node has one field more than ours."""
    file = descriptor_pb2.FileDescriptorProto()
    MODEL.file.CopyToProto(file)
    (node,) = (message for message in file.message_type if message.name == "NodeProto")
    node.field.add(name="invented", number=77, type=F.TYPE_STRING, label=F.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    future = pool.FindMessageTypeByName(MODEL.full_name)

    failed = {}
    for field in fields_of(future):
        if field.containing_type.name == "NodeProto":
            try:
                assert_spelled(field, future)
            except AssertionError as error:
                failed[name_of(field)] = str(error).splitlines()[0]
    assert failed == {"NodeProto.invented": "NodeProto.invented has no spelling: an escape carries it (probe 0)"}


def test_only_the_message_with_an_unknown_field_is_escaped() -> None:
    """A field that the installed onnx does not know, of each kind of wire, in every message."""
    fields = [varint(999 << 3) + b"\x07", varint(999 << 3 | 1) + bytes(8), delimited(varint(999 << 3 | 2), b"\xff")]
    group = varint(1000 << 3 | 3) + fields[0] + varint(1000 << 3 | 4)
    for name, paths in paths_to_messages(MODEL).items():
        message = MODEL.file.pool.FindMessageTypeByName(name)
        for path in paths[:3]:
            for unknown in (*fields, group):
                for holder in dressed(message, unknown):
                    for wire in within(path, holder):
                        found = set(messages_with_unknown_fields(onnx.ModelProto.FromString(wire)))
                        assert found == {name.removeprefix("onnx.")}
                        assert_exact(wire)
