"""diff: what changed between two models."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from onnxtext.commands.options import AsJson


def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="An .onnx or .onnxt file, or - for standard input.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Another.")],
    as_json: AsJson = False,
    html: Annotated[
        str, typer.Option("--html", metavar="FILE", help="Write a page of HTML to look at in a browser; - for stdout.")
    ] = "",
) -> None:
    """Show what changed between two models, by structure and not by names; 1 if anything did."""
    import json

    import onnx

    from onnxtext.commands.output import print_data
    from onnxtext.core.errors import UsageError
    from onnxtext.core.files import write_output
    from onnxtext.source import read_model
    from onnxtext.tools.diff_page import print_page
    from onnxtext.tools.diff_text import as_data, show_changes
    from onnxtext.tools.differences import compare

    if old == new == "-":
        raise UsageError("standard input can be one of the two models, not both")
    if html and as_json:
        raise UsageError("a diff goes out as JSON or as a page: give --json or --html, not both")
    a, b = read_model(old), read_model(new)
    models = [onnx.ModelProto.FromString(source.wire) for source in (a, b)]
    changes = compare(models[0], models[1], a.blobs, b.blobs)
    if html:
        write_output(html, [print_page(changes, old, new).encode()])
    elif as_json:
        print_data(json.dumps(as_data(changes, old, new), indent=1))
    elif changes:
        colour = sys.stdout is not None and sys.stdout.isatty()
        print_data(show_changes(changes, old, new, colour=colour))
    if changes:
        raise typer.Exit(1)
