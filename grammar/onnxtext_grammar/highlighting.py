"""What an editor colours: the tokens of the grammar, told apart by where they stand.

A word can be an operator, an attribute, an element type or a word of the language, and lark tells by its parser's
state.  An editor has regular expressions and a stack.  So this is a table of regions, each with what opens it, what
closes it and what may stand inside, in which a text has the tokens that lark finds in it.  The Pygments lexer and the
TextMate grammar are both made of it.  It promises nothing for words that nothing separates (`data none` written as one
word), which only lark takes apart.

>>> [rule.scope for rule in RULES["weights"] if isinstance(rule, Match)]
['comment', 'word']
>>> REGIONS["bag"].begin.pattern, REGIONS["bag"].ends[0].pattern
('\\\\{', '\\\\}')
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from onnxtext_grammar.attributes import KINDS
from onnxtext_grammar.fast_parser import _terminals


@dataclass(frozen=True)
class Match:
    """A token, and its scope: a key of SCOPES, or "" for a place at which nothing is consumed."""

    pattern: str
    scope: str


@dataclass(frozen=True)
class Region:
    """What opens it, what closes it, tried in this order before what is inside, and the name of what is inside."""

    begin: Match
    ends: tuple[Match, ...]
    inside: str


# Scope -> the token type of Pygments, the scope of TextMate, the terminals of the grammar that it shows ("" any word).
SCOPES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "comment": ("Comment.Single", "comment.line.double-slash", ()),
    "keyword": ("Keyword", "keyword.control", ("",)),
    "type": ("Keyword.Type", "storage.type", ("DTYPE", "KIND", "")),
    "value": ("Name.Variable", "variable.other", ("VALUE",)),
    "function": ("Name.Function", "entity.name.function", ("FUNC",)),
    "parameter": ("Name.Variable.Instance", "variable.parameter", ("PARAM",)),
    "operator": ("Name.Builtin", "support.function", ("NAME",)),
    "key": ("Name.Attribute", "entity.other.attribute-name", ("NAME",)),
    "field": ("Name.Decorator", "entity.other.attribute-name.field", ("FIELD",)),
    "word": ("Name.Constant", "constant.other", ("NAME",)),
    "interned": ("Name.Label", "constant.other.reference", ("TEXT",)),
    "number": ("Number", "constant.numeric", ("NUMBER",)),
    "string": ("String.Double", "string.quoted.double", ("STRING",)),
    "nothing": ("Keyword.Pseudo", "constant.language", ("ABSENT", "UNDERSCORE", "STAR")),
    "arrow": ("Operator", "keyword.operator", ("__ANON_0",)),
    "punctuation": (
        "Punctuation",
        "punctuation.separator",
        ("LPAR", "RPAR", "LSQB", "RSQB", "LBRACE", "RBRACE", "LESSTHAN", "MORETHAN", "COMMA", "COLON", "EQUAL", "PLUS"),
    ),
}

_TERMINALS = {name: re.sub(r"(?<!\\)\((?!\?)", "(?:", pattern) for name, pattern in _terminals().items()}
_TYPE_WORDS = ("sparse", "seq", "optional", "map", "type")
_VALUE_WORDS = ("graph", "type", "tensor", "data", "base64", "stored", "none")


def _words(words: Sequence[str]) -> str:
    """Return an expression for whole words."""
    return rf"(?:{'|'.join(sorted(words))})(?![A-Za-z0-9_]|\.[A-Za-z0-9_])"


def _keyword(*words: str) -> Match:
    return Match(_words(words), "keyword")


def _token(terminal: str, scope: str = "") -> Match:
    found = scope or next(name for name, (_, _, terminals) in SCOPES.items() if terminal in terminals)
    return Match(_TERMINALS[terminal], found)


def _before(characters: str) -> Match:
    """Return the place in front of one of these characters."""
    return Match(f"(?=[{characters}])", "")


def _sign(character: str) -> Match:
    return Match(re.escape(character), "punctuation")


_COMMENT = Match(r"//[^\n]*", "comment")
_ABSENT = Match(r"\?", "nothing")
_BLANK = Match(_words("_"), "nothing")
_TYPES = (Match(_words([*_TYPE_WORDS, *(KINDS.keys() - {"undefined"})]), "type"), _token("DTYPE"))
_LITERALS = (_token("STRING"), _token("TEXT"), _token("NUMBER"), _token("PARAM"))
_NESTED = ("bag", "shape", "parentheses")  # where a "[" begins a shape
_DATA_ENDS = (_before(r"^\s\[/"),)

# Name -> a token, or the name of a region, in the order in which they are tried.
RULES: dict[str, tuple[Match | str, ...]] = {
    # The top of a text and the body of a graph have the same rules, so that a part of a text has its colours too.
    "statements": (
        *(_COMMENT, "weights", "info", "graph", "def", "colon", "data =", "data"),
        _keyword(
            "onnxt", "model", "each", "node", "init", "sparse", "value_info", "repeat", "base64", "stored", "none"
        ),
        _BLANK,
        *(_token("VALUE"), _token("FUNC"), _token("NAME", "operator"), *_LITERALS),
        *(Match("->", "arrow"), *_NESTED, _sign(","), _sign("+"), _ABSENT),
    ),
    "weights": (_COMMENT, _token("NAME", "word")),
    "info": (_COMMENT, "info %"),
    "head": (_COMMENT, _token("FUNC"), "formals", "bag", "parentheses", "->"),
    "tail": (_COMMENT, "parentheses", "body"),
    "typing": (_COMMENT,),
    "data": (_COMMENT, "list"),
    "parentheses": (
        *(_COMMENT, _keyword("to"), _BLANK, *_TYPES, _token("VALUE"), *_LITERALS, "colon"),
        *(*_NESTED, _sign(","), _ABSENT),
    ),
    "shape": (_COMMENT, *_LITERALS, _token("NAME", "word"), _sign(","), _ABSENT, Match(r"\*", "nothing")),
    "entries": (
        *(_COMMENT, _token("NAME", "key"), _token("FIELD"), _token("STRING"), "colon", "="),
        *(*_NESTED, _sign(",")),
    ),
    "values": (
        *(_COMMENT, "graph", "typed", _keyword(*_VALUE_WORDS), _token("NAME", "word"), *_LITERALS),
        *("list", "bag", "parentheses", _sign(","), _sign(":"), _sign("="), _sign("+")),
    ),
    "typed": (_COMMENT, *_TYPES, *_NESTED, _ABSENT),
}

_HEAD_ENDS = (_sign("}"), _before(r"^\s/@<{(\-"))  # the second: a text that is broken, or `def {…}`
REGIONS: dict[str, Region] = {
    "weights": Region(_keyword("weights"), (_before(r"^\s/A-Za-z_"),), "weights"),
    "info": Region(_keyword("info"), (_before(r"^\s/%"),), "info"),
    "info %": Region(_token("VALUE"), (_keyword("to"), _before(r"^\s/")), "typing"),
    "graph": Region(_keyword("graph"), _HEAD_ENDS, "head"),
    "def": Region(_keyword("def"), _HEAD_ENDS, "head"),
    "formals": Region(_sign("<"), (_sign(">"),), "entries"),
    "->": Region(Match("->", "arrow"), (_before(r"^\s/({"),), "tail"),
    "body": Region(_sign("{"), (_before("}"),), "statements"),  # the graph or function takes the brace
    "colon": Region(_sign(":"), (*_TYPES, _ABSENT, _before(r"^\s/")), "typing"),
    "data =": Region(_sign("="), _DATA_ENDS, "data"),
    "data": Region(_keyword("data"), _DATA_ENDS, "data"),
    "list": Region(_sign("["), (_sign("]"),), "values"),
    "bag": Region(_sign("{"), (_sign("}"),), "entries"),
    "parentheses": Region(_sign("("), (_sign(")"),), "parentheses"),
    "shape": Region(_sign("["), (_sign("]"),), "shape"),
    "=": Region(_sign("="), (_before(",}>"),), "values"),
    "typed": Region(_keyword("type", "tensor"), (_before(r",}\]>="),), "typed"),
}
