"""Rows as Parquet: the columns of a data set, and pyarrow, which the extra `dataset` brings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onnxtext.core.errors import UsageError

# Column -> what pyarrow calls its type.  A row that could not be made has its id, labels and error, and else nothing.
COLUMNS = {
    "id": "string",
    "space": "string",
    "specification": "string",
    "text": "string",
    "structural_hash": "string",
    "nodes": "int64",  # of the network before passes
    "parameters": "int64",  # likewise
    "flops": "int64",  # likewise: two for each multiplication with its addition
    "characters": "int64",  # of the text
    "tokens": "int64",  # of the text, where a tokenizer is given
    "passes": "string",  # JSON: of each pass its rewrites, and the nodes after it
    "labels": "string",  # JSON: what a table said of the network
    "error": "string",
}


def arrow() -> Any:
    """Return pyarrow.parquet.  Raises UsageError where it is not installed."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError(
            "data sets are Parquet files, which pyarrow writes: pip install 'onnxtext[dataset]'"
        ) from error
    return pyarrow.parquet


def write_rows(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Write rows as one file; the same rows are the same bytes."""
    parquet = arrow()
    import pyarrow

    schema = pyarrow.schema(list(COLUMNS.items()))
    parquet.write_table(pyarrow.Table.from_pylist(list(rows), schema), path, compression="zstd")
