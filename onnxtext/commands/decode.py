"""decode: the model that a text describes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from onnxtext.commands.options import Output
from onnxtext.core.errors import UsageError


def decode(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="An .onnxt file, or - for standard input.")],
    output: Output = "-",
    weights: Annotated[
        str | None, typer.Option(metavar="FILE", help="The weights, if not in TEXT.safetensors; also an .onnx file.")
    ] = None,
    fill: Annotated[
        str | None, typer.Option(metavar="zeros|random[:SEED]", help="Make up the weights that the text lacks.")
    ] = None,
    restore: Annotated[
        bool, typer.Option("--restore", help="Undo the passes, with the record TEXT.undo of `encode --restorable`.")
    ] = False,
) -> None:
    """Write the model that a text describes."""
    from onnxtext import api
    from onnxtext.core.blobs import attach
    from onnxtext.core.files import read_bytes, write_output
    from onnxtext.core.wire import canonical
    from onnxtext.source import decode_utf8, read_text

    if output == "-" and sys.stdout is not None and sys.stdout.isatty():
        raise UsageError("a model is binary: use -o FILE, or a pipe")
    if restore:
        api.refuse_restoring(text, fill)
    source = "<stdin>" if text == "-" else text
    beside = None if text == "-" else text
    content = decode_utf8(read_bytes(text), source)
    assembled = read_text(content, source, beside=beside, weights=weights, fill=fill)
    if restore:
        original = api.restored(assembled, text)
        write_output(output, attach(original.wire, original.blobs))
    else:
        write_output(output, attach(canonical(assembled.wire), assembled.blobs))
