"""What of a network a signal passes through on its way from the inputs to the outputs.

A model is read into steps: its nodes without those that depend on no input, without those that reach no output, and
without those that only rename or reshape.  A tensor of zeros is no signal, so a branch that begins with one is not
here, and an addition to which it was added is nothing.

>>> import onnx
>>> model = onnx.parser.parse_model(
...     '<ir_version: 10, opset_import: ["": 17]> g (float[1,3,8,8] x) => (float[1,4,8,8] z) <float[4,3,3,3] w = {}> '
...     '{ y = Conv<pads=[1,1,1,1]>(x, w) n = Neg(x) f = Identity(y) z = Relu(f) }')
>>> for step in read(model).steps:
...     print(step.operator, step.operands, step.shape, step.parameters, step.macs)
Input () (1, 3, 8, 8) 0 0
Conv (0,) (1, 4, 8, 8) 108 6912
Relu (1,) (1, 4, 8, 8) 0 0
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod

import onnx

from onnxtext_predictor import shapes
from onnxtext_predictor.shapes import Shape

TRANSPARENT = {"Identity", "Cast", "Dropout", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Pad", "Slice", "Expand"}
_SHAPE_OF = {"Shape", "Size"}  # what they return is no signal
_WITH_CONSTANT = {"Add", "Sub", "Mul", "Div", "Sum", "Max", "Min", "Pow"}  # a scale or a bias, where one operand moves
_SUMS = {"Add", "Sum"}
_FLOATS = {1, 10, 11, 16, 17, 18, 19, 20}  # TensorProto's data types
_ASSUMED_SIDE, _ASSUMED_LENGTH = 224, 128  # of an image, of a sequence, where the model leaves it open


@dataclass(slots=True)
class Step:
    """A node that the signal passes through.

    `operands` are numbers of earlier steps.  `shape` is that of its result, the batch first; `parameters` are the
    trainable numbers that it is the first to use, `macs` its multiplications.  `kernel` and `stride` are the longest
    side of a window and the longest of its strides; 1 where there is no window.
    """

    operator: str
    operands: tuple[int, ...]
    shape: Shape
    parameters: int = 0
    macs: int = 0
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    nodes: list[int] = field(default_factory=list)  # of the graph, by position: the node itself and what it passes on

    @property
    def channels(self) -> int:
        """The features of its result: axis 1 of an image, else the last."""
        if len(self.shape) > 3:
            return self.shape[1]
        return self.shape[-1] if self.shape else 1

    @property
    def elements(self) -> int:
        """The numbers of its result, without the batch."""
        return prod(self.shape[1:])


@dataclass(slots=True)
class LiveGraph:
    """The steps of a network in an order in which they can be carried out, inputs first."""

    steps: list[Step]
    outputs: list[int]  # numbers of steps
    parameters: int  # of the whole network, what is not live included
    macs: int  # likewise
    nodes: int  # likewise, without constants
    domains: frozenset[str]  # whose operators are not onnx's own

    @property
    def live_parameters(self) -> int:
        return sum(step.parameters for step in self.steps)

    @property
    def live_macs(self) -> int:
        return sum(step.macs for step in self.steps)


def read(model: onnx.ModelProto) -> LiveGraph:
    """Return the live graph of a model; functions are written out first.

    Sides that the inputs leave open are taken as 224 for an image and 128 for a sequence, a batch as 1.
    """
    if model.functions:
        from onnx.inliner import inline_local_functions

        model = inline_local_functions(model)
    return _Reader(model).read()


@dataclass(slots=True)
class _Constant:
    """A value that depends on no input."""

    dims: Shape | None
    parameters: int = 0
    zero: bool = False
    derived: bool = False  # computed of others
    idle: bool = False  # computed of zeros: weights have no part in it
    data: Callable[[], list[int] | None] = lambda: None


class _Reader:
    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._graph = model.graph
        self._constants: dict[str, _Constant] = {"": _Constant(None)}
        self._step_of: dict[str, int] = {}
        self._shape_of: dict[str, Shape] = {}  # of values that move
        self._declared: dict[str, Shape] = {}
        self._inferred = False
        self._steps: list[Step] = []
        self._used: set[str] = set()  # constants whose parameters are counted where they are used first
        self._charged: set[str] = set()  # likewise, of the whole network
        self._parameters = self._macs = self._nodes = 0
        self._domains: set[str] = set()

    def read(self) -> LiveGraph:
        graph = self._graph
        for tensor in graph.initializer:
            self._constants[tensor.name] = _of_tensor(tensor)
        for tensor in graph.sparse_initializer:
            self._constants[tensor.values.name] = _Constant(tuple(tensor.dims), prod(tensor.values.dims))
        self._declared = _declared(graph)
        for value in graph.input:
            if value.name not in self._constants:
                shape = _assume(value.type.tensor_type)
                self._add(Step("Input", (), shape), value.name)
        for place, node in enumerate(graph.node):
            self._visit(place, node)
        outputs = [self._step_of[value.name] for value in graph.output if value.name in self._step_of]
        return self._pruned(outputs)

    # ---- one node

    def _visit(self, place: int, node: onnx.NodeProto) -> None:
        operator = node.op_type
        if node.domain == "onnxtext" and operator == "Parameter":
            self._constants[node.output[0]] = _of_hole(node)
            return
        if operator == "Constant" and node.domain in ("", "ai.onnx"):
            self._constants[node.output[0]] = _of_constant(node)
            return
        constants, step_of = self._constants, self._step_of
        moving = [name for name in node.input if name in step_of]
        captured = [name for name in _captured(node) if name in step_of] if node.attribute else []
        if operator not in _SHAPE_OF:
            self._charge(node)
        if (not moving and not captured) or operator in _SHAPE_OF:
            if operator == "ConstantOfShape":
                constants[node.output[0]] = self._filled(node)
                return
            self._nodes += 1
            idle = any(constants[name].zero or constants[name].idle for name in node.input if name in constants)
            parameters = 0 if idle else sum(self._count(name) for name in node.input if name not in step_of)
            for name in node.output:
                constants[name] = _Constant(self._declared.get(name), parameters, derived=True, idle=idle)
            return
        if operator == "Mul" and any(constants[name].zero for name in node.input if name in constants):
            constants[node.output[0]] = _Constant(None, 0, True)
            return
        self._nodes += 1
        if node.domain not in ("", "ai.onnx"):
            self._domains.add(node.domain)
        shape = self._result(node)
        parameters = sum(self._count(name) for name in _trainable(node) if name not in step_of)
        step = Step(operator, tuple(step_of[name] for name in moving + captured), shape, parameters, 0, nodes=[place])
        renames = operator in TRANSPARENT and moving[0] == node.input[0]
        if renames or (operator in _WITH_CONSTANT and len(moving) == 1):
            before = step_of[moving[0]]
            self._steps[before].parameters += parameters
            self._steps[before].nodes.append(place)
            step_of[node.output[0]] = before
            self._shape_of[node.output[0]] = shape
            return
        dims = [self._dims(name) for name in node.input]
        step.macs = shapes.macs(node, dims, shape)
        self._macs += step.macs
        step.kernel, step.stride, step.groups = shapes.window(node, dims)
        self._add(step, *node.output)

    def _filled(self, node: onnx.NodeProto) -> _Constant:
        """Return the constant that ConstantOfShape makes: zeros, unless it says otherwise, are no weight."""
        dims = self._integers(node.input[0])
        value = shapes.attribute(node, "value")
        filled = value is not None and not _is_zero(value.t)
        is_weight = filled and value is not None and value.t.data_type in _FLOATS and bool(dims)
        return _Constant(tuple(dims) if dims is not None else None, prod(dims or ()) if is_weight else 0, not filled)

    def _charge(self, node: onnx.NodeProto) -> None:
        """Count the trainable weights of a node as part of the whole network, each weight once."""
        for name in _trainable(node):
            constant = self._constants.get(name)
            if constant is not None and not constant.derived and name not in self._charged:
                self._charged.add(name)
                self._parameters += constant.parameters

    def _add(self, step: Step, *names: str) -> None:
        number = len(self._steps)
        self._steps.append(step)
        for place, name in enumerate(names):
            if name:
                self._step_of[name] = number
                self._shape_of[name] = step.shape if not place else self._declared.get(name, step.shape)

    def _count(self, name: str) -> int:
        """Return the parameters of a constant at its first use, and nothing at later ones."""
        constant = self._constants.get(name)
        if constant is None or name in self._used:
            return 0
        self._used.add(name)
        return constant.parameters

    def _dims(self, name: str) -> Shape | None:
        if name in self._shape_of:
            return self._shape_of[name]
        constant = self._constants.get(name)
        return constant.dims if constant is not None else None

    def _result(self, node: onnx.NodeProto) -> Shape:
        """Return the shape of the first result: as declared, as our rules have it, or as onnx infers it."""
        name = node.output[0]
        if name in self._declared:
            return self._declared[name]
        rule = shapes.RULES.get(node.op_type)
        if rule is not None:
            try:
                shape = rule(node, [self._dims(operand) for operand in node.input], self._integers)
            except (IndexError, TypeError, ValueError):  # a shape that is not known, or not what the operator takes
                shape = None
            if shape is not None:
                return shape
        if not self._inferred:
            self._inferred = True
            self._declared = {**_inferred(self._model), **self._declared}
            if name in self._declared:
                return self._declared[name]
        first = next((self._shape_of[operand] for operand in node.input if operand in self._shape_of), None)
        return first or (1,)

    def _integers(self, name: str) -> list[int] | None:
        constant = self._constants.get(name)
        return constant.data() if constant is not None else None

    # ---- the whole

    def _pruned(self, outputs: list[int]) -> LiveGraph:
        """Return what reaches the outputs, numbered anew; sums of one operand are that operand."""
        alive = [False] * len(self._steps)
        for number in outputs:
            alive[number] = True
        for number in range(len(self._steps) - 1, -1, -1):
            if alive[number]:
                for operand in self._steps[number].operands:
                    alive[operand] = True
        steps: list[Step] = []
        new: dict[int, int] = {}
        for number, step in enumerate(self._steps):
            if not alive[number]:
                continue
            step.operands = tuple(new[operand] for operand in step.operands)
            if len(step.operands) == 1 and step.operator in ("Add", "Sum", "Concat"):
                new[number] = step.operands[0]
                steps[step.operands[0]].nodes += step.nodes
                continue
            new[number] = len(steps)
            steps.append(step)
        return LiveGraph(
            steps,
            [new[number] for number in outputs],
            self._parameters,
            self._macs,
            self._nodes,
            frozenset(self._domains),
        )


def _trainable(node: onnx.NodeProto) -> Sequence[str]:
    """Return the operands that may be trained: of a batch normalization, not the running mean and variance."""
    return node.input[:3] if node.op_type == "BatchNormalization" else node.input


def _captured(node: onnx.NodeProto) -> list[str]:
    """Return the names that the bodies of a node take from outside of it, in order, some of their own among them."""
    names: dict[str, None] = {}
    for attribute in node.attribute:
        if attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
            for graph in [attribute.g, *attribute.graphs]:
                for inner in graph.node:
                    names.update(dict.fromkeys([*inner.input, *_captured(inner)]))
    return list(names)


def _of_tensor(tensor: onnx.TensorProto) -> _Constant:
    dims = tuple(tensor.dims)
    if tensor.data_type in _FLOATS:
        zero = prod(dims) == 1 and _is_zero(tensor)
        return _Constant(dims, prod(dims) if dims else 0, zero)
    return _Constant(dims, 0, data=lambda: _read_integers(tensor))


def _is_zero(tensor: onnx.TensorProto) -> bool:
    if tensor.float_data:
        return tensor.float_data[0] == 0
    return tensor.HasField("raw_data") and not any(tensor.raw_data)


def _read_integers(tensor: onnx.TensorProto) -> list[int] | None:
    if tensor.data_location == onnx.TensorProto.EXTERNAL or prod(tensor.dims) > 100:
        return None
    return [int(n) for n in onnx.numpy_helper.to_array(tensor).ravel()]


def _of_hole(node: onnx.NodeProto) -> _Constant:
    dims: Shape = ()
    kind = 1
    for attribute in node.attribute:
        if attribute.name == "shape":
            dims = tuple(attribute.ints)
        elif attribute.name == "dtype":
            kind = attribute.i
    return _Constant(dims, prod(dims) if kind in _FLOATS and dims else 0)


def _of_constant(node: onnx.NodeProto) -> _Constant:
    for attribute in node.attribute:
        if attribute.name == "value":
            return _of_tensor(attribute.t)
        if attribute.name == "value_ints":
            return _Constant((len(attribute.ints),), data=partial(list, attribute.ints))
        if attribute.name == "value_int":
            return _Constant((), data=partial(list, (attribute.i,)))
        if attribute.name == "value_float":
            return _Constant((), zero=attribute.f == 0)
        if attribute.name == "value_floats":
            return _Constant((len(attribute.floats),), len(attribute.floats))
    return _Constant(None)


def _declared(graph: onnx.GraphProto) -> dict[str, Shape]:
    """Return the shapes of values that the graph states in full; an open batch is 1."""
    found: dict[str, Shape] = {}
    for value in [*graph.value_info, *graph.output]:
        dims = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if dims and not dims[0]:
            dims[0] = 1
        if dims and all(dims):
            found[value.name] = tuple(dims)
    return found


def _inferred(model: onnx.ModelProto) -> dict[str, Shape]:
    """Return the shapes that onnx infers, once the inputs have the sizes that are assumed."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for value in copy.graph.input:
        if value.type.tensor_type.HasField("shape"):
            assumed = _assume(value.type.tensor_type)
            for dim, size in zip(value.type.tensor_type.shape.dim, assumed, strict=True):
                dim.dim_value = size
    del copy.graph.value_info[:]
    for value in copy.graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        return _declared(onnx.shape_inference.infer_shapes(copy, data_prop=True).graph)
    except Exception:  # of many kinds; shapes that are not known are then those of an operand
        return {}


def _assume(kind: onnx.TypeProto.Tensor) -> Shape:
    """Return the shape of an input, with what is open made up."""
    dims = [dim.dim_value for dim in kind.shape.dim]
    usual = [1, 3, _ASSUMED_SIDE, _ASSUMED_SIDE] if len(dims) == 4 else [1] + [_ASSUMED_LENGTH] * (len(dims) - 1)
    return tuple(size or default for size, default in zip(dims, usual, strict=True)) if dims else (1,)
