"""The language in GBNF, the notation of llama.cpp, which xgrammar and others read too.

GBNF has no lexer: every space is a rule, and where two words would run together the space has to be there.  So it lets
through a little less than the language (a space may be wanted that a text can do without), and nothing more: no word of
the language where an operator or an enumerator stands.  What the printer writes it lets through.

>>> print_gbnf().splitlines()[0]
'root ::= ws start ws'
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from lark.grammar import Rule, Symbol

from onnxtext_grammar.lark_parser import lark_parser
from onnxtext_grammar.literals import KEYWORDS

_SPACES = r"""ws ::= (blank+ (comment blank*)*)?
sp ::= blank+ (comment blank*)*
blank ::= [ \t\r\n]
comment ::= "//" [^\n]* "\n"
"""
_PIECES = re.compile(r"\[(?:\\.|[^\]\\])+\]|\\.|[()|*?+]|.", re.DOTALL)
_BEGINS_A_WORD = frozenset(("NAME", "NUMBER", "DTYPE", "KIND", "FIELD"))
_ENDS_A_WORD = _BEGINS_A_WORD | {"VALUE", "FUNC", "PARAM", "TEXT"}
_ONLY_NAMES = ("word_op", "word")  # where a word of the language would be read as one


def print_gbnf() -> str:
    """Return the grammar, one rule a line."""
    parser = lark_parser()
    rules: dict[str, list[Rule]] = {}
    for rule in parser.rules:
        if not any(symbol.name == "_TYPED" for symbol in rule.expansion):  # for llguidance alone
            rules.setdefault(str(rule.origin.name), []).append(rule)
    patterns = {t.name: t.pattern for t in parser.terminals}
    words = frozenset(name for name, p in patterns.items() if p.type == "str" and re.fullmatch(r"\w+", p.value))
    begins = _reached(rules, lambda rule: rule.expansion[0], _BEGINS_A_WORD | words)
    ends = _reached(rules, lambda rule: rule.expansion[-1], _ENDS_A_WORD | words)

    def shown(symbol: Symbol, rule: Rule) -> str:
        name = str(symbol.name)
        if not symbol.is_term:
            return _named(name)
        if patterns[name].type == "str":
            return _quoted(patterns[name].value)
        return "only-name" if name == "NAME" and rule.alias in _ONLY_NAMES else f"t-{name.lower()}"

    def alternative(rule: Rule) -> str:
        out = [shown(rule.expansion[0], rule)]
        for before, symbol in zip(rule.expansion, rule.expansion[1:], strict=False):
            gap = "sp" if before.name in ends and symbol.name in begins else "ws"
            out += [gap, shown(symbol, rule)]
        return " ".join(out)

    lines = ["root ::= ws start ws"]
    for name, alternatives in rules.items():
        lines.append(f"{_named(name)} ::= {' | '.join(dict.fromkeys(map(alternative, alternatives)))}")
    for name, pattern in patterns.items():
        if pattern.type == "re" and name[0] != "_":
            lines.append(f"t-{name.lower()} ::= {_expression(pattern.value)}")
    return "\n".join([*lines, *_only_names(sorted(KEYWORDS)), _SPACES])


def _named(rule: str) -> str:
    return rule.strip("_").replace("_", "-")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _reached(rules: dict[str, list[Rule]], edge: Callable[[Rule], Symbol], words: frozenset[str]) -> set[str]:
    """Return the symbols of which some text has a word at the edge, the first symbol or the last."""
    found = set(words)
    while True:
        more = {name for name, some in rules.items() if any(edge(rule).name in found for rule in some)} - found
        if not more:
            return found
        found |= more


def _expression(pattern: str) -> str:
    """Return a regular expression of the grammar, which has only what GBNF has too."""
    out = []
    for piece in _PIECES.findall(pattern.replace("(?:", "(").replace("*+", "*")):  # "*+" is lark's
        if piece[0] == "[" and len(piece) > 1:
            out.append(piece.replace("\\/", "/").replace("\n", "\\n"))
        elif piece in "()|*?+":
            out.append(piece)
        else:
            out.append(_quoted(piece[-1]))
    return re.sub(r" ([*?+])", r"\1", " ".join(out))


def _only_names(words: list[str]) -> Iterator[str]:
    """Yield the rules for a NAME that is none of these words: at each prefix of them, how it may go on."""
    yield "only-name ::= only-name- name-dots"
    yield 'name-dots ::= ("." [A-Za-z0-9_]+)*'
    yield "name-rest ::= [A-Za-z0-9_]*"
    for prefix in sorted({word[:k] for word in words for k in range(len(word))}):
        following = sorted({word[len(prefix)] for word in words if word.startswith(prefix) and word != prefix})
        first = "A-Za-z_" if not prefix else "A-Za-z0-9_"
        others = _without(first, following)
        alternatives = [f"[{others}] name-rest"] if others else []
        for c in following:
            longer = prefix + c
            if any(word.startswith(longer) and word != longer for word in words):
                alternatives.append(f'"{c}" only-name-{_hyphened(longer)}')
            else:
                alternatives.append(f'"{c}" [A-Za-z0-9_] name-rest')
        if prefix and prefix not in words:
            alternatives.append('""')
        yield f"only-name-{_hyphened(prefix)} ::= {' | '.join(alternatives)}"


def _hyphened(prefix: str) -> str:
    return prefix.replace("_", "-")


def _without(ranges: str, doomed: list[str]) -> str:
    """Return the characters of a class without some of them."""
    characters = [chr(c) for a, b in re.findall(r"(.)-(.)", ranges) for c in range(ord(a), ord(b) + 1)]
    return "".join(c for c in [*characters, "_"] if c not in doomed)
