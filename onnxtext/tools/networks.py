"""Networks that a language model writes: held to a grammar while it writes them, then to types and shapes.

A grammar makes a text, and no more: it lets through values that nothing defines and sums of shapes that do not fit.
`check_network` says of a text whether its network runs.  What does not fit it repairs where that is plain, and else it
says why not.  What it returns is a model that passes onnx's checker with full type inference and that onnxruntime ran.

>>> network = check_network(HEAD + "%v0 = Relu(%x)\\n%y = Add(%v0, %w)\\n}\\n")
>>> network.model is not None, network.repairs
(True, ('%w is not defined: %v0 is taken',))
>>> check_network(HEAD + "%y = Conv(%x, f32[2,8,99,99])\\n}\\n").reason.splitlines()[0]
'node 1 (Conv): the types of its operands do not fit, nor do those of others'
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import onnx

from onnxtext.core.errors import MeaningProblem, OnnxTextError

HEAD = """onnxt 1
model {ir_version=10, opset_import=["": 20]}
graph @network (%x: f32[1,8,16,16]) -> (%y) {
each {domain=""}
"""

# What may stand behind HEAD: part of the language, with bounds, so that every text comes to an end.
GRAMMAR = r"""
start: statement~1..6 "%y = " node "\n}\n"
statement: "%v" DIGIT " = " node "\n"
node: unary "(" operand ")"
    | ("Add" | "Mul") "(" operand ", " operand ")"
    | "Concat(" operand ", " operand ") {axis=1}"
    | "Conv(" operand ", f32[" SIZE "," SIZE ",3,3]) {pads=[1,1,1,1]}"
    | "Conv(" operand ", f32[" SIZE "," SIZE ",1,1])"
    | ("MaxPool" | "AveragePool") "(" operand ") {kernel_shape=[" DIGIT "," DIGIT "]}"
    | "Softmax(" operand ") {axis=1}"
unary: "Relu" | "Sigmoid" | "Tanh" | "GlobalAveragePool" | "Neg" | "Identity"
operand: "%x" | "%v" DIGIT
DIGIT: /[0-9]/
SIZE: /[1-9][0-9]?/
"""

MOST_ELEMENTS = 10_000_000  # of a value of a network that is run
_MOST_REPAIRS = 200
_MOST_TRIED = 64  # combinations of operands for a node

NextScores = Callable[[np.ndarray], np.ndarray]  # tokens so far (B, T) -> a score for each next token (B, vocabulary)


class NetworkError(OnnxTextError):
    """A network that cannot be made to run, or a text that has no end."""


@dataclass(frozen=True)
class Network:
    """What has become of a text: a model that runs, and what was repaired; or None, and the reason."""

    text: str
    model: onnx.ModelProto | None
    repairs: tuple[str, ...] = ()
    reason: str = ""


# ---- writing


def write_texts(
    next_scores: NextScores,
    tokens: Sequence[bytes],
    end: int,
    count: int,
    *,
    head: str = HEAD,
    grammar: str = GRAMMAR,
    seed: int = 0,
    most_tokens: int = 1_000,
) -> list[str]:
    """Return `count` texts drawn from a language model that may only write what the grammar lets it.

    `next_scores`: the model, which is shown the bytes of `head` first, as tokens of one byte.  `tokens`: the bytes of
    each token, of which each single byte has to be one; `end`: the token that ends a text.
    Raises NetworkError where a text has no end within `most_tokens`, because the grammar sets no bound.
    """
    from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper
    from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

    tokenizer = LLTokenizer(TokenizerWrapper(_Tokens(tokens, end)))
    rules = LLMatcher.grammar_from_lark(grammar)
    matchers = [LLMatcher(tokenizer, rules, log_level=0) for _ in range(count)]
    single = {token: number for number, token in enumerate(tokens) if len(token) == 1}
    so_far = np.tile(np.array([single[bytes([b])] for b in head.encode()]), (count, 1))  # (B, T)
    random = np.random.default_rng(seed)
    written = [b""] * count
    live = np.ones(count, bool)
    masks = allocate_token_bitmask(count, len(tokens))
    for _ in range(most_tokens):
        for row in np.flatnonzero(live):
            fill_next_token_bitmask(matchers[row], masks, int(row))
        allowed = np.unpackbits(masks.view(np.uint8), axis=1, bitorder="little")[:, : len(tokens)].astype(bool)
        noise = random.gumbel(size=allowed.shape)  # the largest score with it is a draw from the distribution
        chosen = np.where(allowed, next_scores(so_far) + noise, -np.inf).argmax(axis=1)
        for row in np.flatnonzero(live):
            token = int(chosen[row])
            if token == end:
                live[row] = False
            else:
                assert matchers[row].consume_token(token)
                written[row] += tokens[token]
        if not live.any():
            return [head + text.decode() for text in written]
        so_far = np.concatenate([so_far, chosen[:, None]], axis=1)
    raise NetworkError(f"{live.sum()} of {count} texts have no end within {most_tokens} tokens; bound the grammar")


@dataclass(frozen=True)
class _Tokens:
    """A tokenizer as llguidance wants it."""

    tokens: Sequence[bytes]
    eos_token_id: int
    bos_token_id: None = None

    @property
    def special_token_ids(self) -> list[int]:
        return [self.eos_token_id]

    def __call__(self, text: str | bytes) -> list[int]:
        single = {token: number for number, token in enumerate(self.tokens) if len(token) == 1}
        return [single[bytes([b])] for b in (text.encode() if isinstance(text, str) else text)]


# ---- checking


def check_network(text: str, *, seed: int = 0) -> Network:
    """Return the network of a text, repaired and run, or the reason why there is none.

    Weights that the text does not hold are drawn at random, from `seed`.  Repairs: a name that nothing defines becomes
    the value defined last; of two values with one name the later one gets another; where operands do not fit, weights
    made up for the text get the shape that does, and other operands are replaced by earlier values; a type that the
    text states and that is not so becomes the one that is.
    """
    repairs: list[str] = []
    try:
        model = _read(text, seed, repairs)
        _name_apart(model.graph, repairs)
        _fit(model, repairs, seed)
        onnx.checker.check_model(model, full_check=True)
        _run(model, seed)
    except OnnxTextError as error:
        return Network(text, None, tuple(repairs), str(error))
    except Exception as error:  # onnx and onnxruntime have many kinds, and each says why
        return Network(text, None, tuple(repairs), str(error).strip())
    return Network(text, model, tuple(repairs))


_UNDEFINED = re.compile(r"(%\S+) is used before it is defined")
_DEFINITION = re.compile(r"(%[A-Za-z0-9_./:-]+)(?:: ?[^=\n]*)? = ")


def _read(text: str, seed: int, repairs: list[str]) -> onnx.ModelProto:
    from onnxtext.source import model_of, read_text

    for _ in range(_MOST_REPAIRS):
        try:
            return model_of(read_text(text, fill=f"random:{seed}"))
        except MeaningProblem as error:
            name = _UNDEFINED.match(error.message)
            if name is None or not text.startswith(name[1], error.at):
                raise
            start = text.rfind("\n", 0, error.at) + 1
            inputs = re.findall(r"(?<=[(,\s])(%[A-Za-z0-9_./-]+): ", text[:start])
            defined = [*inputs, *_DEFINITION.findall(text[:start])]
            if not defined:
                raise
            text = text[: error.at] + defined[-1] + text[error.at + len(name[1]) :]
            repairs.append(f"{name[1]} is not defined: {defined[-1]} is taken")
    raise NetworkError(f"more than {_MOST_REPAIRS} names are not defined")


def _name_apart(graph: onnx.GraphProto, repairs: list[str]) -> None:
    """Give each value of a graph a name of its own; of two outputs of one name the later one keeps it."""
    now = {value.name: value.name for value in (*graph.input, *graph.initializer)}
    taken = set(now) | {name for node in graph.node for name in node.output}
    outputs = {value.name for value in graph.output}
    last = {name: k for k, node in enumerate(graph.node) for name in node.output}
    for k, node in enumerate(graph.node):
        node.input[:] = [now.get(name, name) for name in node.input]
        for place, name in enumerate(node.output):
            if not name or (last[name] == k if name in outputs else name not in now):
                new = name
            else:
                number = 0
                while f"{name}.{number}" in taken:
                    number += 1
                new = f"{name}.{number}"
                repairs.append(f"%{name} is defined twice: node {k + 1} gives %{new}")
            taken.add(new)
            now[name] = node.output[place] = new


def _fit(model: onnx.ModelProto, repairs: list[str], seed: int) -> None:
    """Let the operands of each node fit, one node after the other, and the outputs have the types that come out."""
    graph = model.graph
    nodes = list(graph.node)
    made = {tensor.name: tensor for tensor in graph.initializer}
    uses = [name for node in nodes for name in node.input]
    known = {value.name: value.type for value in graph.input}
    for tensor in graph.initializer:
        known[tensor.name] = onnx.helper.make_tensor_type_proto(tensor.data_type, list(tensor.dims))
    values = [value.name for value in graph.input if value.name not in made]
    for k, node in enumerate(nodes):
        types, why = _types_of(model, node, known, made)
        if types is None:
            types = _refit(model, node, known, values, made, uses, f"node {k + 1} ({node.op_type})", repairs, seed)
        if types is None:
            what = f"node {k + 1} ({node.op_type}): the types of its operands do not fit, nor do those of others"
            raise NetworkError(f"{what}\n{why}")
        for name, kind in types.items():
            if _elements(kind) > MOST_ELEMENTS:
                raise NetworkError(f"node {k + 1} ({node.op_type}): %{name} has more than {MOST_ELEMENTS} elements")
        known |= types
        values += [name for name in node.output if name]
    for value in (*graph.output, *graph.value_info):
        if value.name in known and value.type != known[value.name]:
            if value.HasField("type"):
                repairs.append(f"%{value.name} is of another type than the text states")
            value.type.CopyFrom(known[value.name])


def _types_of(
    model: onnx.ModelProto,
    node: onnx.NodeProto,
    known: dict[str, onnx.TypeProto],
    made: dict[str, onnx.TensorProto],
) -> tuple[dict[str, onnx.TypeProto] | None, str]:
    """Return the types of what a node gives, or None and what onnx says of its operands."""
    graph = onnx.GraphProto(name="one", node=[node])
    for name in dict.fromkeys(node.input):
        if name in known:
            graph.input.add(name=name, type=known[name])
        elif name:
            return None, f"%{name} has no type"
        if name in made and made[name].data_type == onnx.TensorProto.INT64:  # a shape, axes, pads
            graph.initializer.append(made[name])
    if node.op_type == "Conv" and not _has_channels(node, known):
        return None, "the channels of its operand and of its weight differ"
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in node.output if name)
    one = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import, graph=graph)
    try:
        found = onnx.shape_inference.infer_shapes(one, check_type=True, strict_mode=True).graph.output
    except Exception as error:  # of many kinds, and each says what does not fit
        return None, str(error).strip()
    types = {value.name: value.type for value in found}
    bad = next((name for name, kind in types.items() if not kind.tensor_type.elem_type or not _is_whole(kind)), None)
    return (types, "") if bad is None else (None, f"%{bad} would have no shape that can be")


def _has_channels(node: onnx.NodeProto, known: dict[str, onnx.TypeProto]) -> bool:
    """Tell whether the channels of a convolution's operand and weight agree, which onnx's inference does not ask."""
    group = next((a.i for a in node.attribute if a.name == "group"), 1)
    operand, weight = (known[name].tensor_type.shape.dim for name in node.input[:2])
    return len(operand) == len(weight) > 1 and operand[1].dim_value == weight[1].dim_value * group


def _is_whole(kind: onnx.TypeProto) -> bool:
    """Tell whether a type has a shape of positive sizes, as far as they are known."""
    return all(not d.HasField("dim_value") or d.dim_value > 0 for d in kind.tensor_type.shape.dim)


def _elements(kind: onnx.TypeProto) -> int:
    size = 1
    for d in kind.tensor_type.shape.dim:
        size *= max(d.dim_value, 1)
    return size


def _refit(
    model: onnx.ModelProto,
    node: onnx.NodeProto,
    known: dict[str, onnx.TypeProto],
    values: list[str],
    made: dict[str, onnx.TensorProto],
    uses: list[str],
    where: str,
    repairs: list[str],
    seed: int,
) -> dict[str, onnx.TypeProto] | None:
    """Try other shapes for the weights of a node, then other operands; return what the node gives then."""
    before = list(node.input)
    weights = [name for name in before if name in made and uses.count(name) == 1]
    for name, dims in _other_shapes(node, weights, known, made):
        old = known[name]
        known[name] = onnx.helper.make_tensor_type_proto(made[name].data_type, dims)
        types, _ = _types_of(model, node, known, made)
        if types is not None:
            tensor = made[name]
            repairs.append(f"{where}: its weight has the shape {dims} instead of {list(tensor.dims)}")
            data = np.random.default_rng(seed).standard_normal(dims, np.float32) / np.sqrt(np.prod(dims[1:]))
            tensor.CopyFrom(onnx.numpy_helper.from_array(data.astype(np.float32), name))
            return types
        known[name] = old
    places = [place for place, name in enumerate(before) if name and name not in made]
    for names in _other_operands([before[place] for place in places], values):
        for place, name in zip(places, names, strict=True):
            node.input[place] = name
        types, _ = _types_of(model, node, known, made)
        if types is not None:
            shown = ", ".join(f"%{name}" for name in names)
            repairs.append(f"{where}: its operands are {shown} instead of {', '.join(f'%{before[p]}' for p in places)}")
            return types
    node.input[:] = before
    return None


def _other_shapes(
    node: onnx.NodeProto, weights: list[str], known: dict[str, onnx.TypeProto], made: dict[str, onnx.TensorProto]
) -> Iterator[tuple[str, list[int]]]:
    """Yield shapes for a made-up weight: with one size that is a size of the first operand."""
    if not node.input or node.input[0] not in known:
        return
    sizes = [d.dim_value for d in known[node.input[0]].tensor_type.shape.dim if d.dim_value > 0]
    for name in weights:
        dims = list(made[name].dims)
        if made[name].data_type != onnx.TensorProto.FLOAT:
            continue
        for place in range(len(dims) - 1, -1, -1):
            for size in dict.fromkeys(sizes):
                if size != dims[place]:
                    yield name, [*dims[:place], size, *dims[place + 1 :]]


def _other_operands(names: list[str], values: list[str]) -> Iterator[list[str]]:
    """Yield other operands, few changes first, the values defined last first."""
    latest = values[::-1][:16]
    for place in range(len(names) - 1, -1, -1):
        for value in latest:
            yield [*names[:place], value, *names[place + 1 :]]
    if 1 < len(names) < 4:
        for tried, chosen in enumerate(product(latest, repeat=len(names))):
            if tried == _MOST_TRIED:
                return
            yield list(chosen)


def _run(model: onnx.ModelProto, seed: int) -> None:
    """Run a network once, on numbers drawn at random.  Raises what onnxruntime says where it does not."""
    import onnxruntime as runtime

    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(seed)
    feeds = {}
    for value in session.get_inputs():
        if value.type != "tensor(float)":
            raise NetworkError(f"%{value.name} is a {value.type}: networks on float32 are run")
        shape = [size if isinstance(size, int) else 1 for size in value.shape]
        feeds[value.name] = random.standard_normal(shape, np.float32)
    session.run(None, feeds)
