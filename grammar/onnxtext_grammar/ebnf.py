"""The language in the EBNF of the XML specification (https://www.w3.org/TR/xml/#sec-notation), which tools draw.

It says what lark's notation says, with the comments; spaces and comments may stand between the tokens.

>>> print_ebnf().splitlines()[2]
'start ::= "onnxt" NUMBER item*'
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from onnxtext_grammar.lark_parser import grammar_text

_PIECES = re.compile(r'("(?:[^"\\]|\\.)*"|/(?:[^/\\\n]|\\.)+/|[A-Za-z_]+|[^\s\w]|\s+)')
_IN_PATTERN = re.compile(r"\[(?:\\.|[^\]\\])+\]|\\.|[()|*?+]|.")
_CODES = {"n": "#xA", "r": "#xD", "t": "#x9"}


def print_ebnf() -> str:
    """Return the grammar."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "/* The language of onnxtext: spaces, line breaks and comments may stand between any two tokens. */"
    for line in re.sub(r"\s+-> \w+", "", grammar_text()).splitlines()[5:]:
        if line.startswith(("%ignore", "_TYPED:")) or "_TYPED" in re.sub("//.*", "", line):
            continue
        if line.startswith("// ----"):
            yield f"/* {line.strip('/- ')} */"
        elif not line.startswith("//"):
            rule = re.match(r"\??(\w+): ", line)
            yield f"{rule[1]} ::= {_translated(line[rule.end() :])}" if rule else _translated(line)


def _translated(text: str) -> str:
    out = []
    for piece in _PIECES.findall(text):
        if piece[0] == "/" and len(piece) > 1:
            out.append(_pattern(piece[1:-1]))
        else:
            out.append({"[": "(", "]": ")?"}.get(piece, piece))
    return "".join(out).rstrip()


def _pattern(pattern: str) -> str:
    """Return a regular expression of the grammar."""
    out: list[str] = []
    for piece in _IN_PATTERN.findall(pattern):
        if piece[0] == "[" and len(piece) > 1:
            out.append(re.sub(r"\\([nrt])", lambda m: _CODES[m[1]], piece).replace("\\/", "/").replace("\\\\", "\\"))
        elif piece in "()|*?+":
            out.append(piece)
        else:
            out.append(f"'{piece[-1]}'" if piece[-1] == '"' else f'"{piece[-1]}"')
    text = re.sub(r" ([*?+)])|(\() ", r"\1\2", " ".join(out))
    while (joined := re.sub(r'"(\w+)" "(\w)"(?![*?+])', r'"\1\2"', text)) != text:
        text = joined
    return text
