"""The language in the notations that other programs read, each made of the one grammar file.

`llguidance` reads the grammar file itself.

>>> FORMATS["lark"]().startswith("// The language of onnxtext")
True
"""

from __future__ import annotations

from onnxtext_grammar.ebnf import print_ebnf
from onnxtext_grammar.gbnf import print_gbnf
from onnxtext_grammar.lark_parser import grammar_text
from onnxtext_grammar.prompt import print_prompt
from onnxtext_grammar.textmate import print_textmate

FORMATS = {
    "lark": grammar_text,
    "llguidance": grammar_text,
    "gbnf": print_gbnf,
    "ebnf": print_ebnf,
    "textmate": print_textmate,
    "prompt": print_prompt,
}
