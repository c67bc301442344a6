"""train: a predictor from labels."""

from __future__ import annotations

import sys
from typing import Annotated

import typer


def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="strict, default, or a .toml file.")],
    data: Annotated[str, typer.Option(metavar="FOLDER", help="Where the tables of the recipe are.")],
    output: Annotated[str, typer.Option("-o", "--output", metavar="FOLDER", help="Where the checkpoint goes.")],
    workers: Annotated[int, typer.Option(metavar="N", min=0, help="Processes that read networks; 0: all cores.")] = 0,
) -> None:
    """Train a predictor as a recipe says, and examine it on the tables that the recipe selects with."""
    from pathlib import Path

    from onnxtext.ranking.needs import needing
    from onnxtext.ranking.recipe import load_recipe
    from onnxtext.ranking.run import carry_out

    def report(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    with needing("train", "predictor"):
        import onnxtext_predictor

        shipped = Path(onnxtext_predictor.__file__).parent / "recipes" / f"{recipe}.toml"
        found = load_recipe(str(shipped) if shipped.is_file() else recipe)
        carry_out(found, Path(data), Path(output), report, workers=workers)
