"""The values of constants as arrays, and arrays as constants.

>>> read_array(write_array(np.float32([1, 2]), "w", Blobs()), Blobs())
array([1., 2.], dtype=float32)
"""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from onnxtext.core.blobs import Blobs

_T = TensorProto

# Element types on whose arithmetic numpy and every runtime agree: not the narrow ones of onnx, nor complex ones.
DTYPES: dict[int, np.dtype] = {
    kind: np.dtype(dtype).newbyteorder("<")
    for kind, dtype in (
        (_T.FLOAT, "f4"),
        (_T.DOUBLE, "f8"),
        (_T.FLOAT16, "f2"),
        (_T.BOOL, "?"),
        (_T.INT8, "i1"),
        (_T.INT16, "i2"),
        (_T.INT32, "i4"),
        (_T.INT64, "i8"),
        (_T.UINT8, "u1"),
        (_T.UINT16, "u2"),
        (_T.UINT32, "u4"),
        (_T.UINT64, "u8"),
    )
}
_KINDS = {dtype: kind for kind, dtype in DTYPES.items()}


def read_array(tensor: TensorProto, blobs: Blobs) -> np.ndarray | None:
    """Return the elements of a tensor, read-only where they are mapped.

    None for types that are not in DTYPES, for data in other files, and for data that does not fit the shape.
    """
    dtype = DTYPES.get(tensor.data_type)
    if dtype is None or tensor.data_location == TensorProto.EXTERNAL or tensor.HasField("segment"):
        return None
    dims = tuple(tensor.dims)
    if min(dims, default=0) < 0:
        return None
    if tensor.HasField("raw_data"):
        data = blobs.find(tensor.raw_data)
        if len(data) != prod(dims) * dtype.itemsize:
            return None
        return np.frombuffer(data, dtype).reshape(dims)
    try:
        return numpy_helper.to_array(tensor)
    except (ValueError, TypeError):  # too few elements, or too many
        return None


def write_array(array: np.ndarray, name: str, blobs: Blobs) -> TensorProto:
    """Return an array, of a type in DTYPES, as a tensor."""
    return TensorProto(name=name, data_type=_KINDS[array.dtype], dims=array.shape, raw_data=blobs.keep(array.tobytes()))


def kind_of(array: np.ndarray) -> int | None:
    """Return the element type of an array as onnx numbers it, None where it is not in DTYPES."""
    return _KINDS.get(array.dtype)


def read_constant(node: onnx.NodeProto, blobs: Blobs) -> np.ndarray | None:
    """Return the value of a node Constant; None where it is sparse, of text, or given by the caller of a function."""
    if len(node.attribute) != 1 or node.attribute[0].ref_attr_name:
        return None
    given = node.attribute[0]
    if given.name == "value" and given.type == onnx.AttributeProto.TENSOR:
        return read_array(given.t, blobs)
    if given.name == "value_int" and given.type == onnx.AttributeProto.INT:
        return np.array(given.i, np.int64)
    if given.name == "value_ints" and given.type == onnx.AttributeProto.INTS:
        return np.array(given.ints, np.int64)
    if given.name == "value_float" and given.type == onnx.AttributeProto.FLOAT:
        return np.array(given.f, np.float32)
    if given.name == "value_floats" and given.type == onnx.AttributeProto.FLOATS:
        return np.array(given.floats, np.float32)
    return None
