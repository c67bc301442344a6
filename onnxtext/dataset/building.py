"""A data set is built shard by shard: each is a file of a fixed range of rows, and takes its name when it is whole.

So what a killed run leaves is whole shards, and the same command goes on with those that are missing.  Which rows a
shard has depends on the entries alone, so that the number of workers changes no byte.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from onnxtext.core.errors import OnnxTextError, UsageError
from onnxtext.core.files import replacing, write_output
from onnxtext.dataset.parquet import arrow, write_rows
from onnxtext.dataset.rows import Recipe, make_row
from onnxtext.dataset.sources import Entry

MANIFEST = "manifest.json"
CHUNK = 25  # entries that a worker is handed at once

Progress = Callable[[int], None]  # is told how many more rows there are


@dataclass(frozen=True, slots=True)
class Shard:
    """The rows from `first` up to `last` (excluded), and the file they are in."""

    first: int
    last: int
    name: str


@dataclass(frozen=True, slots=True)
class Built:
    """What there is after a run: rows of all its shards, those with an error, and rows that were there before."""

    rows: int
    errors: int
    found: int


def read_part(text: str) -> tuple[int, int]:
    """Return (i, n) of "i/n".  Raises UsageError."""
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if match is None:
        raise UsageError(f"--shard takes i/n, as in 1/8, not {text}")
    return int(match[1]), int(match[2])


def shards(rows: int, rows_per_shard: int, part: tuple[int, int] = (1, 1)) -> list[Shard]:
    """Return the shards of a data set, or of part i of n: every n-th shard, from the i-th on.  Raises UsageError."""
    part_number, parts = part
    if not 1 <= part_number <= parts:
        raise UsageError(f"--shard takes i/n with i from 1 to n, not {part_number}/{parts}")
    count = -(-rows // rows_per_shard)
    every = [
        Shard(i * rows_per_shard, min(rows, (i + 1) * rows_per_shard), f"shard-{i:05d}-of-{count:05d}.parquet")
        for i in range(count)
    ]
    return every[part_number - 1 :: parts]


def build(
    entries: Sequence[Entry],
    recipe: Recipe,
    folder: str,
    *,
    workers: int = 1,
    rows_per_shard: int = 1000,
    part: tuple[int, int] = (1, 1),
    progress: Progress = lambda rows: None,
) -> Built:
    """Build a data set, or what is missing of it, in `folder`.

    Raises UsageError where the folder holds another data set, FileProblem where it cannot be written, OnnxTextError
    where a worker was killed.
    """
    arrow()
    if recipe.max_tokens is not None and not recipe.tokenizer:
        raise UsageError("--max-tokens counts by a tokenizer: give --tokenizer FILE")
    if recipe.passes:
        from onnxtext_passes.pipeline import parse_pipeline

        parse_pipeline(recipe.passes)
    wanted = shards(len(entries), rows_per_shard, part)
    _begin(Path(folder), _description(entries, recipe, rows_per_shard))
    missing = [shard for shard in wanted if not (Path(folder) / shard.name).exists()]
    found = sum(shard.last - shard.first for shard in wanted if shard not in missing)
    progress(found)
    chunks = [
        entries[first : min(first + CHUNK, shard.last)]
        for shard in missing
        for first in range(shard.first, shard.last, CHUNK)
    ]
    made = (row for rows in _in_order(chunks, recipe, workers) for row in rows)
    for shard in missing:
        rows = []
        for _ in range(shard.first, shard.last):
            rows.append(next(made))
            progress(1)
        path = Path(folder) / shard.name
        with replacing(path) as (temporary,):
            write_rows(rows, temporary)
    errors = sum(_errors(Path(folder) / shard.name) for shard in wanted)
    return Built(sum(shard.last - shard.first for shard in wanted), errors, found)


def _description(entries: Sequence[Entry], recipe: Recipe, rows_per_shard: int) -> dict[str, Any]:
    """Return what makes a data set this one and no other."""
    from onnxtext import __version__

    digest = sha256()
    for entry in entries:
        digest.update(json.dumps(asdict(entry)).encode() + b"\n")
    return {
        "onnxtext": __version__,
        **asdict(recipe),
        "rows": len(entries),
        "rows_per_shard": rows_per_shard,
        "entries_sha256": digest.hexdigest(),
        "shards": [shard.name for shard in shards(len(entries), rows_per_shard)],
    }


def _begin(folder: Path, description: dict[str, Any]) -> None:
    """Write the manifest, or see that the one that is there says the same."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OnnxTextError(f"{folder}: cannot make this folder: {error.strerror}") from error
    path = folder / MANIFEST
    if not path.exists():
        if any(folder.glob("*.parquet")):
            raise UsageError(f"{folder}: has Parquet files and no {MANIFEST}: build into another folder")
        write_output(path, [json.dumps(description, indent=1).encode(), b"\n"])
        return
    try:
        there = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise OnnxTextError(f"{path}: cannot read it: {error}") from error
    differing = [name for name, value in description.items() if there.get(name) != value]
    if differing:
        raise UsageError(
            f"{folder}: holds another data set, with other {', '.join(differing)}: build into another folder"
        )


def _rows(chunk: Sequence[Entry], recipe: Recipe) -> list[dict[str, Any]]:
    return [make_row(entry, recipe) for entry in chunk]


def _in_order(chunks: Sequence[Sequence[Entry]], recipe: Recipe, workers: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of each chunk, in order, made by that many processes; a few chunks ahead and no more."""
    if workers == 1:
        yield from (_rows(chunk, recipe) for chunk in chunks)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        ahead: deque[Future[list[dict[str, Any]]]] = deque()
        try:
            for chunk in chunks:
                ahead.append(pool.submit(_rows, chunk, recipe))
                if len(ahead) > 4 * workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        except BrokenProcessPool as error:
            raise OnnxTextError(
                "a worker was killed, perhaps for want of memory; shards that are whole stay, and the same command "
                "goes on from there, with fewer --workers where memory was short"
            ) from error


def _errors(path: Path) -> int:
    column = arrow().read_table(path, columns=["error"]).column("error")
    return len(column) - column.null_count


def cores() -> int:
    """Return how many processes this machine runs at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
