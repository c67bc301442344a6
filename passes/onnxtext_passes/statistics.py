"""What there is in a model: nodes, parameters, multiplications, bytes.

>>> model = onnx.parser.parse_model(
...     '<ir_version: 10, opset_import: ["": 20]> g (float[1,8] x) => (float[1,4] y) <float[8,4] w = {}> '
...     '{ h = MatMul(x, w) y = Relu(h) }')
>>> found = collect(model, Blobs())
>>> found.nodes, found.parameters, found.macs, found.operators
(2, 32, 32, {'MatMul': 1, 'Relu': 1})
"""

from __future__ import annotations

import contextlib
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import onnx
import onnx.inliner
import onnx.shape_inference

from onnxtext.core.blobs import Blobs
from onnxtext.core.errors import ModelError, UsageError
from onnxtext.core.weights import element_count
from onnxtext_passes.holes import is_hole
from onnxtext_passes.operators import FunctionKey, call_order, function_key, node_key, plain_domain
from onnxtext_passes.scopes import Holder, drop, graph_attributes, holders, within
from onnxtext_passes.tensors import is_weight

MOST_NODES = 200_000  # with calls written out, up to which multiplications are counted
_DEEPEST_CALL = 200

_T = onnx.TensorProto
_NARROW_BITS: dict[int, int] = {
    _T.UINT4: 4,
    _T.INT4: 4,
    _T.FLOAT4E2M1: 4,
    _T.UINT2: 2,
    _T.INT2: 2,
}  # numpy takes a byte for each

Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Statistics:
    """What there is in a model.  A body of a loop or branch counts once, a function once for each of its uses."""

    nodes: int  # of all graphs and functions, as they stand
    operators: dict[str, int]  # nodes with calls written out, the most frequent operator first
    functions: int
    tensors: int  # initializers, of all graphs
    parameters: int  # elements of weights, with and without data
    weight_bytes: int  # of initializers
    macs: int  # multiplications with an addition, of the operators in macs_by_operator
    macs_by_operator: dict[str, int]
    unknown_macs: dict[str, int]  # nodes that multiply too, but how often is not known

    @property
    def expanded_nodes(self) -> int:
        """The nodes with calls written out."""
        return sum(self.operators.values())


def collect(model: onnx.ModelProto, blobs: Blobs, sizes: Mapping[str, int] | None = None) -> Statistics:
    """Return what there is in a model; `sizes` are those of symbolic dimensions of its inputs.

    Raises UsageError for a size of no dimension, ModelError for functions that call each other without end.
    """
    found = list(holders(model))
    graphs = [h for h in found if isinstance(h, onnx.GraphProto)]
    operators = _count_operators(model)
    macs, unknown = _count_macs(model, blobs, sizes or {}, sum(operators.values()))
    return Statistics(
        nodes=sum(len(h.node) for h in found),
        operators=dict(sorted(operators.items(), key=lambda item: (-item[1], item[0]))),
        functions=len(model.functions),
        tensors=sum(len(g.initializer) + len(g.sparse_initializer) for g in graphs),
        parameters=count_parameters(model),
        weight_bytes=sum(_bytes(t, blobs) for g in graphs for t in _tensors(g)),
        macs=sum(macs.values()),
        macs_by_operator=dict(macs.most_common()),
        unknown_macs=dict(unknown.most_common()),
    )


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values


def _bytes(tensor: onnx.TensorProto, blobs: Blobs) -> int:
    if tensor.HasField("raw_data"):
        return len(blobs.find(tensor.raw_data))
    if tensor.data_type == onnx.TensorProto.STRING:
        return sum(map(len, tensor.string_data))
    try:
        bits = _NARROW_BITS.get(tensor.data_type, 8 * onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)
    except KeyError:
        return 0  # of a type that onnx does not name
    return (element_count(tensor.dims) * bits + 7) // 8


# ---- parameters: initializers that are weights, and weights without data, in functions once for each use


def count_parameters(model: onnx.ModelProto) -> int:
    """Return the number of the elements of all weights.  Raises ModelError for functions that never end."""
    total = 0
    count = _Parameters({function_key(f): f for f in model.functions})
    for outer in (model.graph, *(g for i in model.training_info for g in (i.initialization, i.algorithm))):
        total += count.of(outer, {}, 0)
    return total


class _Parameters:
    def __init__(self, functions: dict[FunctionKey, onnx.FunctionProto]) -> None:
        self.functions = functions
        self.known: dict[tuple, int] = {}

    def of(self, holder: Holder, given: Mapping[str, Sequence[int]], depth: int) -> int:
        """Return the parameters of a graph or function, of which `given` are the attributes that are lists."""
        total = 0
        for inner in within(holder):
            if isinstance(inner, onnx.GraphProto):
                total += sum(element_count(t.dims) for t in _tensors(inner) if is_weight(t))
            for node in inner.node:
                if is_hole(node):
                    total += element_count(_lists(node.attribute, given).get("shape", ()))
                elif self.functions and node_key(node) in self.functions:
                    total += self.call(node, given, depth)
        return total

    def call(self, node: onnx.NodeProto, given: Mapping[str, Sequence[int]], depth: int) -> int:
        if depth > _DEEPEST_CALL:
            raise ModelError(f"functions call each other deeper than {_DEEPEST_CALL}, {node.op_type} among them")
        function = self.functions[node_key(node)]
        passed = _lists(function.attribute_proto, {}) | _lists(node.attribute, given)
        key = (node_key(node), *((name, tuple(passed[name])) for name in sorted(passed)))
        if key not in self.known:
            self.known[key] = self.of(function, passed, depth + 1)
        return self.known[key]


def _lists(attributes: Sequence[onnx.AttributeProto], given: Mapping[str, Sequence[int]]) -> dict[str, Sequence[int]]:
    return {
        a.name: given.get(a.ref_attr_name, ()) if a.ref_attr_name else a.ints
        for a in attributes
        if a.type == onnx.AttributeProto.INTS
    }


# ---- operators


def _count_operators(model: onnx.ModelProto) -> Counter[str]:
    functions = {function_key(f): f for f in model.functions}
    counted: dict[FunctionKey, Counter[str]] = {}
    order = call_order(functions)
    for key in order:
        counted[key] = _own_operators(functions[key], counted)
    without_end = functions.keys() - order.keys()
    total: Counter[str] = Counter()
    for holder in (model.graph, *(g for i in model.training_info for g in (i.initialization, i.algorithm))):
        endless = [n.op_type for h in within(holder) for n in h.node if node_key(n) in without_end]
        if endless:
            raise ModelError(f"the function {endless[0]} calls itself, or others that do")
        total += _own_operators(holder, counted)
    return total


def _own_operators(holder: Holder, counted: Mapping[FunctionKey, Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for inner in within(holder):
        for key, times in Counter(map(node_key, inner.node)).items():
            if key in counted:
                for name, count in counted[key].items():
                    total[name] += times * count
            else:
                total[_name(key)] += times
    return total


def _name(key: FunctionKey) -> str:
    domain, operator, overload = key
    return (f"{domain}." if domain else "") + operator + (f":{overload}" if overload else "")


# ---- multiplications


def _product(shape: Sequence[int | None] | None) -> int | None:
    return None if shape is None or None in shape else math.prod(shape)  # type: ignore[arg-type]  # no None is left


def _times(*factors: int | None) -> int | None:
    return _product(factors)


def _einsum(node: onnx.NodeProto, shapes: Sequence[Shape | None]) -> int | None:
    """Return the product of all sizes that the equation names: of one or two operands, without an ellipsis."""
    equation = next((a.s.decode(errors="replace") for a in node.attribute if a.name == "equation"), "")
    terms = equation.replace(" ", "").split("->")[0].split(",")
    if "." in equation or len(terms) > 2 or len(terms) != len(shapes):
        return None
    sizes: dict[str, int | None] = {}
    for term, shape in zip(terms, shapes, strict=True):
        if shape is None or len(term) != len(shape):
            return None
        sizes |= {label: size if size != 1 else sizes.get(label, 1) for label, size in zip(term, shape, strict=True)}
    return _product(list(sizes.values()))


def _gemm(node: onnx.NodeProto, shapes: Sequence[Shape | None], result: Shape | None) -> int | None:
    a = shapes[0]
    transposed = any(x.name == "transA" and x.i for x in node.attribute)
    return _times(_product(result), a[0 if transposed else 1]) if a is not None and len(a) == 2 else None


_Counter = Callable[[onnx.NodeProto, Sequence[Shape | None], Shape | None], int | None]


def _convolution(weight: int) -> _Counter:
    return lambda node, shapes, y: _times(_product(y), _product(_tail(shapes[weight])))


def _tail(shape: Shape | None) -> Shape | None:
    return shape[1:] if shape else None


def _matmul(node: onnx.NodeProto, shapes: Sequence[Shape | None], result: Shape | None) -> int | None:
    return _times(_product(result), shapes[0][-1]) if shapes[0] else None


def _recurrent(node: onnx.NodeProto, shapes: Sequence[Shape | None], result: Shape | None) -> int | None:
    x, *weights = shapes[:3]
    found = [_times(*x[:2], _product(w)) if x else None for w in weights]
    return None if None in found else sum(f for f in found if f is not None)


# Operator of onnx -> its multiplications with an addition, of the node, the shapes of its operands and of its result.
_MACS: dict[str, _Counter] = {
    "Conv": _convolution(1),
    "ConvInteger": _convolution(1),
    "DeformConv": _convolution(1),
    "QLinearConv": _convolution(3),
    "ConvTranspose": lambda node, shapes, y: _times(_product(shapes[0]), _product(_tail(shapes[1]))),
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "QLinearMatMul": _matmul,
    "Gemm": _gemm,
    "Einsum": lambda node, shapes, y: _einsum(node, shapes),
    "RNN": _recurrent,
    "GRU": _recurrent,
    "LSTM": _recurrent,
    "Attention": lambda node, shapes, y: None,
}


def _count_macs(
    model: onnx.ModelProto, blobs: Blobs, sizes: Mapping[str, int], nodes: int
) -> tuple[Counter[str], Counter[str]]:
    """Return the multiplications by operator, and how many nodes have an unknown number of them."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.training_info[:]
    _set_sizes(copy, sizes)
    if copy.functions and nodes <= MOST_NODES:
        with contextlib.suppress(Exception):  # of many kinds; functions that stay are said to be unknown
            copy = onnx.inliner.inline_local_functions(copy)
    macs: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    if copy.functions:
        return macs, Counter({name: n for name, n in _count_operators(model).items() if name in _MACS})
    copy = _infer(copy, blobs)

    def visit(graph: onnx.GraphProto, outer: Mapping[str, Shape]) -> None:
        shapes_of = {**outer, **_shapes(graph)}
        for node in graph.node:
            count = _MACS.get(node.op_type) if plain_domain(node.domain) == "" else None
            if count is not None:
                shapes = [shapes_of.get(name) for name in [*node.input, *node.output[:1]]]
                try:
                    found = count(node, shapes[: len(node.input)], shapes[-1])
                except IndexError:  # fewer operands, or dimensions, than the operator has
                    found = None
                if found is None:
                    unknown[node.op_type] += 1
                else:
                    macs[node.op_type] += found
            for inner in graph_attributes(node):
                visit(inner, shapes_of)

    visit(copy.graph, {})
    return macs, unknown


def _shapes(graph: onnx.GraphProto) -> dict[str, Shape]:
    """Return the shapes of the values of a graph."""
    shapes: dict[str, Shape] = {t.name: tuple(t.dims) for t in graph.initializer}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        kind = value.type.tensor_type
        if kind.HasField("shape"):
            shapes[value.name] = tuple(d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim)
    return shapes


def _infer(model: onnx.ModelProto, blobs: Blobs) -> onnx.ModelProto:
    """Return a model with the types that onnx infers, or itself where onnx cannot."""
    for holder in within(model.graph):
        if not isinstance(holder, onnx.GraphProto):
            continue
        large = {place for place, t in enumerate(holder.initializer) if _is_aside(t.raw_data, blobs)}
        for place in large:  # the data that stands for it would be taken for a shape
            t = holder.initializer[place]
            holder.value_info.append(onnx.helper.make_tensor_value_info(t.name, t.data_type, t.dims))
        drop(holder.initializer, large)
    try:
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # of many kinds; what is not known is said to be unknown
        return model


def _is_aside(raw: bytes, blobs: Blobs) -> bool:
    return blobs.find(raw) is not raw


def _set_sizes(model: onnx.ModelProto, sizes: Mapping[str, int]) -> None:
    symbols: set[str] = set()
    for value in model.graph.input:
        for dim in value.type.tensor_type.shape.dim:
            symbols.add(dim.dim_param)
            if dim.dim_param in sizes:
                dim.dim_value = sizes[dim.dim_param]
    strange = sorted(sizes.keys() - symbols)
    if strange:
        known = ", ".join(sorted(symbols - {""})) or "none"
        raise UsageError(f"no input has a dimension {strange[0]}; symbolic ones are: {known}")


def token_counter(path: str | os.PathLike[str]) -> Callable[[str], int]:
    """Return what counts the tokens of a text, by a tokenizer.json.  Raises UsageError where that cannot be."""
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise UsageError(
            "tokens are counted by tokenizers, which cannot be imported: pip install tokenizers"
        ) from error
    try:
        tokenizer = Tokenizer.from_file(os.fspath(path))
    except Exception as error:  # the library raises nothing more special
        raise UsageError(f"{path}: not a tokenizer.json: {error}") from error
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)
