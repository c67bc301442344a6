"""Which tensors are weights, and which are the same.

>>> list(equal_tensors([onnx.helper.make_tensor(name, 1, [1], [k]) for k, name in zip([0, 1, 0], "abc")], Blobs()))
[['a', 'c']]
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from hashlib import sha256
from math import prod

import onnx

from onnxtext.core.blobs import Blobs

T = onnx.TensorProto
_FLOATS = {T.FLOAT, T.DOUBLE, T.FLOAT16, T.BFLOAT16, T.FLOAT8E4M3FN, T.FLOAT8E4M3FNUZ, T.FLOAT8E5M2, T.FLOAT8E5M2FNUZ}
_SMALL_INTEGERS = {T.INT8, T.UINT8, T.INT4, T.UINT4, T.INT2, T.UINT2}
_DATA = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data", "external_data")
_SHOWN = 64  # bytes at either end of raw data that are looked at first


def is_weight(tensor: onnx.TensorProto) -> bool:
    """Tell whether an initializer is a weight, and not a constant of the architecture."""
    rank = len(tensor.dims)
    return (tensor.data_type in _FLOATS and rank >= 1) or (tensor.data_type in _SMALL_INTEGERS and rank >= 2)


def equal_tensors(tensors: Iterable[onnx.TensorProto], blobs: Blobs) -> Iterator[list[str]]:
    """Yield the names of each two or more tensors that have one type, one shape and the same bytes.

    Data is compared as it is stored: raw and typed data are not the same, nor are two files that hold the same.
    Tensors without data are equal to none.
    """
    alike: dict[Hashable, list[onnx.TensorProto]] = {}
    for tensor in tensors:
        sketch = _sketch(tensor, blobs)
        if sketch is not None:
            alike.setdefault(sketch, []).append(tensor)
    for group in alike.values():
        equal: dict[bytes, list[str]] = {}
        for tensor in group if len(group) > 1 else ():  # so that few weights are read through
            equal.setdefault(sha256(blobs.find(tensor.raw_data)).digest(), []).append(tensor.name)
        yield from (names for names in equal.values() if len(names) > 1)


def _sketch(tensor: onnx.TensorProto, blobs: Blobs) -> Hashable | None:
    """Return what equal tensors have in common: all but the middle of raw data.  None for a tensor without data."""
    raw = blobs.find(tensor.raw_data)
    if len(raw) and tensor.data_location != onnx.TensorProto.EXTERNAL and not tensor.HasField("segment"):
        return tensor.data_type, tuple(tensor.dims), len(raw), bytes(raw[:_SHOWN]), bytes(raw[-_SHOWN:])
    if prod(tensor.dims) and not any(len(getattr(tensor, field)) for field in _DATA):
        return None
    bare = onnx.TensorProto()
    bare.CopyFrom(tensor)
    for field in ("name", "doc_string", "metadata_props"):
        bare.ClearField(field)
    return bare.SerializeToString(deterministic=True)
