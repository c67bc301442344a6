"""Names, strings and numbers, printed and parsed side by side.

>>> print_string(b'say "hi"\\n\\xff')
'"say \\\\"hi\\\\"\\\\n\\\\xff"'
>>> parse_string(r'"say \\"hi\\"\\n\\xff"')
b'say "hi"\\n\\xff'
>>> print_float(b"\\xac\\xc5\\x27\\x37"), parse_float("1e-5", "f32") == b"\\xac\\xc5\\x27\\x37"
('1e-5', True)
"""

from __future__ import annotations

import re
import struct
from decimal import Decimal
from functools import lru_cache

import ml_dtypes
import numpy as np

# Words that open a statement, a value or a type: a name that equals one is printed in quotes where it could be taken
# for it.
KEYWORDS = frozenset(
    (
        *(
            "onnxt",
            "weights",
            "model",
            "def",
            "graph",
            "each",
            "repeat",
            "node",
            "init",
            "sparse",
            "info",
            "value_info",
        ),
        "to",  # behind the value of an `info` without a type it would be the end of a range
        *("data", "base64", "stored", "none", "type", "tensor", "seq", "optional", "map", "_"),
    )
)

HOLE_DOMAIN = b"onnxtext"  # of the operator Parameter, a weight of which only the type is known
MAX_REPEAT = 10_000  # the largest count of a `repeat`

_VALUE_NAME = re.compile(rb"[A-Za-z0-9_./]+(?:-[A-Za-z0-9_./]+)*(?::[0-9]+)?").fullmatch
_FUNCTION_NAME = re.compile(rb"[A-Za-z0-9_./]+(?:-[A-Za-z0-9_./]+)*").fullmatch
_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*").fullmatch
_PLAIN_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*").fullmatch
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_LONG = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b'"': b'"', b"\\": b"\\"}


def print_string(value: bytes) -> str:
    """Return `value` in quotes: UTF-8 as it reads, what is no UTF-8 or not printable as \\xNN, one for each byte."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = "".join(
            c if not 0xDC80 <= ord(c) <= 0xDCFF else f"\\x{ord(c) - 0xDC00:02x}"
            for c in _escape(value.decode(errors="surrogateescape"))
        )
        return f'"{text}"'
    if text.isascii():
        if "\\" in text or '"' in text:
            text = text.replace("\\", "\\\\").replace('"', '\\"')
        if not text.isprintable():
            text = text.replace("\n", "\\n")
            if not text.isprintable():
                text = _UNPRINTABLE.sub(_print_unprintable, text)
        return f'"{text}"'
    return f'"{_escape(text)}"'


def _print_unprintable(match: re.Match[str]) -> str:
    c = match[0]
    return _SHORT.get(c) or f"\\x{ord(c):02x}"


def _escape(text: str) -> str:
    out = []
    for c in text:
        if c in _SHORT:
            out.append(_SHORT[c])
        elif c.isprintable() or 0xDC80 <= ord(c) <= 0xDCFF:
            out.append(c)
        else:
            out.extend(f"\\x{b:02x}" for b in c.encode())
    return "".join(out)


def parse_string(text: str) -> bytes:
    """Return the bytes of a quoted string.  Raises ValueError, with the escape, where one is unknown."""
    value = text[1:-1].encode()
    return _ESCAPE.sub(_parse_escape, value) if b"\\" in value else value


def _parse_escape(match: re.Match[bytes]) -> bytes:
    code = match[1]
    if len(code) == 3:
        return bytes([int(code[1:], 16)])
    if code not in _LONG:
        raise ValueError(f'unknown escape \\{code.decode(errors="replace")}; known are \\n \\t \\r \\" \\\\ and \\xNN')
    return _LONG[code]


def is_times(text: str) -> bool:
    """Tell whether `text` can be the count of a `repeat`: a whole number from 2 to MAX_REPEAT."""
    return text.isascii() and text.isdigit() and len(text) < 9 and 2 <= int(text) <= MAX_REPEAT


def print_value(name: bytes, sigil: str = "%") -> str:
    """Return a value's name with its sigil, in quotes where it needs them."""
    return sigil + (name.decode() if _VALUE_NAME(name) else print_string(name))


def print_function(name: bytes) -> str:
    """Return the name of a graph or function with its sigil."""
    return "@" + (name.decode() if _FUNCTION_NAME(name) else print_string(name))


def parse_name(text: str, skip: int = 1) -> bytes:
    """Return the name behind a sigil of `skip` characters."""
    return parse_string(text[skip:]) if text[skip] == '"' else text[skip:].encode()


def print_word(word: bytes) -> str:
    """Return an operator, key or dimension, in quotes where it is no word of the language."""
    return word.decode() if _WORD(word) and word.decode() not in KEYWORDS else print_string(word)


def print_key(word: bytes) -> str:
    """Return the key of an attribute: no keyword can stand there, so fewer need quotes."""
    return word.decode() if _WORD(word) and word != b"_" else print_string(word)


def print_param(name: bytes) -> str:
    """Return a reference to an attribute of the enclosing function."""
    return "$" + (name.decode() if _PLAIN_WORD(name) else print_string(name))


def parse_word(text: str) -> bytes:
    """Return the word that `print_word` or `print_key` printed."""
    return parse_string(text) if text[0] == '"' else text.encode()


# Floating point: bits (little-endian bytes) <-> the shortest decimal that reads back to them.

_FLOATS = {
    "f64": np.dtype(np.float64),
    "f32": np.dtype(np.float32),
    "f16": np.dtype(np.float16),
    "bf16": np.dtype(ml_dtypes.bfloat16),
    "f8e4m3fn": np.dtype(ml_dtypes.float8_e4m3fn),
    "f8e4m3fnuz": np.dtype(ml_dtypes.float8_e4m3fnuz),
    "f8e5m2": np.dtype(ml_dtypes.float8_e5m2),
    "f8e5m2fnuz": np.dtype(ml_dtypes.float8_e5m2fnuz),
    "f8e8m0": np.dtype(ml_dtypes.float8_e8m0fnu),
}
_QUIET = {"f64": (0x7FF8000000000000, 63), "f32": (0x7FC00000, 31), "f16": (0x7E00, 15), "bf16": (0x7FC0, 15)}


_SURE_DIGITS = {"f32": 6, "f64": 15}  # FLT_DIG and DBL_DIG of C
_SMALLEST_NORMAL = 1.2e-38  # of a float32, about


@lru_cache(maxsize=65536)
def print_float(bits: bytes, dtype: str = "f32") -> str:
    """Return the shortest decimal that `parse_float` reads back to `bits`; an unusual NaN with its bits."""
    value = struct.unpack("<f", bits)[0] if dtype == "f32" else float(np.frombuffer(bits, _FLOATS[dtype])[0])
    if value != value:
        pattern = int.from_bytes(bits, "little")
        quiet, sign = _QUIET.get(dtype, (-1, 0))
        return "+nan" if pattern == quiet else "-nan" if pattern == quiet | 1 << sign else f"+nan:{pattern:x}"
    if value in (float("inf"), float("-inf")):
        return "+inf" if value > 0 else "-inf"
    text = ""
    # Any decimal of up to `sure` digits comes back from a number of normal size, so fewer digits need not be tried.
    sure = _SURE_DIGITS.get(dtype, 1) if abs(value) > _SMALLEST_NORMAL else 1
    for digits in range(sure, 18):
        text = f"{value:.{digits}g}"
        if _round(text, dtype) == bits:
            if digits == sure > 1:
                significant = len(text.partition("e")[0].replace(".", "").lstrip("-0").rstrip("0"))
                text = f"{value:.{significant}g}"
            break
    mantissa, e, exponent = text.partition("e")
    if not e:
        return text
    short = f"{mantissa}e{int(exponent)}"
    plain = f"{Decimal(text):f}"
    return plain if len(plain) <= len(short) else short


def parse_float(text: str, dtype: str = "f32") -> bytes:
    """Return the bits of a decimal, rounded to nearest.  Raises ValueError where a NaN's bits do not fit."""
    if "n" in text:
        if "inf" in text:
            bits = _round(text, dtype)
            if abs(float(np.frombuffer(bits, _FLOATS[dtype])[0])) != float("inf"):
                raise ValueError(f"{dtype} has no infinity")
            return bits
        size = _FLOATS[dtype].itemsize
        if ":" in text:
            pattern = int(text.partition(":")[2], 16)
            if pattern >> 8 * size:
                raise ValueError(f"the bits of this NaN do not fit into {dtype}")
            if text[0] == "-":
                raise ValueError("the bits of a NaN hold its sign: write +nan: in front of them")
            bits = pattern.to_bytes(size, "little")
            if not np.isnan(np.frombuffer(bits, _FLOATS[dtype])[0]):
                raise ValueError(f"the bits {text[5:]} are no NaN of {dtype}")
        else:
            if dtype not in _QUIET:
                raise ValueError(f"a NaN of {dtype} is written with its bits, as in +nan:7f")
            pattern = _QUIET[dtype][0] | (1 << _QUIET[dtype][1] if text[0] == "-" else 0)
        return pattern.to_bytes(size, "little")
    if dtype == "f32":
        try:
            return struct.pack("<f", float(text))
        except OverflowError:
            raise ValueError(f"{text} is too large for {dtype}") from None
    bits = _round(text, dtype)
    if dtype != "f8e8m0" and not np.isfinite(np.frombuffer(bits, _FLOATS[dtype])[0].astype(np.float64)):
        raise ValueError(f"{text} is too large for {dtype}")
    return bits


def _round(text: str, dtype: str) -> bytes:
    value = float(text)
    if dtype == "f32":
        try:
            return struct.pack("<f", value)
        except OverflowError:
            return struct.pack("<f", float("inf") if value > 0 else float("-inf"))
    if dtype == "f64":
        return struct.pack("<d", value)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(value).astype(_FLOATS[dtype]).tobytes()


def has_floats(dtype: str) -> bool:
    """Tell whether the elements of `dtype` are floating-point numbers that print as decimals."""
    return dtype in _FLOATS


def float_size(dtype: str) -> int:
    """Return the bytes of one element of a floating-point `dtype`."""
    return _FLOATS[dtype].itemsize


def print_float_attribute(bits: bytes) -> str:
    """Return a float32 that cannot be taken for an integer."""
    text = print_float(bits)
    return text if re.search(r"[.en]", text) else text + ".0"
