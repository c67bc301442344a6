"""grammar: the definition of the language."""

from __future__ import annotations


def grammar() -> None:
    """Write the grammar of the language, in lark's notation."""
    from onnxtext.core.files import write_output
    from onnxtext_grammar.lark_parser import grammar_text

    write_output("-", [grammar_text().encode()])
