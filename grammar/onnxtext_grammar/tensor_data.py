"""The elements of small tensors as numbers: raw bytes to text and back, bit for bit.

>>> print_raw(b"\\x05\\x00\\xff\\xff", "i16"), parse_raw(["5", "-1"], "i16")
(['5', '-1'], b'\\x05\\x00\\xff\\xff')
>>> print_raw(b"\\x2f", "i4", count=2), parse_raw(["-1", "2"], "i4")
(['-1', '2'], b'/')
"""

from __future__ import annotations

import re

from onnxtext_grammar.literals import float_size, has_floats, parse_float, print_float

_INTEGER = re.compile(r"(bool|[iu])(\d*)").fullmatch
_WHOLE = re.compile(r"[+-]?[0-9]+").fullmatch
_COMPLEX = {"c64": "f32", "c128": "f64"}


def print_raw(raw: bytes, dtype: str, count: int | None = None) -> list[str] | None:
    """Return the elements of `raw` as numbers, or None where they cannot stand as numbers (then base64 can).

    `count` is the number of elements that the shape asks for; by default as many as there are.  A complex element is
    two numbers.
    """
    dtype, factor = (_COMPLEX[dtype], 2) if dtype in _COMPLEX else (dtype, 1)
    if has_floats(dtype):
        size = float_size(dtype)
        if (count is not None and len(raw) != count * factor * size) or len(raw) % size:
            return None
        return [print_float(raw[i : i + size], dtype) for i in range(0, len(raw), size)]
    match = _INTEGER(dtype)
    if not match:
        return None
    signed, bits = match[1] == "i", int(match[2] or 8)
    if count is None:
        count = len(raw) * 8 // bits
    if len(raw) != (count * bits + 7) // 8:
        return None
    if bits >= 8:
        size = bits // 8
        values = [int.from_bytes(raw[i : i + size], "little", signed=signed) for i in range(0, len(raw), size)]
    else:
        packed, mask = int.from_bytes(raw, "little"), (1 << bits) - 1
        if packed >> count * bits:
            return None  # padding that is not zero
        values = [packed >> i * bits & mask for i in range(count)]
        values = [v - (1 << bits) if signed and v >> bits - 1 else v for v in values]
    if match[1] == "bool" and any(v > 1 for v in values):
        return None
    return [str(v) for v in values]


def parse_raw(numbers: list[str], dtype: str) -> bytes:
    """Return the raw bytes of `numbers`.  Raises ValueError where one is no element of `dtype`, naming it."""
    dtype = _COMPLEX.get(dtype, dtype)
    if has_floats(dtype):
        return b"".join(parse_float(n, dtype) for n in numbers)
    match = _INTEGER(dtype)
    if not match:
        raise ValueError(f'the elements of {dtype} are not written as numbers; write base64("…")')
    signed, bits = match[1] == "i", int(match[2] or 8)
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, 1 if match[1] == "bool" else (1 << bits) - 1)
    values = []
    for number in numbers:
        value = int(number) if _WHOLE(number) and len(number) < 25 else None
        if value is None or not low <= value <= high:
            raise ValueError(f"{number} is no {dtype}: a whole number from {low} to {high}")
        values.append(value & (1 << bits) - 1)
    if bits >= 8:
        return b"".join(v.to_bytes(bits // 8, "little") for v in values)
    per_byte = 8 // bits
    pieces = [values[i : i + per_byte] for i in range(0, len(values), per_byte)]
    return bytes(sum(value << k * bits for k, value in enumerate(piece)) for piece in pieces)
