"""Models to try the codec on, drawn at random: any that protobuf can hold, and such that run.

Both are made by ordinary functions of a `random.Random`, so that hypothesis can draw and shrink them and the long hunt
can make a million of them quickly.  A choice lists what is plain first: hypothesis shrinks towards that.

>>> onnx.ModelProto.FromString(any_model(Random(1))).HasField("graph")
True
>>> onnx.checker.check_model(running_model(Random(1)), full_check=True)
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper

from onnxtext.core.wire import (
    ATTRIBUTE,
    FUNCTION,
    GRAPH,
    MODEL,
    NODE,
    TENSOR,
    TYPE,
    VALUE_INFO,
    Field,
    Schema,
    canonical,
    delimited,
    join,
    pack,
    schema,
    varint,
)
from onnxtext_grammar.attributes import FIELDS
from onnxtext_grammar.dtypes import DTYPES
from onnxtext_grammar.literals import HOLE_DOMAIN

T = TypeVar("T")

_PAIR = schema("onnx.StringStringEntryProto")
_MAX_LEVEL = 12  # of nested messages; protobuf reads a hundred, which is a test of its own
_MOST_MESSAGES = 1_000  # in a model, apart from nodes and weights

PLAIN_NAMES = [b"x", b"y", b"w", b"r0", b"r1", b"n1", b"_0", b"_1", b"a.b/c", b"f-1", b"x:0", b"T5", b"N"]
ODD_NAMES = [
    *(b"", b"a b", b"a\nb", b"\x00", b"\x000\x00", b"\x7f", b"\xff", b"a\xfe\xffb", b"\xed\xa0\x80", b"\xef\xbb\xbf"),
    *"é \u2028 🌍 \ufeff\u202e\xad".encode().split(b" "),
    *rb'_ ? ?x #0 %x @f $x " "x" \ a,b a//b a->b x:y x: :0 -x x- a--b .x x. a..b /x/ 0 007 1e5 inf nan'.split(),
    *b"onnxt weights model def graph each node init sparse info value_info data base64 stored none type".split(),
    *b"tensor seq optional map to repeat opaque ints f32 bool text t7 r-1 r00 r# r* * # name domain value".split(),
    *(b"__metadata__", b"../x", b"/etc/x", b"x#1", b"a" * 40, b"longer/than/what/is/interned"),
]
OPERATORS = [
    *b"Relu Add Conv Identity If f g.h none stored data graph node to _ f32 ints a.b Relu:1 @f each def inf".split(),
    *(b"type", b"repeat", b"", b"a b", b"\xff", b"Parameter"),
]
DOMAINS = [None, b"", b"ai.onnx", b"com.microsoft", b"f", b"a b", b"a..b", b".a", b"a.", b"\xff", b"node", b"none"]
_TRACE = b"File /lib/python/torch/nn/modules/module.py, line 1747, in forward\n"
TEXTS = [
    b"",
    b"a short one",
    _TRACE,
    *(_TRACE + b"File a.py, line %d, in f/g/h" % i for i in range(4)),
    _TRACE * 3 + b"\xff",
    b"a long string in which \x00 and \xff and \\n and \n and \\\\ stand, " * 2,
    "é\u2028\U0001f30d, ".encode() * 12,
    b", " * 40,
    b"// no comment { } [ ] ( ) -> \" '",
]
INTEGERS = [0, 1, -1, 2, 3, 7, 16, 64, 1000, 127, 128, -128, 1 << 31, -(1 << 31), (1 << 31) - 1, (1 << 32) - 1, 1 << 62]
INTEGERS += [(1 << 63) - 1, -(1 << 63), (1 << 64) - 1]
FLOATS = [0x00000000, 0x3F800000, 0xBF800000, 0x3DCCCCCD, 0x3727C5AC, 0x80000000, 0x7F800000, 0xFF800000, 0x7FC00000]
FLOATS += [0xFFC00000, 0x7F800001, 0xFFBFFFFF, 0x7FC00001, 0x00000001, 0x7F7FFFFF, 0x4B800000, 0x50000000, 0x358637BD]
DIMS = [[], [2], [1], [0], [3, 2], [17], [5, 4], [300], [-1], [2, -3], [1 << 40, 1 << 40], [0, 1 << 62], [1, 1, 1, 1]]


class Maker:
    """One model in the making: `density` and `oddity` are the chances of a field being set and of a strange name."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.density = self.pick([0.1, 0.3, 0.6])
        self.oddity = self.pick([0.0, 0.05, 0.3])
        self.unknown = self.pick([0.0, 0.0, 0.0, 0.03])  # the chance of an unknown field
        self.wild = self.pick([0.02, 0.2, 1.0])  # the chance of a message that is like none in a real model
        self.bags: list[list[bytes]] = []
        self.tail: list[tuple[int, object]] = []
        self.function_names: list[bytes] = []
        self.level = 0
        self.left = _MOST_MESSAGES

    # ---- choices

    def chance(self, probability: float) -> bool:
        return self.random.random() >= 1 - probability  # hypothesis shrinks random() to 0: False

    def pick(self, items: Sequence[T]) -> T:
        return items[self.random.randrange(len(items))]

    def count(self, most: int) -> int:
        return self.random.randrange(most + 1)

    # ---- scalars

    def name(self) -> bytes:
        if self.chance(self.oddity):
            return self.pick(ODD_NAMES)
        return self.pick(PLAIN_NAMES)

    def string(self) -> bytes:
        return self.pick(TEXTS) if self.chance(0.3) else self.name()

    def integer(self, bits: int = 64, *, signed: bool = True) -> int:
        value = self.pick(INTEGERS)
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        return value if low <= value <= high else (1 if value > high else low)

    def float_bits(self, size: int = 4) -> bytes:
        bits = self.random.getrandbits(32) if self.chance(0.2) else self.pick(FLOATS)
        if size == 4:
            return bits.to_bytes(4, "little")
        high = {0x7F800001: 0x7FF00000, 0x3DCCCCCD: 0x3FB99999, 0x7FC00000: 0x7FF80000, 0x7F800000: 0x7FF00000}
        low = self.pick([0, 0, 1, 0x9999999A]) if bits != 0x7F800000 else 0
        return low.to_bytes(4, "little") + high.get(bits, bits).to_bytes(4, "little")

    # ---- any message, field by field

    def message(self, message: Schema) -> bytes:
        """Return any message of a kind, or one like those in real models."""
        self.left -= 1
        if self.level >= _MAX_LEVEL or self.left < 0:
            return b""
        self.level += 1
        natural = _NATURAL.get(message.name)
        wire = self.any_message(message) if natural is None or self.chance(self.wild) else natural(self)
        self.level -= 1
        return wire + self.unknown_field()

    def any_message(self, message: Schema) -> bytes:
        pairs: list[tuple[int, object]] = []
        chosen: set[str] = set()
        density = self.density if self.level < 6 else self.density / 4
        for f in message.by_number.values():
            if (f.oneof and f.oneof in chosen) or not self.chance(density):
                continue
            chosen.add(f.oneof)
            values = [self.value(f) for _ in range(self.pick([1, 1, 2, 3]) if f.repeated else 1)]
            pairs += [(f.number, pack(values, f))] if f.packed else [(f.number, value) for value in values]
        return join(pairs, message)

    def value(self, f: Field) -> object:
        if f.message:
            return self.message(schema(f.message))
        if f.enum:
            return 99 if self.chance(self.unknown) else self.pick(list(f.enum))
        if f.kind == "string":
            return self.string()
        if f.kind in ("float", "double"):
            return self.float_bits(4 if f.kind == "float" else 8)
        if f.name in ("data_type", "elem_type", "key_type"):
            return self.dtype()
        return self.integer(f.bits, signed=f.kind == "int")

    def unknown_field(self) -> bytes:
        if not self.chance(self.unknown):
            return b""
        kind = self.count(3)
        if kind == 3:  # a group
            return varint(1000 << 3 | 3) + delimited(varint(5 << 3 | 2), b"x") + varint(1000 << 3 | 4)
        tag = varint(self.pick([999, 31, 16000]) << 3 | (0, 2, 5)[kind])
        return tag + (varint(self.integer()), delimited(b"", self.string()), self.float_bits())[kind]

    # ---- messages as they are in real models

    def dtype(self) -> int:
        return self.pick([-1, 0, 27, 99, 1000]) if self.chance(0.1) else self.pick(list(DTYPES))

    def type(self) -> bytes:
        kind = self.pick([1, 1, 1, 1, 1, 4, 5, 8, 9])
        if kind in (4, 9):
            return join([(kind, join([(1, self.message(TYPE))], schema("onnx.TypeProto.Sequence")))], TYPE)
        if kind == 5:
            parts = [(1, self.dtype()), (2, self.message(TYPE))]
            return join([(kind, join(parts, schema("onnx.TypeProto.Map")))], TYPE)
        dims = [self.pick([b"\x08\x01", b"\x08\x03", b"\x12\x01N", b"", None]) for _ in range(self.count(3))]
        shape = [delimited(b"\x0a", delimited(b"\x12", self.name()) if d is None else d) for d in dims]
        pairs: list[tuple[int, object]] = [(1, self.pick([1, 1, 1, 7, 16, self.dtype()]))]
        if not self.chance(0.1):
            pairs.append((2, b"".join(shape)))
        return join([(kind, join(pairs, schema("onnx.TypeProto.Tensor")))], TYPE)

    def value_info(self) -> bytes:
        pairs: list[tuple[int, object]] = [(1, self.name())]
        if not self.chance(0.1):
            pairs.append((2, self.message(TYPE)))
        if self.chance(self.density / 4):
            pairs.append((3, self.string()))
        return join(pairs, VALUE_INFO)

    def tensor(self, name: bytes | None = None) -> bytes:
        number = self.pick([1, 1, 7, 7, 6, 16, 8, self.dtype()])
        dims = self.pick(DIMS[:8]) if not self.chance(0.1) else self.pick(DIMS)
        dtype = DTYPES.get(number)
        pairs: list[tuple[int, object]] = [(2, number), *((1, d) for d in dims)]
        if name is not None or self.chance(0.3):
            pairs.append((8, self.name() if name is None else name))
        size = 1
        for d in dims:
            size = min(1500, size * max(d, 0))
        size += self.pick([0, 0, 0, 0, 0, 0, -1, 1])
        how = self.pick(["raw", "raw", "typed", "none", "external"])
        if dtype and dtype.name == "text":
            pairs += [(6, self.string()) for _ in range(size % 20)]
        elif how == "raw":
            width = dtype.bits if dtype else 8
            pairs.append((9, self.raw(dtype.name if dtype else "", (max(size, 0) * width + 7) // 8)))
        elif how == "typed" and dtype:
            f = TENSOR.by_name[dtype.field]
            pairs.append((f.number, pack([self.value(f) for _ in range(min(max(size, 0), 20))], f)))
        elif how == "external":
            pairs += [(14, 1), (13, join([(1, b"location"), (2, b"weights.bin")], _PAIR))]
        if self.chance(self.density / 5):
            pairs.append((12, self.string()))
        return join(pairs, TENSOR)

    def raw(self, dtype: str, size: int) -> bytes:
        if dtype == "f32" and size % 4 == 0:
            cycle = b"".join(self.float_bits() for _ in range(3))
        else:
            cycle = self.pick([b"\x00", b"\x01\x00", b"\x01\x00\x00\x00\x00\x00\x00\x00", b"\xff", b"\x80\x7f\x01"])
            if self.chance(0.1):
                cycle = b"\x00onnxtext blob\x00\x01\x02" + bytes(8)  # what the codec itself writes in place of data
        return (cycle * (size // len(cycle) + 1))[:size]

    def attribute(self) -> bytes:
        kind = self.pick([2, 2, 7, 1, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14])
        f = ATTRIBUTE.by_number[FIELDS[kind]]
        pairs: list[tuple[int, object]] = [(1, self.name()), (20, kind)]
        if self.chance(0.1):
            pairs.append((21, self.name()))
        elif f.repeated:
            pairs += [(f.number, self.value(f)) for _ in range(self.count(3))]
        else:
            pairs.append((f.number, self.value(f)))
        if self.chance(self.density / 8):
            pairs.append((13, self.string()))
        return join(pairs, ATTRIBUTE)

    def node(self) -> bytes:
        ins = [self.name() for _ in range(self.count(3))]
        outs = [self.name() for _ in range(self.count(2))]
        return self.node_of(ins, outs, self.name() if self.chance(0.3) else None)

    def node_of(self, ins: list[bytes], outs: list[bytes], name: bytes | None, domain: bytes | None = None) -> bytes:
        pairs: list[tuple[int, object]] = [*((1, n) for n in ins), *((2, n) for n in outs)]
        if name is not None:
            pairs.append((3, name))
        if not self.tail or not self.chance(0.3):  # otherwise it is what the node before is
            self.tail = self.tail_of(domain)
        return join([*pairs, *self.tail], NODE)

    def tail_of(self, domain: bytes | None) -> list[tuple[int, object]]:
        """Return what a node says behind its name: operator, attributes and so on."""
        pairs: list[tuple[int, object]] = []
        if self.function_names and self.chance(0.2):
            pairs += [(4, self.pick(self.function_names)), (7, self.pick([b"f", b"f", b"", b"g"]))]
            if self.chance(0.2):
                pairs.append((8, b"v"))
        else:
            pairs.append((4, self.pick(OPERATORS[:4] if not self.chance(self.oddity) else OPERATORS)))
            domain = self.pick(DOMAINS) if self.chance(0.1) else domain
            if domain is not None:
                pairs.append((7, domain))
        pairs += [(5, attribute) for attribute in self.bag()]
        if self.chance(self.density / 4):
            pairs.append((6, self.string()))
        if self.chance(self.density / 2):
            pairs += [(9, join([(1, self.name()), (2, self.string())], _PAIR)) for _ in range(self.count(2))]
        return pairs

    def hole(self, name: bytes) -> bytes:
        """Return a node of ours that stands for a weight without data."""
        dims = [(8, self.pick([1, 3, 64, 0, -1])) for _ in range(self.count(3))]
        shape = [(21, self.name())] if self.chance(0.2) else dims
        attributes = [
            join([(1, b"dtype"), (3, self.dtype()), (20, 2)], ATTRIBUTE),
            join([(1, b"shape"), *shape, (20, 7)], ATTRIBUTE),
        ]
        if self.chance(0.1):
            attributes = self.pick([attributes[::-1], attributes[:1], [*attributes, self.message(ATTRIBUTE)]])
        pairs = [(2, name), (4, b"Parameter"), *((5, a) for a in attributes), (7, HOLE_DOMAIN)]
        return join(pairs + ([(3, self.name())] if self.chance(0.1) else []), NODE)

    def bag(self) -> list[bytes]:
        """Return the attributes of a node, often those of one before."""
        if self.bags and self.chance(0.6):
            return self.pick(self.bags)
        bag = [self.message(ATTRIBUTE) for _ in range(self.count(2))]
        self.bags.append(bag)
        return bag

    def naming(self) -> tuple[bytes, int]:
        return self.pick([b"r", b"_", b"n", b"node_", b"", b"x.", b"a b", b"a#", b"%", b"\xff", b"r0"]), self.pick(
            [0, 1, -1, -2, 5]
        )

    def nodes(self, known: list[bytes]) -> tuple[list[bytes], list[bytes]]:
        """Return nodes that mostly feed one another, mostly under names that follow a rule, and their outputs."""
        prefix, start = self.naming()
        node_prefix, node_start = self.naming()
        named = self.pick(["none", "none", "counted", "starred", "any"])
        domain = self.pick([None, None, None, b"", b"ai.onnx"])
        nodes: list[bytes] = []
        made: list[bytes] = []
        holes = self.pick([0, 0, 0.5])
        for _ in range(self.pick([0, 1, 2, 3, 5, 8])):
            k = len(nodes)
            hole = prefix + b"%d" % abs(k + start) if self.chance(holes) else b""
            if hole:
                nodes.append(self.hole(hole))
                k += 1
            out = prefix + b"%d" % abs(k + start) if not self.chance(0.15) else self.name()
            outs = [out, *(self.name() for _ in range(self.pick([0, 0, 0, 0, 0, 1, 2])))]
            if self.chance(0.05):
                outs = []
            ins = [made[-1]] if made and not self.chance(0.2) else []
            ins += [hole] if hole and not self.chance(0.1) else []
            pool = [*known, *made, b"late", b""]
            ins += [
                self.pick(pool) if not self.chance(self.oddity) else self.name() for _ in range(self.pick([0, 0, 1, 2]))
            ]
            name = {
                "none": None,
                "counted": node_prefix + b"%d" % abs(k + node_start),
                "starred": node_prefix + out + b"/s",
                "any": self.name(),
            }[named]
            if self.chance(0.1):
                name = self.pick([None, b"", b"n"])
            nodes.append(self.node_of(ins, outs, name, domain) + self.unknown_field())
            made += outs
        return nodes, made

    def infos(self, names: list[bytes]) -> list[bytes]:
        """Return value infos: mostly in the order of the names and of one type."""
        if self.chance(0.4):
            return []
        types = [self.message(TYPE) for _ in range(2)]
        out = []
        for name in names:
            if self.chance(0.2):
                continue
            if self.chance(0.1):
                out.append(self.message(VALUE_INFO))
            else:
                out.append(join([(1, name), (2, self.pick([types[0], types[0], types[0], types[1]]))], VALUE_INFO))
        if self.chance(0.1):
            self.random.shuffle(out)
        return out

    def graph(self) -> bytes:
        if self.level > 7:
            return join([(2, self.name())], GRAPH)
        held = [self.name() for _ in range(self.pick([0, 0, 1, 2, 4]))]
        tensors = [self.tensor(name) + self.unknown_field() for name in held]
        known = list(held)
        inputs = []
        for _ in range(self.count(2)):
            inputs.append(self.message(VALUE_INFO))
            known.append(self.name())
        if self.chance(0.4):
            for name, tensor in zip(held, tensors, strict=True):
                if not self.chance(0.1):
                    inputs.append(_info_of(name, tensor))
        nodes, made = self.nodes(known)
        outputs = [join([(1, name), (2, self.message(TYPE))], VALUE_INFO) for name in made[-1:]]
        if self.chance(0.2):
            outputs.append(self.message(VALUE_INFO))
        pairs: list[tuple[int, object]] = [(1, node) for node in nodes]
        pairs += [(5, tensor) for tensor in tensors]
        pairs += [(11, info) for info in inputs]
        pairs += [(12, info) for info in outputs]
        pairs += [(13, info) for info in self.infos([*held, *made])]
        if not self.chance(0.05):
            pairs.append((2, self.name()))
        for number in (10, 14, 15, 16):
            if self.chance(self.density / 4):
                pairs.append((number, self.value(GRAPH.by_number[number])))
        return join(pairs, GRAPH)

    def function(self) -> bytes:
        name = self.pick(self.function_names) if self.function_names else self.name()
        operands = [self.name() for _ in range(self.count(2))]
        nodes, made = self.nodes(operands)
        pairs: list[tuple[int, object]] = [(1, name), *((4, n) for n in operands), *((5, n) for n in made[-1:])]
        pairs += [(6, self.name()) for _ in range(self.pick([0, 0, 1, 2]))]
        pairs += [(7, node) for node in nodes]
        pairs += [(12, info) for info in self.infos(made)]
        if not self.chance(0.1):
            pairs.append((10, self.pick([b"f", b"f", b""])))
        if self.chance(0.2):
            pairs.append((13, b"v"))
        for number in (8, 9, 11, 14):
            if self.chance(self.density / 3):
                pairs.append((number, self.value(FUNCTION.by_number[number])))
        return join(pairs, FUNCTION)

    def model(self) -> bytes:
        self.function_names = [self.name() for _ in range(self.pick([0, 0, 1, 2]))]
        pairs: list[tuple[int, object]] = [(7, self.message(GRAPH))]
        pairs += [(25, self.message(FUNCTION)) for _ in self.function_names]
        for f in MODEL.by_number.values():
            if f.name not in ("graph", "functions") and self.chance(self.density / 2):
                pairs += [(f.number, self.value(f)) for _ in range(1 + f.repeated)]
        return join(pairs, MODEL) + self.unknown_field()


_NATURAL = {
    "onnx.GraphProto": Maker.graph,
    "onnx.FunctionProto": Maker.function,
    "onnx.NodeProto": Maker.node,
    "onnx.AttributeProto": Maker.attribute,
    "onnx.TensorProto": Maker.tensor,
    "onnx.TypeProto": Maker.type,
    "onnx.ValueInfoProto": Maker.value_info,
}


def _info_of(name: bytes, tensor: bytes) -> bytes:
    """Return the input that repeats the name and the type of an initializer."""
    proto = TensorProto.FromString(tensor)
    kind = helper.make_tensor_type_proto(proto.data_type, list(proto.dims)).SerializeToString(deterministic=True)
    return join([(1, name), (2, kind)], VALUE_INFO)


def any_model(random: Random) -> bytes:
    """Return the canonical bytes of an arbitrary model."""
    maker = Maker(random)
    return canonical(maker.any_message(MODEL) if maker.chance(0.1) else maker.model())


# ---- models that run


def running_model(random: Random) -> onnx.ModelProto:
    """Return a well-typed model of a small set of operators, with subgraphs and functions, that onnx can run."""
    return _Typed(random).model()


class _Typed:
    """A well-typed model in the making: all values are f32 of one shape of two dimensions, or hidden in a step."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.rows, self.columns = random.randrange(1, 4), random.randrange(1, 5)
        self.initializers: list[TensorProto] = []
        self.prefix = self.pick(["r", "val_", "/layers.0/Relu_output_", "node ", "%"])
        self.count = 0
        self.functions: list[onnx.FunctionProto] = []
        self.infos: list[onnx.ValueInfoProto] = []
        self.named = self.pick(["", "node_{}", "n{}"])

    def pick(self, items: Sequence[T]) -> T:
        return items[self.random.randrange(len(items))]

    def fresh(self) -> str:
        self.count += 1
        return f"{self.prefix}{self.count - 1}"

    def weight(self, dims: list[int]) -> str:
        name = f"w.{len(self.initializers)}"
        size = 1
        for d in dims:
            size *= d
        values = [self.pick([0.0, 1.0, -0.5, 0.1, 1e-5]) for _ in range(size)]
        if self.pick([True, False]):
            raw = b"".join(helper.make_tensor("", 1, [1], [v]).SerializeToString()[-4:] for v in values)
            self.initializers.append(helper.make_tensor(name, 1, dims, raw, raw=True))
        else:
            self.initializers.append(helper.make_tensor(name, 1, dims, values))
        return name

    def info(self, name: str, dims: list[int | str] | None = None) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, 1, [self.rows, self.columns] if dims is None else dims)

    def step(self, known: list[str], depth: int, *, inside: bool = False) -> list[onnx.NodeProto]:
        """Return nodes of which the last makes a new value of the one shape."""
        x = known[-1] if self.random.randrange(4) else self.pick(known)
        kinds = ["unary", "binary", "matmul", "reshape", "transpose", "concat", "constant"]
        kinds = [k for k in kinds if not inside or k not in ("matmul", "reshape")]  # those bring initializers
        if depth < 2:
            kinds += ["if", "loop"]
        if self.functions:
            kinds.append("call")
        kind = self.pick(kinds)
        make = self.make
        if kind == "unary":
            return [make(self.pick(["Relu", "Neg", "Abs", "Sigmoid"]), [x])]
        if kind == "binary":
            return [make(self.pick(["Add", "Mul", "Max"]), [x, self.pick(known)])]
        if kind == "matmul":
            return [make("Gemm", [x, self.weight([self.columns, self.columns])], alpha=self.pick([1.0, 0.5]), transB=1)]
        if kind == "reshape":
            shape = f"shape.{len(self.initializers)}"
            self.initializers.append(helper.make_tensor(shape, 7, [2], [self.rows, self.columns]))
            flat = make("Flatten", [x], axis=0)
            return [flat, make("Reshape", [flat.output[0], shape])]
        if kind == "transpose":
            first = make("Transpose", [x], perm=[1, 0])
            return [first, make("Transpose", [first.output[0]], perm=[1, 0])]
        if kind == "concat":
            both = make("Concat", [x, self.pick(known)], axis=0)
            split = make("Split", [both.output[0]], axis=0, num_outputs=2)
            split.output.append(self.fresh())
            return [both, split]
        if kind == "constant":
            value = make("Constant", [], value=helper.make_tensor("", 1, [1], [0.25]))
            return [value, make("Add", [x, value.output[0]])]
        if kind == "call":
            return [make(self.functions[0].name, [x], domain="local")]
        if kind == "if":
            condition = make("Constant", [], value=helper.make_tensor("c", 9, [], [self.pick([True, False])]))
            branches = [self.branch(known, depth + 1) for _ in range(2)]
            return [condition, make("If", [condition.output[0]], then_branch=branches[0], else_branch=branches[1])]
        trips = make("Constant", [], value_int=2)
        body = self.loop_body(known, depth + 1)
        return [trips, make("Loop", [trips.output[0], "", x], body=body)]

    def make(self, operator: str, inputs: list[str], **attributes: object) -> onnx.NodeProto:
        out = self.fresh()
        node = helper.make_node(operator, inputs, [out], **attributes)  # type: ignore[arg-type]
        if self.named:
            node.name = self.named.format(out if self.named == "node_{}" else self.count)
        return node

    def steps(self, known: list[str], depth: int, count: int, *, inside: bool = False) -> tuple[list, list[str]]:
        nodes, values = [], list(known)
        for _ in range(count):
            more = self.step(values, depth, inside=inside)
            nodes += more
            values.append(more[-1].output[0])
        return nodes, values

    def branch(self, known: list[str], depth: int) -> onnx.GraphProto:
        nodes, values = self.steps(known, depth, 1 + self.random.randrange(2), inside=True)
        return helper.make_graph(nodes, self.fresh(), [], [self.info(values[-1])])

    def loop_body(self, known: list[str], depth: int) -> onnx.GraphProto:
        i, keep, carried = self.fresh(), self.fresh(), self.fresh()
        nodes, values = self.steps([*known, carried], depth, 1, inside=True)
        kept = self.make("Identity", [keep])
        inputs = [
            helper.make_tensor_value_info(i, 7, []),
            helper.make_tensor_value_info(keep, 9, []),
            self.info(carried),
        ]
        outputs = [helper.make_tensor_value_info(kept.output[0], 9, []), self.info(values[-1])]
        return helper.make_graph([*nodes, kept], self.fresh(), inputs, outputs)

    def function(self) -> onnx.FunctionProto:
        nodes, values = self.steps(["x"], 1, 1 + self.random.randrange(3), inside=True)
        opsets = [helper.make_opsetid("", 21)]
        return helper.make_function("local", "cell", ["x"], [values[-1]], nodes, opsets)

    def model(self) -> onnx.ModelProto:
        if self.pick([False, True]):
            self.functions.append(self.function())
        nodes, values = self.steps(["x"], 0, 1 + self.random.randrange(6))
        graph = helper.make_graph(nodes, "g", [self.info("x")], [self.info(values[-1])], self.initializers)
        opsets = [helper.make_opsetid("", 21), *([helper.make_opsetid("local", 1)] if self.functions else [])]
        model = helper.make_model(graph, opset_imports=opsets, functions=self.functions, ir_version=10)
        if self.pick([False, True]):
            model = onnx.shape_inference.infer_shapes(model)
        return model


# ---- for hypothesis

_RANDOMS = st.randoms(use_true_random=False)


def any_models() -> st.SearchStrategy[bytes]:
    """Draw the canonical bytes of an arbitrary model."""
    return _RANDOMS.map(any_model)


def running_models() -> st.SearchStrategy[onnx.ModelProto]:
    """Draw a well-typed model that runs."""
    return _RANDOMS.map(running_model)
