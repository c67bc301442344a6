"""TypeProto, printed: `f32[1,N,?]`, `seq(i64[*])`, `map(str, f32[])`.

A type that has more to it (a denotation, an unset element type, an unknown field) prints as `type {…}`, field by field.

>>> print_type(onnx.helper.make_tensor_type_proto(1, [1, "N", None]).SerializeToString())
'f32[1,N,?]'
"""

from __future__ import annotations

import onnx

from onnxtext.core.wire import TYPE, schema, split
from onnxtext_grammar.dtypes import dtype_name
from onnxtext_grammar.literals import print_word

TENSOR_TYPE = schema("onnx.TypeProto.Tensor")
SHAPE = schema("onnx.TensorShapeProto")
DIMENSION = schema("onnx.TensorShapeProto.Dimension")
SEQUENCE = schema("onnx.TypeProto.Sequence")
MAP = schema("onnx.TypeProto.Map")
assert onnx.TypeProto.DESCRIPTOR.full_name == TYPE.name

# Field numbers of TypeProto and of its parts.
TENSOR, SEQ, MAPPING, SPARSE, OPTIONAL = 1, 4, 5, 8, 9


def print_type(wire: bytes) -> str | None:
    """Return the type in the short notation, or None where that cannot say all of it."""
    fields, opaque = split(wire, TYPE)
    if opaque or len(fields) != 1:
        return None
    ((number, (value,)),) = fields.items()
    if number == TENSOR:
        return _print_tensor(value)
    if number == SPARSE:
        inner = _print_tensor(value)
        return inner and f"sparse({inner})"
    if number in (SEQ, OPTIONAL):
        word = "seq" if number == SEQ else "optional"
        parts, opaque = split(value, SEQUENCE)
        if opaque:
            return None
        if not parts:
            return f"{word}()"
        inner = print_type(parts[1][0])
        return inner and f"{word}({inner})"
    if number == MAPPING:
        parts, opaque = split(value, MAP)
        if opaque or 1 not in parts:
            return None
        key = dtype_name(parts[1][0])
        if 2 not in parts:
            return f"map({key})"
        inner = print_type(parts[2][0])
        return inner and f"map({key}, {inner})"
    return None


def _print_tensor(wire: bytes) -> str | None:
    fields, opaque = split(wire, TENSOR_TYPE)
    if opaque or 1 not in fields:
        return None
    name = dtype_name(fields[1][0])
    if 2 not in fields:
        return name + "[*]"
    shape, opaque = split(fields[2][0], SHAPE)
    if opaque:
        return None
    dims = []
    for wire_dim in shape.get(1, ()):
        dim, opaque = split(wire_dim, DIMENSION)
        if opaque or len(dim) > 1 or 3 in dim:
            return None
        dims.append(str(dim[1][0]) if 1 in dim else print_word(dim[2][0]) if 2 in dim else "?")
    return f"{name}[{','.join(dims)}]"
