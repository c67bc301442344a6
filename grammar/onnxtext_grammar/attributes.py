"""The kinds of attributes: their names in the language, and the field of AttributeProto that each uses.

>>> KINDS["ints"] == onnx.AttributeProto.INTS, ITEMS[onnx.AttributeProto.INTS] == onnx.AttributeProto.INT
(True, True)
"""

from __future__ import annotations

import onnx

_AT = onnx.AttributeProto

KINDS: dict[str, int] = {name.lower(): number for name, number in _AT.AttributeType.items() if number}
KIND_NAMES: dict[int, str] = {number: name for name, number in KINDS.items()}

# The number of the field in which an attribute of each kind keeps its value.
FIELDS: dict[int, int] = {
    _AT.FLOAT: 2,
    _AT.INT: 3,
    _AT.STRING: 4,
    _AT.TENSOR: 5,
    _AT.GRAPH: 6,
    _AT.FLOATS: 7,
    _AT.INTS: 8,
    _AT.STRINGS: 9,
    _AT.TENSORS: 10,
    _AT.GRAPHS: 11,
    _AT.TYPE_PROTO: 14,
    _AT.TYPE_PROTOS: 15,
    _AT.SPARSE_TENSOR: 22,
    _AT.SPARSE_TENSORS: 23,
}

# The kind of the elements of each kind of list.
ITEMS: dict[int, int] = {
    _AT.INTS: _AT.INT,
    _AT.FLOATS: _AT.FLOAT,
    _AT.STRINGS: _AT.STRING,
    _AT.TENSORS: _AT.TENSOR,
    _AT.GRAPHS: _AT.GRAPH,
    _AT.TYPE_PROTOS: _AT.TYPE_PROTO,
    _AT.SPARSE_TENSORS: _AT.SPARSE_TENSOR,
}
