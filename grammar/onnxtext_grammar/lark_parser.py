"""The parser that is made from the grammar: the authority on what the language is, and the source of its errors."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Any

from lark import Lark, Token, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken, VisitError
from lark.visitors import Transformer_NonRecursive

from onnxtext.core.errors import MeaningProblem, SyntaxProblem, nearest
from onnxtext_grammar import syntax as s
from onnxtext_grammar.dtypes import DTYPE_NUMBERS
from onnxtext_grammar.interning import Texts
from onnxtext_grammar.literals import KEYWORDS, MAX_REPEAT, is_times, parse_name, parse_string, parse_word


def grammar_text() -> str:
    """Return the grammar of the language, the contents of `onnxt.lark`."""
    return resources.files("onnxtext_grammar").joinpath("onnxt.lark").read_text(encoding="utf-8")


@cache
def lark_parser() -> Lark:
    """Return the LALR(1) parser of the grammar, without a transformer: it gives trees."""
    text = grammar_text().replace(')*"', ')*+"')  # a long string full of escapes is never taken back: that costs memory
    return Lark(text, parser="lalr", maybe_placeholders=True, propagate_positions=True)


def parse_with_lark(text: str, source: str = "<text>") -> s.Module:
    """Return what `text` says.  Raises SyntaxProblem with the place and what was expected there."""
    try:
        return _Builder(len(text)).transform(lark_parser().parse(text))
    except UnexpectedInput as error:
        raise _explain(error, text, source) from None
    except VisitError as error:
        problem = error.orig_exc
        if isinstance(problem, _Wrong):
            raise MeaningProblem(str(problem), source, text, problem.at) from None
        raise


class _Wrong(ValueError):
    """A literal that the grammar accepts and that means nothing."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


_SHOWN = {
    "VALUE": "a value such as %x",
    "FUNC": "a name such as @f",
    "NAME": "a word",
    "STRING": "a string",
    "NUMBER": "a number",
    "DTYPE": "an element type such as f32",
    "KIND": "a kind of attribute such as ints",
    "FIELD": "a field such as .name",
    "TEXT": "an interned string such as #0",
    "PARAM": "an attribute of the function such as $x",
    "ABSENT": '"?"',
}
_OPENS_A_STRING = re.compile(r'[%@$]?\??"').match


def _explain(error: UnexpectedInput, text: str, source: str) -> SyntaxProblem:
    parser = lark_parser()
    literals = {t.name: t.pattern.value for t in parser.terminals if t.name not in _SHOWN}
    if isinstance(error, UnexpectedToken):
        names, found = error.accepts or error.expected, str(error.token)
        end = error.token.type == "$END"
        at = len(text.rstrip()) if end or error.token.start_pos is None else error.token.start_pos
    elif isinstance(error, UnexpectedCharacters):
        names, at, found, end = error.allowed or set(), error.pos_in_stream, text[error.pos_in_stream], False
    else:
        assert isinstance(error, UnexpectedEOF)
        names, at, found, end = set(error.expected), len(text.rstrip()), "", True
    if isinstance(error, UnexpectedCharacters) and _OPENS_A_STRING(text, at):
        return SyntaxProblem('this string has no end: a closing " is missing on its line', source, text, at)
    wanted = sorted({_SHOWN.get(n) or f'"{literals.get(n, n)}"' for n in names if n not in ("$END", "_TYPED")})
    if "$END" in names:
        wanted.append("the end of the text")
    what = "the text ends here" if end else f"unexpected {found[:40]!r}"
    expected = f"; expected {', '.join(wanted[:-1]) + ' or ' if len(wanted) > 1 else ''}{wanted[-1]}" if wanted else ""
    words = [v for n, v in literals.items() if n in names and v.isalpha()]
    words += [f"%{found}"] if "VALUE" in names else []
    words += DTYPE_NUMBERS if "DTYPE" in names else []
    hint = nearest(found, words) if not end and found.isidentifier() and found not in KEYWORDS else ""
    return SyntaxProblem(f"{what}{expected}{hint}", source, text, at)


def _at(token: Token) -> int:
    assert token.start_pos is not None
    return token.start_pos


def _bytes(token: Token) -> bytes:
    try:
        return parse_string(token)
    except ValueError as error:
        raise _Wrong(str(error), _at(token)) from None


def _name(token: Token) -> s.Name:
    unknown = token[1] == "?"
    try:
        return s.Name(parse_name(token, 2 if unknown else 1), unknown, _at(token))
    except ValueError as error:
        raise _Wrong(str(error), _at(token)) from None


def _sigil_name(token: Token) -> bytes:
    try:
        return parse_name(token)
    except ValueError as error:
        raise _Wrong(str(error), _at(token)) from None


def _word(token: Token) -> bytes:
    return _bytes(token) if token.type == "STRING" else parse_word(token)


@v_args(meta=True)
class _Builder(Transformer_NonRecursive[Any, s.Module]):
    """From lark's tree to ours, rule by rule, under the names of the grammar."""

    def __init__(self, text_characters: int) -> None:
        super().__init__(visit_tokens=False)
        self.texts = Texts(text_characters)

    def start(self, meta: Any, c: list) -> s.Module:
        parts: dict[type, list] = {s.Weights: [], s.Bag: [], s.Function: [], s.Graph: []}
        for item in c[1:]:
            if item is not None:
                parts[type(item)].append(item)
        return s.Module(str(c[0]), parts[s.Weights], parts[s.Bag], parts[s.Function], parts[s.Graph], self.texts)

    def weights(self, meta: Any, c: list) -> s.Weights:
        return s.Weights(c[0] and str(c[0]), _bytes(c[1]), meta.start_pos)

    def interned(self, meta: Any, c: list) -> None:
        if c[0] in self.texts:
            raise _Wrong(f"{c[0]} is defined twice", _at(c[0]))
        self.texts[str(c[0])] = c[1].value

    def model(self, meta: Any, c: list) -> s.Bag:
        return c[0]

    # ---- graphs and functions

    def graph(self, meta: Any, c: list) -> s.Graph:
        name, bag, inputs, outputs, body = c
        return s.Graph(
            None if name is None else _sigil_name(name), bag, inputs or [], outputs or [], body, meta.start_pos
        )

    def function(self, meta: Any, c: list) -> s.Function:
        if len(c) == 1:
            return s.Function(None, [], c[0], [], [], None, meta.start_pos)
        name, formals, bag, inputs, outputs, body = c
        return s.Function(_sigil_name(name), formals or [], bag, inputs or [], outputs or [], body, meta.start_pos)

    def inputs(self, meta: Any, c: list) -> list:
        return c

    names = formals = operands = targets = inputs

    def input(self, meta: Any, c: list) -> s.Input:
        if len(c) == 1:
            return s.Input(None, None, c[0], meta.start_pos)
        return s.Input(_name(c[0]), c[1], c[2], meta.start_pos)

    def input_range(self, meta: Any, c: list) -> s.InputRange:
        return s.InputRange(_name(c[0]), _name(c[1]), meta.start_pos)

    def body(self, meta: Any, c: list) -> s.Body:
        each = [item for item in c if isinstance(item, s.Each)]
        return s.Body(each, c[len(each) :])

    def each(self, meta: Any, c: list) -> s.Each:
        return s.Each(c[0], c[1], meta.start_pos)

    def assignment(self, meta: Any, c: list) -> s.Assignment:
        targets, bag, right = c
        return s.Assignment(targets, bag, right, meta.start_pos)

    def target(self, meta: Any, c: list) -> s.Target:
        return s.Target(_name(c[0]), c[1])

    def no_target(self, meta: Any, c: list) -> s.Target:
        return s.Target(None, None)

    def call(self, meta: Any, c: list) -> s.Call:
        return s.Call(c[0], meta.start_pos)

    def node_message(self, meta: Any, c: list) -> s.Message:
        return s.Message("node", c[0], meta.start_pos)

    def init_message(self, meta: Any, c: list) -> s.Message:
        return s.Message("init", c[0], meta.start_pos)

    def sparse_message(self, meta: Any, c: list) -> s.Message:
        return s.Message("sparse", c[0], meta.start_pos)

    def info_message(self, meta: Any, c: list) -> s.Message:
        return s.Message("value_info", c[0], meta.start_pos)

    def info(self, meta: Any, c: list) -> s.Info:
        return s.Info(s.Input(_name(c[0]), c[1], c[2], meta.start_pos), meta.start_pos)

    def info_range(self, meta: Any, c: list) -> s.Info:
        return s.Info(s.InputRange(_name(c[0]), _name(c[1]), meta.start_pos), meta.start_pos)

    chain = inputs

    def link(self, meta: Any, c: list) -> s.Link:
        times, (operator, form), operands, bag, kind = c
        count = 1 if times is None else parse_times(times)
        return s.Link(operator, form, operands or [], bag, kind, count, meta.start_pos)

    def word_op(self, meta: Any, c: list) -> tuple[bytes, str]:
        if c[0] in KEYWORDS:
            raise _Wrong(
                f'{c[0]} is a word of the language; an operator of that name stands in quotes: "{c[0]}"', meta.start_pos
            )
        return c[0].encode(), "word"

    def string_op(self, meta: Any, c: list) -> tuple[bytes, str]:
        return _bytes(c[0]), "string"

    def function_op(self, meta: Any, c: list) -> tuple[bytes, str]:
        return _sigil_name(c[0]), "function"

    def operand(self, meta: Any, c: list) -> s.Name:
        return _name(c[0])

    def hole(self, meta: Any, c: list) -> s.Hole:
        return s.Hole(str(c[0]), [_whole(number) for number in c[1:] if number is not None], meta.start_pos)

    def param_hole(self, meta: Any, c: list) -> s.Hole:
        return s.Hole(str(c[0]), _sigil_name(c[1]), meta.start_pos)

    def no_operand(self, meta: Any, c: list) -> None:
        return None

    # ---- attributes and the fields of messages

    def bag(self, meta: Any, c: list) -> s.Bag:
        return s.Bag([e for e in c if e is not None], meta.start_pos)

    def entry(self, meta: Any, c: list) -> s.Entry:
        key, tag, value = c
        is_field = key.type == "FIELD"
        return s.Entry(key[1:].encode() if is_field else _word(key), is_field, tag, value, meta.start_pos)

    def kind(self, meta: Any, c: list) -> s.Kind:
        return s.Kind(str(c[0]), meta.start_pos)

    def tensor_tag(self, meta: Any, c: list) -> s.TensorTag:
        return s.TensorTag(c[0], c[1], meta.start_pos)

    def word(self, meta: Any, c: list) -> s.Word:
        return s.Word(str(c[0]), meta.start_pos)

    def param(self, meta: Any, c: list) -> s.Param:
        return s.Param(_sigil_name(c[0]), meta.start_pos)

    def type_value(self, meta: Any, c: list) -> s.TypeValue:
        return s.TypeValue(c[0], meta.start_pos)

    def tensor_value(self, meta: Any, c: list) -> s.TensorValue:
        kind, bag, data = c
        return s.TensorValue(kind, bag, data, meta.start_pos)

    def strings(self, meta: Any, c: list) -> s.String:
        return s.String(b"".join(map(self._piece, c)), meta.start_pos)

    def _piece(self, token: Token) -> bytes:
        if token.type == "STRING":
            return _bytes(token)
        if token not in self.texts:
            raise _Wrong(f"{token} is used before it is defined{nearest(token, self.texts)}", _at(token))
        try:
            return self.texts.expand(token)
        except ValueError as error:
            raise _Wrong(str(error), _at(token)) from None

    def number(self, meta: Any, c: list) -> s.Number:
        return s.Number(str(c[0]), meta.start_pos)

    def typed(self, meta: Any, c: list) -> s.Typed:
        return s.Typed(c[0], meta.start_pos)

    def base64(self, meta: Any, c: list) -> s.Base64:
        return s.Base64(_bytes(c[0]).decode("latin-1"), meta.start_pos)

    def stored(self, meta: Any, c: list) -> s.Stored:
        return s.Stored(None if c[0] is None else _bytes(c[0]), meta.start_pos)

    def none(self, meta: Any, c: list) -> s.Nothing:
        return s.Nothing(meta.start_pos)

    def list(self, meta: Any, c: list) -> s.List:
        return s.List([item for item in c if item is not None], meta.start_pos)

    def pair(self, meta: Any, c: list) -> s.Pair:
        return s.Pair(c[0].value, c[1], meta.start_pos)

    # ---- types

    def tensor_type(self, meta: Any, c: list) -> s.TensorType:
        return s.TensorType(str(c[0]), c[1], False, meta.start_pos)

    def sparse_type(self, meta: Any, c: list) -> s.TensorType:
        return s.TensorType(str(c[0]), c[1], True, meta.start_pos)

    def seq_type(self, meta: Any, c: list) -> s.WrappedType:
        return s.WrappedType("seq", c[0], meta.start_pos)

    def optional_type(self, meta: Any, c: list) -> s.WrappedType:
        return s.WrappedType("optional", c[0], meta.start_pos)

    def map_type(self, meta: Any, c: list) -> s.MapType:
        return s.MapType(str(c[0]), c[1], meta.start_pos)

    def raw_type(self, meta: Any, c: list) -> s.RawType:
        return s.RawType(c[0], meta.start_pos)

    def no_type(self, meta: Any, c: list) -> s.NoType:
        return s.NoType(meta.start_pos)

    def shape(self, meta: Any, c: list) -> list[int | bytes | None]:
        return [item[0] for item in c if item is not None]

    def no_shape(self, meta: Any, c: list) -> None:
        return None

    def dim(self, meta: Any, c: list) -> tuple[int | bytes | None]:
        return (parse_dim(c[0], c[0].type),) if c[0].type != "STRING" else (_bytes(c[0]),)


def _whole(token: Token) -> int:
    dim = parse_dim(token, "NUMBER")
    assert isinstance(dim, int)
    return dim


def parse_times(token: Token) -> int:
    """Return the count of a `repeat`.  Raises _Wrong where it is none."""
    if not is_times(token):
        raise _Wrong(f"repeat takes a whole number from 2 to {MAX_REPEAT}, not {token[:20]}", _at(token))
    return int(token)


def parse_dim(text: str, terminal: str) -> int | bytes | None:
    """Return a dimension: a number, a symbol or None for `?`.  Raises _Wrong where the number is not whole."""
    if terminal == "NUMBER":
        if not text.lstrip("+-").isdigit() or len(text) > 24:
            raise _Wrong(
                f"a dimension is a whole number, a name or ?, not {text}", _at(text) if isinstance(text, Token) else 0
            )
        return int(text)
    return None if text == "?" else text.encode()
