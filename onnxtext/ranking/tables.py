"""Tables of labels: which architecture, and how good it was.

>>> from onnxtext.spaces.registry import find_space
>>> table = ["arch,mean_acc", "00000000,45.3", "00000001,64.2"]
>>> read_rows(table, find_space("nasbench-macro"), "mean_acc")
[('00000000', 45.3), ('00000001', 64.2)]
"""

from __future__ import annotations

import csv
import gzip
import io
import math
from collections.abc import Iterable, Mapping, Sequence

from onnxtext.core.errors import UsageError, nearest
from onnxtext.core.files import read_bytes
from onnxtext.spaces.base import Space

Row = tuple[str, float]  # a specification and a label


def read_table(
    path: str,
    space: Space,
    label: str,
    key: Sequence[str] = (),
    *,
    where: Mapping[str, str] | None = None,
    skip_unlabelled: bool = False,
) -> list[Row]:
    """Return the specifications and labels in a file of comma-separated values, which may be compressed (.gz).

    `key` are the columns that name an architecture: by default those of the space, or `specification`, or `arch`.
    `where` are the values that some columns have in the rows that are meant.
    Raises FileProblem, and UsageError for a column that is not there, and for a row without a label unless such rows
    are skipped.
    """
    data = read_bytes(path)
    try:
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not a table of comma-separated values: {error}") from error
    try:
        return read_rows(io.StringIO(text, newline=""), space, label, key, where=where, skip_unlabelled=skip_unlabelled)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def read_rows(
    lines: Iterable[str],
    space: Space,
    label: str,
    key: Sequence[str] = (),
    *,
    where: Mapping[str, str] | None = None,
    skip_unlabelled: bool = False,
) -> list[Row]:
    """Return the specifications and labels in the lines of a table.  Raises UsageError."""
    reader = csv.DictReader(lines)
    columns = list(reader.fieldnames or ())
    where = where or {}
    for wanted in [label, *key, *where]:
        if wanted not in columns:
            raise UsageError(f"no column is named {wanted}{nearest(wanted, columns)}; there are {', '.join(columns)}")
    if not key and not {"specification", *space.columns} & set(columns) and "arch" in columns:
        key = ["arch"]
    found: list[Row] = []
    for number, row in enumerate(reader, 2):
        if any(row[column] != value for column, value in where.items()):
            continue
        if not row[label]:
            if skip_unlabelled:
                continue
            raise UsageError(f"line {number} has no {label}; --skip-unlabelled leaves such rows out")
        try:
            value = float(row[label])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise UsageError(f"line {number}: {label} is {row[label]}, and no number")
        try:
            specification = space.from_columns(*(row[column] or "" for column in key)) if key else space.from_row(row)
        except TypeError as error:
            wanted = ", ".join(space.columns)
            raise UsageError(f"--key names {len(key)} columns where {space.name} takes those of {wanted}") from error
        except UsageError as error:
            raise UsageError(f"line {number}: {error}") from error
        found.append((specification, value))
    if not found:
        raise UsageError(f"no row that is meant has a {label}")
    return found
