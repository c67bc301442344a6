"""stats: what is in a model."""

from __future__ import annotations

from typing import Annotated

import typer

from onnxtext.commands.options import AsJson, Model, Tokenizer
from onnxtext.commands.output import print_data
from onnxtext.core.errors import UsageError


def stats(
    model: Model,
    tokenizer: Tokenizer = "",
    dim: Annotated[
        list[str] | None, typer.Option(metavar="NAME=SIZE", help="The size of a symbolic dimension; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Count what is in a model: nodes, parameters, multiplications, bytes, the length of its text."""
    import json

    from onnxtext.counting import count, show
    from onnxtext.source import read_model

    sizes: dict[str, int] = {}
    for given in dim or []:
        name, _, size = given.rpartition("=")
        if not name or not size.isdecimal():
            raise UsageError(f"--dim takes a name and a size, as in batch=1, not {given}")
        sizes[name] = int(size)
    counted = count(read_model(model), sizes, tokenizer)
    print_data(json.dumps(counted, indent=1) if as_json else show(counted))
