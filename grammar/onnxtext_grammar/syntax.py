"""What a text says, before it is known what it means: the tree that both parsers build.

Every node carries `at`, its offset in the text, for the errors.  Strings are bytes here, because a string of a model
need not be UTF-8; interned strings have been put back.
"""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias

from onnxtext_grammar.interning import Texts


class Number(NamedTuple):
    text: str
    at: int


class String(NamedTuple):
    value: bytes
    at: int


class Word(NamedTuple):
    """The name of an enumerator."""

    text: str
    at: int


class Param(NamedTuple):
    """`$x`, an attribute of the enclosing function."""

    name: bytes
    at: int


class List(NamedTuple):
    items: list[Value]
    at: int


class Pair(NamedTuple):
    key: bytes
    value: Value
    at: int


class Typed(NamedTuple):
    """`data […]`: the elements stand in the typed field of a tensor and not in raw_data."""

    value: Value
    at: int


class Base64(NamedTuple):
    text: str
    at: int


class Stored(NamedTuple):
    """`stored("key")`: the data is in the weights file."""

    key: bytes | None
    at: int


class Nothing(NamedTuple):
    """`none`: the field is not set."""

    at: int


class TypeValue(NamedTuple):
    type: Type
    at: int


class TensorValue(NamedTuple):
    type: Type
    bag: Bag | None
    data: Value | None
    at: int


class Entry(NamedTuple):
    """`key: tag=value`; `is_field` where the key has a dot in front: a field of the node and not an attribute."""

    key: bytes
    is_field: bool
    tag: Kind | TensorTag | None
    value: Value | None
    at: int


class Kind(NamedTuple):
    text: str
    at: int


class TensorTag(NamedTuple):
    type: Type
    bag: Bag | None
    at: int


class Bag(NamedTuple):
    entries: list[Entry]
    at: int


# ---- types


class TensorType(NamedTuple):
    dtype: str
    dims: list[int | bytes | None] | None  # None: no shape at all
    is_sparse: bool
    at: int


class WrappedType(NamedTuple):
    """`seq(T)` or `optional(T)`."""

    word: str
    inner: Type | None
    at: int


class MapType(NamedTuple):
    key: str
    inner: Type | None
    at: int


class RawType(NamedTuple):
    bag: Bag
    at: int


class NoType(NamedTuple):
    """`?`, where a type is left out that would otherwise be understood."""

    at: int


Type: TypeAlias = TensorType | WrappedType | MapType | RawType | NoType


# ---- statements


class Name(NamedTuple):
    """`%x`, or `%?x` where no definition is expected."""

    name: bytes
    is_unknown: bool
    at: int


class Hole(NamedTuple):
    """`f32[16,3,3,3]` as an operand: a weight of which only the type is known; the shape may be a function's `$w`."""

    dtype: str
    shape: list[int] | bytes
    at: int


class Target(NamedTuple):
    name: Name | None  # None: `_`, an output without a name
    type: Type | None


class Link(NamedTuple):
    """One node of a chain."""

    operator: bytes
    form: str  # "word", "string" or "function"
    operands: list[Name | Hole | None]
    bag: Bag | None
    type: Type | None
    times: int  # `repeat n`: so many in a row, each fed by the one before
    at: int


class Assignment(NamedTuple):
    targets: list[Target]
    bag: Bag | None
    right: list[Link] | Value | None
    at: int


class Call(NamedTuple):
    """A chain without results."""

    links: list[Link]
    at: int


class Message(NamedTuple):
    """A node, initializer, sparse initializer or value_info in the general notation."""

    keyword: str
    bag: Bag
    at: int


class Input(NamedTuple):
    name: Name | None  # None: in the general notation, in `bag`
    type: Type | None
    bag: Bag | None
    at: int


class InputRange(NamedTuple):
    """`%a to %b`: the inputs that are the initializers from %a to %b."""

    first: Name
    last: Name
    at: int


class Info(NamedTuple):
    """A value_info that does not stand at the definition of its value."""

    value: Input | InputRange
    at: int


class Lines(NamedTuple):
    """A run of node statements in the printer's own layout, as the fast parser reads them.

    Each row is a match whose groups are target, its type, arrow, operator, operands, bag, all as they stand in the text
    (None where there is none); the arrow is "->" for a further link of the chain before it, which has no target.
    """

    rows: list[re.Match[str]]
    at: int


class Each(NamedTuple):
    """The rules of a graph (`each {…}`), or what an operator's nodes have that say nothing (`each Relu {…}`)."""

    operator: tuple[bytes, str] | None  # with its form, as in Link
    bag: Bag
    at: int


class Body(NamedTuple):
    each: list[Each]
    statements: list[Assignment | Call | Message | Info | Lines]


class Graph(NamedTuple):
    name: bytes | None
    bag: Bag | None
    inputs: list[Input | InputRange]
    outputs: list[Input | InputRange]
    body: Body
    at: int


class Function(NamedTuple):
    name: bytes | None  # None: in the general notation, in `bag`
    formals: list[Entry]
    bag: Bag | None
    inputs: list[Name | None]
    outputs: list[Name | None]
    body: Body | None
    at: int


class Weights(NamedTuple):
    word: str | None
    digest: bytes
    at: int


class Module(NamedTuple):
    version: str
    weights: list[Weights]
    models: list[Bag]
    functions: list[Function]
    graphs: list[Graph]
    texts: Texts  # the interned strings


Value: TypeAlias = (
    Number
    | String
    | Word
    | Param
    | List
    | Pair
    | Typed
    | Base64
    | Stored
    | Nothing
    | TypeValue
    | TensorValue
    | Bag
    | Graph
)
