"""dataset: many networks as a table of texts."""

from __future__ import annotations

from typing import Annotated

import typer

from onnxtext.commands.options import Passes, Tokenizer


def build(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE…",
            help="Spaces, networks SPACE:SPECIFICATION, models, folders, lists (.txt), tables (.csv).",
        ),
    ],
    output: Annotated[str, typer.Option("-o", "--output", metavar="FOLDER", help="Where the shards are written.")],
    passes: Passes = "",
    tokenizer: Tokenizer = "",
    max_tokens: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="A longer text is an error row; none is cut.")
    ] = None,
    sample: Annotated[int | None, typer.Option(metavar="N", min=1, help="Take N architectures of each space.")] = None,
    seed: Annotated[int, typer.Option(metavar="S", help="Of the samples.")] = 0,
    space: Annotated[str, typer.Option(metavar="SPACE", help="Of which the rows of tables are.")] = "",
    workers: Annotated[int | None, typer.Option(metavar="N", min=1, help="Processes; by default all cores.")] = None,
    rows_per_shard: Annotated[int, typer.Option(metavar="N", min=1, help="Rows in each file.")] = 1000,
    shard: Annotated[str, typer.Option(metavar="i/n", help="Build every n-th file only, from the i-th on.")] = "1/1",
) -> None:
    """Write networks as Parquet files of texts, hashes, counts and labels.

    The same command after a kill goes on with what is missing.  Networks that cannot be read are rows with an error,
    and exit status 1.
    """
    import sys

    from onnxtext.dataset.building import build as build_dataset
    from onnxtext.dataset.building import cores, read_part
    from onnxtext.dataset.building import shards as shards_of
    from onnxtext.dataset.progress import progress_bar
    from onnxtext.dataset.rows import Recipe
    from onnxtext.dataset.sources import entries

    part = read_part(shard)
    found = entries(sources, sample=sample, seed=seed, space=space)
    total = sum(one.last - one.first for one in shards_of(len(found), rows_per_shard, part))
    with progress_bar() as bar:
        task = bar.add_task("", total=total)
        built = build_dataset(
            found,
            Recipe(passes, tokenizer, max_tokens),
            output,
            workers=workers or cores(),
            rows_per_shard=rows_per_shard,
            part=part,
            progress=lambda rows: bar.advance(task, rows),
        )
    before = f", {built.found:,} of them there before" if built.found else ""
    print(f"{output}: {built.rows:,} rows{before}, {built.errors:,} with an error", file=sys.stderr)
    if built.errors:
        raise typer.Exit(1)
