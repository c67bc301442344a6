"""Element types: their names in the language, and how their elements lie in raw bytes.

>>> DTYPES[1].name, DTYPE_NUMBERS["bf16"], dtype_name(99)
('f32', 16, 't99')
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from onnx import TensorProto as T


@dataclass(frozen=True, slots=True)
class DType:
    """An element type: its name, its width, the field that holds it when it is not raw, its name in safetensors."""

    name: str
    bits: int  # of one element in raw_data; 0 where it has no fixed size
    field: str  # the typed field of TensorProto
    safetensors: str  # "" where safetensors has no such type and its bytes travel as U8


DTYPES: dict[int, DType] = {
    T.FLOAT: DType("f32", 32, "float_data", "F32"),
    T.UINT8: DType("u8", 8, "int32_data", "U8"),
    T.INT8: DType("i8", 8, "int32_data", "I8"),
    T.UINT16: DType("u16", 16, "int32_data", "U16"),
    T.INT16: DType("i16", 16, "int32_data", "I16"),
    T.INT32: DType("i32", 32, "int32_data", "I32"),
    T.INT64: DType("i64", 64, "int64_data", "I64"),
    T.STRING: DType("text", 0, "string_data", ""),
    T.BOOL: DType("bool", 8, "int32_data", "BOOL"),
    T.FLOAT16: DType("f16", 16, "int32_data", "F16"),
    T.DOUBLE: DType("f64", 64, "double_data", "F64"),
    T.UINT32: DType("u32", 32, "uint64_data", "U32"),
    T.UINT64: DType("u64", 64, "uint64_data", "U64"),
    T.COMPLEX64: DType("c64", 64, "float_data", ""),
    T.COMPLEX128: DType("c128", 128, "double_data", ""),
    T.BFLOAT16: DType("bf16", 16, "int32_data", "BF16"),
    T.FLOAT8E4M3FN: DType("f8e4m3fn", 8, "int32_data", "F8_E4M3"),
    T.FLOAT8E4M3FNUZ: DType("f8e4m3fnuz", 8, "int32_data", ""),
    T.FLOAT8E5M2: DType("f8e5m2", 8, "int32_data", "F8_E5M2"),
    T.FLOAT8E5M2FNUZ: DType("f8e5m2fnuz", 8, "int32_data", ""),
    T.UINT4: DType("u4", 4, "int32_data", ""),
    T.INT4: DType("i4", 4, "int32_data", ""),
    T.FLOAT4E2M1: DType("f4e2m1", 4, "int32_data", ""),
    T.FLOAT8E8M0: DType("f8e8m0", 8, "int32_data", ""),
    T.UINT2: DType("u2", 2, "int32_data", ""),
    T.INT2: DType("i2", 2, "int32_data", ""),
    27: DType("f6e2m3", 6, "int32_data", ""),  # FLOAT6E2M3: not in every onnx that we read
    28: DType("f6e3m2", 6, "int32_data", ""),  # FLOAT6E3M2
}
DTYPE_NUMBERS: dict[str, int] = {d.name: n for n, d in DTYPES.items()}


@cache
def dtype_name(number: int) -> str:
    """Return the name of an element type; a number that onnx does not name as t and the number."""
    return DTYPES[number].name if number in DTYPES else f"t{number}"


def dtype_number(name: str) -> int:
    """Return the number of an element type's name."""
    if name in DTYPE_NUMBERS:
        return DTYPE_NUMBERS[name]
    return int(name[1:]) if len(name) < 20 else 1 << 63  # more digits than any number a model can hold
