"""The language for Pygments, and so for Sphinx, MkDocs and whatever else colours with it, under the name `onnxt`.

>>> from pygments import highlight
>>> from pygments.formatters import NullFormatter
>>> highlight("%y = Relu(%x)", OnnxTextLexer(), NullFormatter())
'%y = Relu(%x)\\n'
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from pygments.lexer import RegexLexer
from pygments.token import Whitespace, string_to_tokentype

from onnxtext_grammar.highlighting import REGIONS, RULES, SCOPES, Match


def _token(scope: str) -> Any:
    return string_to_tokentype(SCOPES[scope][0]) if scope else Whitespace  # of no characters


def _rules(name: str) -> Iterator[tuple]:
    """Yield the rules of Pygments for what may stand inside a region."""
    for rule in RULES[name]:
        if isinstance(rule, Match):
            yield rule.pattern, _token(rule.scope)
        else:
            begin = REGIONS[rule].begin
            yield begin.pattern, _token(begin.scope), rule
    yield r"[ \t\r\n]+", Whitespace


def _states() -> dict[str, list]:
    """Return the regions as states of Pygments: what closes a region comes first."""
    ends = {name: [(end.pattern, _token(end.scope), "#pop") for end in region.ends] for name, region in REGIONS.items()}
    states = {name: [*ends[name], *_rules(region.inside)] for name, region in REGIONS.items()}
    return {"root": list(_rules("statements")), **states}


class OnnxTextLexer(RegexLexer):
    """Colours texts, parts of texts, and what a text has before its first mistake."""

    name = "onnxtext"
    aliases: ClassVar[Sequence[str]] = ["onnxt", "onnxtext", "onnxt-error"]
    filenames: ClassVar[Sequence[str]] = ["*.onnxt"]
    mimetypes: ClassVar[Sequence[str]] = ["text/x-onnxt"]
    tokens: ClassVar[dict] = _states()
