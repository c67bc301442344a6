"""Architectures of a space to what the predictor reads, on all cores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

from onnxtext.core.errors import UsageError

if TYPE_CHECKING:
    from onnxtext_predictor.reading import Reading

_FEW = 200  # networks up to which starting other processes is not worth it
_TOGETHER = 64  # networks that a process is given at once


def read_architectures(space: str, specifications: Sequence[str], workers: int = 0) -> list[Reading]:
    """Return the reading of each architecture of a space, whose name may have options; the order is kept.

    `workers` are processes, by default as many as there are cores.  Raises UsageError, which names the architecture.
    """
    workers = workers or os.cpu_count() or 1
    if len(specifications) <= _FEW or workers == 1:
        return [_read((space, specification)) for specification in specifications]
    with ProcessPoolExecutor(workers) as pool:
        given = [(space, specification) for specification in specifications]
        return list(pool.map(_read, given, chunksize=_TOGETHER))


def _read(given: tuple[str, str]) -> Reading:
    from onnxtext.spaces.registry import find_space
    from onnxtext_predictor.reading import read

    space, specification = given
    try:
        return read(find_space(space).model(specification))
    except UsageError as error:
        raise UsageError(f"{space}:{specification}: {error}") from error
