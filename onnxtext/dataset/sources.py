"""What a data set is made of: every source is written out to entries, one for each row, in an order that is fixed.

>>> [entry.specification for entry in entries(["nasbench-macro:00000000", "nasbench-macro:21012102"])]
['00000000', '21012102']
"""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from onnxtext.core.errors import OnnxTextError, UsageError
from onnxtext.core.files import read_bytes
from onnxtext.source import decode_utf8
from onnxtext.spaces.base import Space
from onnxtext.spaces.registry import find_space, space_names

MODELS = (".onnx", ".onnxt")  # files of a folder that are read
TABLES = (".csv", ".csv.gz", ".parquet")
LISTS = (".txt",)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row to be made: a file, or a network of a space; what a table says of it besides; or why it cannot be made."""

    id: str  # what read_model is given
    space: str = ""
    specification: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


def entries(sources: Sequence[str], *, sample: int | None = None, seed: int = 0, space: str = "") -> list[Entry]:
    """Return the entries of all sources, in their order.

    A source is a space, of which all architectures are taken or, with `sample`, that many; a network, which is
    SPACE:SPECIFICATION or a model's file; a folder, of which all models are taken; a list (.txt), which has a source on
    every line; or a table (.csv, .csv.gz, .parquet) with a column `path`, or with the columns of `space` or of what its
    own column `space` names.
    Raises UsageError, FileProblem for a source that is none of this.
    """
    found: list[Entry] = []
    for source in sources:
        found.extend(_entries(source, sample, seed, space))
    return found


def _entries(source: str, sample: int | None, seed: int, space: str) -> Iterator[Entry]:
    name = source.partition("{")[0].partition(":")[0]
    if name in space_names() and not os.path.lexists(source):
        if ":" in source.partition("}")[2] or ("{" not in source and ":" in source):
            yield _network(source)
            return
        architectures = find_space(source)
        listed = architectures.specifications() if sample is None else architectures.sample(sample, seed)
        for specification in listed:
            yield Entry(f"{architectures}:{specification}", str(architectures), specification)
    elif os.path.isdir(source):
        yield from _folder(source)
    elif source.endswith(LISTS):
        for line in decode_utf8(read_bytes(source), source).splitlines():
            if line.strip():
                yield from _entries(line.strip(), sample, seed, space)
    elif source.endswith(TABLES):
        yield from _table(source, space)
    else:
        yield Entry(source)


def _network(source: str) -> Entry:
    head, brace, rest = source.partition("}") if "{" in source.partition(":")[0] else ("", "", source)
    options, _, specification = rest.partition(":")
    return Entry(source, head + brace + options, specification)


def _folder(folder: str) -> Iterator[Entry]:
    """Yield the models below a folder, in the order of their paths; a folder that cannot be read is an entry too."""
    problems: list[Entry] = []

    def note(error: OSError) -> None:
        problems.append(Entry(str(error.filename), problem=f"{error.filename}: cannot read it: {error.strerror}"))

    found: list[Entry] = []
    for path, _, names in os.walk(folder, onerror=note):
        found.extend(Entry(os.path.join(path, name)) for name in names if name.endswith(MODELS))
    yield from sorted([*found, *problems], key=lambda entry: entry.id)


def _table(path: str, space: str) -> Iterator[Entry]:
    given = find_space(space) if space else None
    spaces: dict[str, Space] = {}
    for number, row in enumerate(read_table(path), 1):
        yield _of_row(row, given, spaces, f"{path}:{number}")


def _of_row(row: dict[str, str], given: Space | None, spaces: dict[str, Space], place: str) -> Entry:
    if given is None and row.get("path"):
        return Entry(row["path"], labels={name: value for name, value in row.items() if name != "path"})
    try:
        architectures = given
        if architectures is None:
            named = row.get("space", "")
            if not named:
                raise UsageError("a row has a path, or a space, unless the space of all rows is given: --space NAME")
            architectures = spaces.setdefault(named, find_space(named))
        specification = architectures.from_row(row)
    except OnnxTextError as error:
        return Entry(place, problem=f"{place}: {error}", labels=row)
    taken = {"space", "specification", *architectures.columns}
    labels = {name: value for name, value in row.items() if name not in taken}
    return Entry(f"{architectures}:{specification}", str(architectures), specification, labels)


def read_table(path: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a table, every value as text.  Raises FileProblem, UsageError for what is no table."""
    if path.endswith(".parquet"):
        from onnxtext.dataset.parquet import arrow

        parquet = arrow()
        try:
            rows = parquet.read_table(path).to_pylist()
        except (OSError, parquet.lib.ArrowInvalid) as error:
            raise UsageError(f"{path}: cannot read it as Parquet: {error}") from error
        for row in rows:
            yield {name: "" if value is None else str(value) for name, value in row.items()}
        return
    data = read_bytes(path)
    try:
        data = gzip.decompress(data) if path.endswith(".gz") else data
    except (OSError, EOFError) as error:
        raise UsageError(f"{path}: cannot read it as gzip: {error}") from error
    for row in csv.DictReader(io.StringIO(decode_utf8(data, path)), strict=True):
        if None in row or None in row.values():
            raise UsageError(f"{path}: a row has another number of cells than the first line: {row}")
        yield row
