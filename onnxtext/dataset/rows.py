"""One row of a data set: a network read, counted, rewritten and written as text; or why that was not possible.

>>> row = make_row(Entry("nasbench201:|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"), Recipe("strip"))
>>> row["parameters"], row["error"]
(73850, None)
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import onnx

from onnxtext.core.errors import OnnxTextError
from onnxtext.dataset.parquet import COLUMNS
from onnxtext.dataset.sources import Entry


@dataclass(frozen=True, slots=True)
class Recipe:
    """How rows are made: the same recipe and the same entry give the same row."""

    passes: str = ""
    tokenizer: str = ""  # a file
    max_tokens: int | None = None  # of a text; a longer one is an error, and never cut


def make_row(entry: Entry, recipe: Recipe) -> dict[str, Any]:
    """Return the row of an entry.  What is wrong with a network stands in the column `error`; nothing is raised."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row.update(id=entry.id, space=entry.space or None, specification=entry.specification or None)
    row["labels"] = json.dumps(dict(entry.labels), ensure_ascii=False)
    try:
        if entry.problem:
            row["error"] = entry.problem
        else:
            _fill(row, entry, recipe)
    except (OnnxTextError, MemoryError, RecursionError) as error:
        row["error"] = str(error) or type(error).__name__
    return row


def _fill(row: dict[str, Any], entry: Entry, recipe: Recipe) -> None:
    from onnxtext.source import Source, print_source, read_model
    from onnxtext_passes.manager import run_pipeline
    from onnxtext_passes.statistics import collect
    from onnxtext_passes.structural_hash import structural_hash

    source = read_model(entry.id)
    model = onnx.ModelProto.FromString(source.wire)
    found = collect(model, source.blobs)
    row.update(nodes=found.nodes, parameters=found.parameters, flops=2 * found.macs)
    if recipe.passes:
        result = run_pipeline(model, recipe.passes, blobs=source.blobs)
        model = result.model
        source = Source(model.SerializeToString(deterministic=True), source.blobs)
        steps = [{"pass": s.name, "rewrites": s.rewrites, "nodes": s.after.nodes} for s in result.steps]
        row["passes"] = json.dumps(steps)
    text = print_source(source, weights="elide", verify=False).text
    row.update(structural_hash=structural_hash(model, source.blobs), characters=len(text))
    if recipe.tokenizer:
        row["tokens"] = _counter(recipe.tokenizer)(text)
        if recipe.max_tokens is not None and row["tokens"] > recipe.max_tokens:
            row["error"] = (
                f"{entry.id}: its text has {row['tokens']:,} tokens, more than the {recipe.max_tokens:,} of "
                "--max-tokens; passes make texts shorter, which are never cut"
            )
            return
    row["text"] = text


@lru_cache(maxsize=1)
def _counter(tokenizer: str) -> Any:
    from onnxtext_passes.statistics import token_counter

    return token_counter(tokenizer)
