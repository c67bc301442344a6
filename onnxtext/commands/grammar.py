"""grammar: the definition of the language."""

from __future__ import annotations

from typing import Annotated

import typer

from onnxtext.core.errors import UsageError, nearest


def grammar(
    notation: Annotated[
        str, typer.Option("--format", metavar="lark|llguidance|gbnf|ebnf|textmate|prompt", help="For whom.")
    ] = "lark",
) -> None:
    """Write the grammar of the language, in lark's notation or another."""
    from onnxtext.core.files import write_output
    from onnxtext_grammar.exports import FORMATS

    if notation not in FORMATS:
        raise UsageError(f"the format is {', '.join(FORMATS)}, not {notation}{nearest(notation, FORMATS)}")
    write_output("-", [FORMATS[notation]().encode()])
