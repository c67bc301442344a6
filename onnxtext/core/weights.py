"""Weights beside the text: a safetensors file whose table carries a digest of every tensor.

The text holds one digest, that of the table, so that a text and a file that do not belong together are told apart, and
a damaged tensor is found when it is read.  The file is mapped, and written piece by piece: no tensor is copied.

>>> side = Sidecar()
>>> side.add("w", "F32", [2], bytes(8))
>>> len(side), len(side.digest())
(1, 16)

Source: the safetensors format (8 bytes length, a JSON table, the data).
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import TypeGuard

import numpy as np

from onnxtext.core.errors import UsageError, WeightsError, nearest
from onnxtext.core.files import map_bytes, write_pieces

SUFFIX = ".safetensors"
_HASHES = "sha256:"  # prefix of the metadata keys that hold the digests of the tensors
_FORMAT = "onnxtext 1"
_DIGEST_DIGITS = 16  # of the table's digest in the text; the digests in the table are whole
_MAX_TABLE_BYTES = 100_000_000  # the limit of the format's reference implementation


def sidecar_path(text_path: str | os.PathLike[str]) -> Path:
    """Return the name of the weights that belong to a text."""
    return Path(f"{os.fspath(text_path)}{SUFFIX}")


class Sidecar:
    """Tensors on their way into a weights file."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[str, list[int], bytes | memoryview]] = {}
        self._table: bytes | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def add(self, key: str, dtype: str, shape: list[int], data: bytes | memoryview) -> None:
        """Add a tensor: its key in the file, its safetensors type, its shape and its bytes."""
        assert key not in self._entries and key != "__metadata__"
        self._entries[key] = (dtype, shape, data)
        self._table = None

    def get(self, key: str, dtype: str = "", dims: Sequence[int] = ()) -> bytes | memoryview:
        """Return the bytes of a tensor that was added."""
        return self._entries[key][2]

    def table(self) -> bytes:
        """Return the head of the file: length and JSON, the digests of the tensors in it."""
        if self._table is None:
            with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:  # hashing releases the interpreter lock
                hashes = list(pool.map(lambda entry: sha256(entry[2]).hexdigest(), self._entries.values()))
            metadata = {"format": _FORMAT}
            metadata |= {_HASHES + key: digest for key, digest in zip(self._entries, hashes, strict=True)}
            head: dict[str, object] = {"__metadata__": metadata}
            at = 0
            for key, (dtype, shape, data) in self._entries.items():
                head[key] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
                at += len(data)
            text = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()
            text += b" " * (-len(text) % 8)
            self._table = len(text).to_bytes(8, "little") + text
        return self._table

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of each tensor, by its key in the file."""
        table = json.loads(self.table()[8:])
        return {key: table["__metadata__"][_HASHES + key] for key in self._entries}

    def digest(self) -> str:
        """Return the digest of the table, as it stands in the text."""
        return sha256(self.table()).hexdigest()[:_DIGEST_DIGITS]

    def write(self, path: Path) -> None:
        """Write the file."""
        write_pieces(path, [self.table(), *(data for _, _, data in self._entries.values())])


class Weights:
    """The tensors of a weights file: mapped, checked when they are asked for."""

    def __init__(self, path: str | os.PathLike[str], digest: str | None = None) -> None:
        """Open `path`.  Raises WeightsError where it is no safetensors file or not the one `digest` speaks of."""
        self.path = path
        self._file = map_bytes(path)
        size = int.from_bytes(self._file[:8], "little")
        if len(self._file) < 8 or size > min(len(self._file) - 8, _MAX_TABLE_BYTES):
            raise WeightsError(f"{path}: not a safetensors file, or cut short: its table does not fit into it")
        table = self._file[: 8 + size]
        if digest is not None and sha256(table).hexdigest()[:_DIGEST_DIGITS] != digest:
            raise WeightsError(
                f"{path}: these are not the weights of this text: the digest of their table is "
                f"{sha256(table).hexdigest()[:_DIGEST_DIGITS]}, the text asks for {digest}; "
                "give the right file with --weights"
            )
        self._spans, self._types = _read_table(path, bytes(table[8:]), len(self._file) - 8 - size)
        self._hashes = self._spans.pop("__metadata__")
        self._start = 8 + size

    def __contains__(self, key: str) -> bool:
        return key in self._spans

    def get(self, key: str, dtype: str = "", dims: Sequence[int] = ()) -> memoryview:
        """Return the bytes of a tensor, a view of the file.

        Raises WeightsError where it is missing, or is another than the safetensors type and dimensions that the text
        has; bytes without a type (U8) are what they are.
        """
        if key not in self._spans:
            raise WeightsError(f"{self.path}: holds no tensor {key!r}{nearest(key, self._spans)}")
        begin, end = self._spans[key]
        held = self._types[key]
        if dtype and held[0] != "U8" and held != (dtype, list(dims)):
            raise WeightsError(
                f"{self.path}: the tensor {key!r} is {held[0]}{held[1]} here, and {dtype}{list(dims)} in the text"
            )
        return self._file[self._start + begin : self._start + end]

    def check(self, keys: list[str]) -> None:
        """Compare the tensors with their digests.  Raises WeightsError, naming the first that is damaged."""
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            for key, found in zip(keys, pool.map(lambda k: sha256(self.get(k)).hexdigest(), keys), strict=True):
                if self._hashes.get(_HASHES + key, found) != found:
                    raise WeightsError(
                        f"{self.path}: the tensor {key!r} is damaged: its digest is not that of the table"
                    )


def _read_table(path: object, text: bytes, available: int) -> tuple[dict, dict[str, tuple[str, list[int]]]]:
    """Return the span of each tensor and, under "__metadata__", the metadata; and types and shapes.

    Raises WeightsError.
    """

    def wrong(what: str) -> WeightsError:
        return WeightsError(f"{path}: not a safetensors file: {what}")

    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise wrong("its table is not JSON") from error
    if not isinstance(table, dict):
        raise wrong("its table is not an object")
    metadata = table.pop("__metadata__", {})
    if not isinstance(metadata, dict):
        raise wrong("its metadata is not an object")
    spans: dict = {"__metadata__": metadata}
    types: dict[str, tuple[str, list[int]]] = {}
    for key, entry in table.items():
        fields = entry if isinstance(entry, dict) else {}
        dtype, shape, offsets = fields.get("dtype"), fields.get("shape"), fields.get("data_offsets")
        if not (isinstance(dtype, str) and _are_ints(shape) and _are_ints(offsets) and len(offsets) == 2):
            raise wrong(f"the tensor {key!r} has no dtype, shape and data_offsets")
        if not 0 <= offsets[0] <= offsets[1]:
            raise wrong(f"the tensor {key!r} lies at {offsets}, which is no span")
        if offsets[1] > available:
            raise WeightsError(
                f"{path}: cut short: the tensor {key!r} ends at byte {offsets[1]} of {available} bytes of data"
            )
        spans[key] = (offsets[0], offsets[1])
        types[key] = (dtype, shape)
    last, before = 0, ""
    for begin, end, key in sorted((*spans[key], key) for key in table):
        if begin < last:
            raise wrong(f"the tensors {before!r} and {key!r} overlap")
        last, before = max(last, end), key
    return spans, types


def _are_ints(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(n) is int for n in value)


def filler(how: str) -> Callable[[str, str, Sequence[int]], bytes]:
    """Return what makes up a tensor's raw data from its key, element type and dimensions: "zeros", "random[:SEED]".

    Random floats are uniform, scaled by the fan-in for matrices and kernels (He et al. 2015, variance 1 / fan-in) and
    in [0, 1) for vectors and scalars, which are often variances; all other elements are zeros.  One seed and key give
    one tensor.  Raises UsageError; what is returned raises ValueError where a tensor cannot be made up.
    """
    kind, _, seed = str(how).partition(":")
    if kind not in ("zeros", "random") or (seed and (kind == "zeros" or not seed.isdecimal())):
        hint = nearest(str(how), ["zeros", "random"])
        raise UsageError(f"--fill takes zeros, random or random:SEED, not {how}{hint}")

    def fill(key: str, dtype: str, dims: Sequence[int]) -> bytes:
        match = _WIDTH(dtype)
        if match is None:
            raise ValueError(f"no data can be made up for the elements of {dtype}")
        if min(dims, default=0) < 0:
            raise ValueError(f"no data can be made up for the dimension {min(dims)}")
        bits = 8 if dtype == "bool" else int(match[1])
        count = element_count(dims)
        try:
            if kind == "zeros" or dtype not in _RANDOM:
                return bytes((count * bits + 7) // 8)
            number = int.from_bytes(sha256(f"{seed or 0}:{key}".encode()).digest()[:8], "little")
            values = np.random.default_rng(number).random(count, dtype=np.float32)
            if len(dims) > 1:
                values = (2 * values - 1) * np.float32(math.sqrt(3 / max(1, element_count(dims[1:]))))
            if dtype == "bf16":  # the upper half of a float32
                return (values.view(np.uint32) >> 16).astype("<u2").tobytes()
            return values.astype(_RANDOM[dtype]).tobytes()
        except (MemoryError, OverflowError, ValueError) as error:
            raise ValueError(f"{count} elements of {dtype} are more than the memory holds") from error

    return fill


def element_count(dims: Iterable[int]) -> int:
    """Return the number of elements of a shape, none where a dimension is negative; 2**80 where there are more."""
    count = 1
    for dim in dims:
        count = min(count * max(dim, 0), 1 << 80)  # bounded, so that ten thousand dimensions cost nothing
    return count


_WIDTH = re.compile(r"bool|(?:f|bf|[iuc])([0-9]+).*").fullmatch
_RANDOM = {"f64": "<f8", "f32": "<f4", "f16": "<f2", "bf16": ""}
