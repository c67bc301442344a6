"""The layout of a text: the printer's, whatever spaces, line breaks and quotes a text was written with.

Comments stay: one behind something on a line stays behind it, one on a line of its own stays on one.  What a text says
does not change, its weights are not needed, what the printer writes stays as it is, and formatting twice is formatting
once.

>>> print(format_text('onnxt 1 graph @"g"(%x:f32[ 2 ])->(%y){ // a comment\\n %y=Relu( %x )->Neg{}}'), end="")
onnxt 1
graph @g (%x: f32[2]) -> (%y) { // a comment
 %y = Relu(%x)
 -> Neg {}
}

There is no tree.  A table says of each place in the grammar which tokens may stand there, how each is set off from the
one before it, and which place comes behind it: a pushdown automaton, so that nothing limits how deep a text is nested.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from onnxtext_grammar.assembler import MAX_DEPTH, VERSIONS, Miss, assemble
from onnxtext_grammar.attributes import KINDS
from onnxtext_grammar.fast_parser import _dtype, _terminals
from onnxtext_grammar.interning import INTERN_CHARACTERS
from onnxtext_grammar.lark_parser import lark_parser, parse_with_lark
from onnxtext_grammar.literals import (
    KEYWORDS,
    is_times,
    parse_name,
    parse_string,
    print_function,
    print_key,
    print_param,
    print_string,
    print_value,
    print_word,
)

INPUTS_WIDTH = 100  # the inputs of a graph stand on one line where they take up at most so many characters


def format_text(text: str, source: str = "<text>") -> str:
    """Return `text` laid out as the printer does, with every comment.

    Raises SyntaxProblem or MeaningProblem, with a place in `source`, where the parser made from the grammar does, or
    where the version of the language is another one.  Whether the text describes a model is not asked.
    """
    try:
        return _Layout(strict=True).run(_tokens(text))
    except (Miss, ValueError):
        module = parse_with_lark(text, source)
        if module.version not in VERSIONS:
            assemble(module, text, source)  # raises
        return _Layout(strict=False).run(_tokens_of_lark(text))


# ---- tokens: what they are, and of which class; a comment with a space in front where it stands behind something

_Token = tuple[str, str]
_PUNCTUATION = r"->|[(){}\[\],:=<>*?+]"
_COMMENT, _ODD_DTYPE, _WHOLE_LIST, _WHOLE_BAG = "//", "t-", "[]", "{}"  # classes beside those of a first character
_CLASSES = {
    **dict.fromkeys("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_", "a"),
    **dict.fromkeys("0123456789+-", "0"),
    **{c: c for c in '"%@$.#'},
}


@cache
def _lexer() -> re.Pattern[str]:
    """Return the expression for a token or comment.  Its groups are those that `_tokens` knows.

    By far the most lists and bags of a large text are plain and in the printer's layout.  Each of those is one token.
    """
    t = _terminals()
    order = ("STRING", "VALUE", "NUMBER", "NAME", "FUNC", "PARAM", "FIELD", "TEXT")
    tokens = "|".join(re.sub(r"(?<!\\)\((?!\?)", "(?:", t[name]) for name in order)
    tokens = tokens.replace(')*"', ')*+"')  # a long string full of escapes is never taken back
    whole_list = r"\[-?[0-9]{1,18}+(?:,-?[0-9]{1,18}+)*+\]"
    short = rf'"[ !#-\[\]-~]{{,{INTERN_CHARACTERS - 3}}}"'  # a string that is never interned, and has no escapes
    number = r"-?[0-9]++(?:\.[0-9]++)?+(?:e-?[0-9]++)?+"
    entry = rf"(?!_=)(?:\.[a-z_][a-z0-9_]*+|[A-Za-z_][A-Za-z0-9_]*+)=(?:{number}|{whole_list}|{short})"
    whole_bag = rf"\{{{entry}(?:, {entry})*+\}}"
    groups = (r"t-[0-9]++", r"//[^\n]*+", whole_list, whole_bag, tokens, _PUNCTUATION, r"(?s:.)")
    return re.compile(rf"[ \t\r\n]*+(?:({')|('.join(groups)})|\Z)")


def _tokens(text: str) -> Iterator[_Token]:
    """Yield the tokens and comments of a text.  Raises Miss where a character belongs to none."""
    classes = _CLASSES
    for found in _lexer().finditer(text):
        group = found.lastindex
        if group == 5:
            token = found[5]
            yield token, classes[token[0]]
        elif group == 6:
            token = found[6]
            yield token, token
        elif group == 4:
            yield found[4], _WHOLE_BAG
        elif group == 3:
            yield found[3], _WHOLE_LIST
        elif group == 2:
            yield _comment(found[2], text[found.start() : found.start(2)], found.start()), _COMMENT
        elif group == 1:
            yield found[1], _ODD_DTYPE
        elif group == 7:
            raise Miss


def _tokens_of_lark(text: str) -> Iterator[_Token]:
    """Do the same by the lexer of lark, which finds `Relu` in `data noneRelu` where only `none` can stand."""
    at = 0
    comment = re.compile(r"[ \t\r\n]*+(//[^\n]*+)")
    for token in [*lark_parser().parse_interactive(text).exhaust_lexer(), None]:
        end = len(text) if token is None else token.start_pos
        while found := comment.match(text, at, end):
            yield _comment(found[1], text[at : found.start(1)], at), _COMMENT
            at = found.end()
        if token is not None:
            yield str(token), token if re.fullmatch(_PUNCTUATION, token) else _CLASSES[token[0]]
            at = token.end_pos


def _comment(comment: str, gap: str, at: int) -> str:
    """Return a comment, with a space in front where something stands before it on its line."""
    return ("" if "\n" in gap or not at else " ") + comment.rstrip(" \t\r")


# ---- the table

_BACK = ""  # the place that was pushed last; among the tokens of a place: it can be left for that without a token
_LINE = "\n"  # the gap in front of a token that begins a line

_OPEN_INPUTS, _ITEM, _CLOSE_INPUTS, _OPEN_GRAPH, _OPEN_BODY, _CLOSE_BODY = range(1, 7)


class _Step(NamedTuple):
    """What a token does at a place."""

    gap: str  # what sets it off from the token before
    place: str  # what comes behind it
    push: str | None = None  # the place that comes behind what it opens
    spell: Callable[[_Layout, str], str] | None = None  # from its text to that of the printer
    act: int = 0  # what there is to do beside that


_Row = dict[str, _Step]


@cache
def _table() -> dict[str, _Row]:
    """Return, for each place, what can stand there: a token, or a class of tokens where none is named.

    The names of the places are those of the grammar's rules, with what has been read of a rule so far.
    """
    leave = {_BACK: _Step("", _BACK)}
    items = {
        "weights": _Step(_LINE, "weights"),
        "#": _Step(_LINE, "interned", spell=_define),
        "model": _Step(_LINE, "model"),
        "def": _Step(_LINE, "def", "top"),
        "graph": _Step(_LINE, "graph", "top"),
    }
    rows: dict[str, _Row] = {
        "start": {"onnxt": _Step(_LINE, "version")},
        "version": {"0": _Step(" ", "top", spell=_version)},
        "top": items,
        "weights": {"a": _Step(" ", "weights elided"), '"': _Step(" ", "top", spell=_string)},
        "weights elided": {'"': _Step(" ", "top", spell=_string)},
        "interned": {"=": _Step(" ", "interned =")},
        "interned =": {
            '"': _Step(" ", "interned string", spell=_bytes),
            "#": _Step(" ", "interned string", spell=_use_to_define),
        },
        "interned string": {"+": _Step("", "interned +"), **items},
        "interned +": {
            '"': _Step("", "interned string", spell=_bytes),
            "#": _Step("", "interned string", spell=_use_to_define),
        },
        "model": _bag("top"),
    }

    # Graphs and functions
    def inputs(gap: str) -> _Row:
        return {
            "%": _Step(gap, "input", spell=_value, act=_ITEM),
            **{token: step._replace(act=_ITEM) for token, step in _bag("input end", gap).items()},
        }

    close_inputs = {")": _Step("", _BACK, act=_CLOSE_INPUTS)}
    input_end = {",": _Step("", "inputs ,"), **close_inputs}

    def names(gap: str) -> _Row:
        return {"%": _Step(gap, "names", spell=_value), "_": _Step(gap, "names")}

    def operands(gap: str) -> _Row:
        return {
            "%": _Step(gap, "operands", spell=_value),
            "_": _Step(gap, "operands"),
            **dict.fromkeys(("a", _ODD_DTYPE), _Step(gap, "hole", "operands", _element_type)),
        }

    size = {"0": _Step("", "hole size", spell=_size)}
    rows |= {
        "graph": {"@": _Step(" ", "graph @", spell=_function), **_bag("graph {}"), **_graph_inputs("graph ()")},
        "graph @": {**_bag("graph {}"), **_graph_inputs("graph ()")},
        "graph {}": _graph_inputs("graph ()"),
        "graph ()": {"->": _Step(" ", "graph ->")},
        "graph ->": _graph_inputs("head"),
        "head": {"{": _Step(" ", "body {", act=_OPEN_BODY)},
        "inputs (": {**inputs(""), **close_inputs},
        "inputs ,": inputs(" "),
        "input": {":": _Step("", "typing", "input :"), "to": _Step(" ", "input to"), **_bag("input end"), **input_end},
        "input :": {**_bag("input end"), **input_end},
        "input to": {"%": _Step(" ", "input end", spell=_value)},
        "input end": input_end,
        "def": {"@": _Step(" ", "def @", spell=_function), **_bag()},
        "def @": {"<": _Step("", "formals <"), **_bag("def {}"), "(": _Step(" ", "names (", "def ()")},
        "formals <": _entries("", "formals"),
        **_listed("formals", ">", "def >", _entries(" ", "formals")),
        "def >": {**_bag("def {}"), "(": _Step(" ", "names (", "def ()")},
        "def {}": {"(": _Step(" ", "names (", "def ()")},
        "def ()": {"->": _Step(" ", "def ->")},
        "def ->": {"(": _Step(" ", "names (", "head")},
        "names (": {**names(""), ")": _Step("", _BACK)},
        **_listed("names", ")", _BACK, names(" ")),
        "operands (": {**operands(""), ")": _Step("", _BACK)},
        **_listed("operands", ")", _BACK, operands(" ")),
        "hole": {"[": _Step("", "hole ["), _WHOLE_LIST: _Step("", _BACK)},
        "hole [": {**size, "$": _Step("", "hole $", spell=_parameter), "]": _Step("", _BACK)},
        **_listed("hole size", "]", _BACK, size),
        "hole $": {"]": _Step("", _BACK)},
    }

    # Statements
    statements = {
        **_link(_LINE, "body"),
        "%": _Step(_LINE, "target", "body", _value),
        "_": _Step(_LINE, "target :", "body"),
        **dict.fromkeys(("node", "init", "sparse", "value_info"), _Step(_LINE, "message", "body")),
        "info": _Step(_LINE, "info", "body"),
        "}": _Step(_LINE, _BACK, act=_CLOSE_BODY),
    }
    target_end = {",": _Step("", "target ,"), **_bag("target {}"), "=": _Step(" ", "target =")}
    arrow = {"->": _Step(_LINE, "link ->"), **leave}
    link_type = {":": _Step("", "typing", "link :"), **arrow}
    rows |= {
        "body {": {**statements, "each": _Step(_LINE, "each")},
        "body": statements,
        "each": {
            **dict.fromkeys(("a", '"', "@"), _Step(" ", "each @", spell=_each)),
            **dict.fromkeys(KEYWORDS, _Step(" ", "each @", spell=_miss)),
            **_bag("body {"),
        },
        "each @": _bag("body {"),
        "message": _bag(),
        "info": {"%": _Step(" ", "info %", spell=_value)},
        "info %": {":": _Step("", "typing", "info :"), "to": _Step(" ", "info to"), **_bag(), **leave},
        "info :": {**_bag(), **leave},
        "info to": {"%": _Step(" ", _BACK, spell=_value)},
        "target": {":": _Step("", "typing", "target :"), **target_end, **leave},
        "target :": {**target_end, **leave},
        "target ,": {"%": _Step(" ", "target", spell=_value), "_": _Step(" ", "target :")},
        "target {}": {"=": target_end["="], **leave},
        "target =": {**_link(" "), **_data(" ")},
        "link": {"(": _Step("", "operands (", "link ()"), **_bag("link {}"), **link_type},
        "link ()": {**_bag("link {}"), **link_type},
        "link {}": link_type,
        "link :": arrow,
        "link ->": _link(" "),
        "repeat": {"0": _Step(" ", "repeat 2", spell=_times)},
        "repeat 2": _operators(" "),
    }

    # Attributes and the fields of messages
    tensor_end = {"=": _Step("", "tensor ="), **leave}
    rows |= {
        "bag {": {**_entries("", "bag"), "}": _Step("", _BACK)},
        **_listed("bag", "}", _BACK, _entries(" ", "bag")),
        "entry": {":": _Step("", "tag"), "=": _Step("", "value"), **leave},
        "tag": {**_types(" ", "tag :"), **dict.fromkeys(KINDS.keys() - {"undefined"}, _Step(" ", "tag end"))},
        "tag :": {**_bag("tag end"), "=": _Step("", "value"), **leave},
        "tag end": {"=": _Step("", "value"), **leave},
        "value": _values(""),
        "pair": _values(" "),
        "type": _types(" "),
        "tensor": _types(" ", "tensor :"),
        "tensor :": {**_bag("tensor {}"), **tensor_end},
        "tensor {}": tensor_end,
        "tensor =": _data(""),
        "strings": {"+": _Step("", "strings +", spell=_plus), **leave},
        "strings +": _more_strings("strings"),
        "data": _data(" "),
        "base64": {"(": _Step("", "base64 (")},
        "base64 (": {'"': _Step("", ")", spell=_bytes)},
        "stored": {"(": _Step("", "base64 ("), **leave},
        ")": {")": _Step("", _BACK)},
        "list [": {**_elements("", "list", "messages"), "]": _Step("", _BACK)},
        **_listed("list", "]", _BACK, _elements("", "list", "list")),
        **_listed("messages", "]", _BACK, _elements(" ", "messages", "messages")),
        **_string_element("list", "messages"),
        **_string_element("list", "list"),
        **_string_element("messages", "messages"),
    }

    # Types
    return rows | {
        "typing": {**_types(" "), "?": _Step(" ", _BACK)},
        "dtype": {"[": _Step("", "shape ["), _WHOLE_LIST: _Step("", _BACK)},
        "shape [": {**_dimensions(), "*": _Step("", "shape *"), "]": _Step("", _BACK)},
        **_listed("shape", "]", _BACK, _dimensions()),
        "shape *": {"]": _Step("", _BACK)},
        "sparse": {"(": _Step("", "sparse (")},
        "sparse (": dict.fromkeys(("a", _ODD_DTYPE), _Step("", "dtype", ")", _element_type)),
        "seq": {"(": _Step("", "seq (")},
        "seq (": {**_types("", ")"), ")": _Step("", _BACK)},
        "map": {"(": _Step("", "map (")},
        "map (": dict.fromkeys(("a", _ODD_DTYPE), _Step("", "map key", spell=_element_type)),
        "map key": {",": _Step("", "map ,"), ")": _Step("", _BACK)},
        "map ,": _types(" ", ")"),
        "type {}": _bag(),
    }


def _listed(name: str, close: str, behind: str, items: _Row) -> dict[str, _Row]:
    """Return the places behind an item of a list, and behind the comma where `items` can stand."""
    return {name: {",": _Step("", f"{name} ,"), close: _Step("", behind)}, f"{name} ,": items}


def _bag(behind: str | None = None, gap: str = " ") -> _Row:
    return {"{": _Step(gap, "bag {", behind), _WHOLE_BAG: _Step(gap, behind or _BACK)}


def _graph_inputs(behind: str) -> _Row:
    return {"(": _Step(" ", "inputs (", behind, act=_OPEN_INPUTS)}


def _entries(gap: str, behind: str) -> _Row:
    return {
        **dict.fromkeys((".", "a"), _Step(gap, "entry", behind)),
        '"': _Step(gap, "entry", behind, _key),
        "_": _Step(gap, "entry", behind, _quoted),
    }


def _operators(gap: str, behind: str | None = None) -> _Row:
    return {
        "a": _Step(gap, "link", behind),
        '"': _Step(gap, "link", behind, _operator),
        "@": _Step(gap, "link", behind, _function),
        **dict.fromkeys(KEYWORDS, _Step(gap, "link", behind, _miss)),
    }


def _link(gap: str, behind: str | None = None) -> _Row:
    return {**_operators(gap, behind), "repeat": _Step(gap, "repeat", behind)}


def _strings(gap: str, behind: str) -> _Row:
    return {'"': _Step(gap, behind, spell=_string), "#": _Step(gap, behind, spell=_use)}


def _more_strings(behind: str) -> _Row:
    return {'"': _Step("", behind, spell=_more), "#": _Step("", behind, spell=_use_more)}


def _data(gap: str, behind: str | None = None) -> _Row:
    """Return the tokens that data begins with; what it ends with leads to `behind`, or back where that is pushed."""
    return {
        "0": _Step(gap, behind or _BACK),
        "none": _Step(gap, behind or _BACK),
        "[": _Step(gap, "list [", behind),
        _WHOLE_LIST: _Step(gap, behind or _BACK),
        "data": _Step(gap, "data", behind),
        "base64": _Step(gap, "base64", behind),
        "stored": _Step(gap, "stored", behind),
    }


def _messages(gap: str, behind: str | None = None) -> _Row:
    return {
        **_bag(behind, gap),
        "graph": _Step(gap, "graph", behind, act=_OPEN_GRAPH),
        "type": _Step(gap, "type", behind),
        "tensor": _Step(gap, "tensor", behind),
    }


def _words(gap: str, behind: str) -> _Row:
    return {
        "a": _Step(gap, behind),
        "$": _Step(gap, behind, spell=_parameter),
        **dict.fromkeys(KEYWORDS, _Step(gap, behind, spell=_plain)),
    }


def _values(gap: str) -> _Row:
    return {**_words(gap, _BACK), **_strings(gap, "strings"), **_data(gap), **_messages(gap)}


def _elements(gap: str, plain: str, message: str) -> _Row:
    """Return the tokens that an element of a list begins with.

    The first element tells a list of messages, which are set apart by a space, from any other.
    """
    strings = _strings(gap, f"string {plain}|{message}")
    return {**_words(gap, plain), **strings, **_data(gap, plain), **_messages(gap, message)}


def _string_element(plain: str, message: str) -> dict[str, _Row]:
    """Return the places in a string that is an element of a list: it may turn out to be the key of a pair."""
    name = f"string {plain}|{message}"
    return {
        name: {
            "+": _Step("", f"{name} +", spell=_plus),
            ":": _Step("", "pair", message),
            ",": _Step("", f"{plain} ,"),
            "]": _Step("", _BACK),
        },
        f"{name} +": _more_strings(name),
    }


def _types(gap: str, behind: str | None = None) -> _Row:
    return {
        **dict.fromkeys(("a", _ODD_DTYPE), _Step(gap, "dtype", behind, _element_type)),
        "sparse": _Step(gap, "sparse", behind),
        "seq": _Step(gap, "seq", behind),
        "optional": _Step(gap, "seq", behind),
        "map": _Step(gap, "map", behind),
        "type": _Step(gap, "type {}", behind),
    }


def _dimensions() -> _Row:
    return {
        **dict.fromkeys(("a", "?"), _Step("", "shape")),
        "0": _Step("", "shape", spell=_size),
        '"': _Step("", "shape", spell=_dimension),
        **dict.fromkeys(KEYWORDS, _Step("", "shape", spell=_quoted)),
    }


# ---- the layout


class _Inputs(NamedTuple):
    """The inputs or outputs of a graph that is being read: what there was before them, and where each begins."""

    start: int
    comments: int
    uncounted: int
    items: list[int]


class _Layout:
    """What has been laid out so far, and what there is to remember of it.

    `strict`: raise Miss where it takes the lexer of lark to say whether a word is one of the language or a name.
    """

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict
        self.out: list[str] = []
        self.pad = ""  # of a statement
        self.pads: list[str] = []  # of the statements around graphs that are values
        self.each: set[bytes] = set()  # the operators that `each` names
        self.defining = ""  # the string that was defined last
        self.defined: set[str] = set()  # those before it
        self.inputs: list[_Inputs] = []
        self.comments = 0  # laid out so far
        self.uncounted = 0  # characters so far that do not count in the width of inputs

    def run(self, tokens: Iterator[_Token]) -> str:
        """Return the layout of a text.  Raises Miss, or ValueError from a literal, where it does not understand one."""
        table, out, stack = _table(), self.out, list[str]()
        comments: list[str] = []
        row = table["start"]
        for token, kind in tokens:
            if kind == _COMMENT:
                comments.append(token)
                continue
            while (step := row.get(token) or row.get(kind)) is None:
                if _BACK not in row:
                    raise Miss
                row = table[stack.pop()]
            gap, place, push, spell, act = step
            if spell is not None:
                token = spell(self, token)
            if act == _CLOSE_INPUTS:
                self.close_inputs(has_comments=bool(comments))
            if comments:
                gap = self.gap_with_comments(comments, gap, token, act)
            elif gap == _LINE:
                gap += self.pad if act != _CLOSE_BODY else self.pad[1:]
            if act == _ITEM:
                self.inputs[-1].items.append(len(out))
                out += (gap, token)
            elif gap:
                out += (gap, token)
            else:
                out.append(token)
            if push is not None:
                stack.append(push)
            if act == _OPEN_INPUTS:
                self.inputs.append(_Inputs(len(out), self.comments, self.uncounted, []))
            elif act == _OPEN_GRAPH:
                self.pads.append(self.pad)
                if not _is_in_link(stack) or len(self.pads) > MAX_DEPTH:  # spaces without bound would fill any memory
                    self.pad = ""
            elif act == _OPEN_BODY:
                self.pad += " "
            elif act == _CLOSE_BODY:
                self.pad = self.pads.pop() if self.pads else ""
            row = table[place or stack.pop()]
        if row is not table["top"] and row is not table["interned string"]:
            raise Miss
        out += [comment if comment[0] == " " else "\n" + comment for comment in comments]
        return "".join(out)[1:] + "\n"

    def gap_with_comments(self, comments: list[str], gap: str, token: str, act: int) -> str:
        """Return the gap in front of a token with the comments that stand there, and forget them.

        A token that does not begin a line without them begins one now, two spaces in.
        """
        inside = before = self.pad if gap == _LINE else self.pad + "  "
        if act == _CLOSE_BODY:
            before = self.pad[1:]
        elif gap != _LINE and token in (")", "]", "}", ">"):
            before = self.pad
        lines = [comment if comment[0] == " " else f"\n{inside}{comment}" for comment in comments]
        self.comments += len(comments)
        comments.clear()
        return "".join(lines) + "\n" + before

    def close_inputs(self, *, has_comments: bool) -> None:
        """Lay the inputs out one a line, if they are wide or a comment stands among them.

        A string that is long enough for it counts as the `#0` that the printer may have written in its place.
        """
        start, comments, uncounted, items = self.inputs.pop()
        left = INPUTS_WIDTH + self.uncounted - uncounted
        at = start
        while at < len(self.out) and left >= 0:  # no further: graphs within inputs may go deep
            left -= len(self.out[at])
            at += 1
        if left < 0 or self.comments > comments or has_comments:
            for k in items:
                if "\n" not in self.out[k]:
                    self.out[k] = f"\n{self.pad}  "


def _is_in_link(stack: list[str]) -> bool:
    """Tell whether a graph that is a value stands directly among a node's attributes, alone or in a list.

    The printer indents the body of such a graph; that of one further in begins at the margin.
    """
    if stack[-1] in ("list", "messages"):
        return stack[-3:-1] == ["link {}", "bag"]
    return stack[-2:] == ["link {}", "bag"]


# ---- spellings


def _print_bytes(token: str) -> str:
    """Return a string as the printer writes it.  Raises ValueError where an escape is unknown."""
    if token.isascii() and token.isprintable() and "\\" not in token:
        return token
    return print_string(parse_string(token))


def _version(layout: _Layout, token: str) -> str:
    if token not in VERSIONS:
        raise Miss
    return token


def _value(layout: _Layout, token: str) -> str:
    if token[-1] != '"':
        return token
    sigil = "%?" if token[1] == "?" else "%"
    return print_value(parse_name(token, len(sigil)), sigil)


def _function(layout: _Layout, token: str) -> str:
    return print_function(parse_name(token)) if token[-1] == '"' else token


def _parameter(layout: _Layout, token: str) -> str:
    return print_param(parse_name(token)) if token[-1] == '"' else token


def _key(layout: _Layout, token: str) -> str:
    return print_key(parse_string(token))


def _dimension(layout: _Layout, token: str) -> str:
    return print_word(parse_string(token))


def _size(layout: _Layout, token: str) -> str:
    if not token.lstrip("+-").isdigit() or len(token) > 24:  # as in parse_dim
        raise Miss
    return token


def _times(layout: _Layout, token: str) -> str:
    if not is_times(token):
        raise Miss
    return token


def _element_type(layout: _Layout, token: str) -> str:
    if not _dtype().fullmatch(token):
        raise Miss
    return token


def _operator(layout: _Layout, token: str) -> str:
    """Return an operator that is a string, as a word where it is one: "a.b" is not, its point ends no domain."""
    name = parse_string(token)
    return print_string(name) if b"." in name or name in layout.each else print_word(name)


def _each(layout: _Layout, token: str) -> str:
    """Note an operator that `each` names: quotes tell its nodes apart, so that they stay as they are."""
    layout.each.add(parse_string(token) if token[0] == '"' else token.encode())
    return _print_bytes(token) if token[0] == '"' else _function(layout, token)


# Words of the language where a name can stand: whether they are one is for the parser made from the grammar to say.


def _quoted(layout: _Layout, token: str) -> str:
    if layout.strict:
        raise Miss
    return f'"{token}"'


def _plain(layout: _Layout, token: str) -> str:
    if layout.strict:
        raise Miss
    return token


def _miss(layout: _Layout, token: str) -> str:
    raise Miss


# Strings, and how many of their characters do not count in the width of inputs: see `_Layout.close_inputs`.


def _bytes(layout: _Layout, token: str) -> str:
    return _print_bytes(token)


def _string(layout: _Layout, token: str) -> str:
    token = _print_bytes(token)
    if len(token) >= INTERN_CHARACTERS and layout.out[-2:] != ["opaque", "="]:
        layout.uncounted += len(token) - len("#0")
    return token


def _more(layout: _Layout, token: str) -> str:
    token = _print_bytes(token)
    layout.uncounted += len(token)
    return token


def _plus(layout: _Layout, token: str) -> str:
    layout.uncounted += len(token)
    return token


def _define(layout: _Layout, token: str) -> str:
    layout.defined.add(layout.defining)
    layout.defining = token
    return token


def _use_to_define(layout: _Layout, token: str) -> str:
    if layout.strict and token not in layout.defined:
        raise Miss
    return token


def _use(layout: _Layout, token: str) -> str:
    layout.uncounted += len(token) - len("#0")
    return token if token == layout.defining else _use_to_define(layout, token)


def _use_more(layout: _Layout, token: str) -> str:
    layout.uncounted += len("#0")
    return _use(layout, token)
