"""fmt: texts in their canonical layout."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from onnxtext.core.errors import OnnxTextError


def fmt(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="Texts to rewrite in place; - from standard input to standard output."),
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Write no text: name the files that would change; 1 if there are any.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Write no text but what would change, as a diff; 1 if anything would.")
    ] = False,
) -> None:
    """Lay texts out as encode does, with their comments."""
    from onnxtext.core.files import read_bytes, write_output
    from onnxtext.core.line_diff import line_diff
    from onnxtext.source import decode_utf8
    from onnxtext_grammar.formatter import format_text

    failed = changed = False
    for file in files:
        source = "<stdin>" if file == "-" else file
        try:
            old = decode_utf8(read_bytes(file), source)
            new = format_text(old, source)
            if check and new != old:
                print(source, file=sys.stderr)
            if diff:
                write_output("-", [line_diff(old, new, source).encode()])
            if not (check or diff) and (new != old or file == "-"):  # a file that stays as it is keeps its time
                write_output(file, [new.encode()])
        except OnnxTextError as error:  # the other files do not have to wait for this one
            print(f"error: {error}", file=sys.stderr)
            failed = True
        else:
            changed = changed or new != old
    if failed or (changed and (check or diff)):
        raise typer.Exit(2 if failed else 1)
