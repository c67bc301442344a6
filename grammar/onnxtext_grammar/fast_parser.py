"""The fast way through a text: the same tree as lark's, for what the printer emits and most of what people write.

Statements that stand on a line of their own, as the printer puts them, are read by one regular expression; the rest by
recursive descent over one more, made of the terminals of the grammar.  What neither understands raises Miss, and the
parser made from the grammar decides.  This tree has no places: whoever finds a fault asks that parser for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from onnxtext_grammar import syntax as s
from onnxtext_grammar.assembler import MAX_DEPTH, Miss
from onnxtext_grammar.attributes import KINDS
from onnxtext_grammar.interning import Texts
from onnxtext_grammar.lark_parser import grammar_text
from onnxtext_grammar.literals import KEYWORDS, is_times, parse_name, parse_string

T = TypeVar("T")


@cache
def _terminals() -> dict[str, str]:
    """Return the regular expressions of the grammar's terminals."""
    return dict(re.findall(r"^([A-Z]+): /(.*)/$", grammar_text().replace(r"\/", "/"), re.MULTILINE))


@cache
def _token() -> re.Pattern[str]:
    t = _terminals()
    order = ("STRING", "VALUE", "NUMBER", "NAME", "FUNC", "PARAM", "FIELD", "TEXT")
    tokens = "|".join(re.sub(r"(?<!\\)\((?!\?)", "(?:", t[name]) for name in order)
    tokens = tokens.replace(')*"', ')*+"')  # a long string full of escapes is never taken back
    return re.compile(rf"[ \t\r\n]*+(?://[^\n]*+[ \t\r\n]*+)*+(t-[0-9]++|{tokens}|->|[(){{}}\[\],:=<>*?_+]|\Z)")


@cache
def _line() -> re.Pattern[str]:
    """Return the expression for one row: target, type, arrow, operator, operands, bag."""
    bag = r'\{(?:[^{}"\n]++|"(?:[^"\\\n]++|\\[^\n])*+"|\{[^{}"\n]*+\})*+\}'
    return re.compile(
        r"(?:(%[A-Za-z0-9_./]++(?:-[A-Za-z0-9_./]++)*+(?::[0-9]++)?+)"
        r"(?:: ([a-z0-9]++\[[A-Za-z0-9_,?*]*+\]|\?))?+ = |(->) )"
        r"(?!none\b|stored\b)([A-Za-z_][A-Za-z0-9_]*+(?:\.[A-Za-z0-9_]++)*+)"
        rf'(?:\(([^()"\n/]*+(?:/[^()"\n/]++)*+)\))?+(?: ({bag}))?+\n *+'
    )


@cache
def _quick() -> tuple[re.Pattern[str], ...]:
    """Return the expressions for a definition of a string, a pair of strings, a list of numbers and an initializer."""
    t = {name: re.sub(r"(?<!\\)\((?!\?)", "(?:", pattern) for name, pattern in _terminals().items()}
    string, number = t["STRING"].replace(')*"', ')*+"'), t["NUMBER"]
    text = rf"(?:(#[0-9]++)(?:\+({string}))?+|({string}))"
    numbers = rf"({number}(?:,{number})*+)"
    name = r"%[A-Za-z0-9_./]++(?:-[A-Za-z0-9_./]++)*+(?::[0-9]++)?+"
    return (
        re.compile(rf"(#[0-9]++) = {text}\n++(?=[#a-z])"),
        re.compile(rf"{text}: {text}(?:, |(?=\]))"),
        re.compile(rf"{numbers}(?=\])"),
        re.compile(
            rf"({name}): ({t['DTYPE']})\[((?:[0-9]++(?:,[0-9]++)*+)?)\]"
            rf"(?: = (?:(none)|\[{numbers}\]|({number})))?+\n *+(?![={{,\s/])"
        ),
    )


@cache
def _dtype() -> re.Pattern[str]:
    return re.compile(_terminals()["DTYPE"])


def parse_fast(text: str) -> s.Module:
    """Return what `text` says.  Raises Miss where this parser does not understand it."""
    try:
        return _Reader(text).module()
    except (ValueError, IndexError, RecursionError) as error:
        raise Miss from error


class _Reader:
    def __init__(self, text: str, texts: Texts | None = None) -> None:
        self.text = text
        self.texts = Texts(len(text)) if texts is None else texts
        self.match = _token().match
        self.depth = 0
        self.end = 0
        self.start = 0
        self.token = ""
        self.advance()

    def advance(self) -> str:
        """Go to the next token and return the one that was current."""
        token = self.token
        match = self.match(self.text, self.end)
        if match is None:
            raise Miss
        self.token = match[1]
        self.start, self.end = match.span(1)
        return token

    def take(self, token: str) -> None:
        if self.token != token:
            raise Miss
        self.advance()

    def skip(self, token: str) -> bool:
        """Go over `token` where it is the current one, and tell whether it was."""
        if self.token != token:
            return False
        self.advance()
        return True

    # ---- the model

    def module(self) -> s.Module:
        self.take("onnxt")
        version = self.number()
        module = s.Module(version.text, [], [], [], [], self.texts)
        while self.token:
            token = self.token
            if token == "graph":
                module.graphs.append(self.graph())
            elif token == "def":
                module.functions.append(self.function())
            elif token == "model":
                self.advance()
                module.models.append(self.bag())
            elif token == "weights":
                self.advance()
                word = self.advance() if self.token[:1] not in ('"', "") else None
                module.weights.append(s.Weights(word, self.string(), 0))
            elif token[0] == "#":
                if self.definitions():
                    continue
                self.advance()
                self.take("=")
                if token in self.texts:
                    raise Miss
                self.texts[token] = self.strings()
            else:
                raise Miss
        return module

    def definitions(self) -> bool:
        """Go over the definitions of strings from here on, and tell whether there are any."""
        match, texts, at = _quick()[0].match, self.texts, self.start
        while found := match(self.text, at):
            name, *value = found.groups()
            if name in texts:
                raise Miss
            texts[name] = self.quick_string(*value)
            at = found.end()
        if at == self.start:
            return False
        self.end = at
        self.advance()
        return True

    def quick_string(self, text: str | None, rest: str | None, string: str | None) -> bytes:
        """Return the string that an interned one, what is added to it, or a literal stands for."""
        if text is None:
            return parse_string(string or "")
        return self.interned(text) if rest is None else self.interned(text) + parse_string(rest)

    def function(self) -> s.Function:
        self.advance()
        if self.token == "{":
            return s.Function(None, [], self.bag(), [], [], None, 0)
        name = self.function_name()
        formals = []
        if self.skip("<"):
            formals.append(self.entry())
            while self.skip(","):
                formals.append(self.entry())
            self.take(">")
        bag = self.bag() if self.token == "{" else None
        inputs = self.operands()
        self.take("->")
        outputs = self.operands()
        return s.Function(name, formals, bag, inputs, outputs, self.body(), 0)

    def function_name(self) -> bytes:
        if self.token[:1] != "@":
            raise Miss
        return parse_name(self.advance())

    def graph(self) -> s.Graph:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Miss
        self.advance()
        name = self.function_name() if self.token[:1] == "@" else None
        bag = self.bag() if self.token == "{" else None
        inputs = self.inputs()
        self.take("->")
        outputs = self.inputs()
        body = self.body()
        self.depth -= 1
        return s.Graph(name, bag, inputs, outputs, body, 0)

    def inputs(self) -> list[s.Input | s.InputRange]:
        self.take("(")
        items: list[s.Input | s.InputRange] = []
        if self.token != ")":
            items.append(self.input())
            while self.skip(","):
                items.append(self.input())
        self.take(")")
        return items

    def input(self) -> s.Input | s.InputRange:
        if self.token == "{":
            return s.Input(None, None, self.bag(), 0)
        name = self.name()
        if self.skip("to"):
            return s.InputRange(name, self.name(), 0)
        kind = self.typing() if self.skip(":") else None
        return s.Input(name, kind, self.bag() if self.token == "{" else None, 0)

    def name(self) -> s.Name:
        token = self.token
        if token[:1] != "%":
            raise Miss
        self.advance()
        unknown = token[1] == "?"
        return s.Name(parse_name(token, 2 if unknown else 1), unknown, 0)

    def operands(self) -> list[s.Name | None]:
        self.take("(")
        items: list[s.Name | None] = []
        if self.token != ")":
            items.append(None if self.skip("_") else self.name())
            while self.skip(","):
                items.append(None if self.skip("_") else self.name())
        self.take(")")
        return items

    # ---- statements

    def body(self) -> s.Body:
        if self.token != "{":
            raise Miss
        self.advance()
        each = []
        while self.skip("each"):
            each.append(s.Each(None if self.token == "{" else self.operator(), self.bag(), 0))
        statements: list = []
        while self.token != "}":
            if self.token[:1] == "%":
                if tensors := self.initializers():
                    statements += tensors
                    continue
                rows = self.rows()
                if rows:
                    statements.append(s.Lines(rows, 0))
                    continue
            statements.append(self.statement())
        self.advance()
        return s.Body(each, statements)

    def initializers(self) -> list[s.Assignment]:
        """Return the initializers from here on that are written as the printer does, without a bag."""
        match, at = _quick()[3].match, self.start
        out = []
        while found := match(self.text, at):
            name, dtype, shape, nothing, numbers, number = found.groups()
            if len(shape) > 24 and max(map(len, shape.split(","))) > 24:
                break
            dims: list[int | bytes | None] = [int(dim) for dim in shape.split(",")] if shape else []
            data: s.Value | None = None
            if nothing:
                data = s.Nothing(0)
            elif numbers:
                data = s.List([s.Number(n, 0) for n in numbers.split(",")], 0)
            elif number:
                data = s.Number(number, 0)
            target = s.Target(s.Name(name[1:].encode(), False, 0), s.TensorType(dtype, dims, False, 0))
            out.append(s.Assignment([target], None, data, 0))
            at = found.end()
        if out:
            self.end = at
            self.advance()
        return out

    def rows(self) -> list[re.Match[str]]:
        """Return the rows from here on that the line expression understands, whole statements only."""
        text, at = self.text, self.start
        # A scanner's matches stand one behind the other.  It is what re.Scanner of the standard library is made of.
        scanner = _line().scanner(text, at)  # pyright: ignore[reportAttributeAccessIssue]  # typeshed lacks it
        rows = list(iter(scanner.match, None))
        if rows:
            at = rows[-1].end()
            if text.startswith("->", at):  # a chain of which a link is not understood is left whole to `statement`
                while rows[-1][3] is not None:
                    rows.pop()
                at = rows.pop().start()
        if rows:
            self.end = at
            self.advance()
        return rows

    def statement(self) -> s.Assignment | s.Call | s.Message | s.Info:
        token = self.token
        if token in ("node", "init", "sparse", "value_info"):
            self.advance()
            return s.Message(token, self.bag(), 0)
        if token == "info":
            self.advance()
            if self.token[:1] != "%":
                raise Miss
            return s.Info(self.input(), 0)
        if token[:1] != "%" and token != "_":
            return s.Call(self.chain(), 0)
        targets = [self.target()]
        while self.skip(","):
            targets.append(self.target())
        bag = self.bag() if self.token == "{" else None
        if not self.skip("="):
            return s.Assignment(targets, bag, None, 0)
        token = self.token
        if token[0] in '"@' or (token[0] not in "[+-0123456789" and token not in ("data", "base64", "stored", "none")):
            return s.Assignment(targets, bag, self.chain(), 0)
        return s.Assignment(targets, bag, self.data(), 0)

    def target(self) -> s.Target:
        if self.skip("_"):
            return s.Target(None, None)
        name = self.name()
        return s.Target(name, self.typing() if self.skip(":") else None)

    def chain(self) -> list[s.Link]:
        links = [self.link()]
        while self.skip("->"):
            links.append(self.link())
        return links

    def operator(self) -> tuple[bytes, str]:
        token = self.advance()
        if token[0] == '"':
            return parse_string(token), "string"
        if token[0] == "@":
            return parse_name(token), "function"
        if token in KEYWORDS or not (token[0].isalpha() or token[0] == "_") or token == "_":
            raise Miss
        return token.encode(), "word"

    def link_operands(self) -> list[s.Name | s.Hole | None]:
        self.take("(")
        items: list[s.Name | s.Hole | None] = []
        while self.token != ")":
            if items:
                self.take(",")
            if self.skip("_"):
                items.append(None)
            elif self.token[:1] == "%":
                items.append(self.name())
            else:
                items.append(self.hole())
        self.take(")")
        return items

    def hole(self) -> s.Hole:
        dtype = self.element_type()
        if self.token != "[":
            raise Miss
        behind = self.match(self.text, self.end)
        if behind is not None and behind[1][:1] == "$":
            self.advance()
            name = parse_name(self.advance())
            self.take("]")
            return s.Hole(dtype, name, 0)
        dims = self.shape()
        if dims is None or not all(isinstance(d, int) for d in dims):
            raise Miss
        return s.Hole(dtype, dims, 0)  # type: ignore[arg-type]  # checked above

    def link(self) -> s.Link:
        times = 1
        if self.skip("repeat"):
            if not is_times(self.token):
                raise Miss
            times = int(self.advance())
        operator, form = self.operator()
        operands = self.link_operands() if self.token == "(" else []
        bag = self.bag() if self.token == "{" else None
        kind = self.typing() if self.skip(":") else None
        return s.Link(operator, form, operands, bag, kind, times, 0)

    # ---- attributes and the fields of messages

    def bag(self) -> s.Bag:
        self.depth += 1
        if self.depth > 2 * MAX_DEPTH:
            raise Miss
        self.take("{")
        entries = []
        if self.token != "}":
            entries.append(self.entry())
            while self.skip(","):
                entries.append(self.entry())
        self.take("}")
        self.depth -= 1
        return s.Bag(entries, 0)

    def entry(self) -> s.Entry:
        token = self.advance()
        first = token[:1]
        is_field = first == "."
        if is_field:
            key = token[1:].encode()
        elif first == '"':
            key = parse_string(token)
        elif (first.isalpha() or first == "_") and token != "_":
            key = token.encode()
        else:
            raise Miss
        tag: s.Kind | s.TensorTag | None = None
        if self.skip(":"):
            if self.token in KINDS:
                tag = s.Kind(self.advance(), 0)
            else:
                kind = self.type()
                tag = s.TensorTag(kind, self.bag() if self.token == "{" else None, 0)
        return s.Entry(key, is_field, tag, self.value() if self.skip("=") else None, 0)

    def value(self) -> s.Value:
        token = self.token
        first = token[:1]
        if first == '"' or first == "#":
            return s.String(self.strings(), 0)
        if first in "[+-0123456789" or token in ("data", "base64", "stored", "none"):
            return self.data()
        if first == "{":
            return self.bag()
        if token == "graph":
            return self.graph()
        if token == "type":
            self.advance()
            return s.TypeValue(self.type(), 0)
        if token == "tensor":
            self.advance()
            kind = self.type()
            bag = self.bag() if self.token == "{" else None
            return s.TensorValue(kind, bag, self.data() if self.skip("=") else None, 0)
        self.advance()
        if first == "$":
            return s.Param(parse_name(token), 0)
        if (first.isalpha() or first == "_") and token != "_":
            return s.Word(token, 0)
        raise Miss

    def data(self) -> s.Value:
        token = self.token
        if token == "[":
            return self.list()
        if token == "data":
            self.advance()
            return s.Typed(self.data(), 0)
        if token == "base64":
            self.advance()
            self.take("(")
            text = self.string()
            self.take(")")
            return s.Base64(text.decode("latin-1"), 0)
        if token == "stored":
            self.advance()
            key = None
            if self.skip("("):
                key = self.string()
                self.take(")")
            return s.Stored(key, 0)
        if token == "none":
            self.advance()
            return s.Nothing(0)
        return self.number()

    def list(self) -> s.List:
        self.depth += 1
        if self.depth > 2 * MAX_DEPTH:
            raise Miss
        if self.token != "[":
            raise Miss
        items = self.quick_items()
        self.advance()
        if not items and self.token != "]":
            items.append(self.element())
            while self.skip(","):
                items.append(self.element())
        self.take("]")
        self.depth -= 1
        return s.List(items, 0)

    def quick_items(self) -> list[s.Value]:
        """Return the items behind this bracket if they are numbers or pairs of strings, as the printer writes them."""
        _, pair, numbers, _ = _quick()
        if found := numbers.match(self.text, self.end):
            self.end = found.end()
            return [s.Number(n, 0) for n in found[1].split(",")]
        items: list[s.Value] = []
        at = self.end
        while found := pair.match(self.text, at):
            groups = found.groups()
            items.append(s.Pair(self.quick_string(*groups[:3]), s.String(self.quick_string(*groups[3:]), 0), 0))
            at = found.end()
        if items and self.text[at] == "]" and self.text[at - 1] != " ":
            self.end = at
            return items
        return []

    def element(self) -> s.Value:
        if self.token[:1] in ('"', "#"):
            value = self.strings()
            if self.skip(":"):
                return s.Pair(value, self.value(), 0)
            return s.String(value, 0)
        return self.value()

    def number(self) -> s.Number:
        token = self.advance()
        if token[:1] not in "+-0123456789" or token in ("", "->"):
            raise Miss
        return s.Number(token, 0)

    def string(self) -> bytes:
        if self.token[:1] != '"':
            raise Miss
        return parse_string(self.advance())

    def strings(self) -> bytes:
        pieces = []
        while True:
            token = self.advance()
            if token[:1] not in ('"', "#") or not token:
                raise Miss
            pieces.append(parse_string(token) if token[0] == '"' else self.interned(token))
            if not self.skip("+"):
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def interned(self, token: str) -> bytes:
        try:
            return self.texts.expand(token)
        except KeyError:
            raise Miss from None

    # ---- types

    def typing(self) -> s.Type:
        return s.NoType(0) if self.skip("?") else self.type()

    def type(self) -> s.Type:
        token = self.advance()
        if token == "type":
            return s.RawType(self.bag(), 0)
        if token in ("seq", "optional"):
            self.take("(")
            inner = None if self.token == ")" else self.type()
            self.take(")")
            return s.WrappedType(token, inner, 0)
        if token == "map":
            self.take("(")
            key = self.element_type()
            inner = self.type() if self.skip(",") else None
            self.take(")")
            return s.MapType(key, inner, 0)
        if token == "sparse":
            self.take("(")
            kind = s.TensorType(self.element_type(), self.shape(), True, 0)
            self.take(")")
            return kind
        if not _dtype().fullmatch(token):
            raise Miss
        return s.TensorType(token, self.shape(), False, 0)

    def element_type(self) -> str:
        token = self.advance()
        if not _dtype().fullmatch(token):
            raise Miss
        return token

    def shape(self) -> list[int | bytes | None] | None:
        self.take("[")
        if self.skip("*"):
            self.take("]")
            return None
        dims: list[int | bytes | None] = []
        if self.token != "]":
            dims.append(self.dim())
            while self.skip(","):
                dims.append(self.dim())
        self.take("]")
        return dims

    def dim(self) -> int | bytes | None:
        token = self.advance()
        first = token[:1]
        if first == "?":
            return None
        if first == '"':
            return parse_string(token)
        if first in "+-0123456789":
            if not token.lstrip("+-").isdigit() or len(token) > 24:
                raise Miss
            return int(token)
        if (first.isalpha() or first == "_") and token != "_":
            return token.encode()
        raise Miss


def parse_bag(text: str, texts: Texts) -> s.Bag:
    """Return the bag of a row, with the interned strings of the text it comes from.  Raises Miss."""
    return _whole(text, texts, _Reader.bag)


def parse_type(text: str) -> s.Type:
    """Return the type of a row.  Raises Miss."""
    return _whole(text, None, _Reader.type)


def _whole(text: str, texts: Texts | None, read: Callable[[_Reader], T]) -> T:
    try:
        reader = _Reader(text, texts)
        found = read(reader)
    except (ValueError, IndexError, RecursionError) as error:
        raise Miss from error
    if reader.token:
        raise Miss
    return found
