"""The names of a text: where each value and function is defined, and where it is used.

Found by one expression and a stack, not by a parser: an editor asks while a text is being written, when it is none yet,
and at every key.  In a text that is one, a name refers to what the assembler takes it for.

>>> found = find_symbols("graph (%x) -> (%y) { %y = Relu(%x) }")
>>> [(symbol.text, symbol.definition, symbol.places) for symbol in found.symbols]
[('%x', 7, [7, 31]), ('%y', 21, [15, 21])]
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cache


@dataclass
class Symbol:
    """A value or function: its name as it is written first, where it is defined (-1: nowhere) and all its places."""

    text: str
    definition: int = -1
    places: list[int] = field(default_factory=list)
    scope: Scope | None = None


@dataclass
class Scope:
    """A graph or function: from its first word to its last brace, its name, and the values that it defines."""

    start: int
    name: str
    outer: Scope | None
    end: int = -1
    values: dict[str, Symbol] = field(default_factory=dict)
    is_function: bool = False

    def find(self, name: str) -> Symbol | None:
        """Return the value that a name refers to here."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.values:
                return scope.values[name]
            scope = scope.outer
        return None


@dataclass(frozen=True)
class Symbols:
    """The symbols of a text in the order of their first places, its scopes, and where each name stands."""

    symbols: list[Symbol]
    scopes: list[Scope]
    starts: list[int]
    found: list[tuple[int, int, Symbol]]  # start, end and symbol of every name, in order

    def at(self, offset: int) -> tuple[int, int, Symbol] | None:
        """Return the name at an offset: where it begins and ends, and its symbol."""
        place = bisect_right(self.starts, offset) - 1
        if place >= 0 and self.found[place][0] <= offset <= self.found[place][1]:
            return self.found[place]
        return None

    def scope_at(self, offset: int) -> Scope | None:
        """Return the innermost graph or function around an offset."""
        around = [s for s in self.scopes if s.start <= offset and (s.end < 0 or offset <= s.end)]
        return max(around, key=lambda scope: scope.start, default=None)


@cache
def _token() -> re.Pattern[str]:
    from onnxtext_grammar.fast_parser import _terminals

    t = _terminals()
    name = re.compile(r"(?<!\\)\((?!\?)")
    value, function, string = (name.sub("(?:", t[k]).replace(')*"', ')*+"') for k in ("VALUE", "FUNC", "STRING"))
    head = r"\bgraph(?=\s*[@({])|\bdef(?=\s*@)|\b(?:info|to)(?=\s*%)"
    return re.compile(rf"(?:{string}|//[^\n]*+)|({value})|({function})|({head})|(->|[(){{}}])")


def bare(name: str) -> str:
    """Return the name of a value or function, however it is written: with a question mark, or with quotes."""
    from onnxtext_grammar.literals import parse_name

    skip = 2 if name.startswith("%?") else 1
    try:
        return name[0] + parse_name(name, skip).decode(errors="surrogateescape")
    except ValueError:  # an escape that is none
        return name


def find_symbols(text: str) -> Symbols:
    """Return the names of a text, or of what there is of one."""
    return _Finder(text).run()


class _Finder:
    """Where the reading of a text stands.

    `open`: for each bracket that is open, what stands inside it: "inputs", "outputs", "body" or "" for anything else.
    `head`: what the next bracket is, for each graph of which the body has not begun.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.symbols: list[Symbol] = []
        self.scopes: list[Scope] = []
        self.found: list[tuple[int, int, Symbol]] = []
        self.scope: Scope | None = None
        self.open: list[str] = []
        self.head = ""
        self.heads: list[str] = []
        self.is_told = False  # `info` or `to` stands in front: what comes is no definition
        self.functions: dict[str, Symbol] = {}
        self.later: list[list[tuple[int, int, str]]] = []  # outputs, known once the body has been read

    def run(self) -> Symbols:
        for match in _token().finditer(self.text):
            group = match.lastindex
            if group == 1:
                self.value(match.start(), match.end(), match[1])
            elif group == 2:
                self.function(match.start(), match.end(), match[2])
            elif group == 3:
                self.word(match.start(), match[3])
            elif group == 4:
                self.sign(match.start(), match[4])
        while self.later:
            self.close_outputs()
        self.found.sort(key=lambda item: item[0])
        for start, _, symbol in self.found:
            symbol.places.append(start)
        self.symbols.sort(key=lambda symbol: symbol.places[0])
        return Symbols(self.symbols, self.scopes, [start for start, _, _ in self.found], self.found)

    def value(self, start: int, end: int, text: str) -> None:
        where = self.open[-1] if self.open else ""
        if where == "outputs":
            self.later[-1].append((start, end, text))
        elif where == "inputs" or (where == "body" and not self.is_told):
            self.define(start, end, text)
        else:
            self.use(start, end, text)
        self.is_told = False

    def define(self, start: int, end: int, text: str) -> None:
        values = self.scope.values if self.scope else {}
        name = bare(text)
        if name == "%":  # no value
            return
        if name not in values:
            values[name] = self.new(text)
        symbol = values[name]
        symbol.scope = self.scope
        if symbol.definition < 0:
            symbol.definition = start
        self.found.append((start, end, symbol))

    def use(self, start: int, end: int, text: str) -> None:
        name = bare(text)
        symbol = self.scope.find(name) if self.scope else None
        if symbol is None:
            symbol = self.new(text)
            symbol.scope = self.scope
            if self.scope:
                self.scope.values[name] = symbol
        self.found.append((start, end, symbol))

    def function(self, start: int, end: int, text: str) -> None:
        defines = self.head == "inputs" and self.scope is not None and not self.scope.name
        if defines and self.scope is not None:
            self.scope.name = text
            if not self.scope.is_function:
                return  # the name of a graph: nothing refers to it
        name = bare(text)
        if name not in self.functions:
            self.functions[name] = self.new(text)
        if defines:
            self.functions[name].definition = start
        self.found.append((start, end, self.functions[name]))

    def new(self, text: str) -> Symbol:
        symbol = Symbol(text)
        self.symbols.append(symbol)
        return symbol

    def word(self, start: int, word: str) -> None:
        if word in ("info", "to"):
            self.is_told = True
            return
        outer = self.scope if word == "graph" else None
        self.scope = Scope(start, "", outer, is_function=word == "def")
        self.scopes.append(self.scope)
        self.heads.append(self.head)
        self.head = "inputs"

    def sign(self, at: int, sign: str) -> None:
        if sign == "->":
            if self.head == "between":
                self.head = "outputs"
        elif sign == "(":
            self.open.append(self.head if self.head in ("inputs", "outputs") else "")
            if self.head == "outputs":
                self.later.append([])
        elif sign == "{":
            self.open.append("body" if self.head == "body" else "")
            if self.head == "body":
                self.head = ""
        elif self.open:
            closed = self.open.pop()
            if closed == "inputs":
                self.head = "between"
            elif closed == "outputs":
                self.head = "body"
            elif closed == "body":
                self.close_outputs()
                self.close_scope(at)

    def close_outputs(self) -> None:
        for start, end, text in self.later.pop():
            self.use(start, end, text)

    def close_scope(self, at: int) -> None:
        if self.scope is not None:
            self.scope.end = at
            self.scope = self.scope.outer
            self.head = self.heads.pop()
