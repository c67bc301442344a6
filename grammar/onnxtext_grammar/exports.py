"""The language in the notations that other programs read, each made of the one grammar file.

>>> FORMATS["lark"]().startswith("// The language of onnxtext")
True
"""

from __future__ import annotations

from onnxtext_grammar.lark_parser import grammar_text
from onnxtext_grammar.textmate import print_textmate

FORMATS = {"lark": grammar_text, "textmate": print_textmate}
