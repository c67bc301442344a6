"""Legacy: the text `chain_slim` that ONNX-Net encodes networks with, byte for byte.  To compare with, not to use.

>>> model = onnx.parser.parse_model('''<ir_version: 10, opset_import: ["": 21]>
...     g (float[1,3,8,8] x) => (float[1,4,8,8] y) <float[4,3,3,3] w = {}, float[4,4,1,1] u = {}> {
...         a = Conv <pads = [1,1,1,1]> (x, w)
...         b = Relu(a)
...         c = Conv <group = 2> (b, u)
...         y = Add(c, b)
...     }''')
>>> print(chain_slim(model), end="")
Conv(1x3x8x8, Param[4,3,3,3])(pads=1) --> Value1:1x4x8x8
Relu(Value1) --> Conv(prev, Param[4,4,1,1]) --> Value2:1x4x8x8
Add(Value2, prev) --> Out:1x4x8x8

What the text does not say: attributes of one number or string (`group` above), where an operand comes from that was
inside a chain (`prev` for b above), what the second of two equal-looking operands is.  So different networks have one
text, and it cannot be decoded.  The faults are part of the format, and all of them are kept.

Source: Qin et al., "ONNX-Net" (arXiv 2510.04938); github.com/shiwenqin/ONNX-Net, src/process/utils.py at 0e14b0c, the
function get_onnx_infos_chain_slim.  There, models have gone through onnx-simplifier before.
"""

from __future__ import annotations

from collections.abc import Iterable

import onnx

from onnxtext.core.errors import ModelError

_AT = onnx.AttributeProto
_EMPTY = "[]"  # what a list without elements looks like; such attributes are left out
_OPAQUE = {
    _AT.TENSOR: "<BLOB>",
    _AT.GRAPH: "<BLOB>",
    _AT.SPARSE_TENSOR: "<BLOB>",
    _AT.TENSORS: "<BLOB,...>",
    _AT.GRAPHS: "<BLOB,...>",
    _AT.SPARSE_TENSORS: "<BLOB,...>",
    _AT.TYPE_PROTO: "<TYPE>",
    _AT.TYPE_PROTOS: "<TYPE,...>",
    _AT.UNDEFINED: "undefined",
}


def chain_slim(model: onnx.ModelProto) -> str:
    """Return ONNX-Net's text of the graph of a model.

    Raises ModelError where the original fails: where shape inference does, or finds no shape for a value whose shape is
    to be written, and where the last chain does not end in an output.
    """
    try:
        graph = onnx.shape_inference.infer_shapes(model).graph
    except onnx.shape_inference.InferenceError as error:
        raise ModelError(f"chain_slim needs shapes, and shape inference fails: {error}") from error
    shapes = {info.name: _shape(info) for info in (*graph.value_info, *graph.output)}
    # A name stands for one thing; an output that is an input is an output.
    shown = {value.name: _shape(value) for value in graph.input}
    shown |= {tensor.name: f"Param{_list(tensor.dims)}" for tensor in graph.initializer}
    given = frozenset(shown)  # what comes from outside
    shown |= {value.name: "Out" for value in graph.output}
    pieces: list[str] = []
    last: str | None = None  # the value at the end of the chain that is being written
    count = 0

    def close(needs_shape: bool) -> None:
        """End the chain, if there is one, with a new name and its shape."""
        nonlocal count
        if last is not None:
            count += 1
            shown[last] = f"Value{count}"
            shape = f":{_known(last, shapes)}" if needs_shape or last in shapes else ""
            pieces.append(f"{shown[last]}{shape}\n")

    for node in graph.node:
        operands = [name for name in node.input if name not in given]
        others = [shown[name] for name in node.input if name in given]
        attributes = _attributes(node)
        arrow = f"({attributes}) --> " if attributes else " --> "
        if len(operands) == 1 and len(node.output) == 1:
            (operand,) = operands
            if operand == last:
                first = "prev"
            elif last is None or others:
                first = shown.get(operand, "prev")
            else:
                first = ""
            if operand != last:
                close(needs_shape=False)
            pieces.append(f"{node.op_type}({', '.join([first, *others])}){arrow}")
            last = node.output[0]
        else:
            close(needs_shape=True)
            last = None
            head = f"{node.op_type}(" + "".join(f"{shown.get(name, 'prev')}, " for name in node.input)
            pieces.append(f"{head[:-2]}){arrow}")  # meant for the last comma; "Constant(" loses "t("
            for name in node.output:
                if name not in shown:
                    count += 1
                    shown[name] = f"Value{count}"
            shape = _known(node.output[0] if node.output else "", shapes)
            pieces.append(f"{', '.join(shown[name] for name in node.output)}:{shape}\n")
    if last is not None:
        if last not in shown:
            raise ModelError(f"chain_slim has no name for %{last}, the last value of the graph, as it is no output")
        pieces.append(shown[last])
    return "".join(pieces)


def _known(name: str, shapes: dict[str, str]) -> str:
    if name not in shapes:
        raise ModelError(f"chain_slim needs the shape of %{name}, which shape inference does not find")
    return shapes[name]


def _shape(value: onnx.ValueInfoProto) -> str:
    """Return the dimensions with an x between; 0 for one that is no number."""
    return "x".join(str(dim.dim_value) for dim in value.type.tensor_type.shape.dim)


def _list(items: Iterable[object]) -> str:
    return str(list(items)).replace(" ", "")


def _attributes(node: onnx.NodeProto) -> str:
    shown = [(attribute.name, _attribute(attribute)) for attribute in node.attribute]
    return ",".join(f"{name}={value}" for name, value in shown if value != _EMPTY)


def _attribute(attribute: onnx.AttributeProto) -> str:
    """Return the value of an attribute.  The lists are looked at for single values too, and these are empty there."""
    kind = attribute.type
    if kind in _OPAQUE:
        return _OPAQUE[kind]
    if kind in (_AT.FLOAT, _AT.INT, _AT.STRING):
        return str(list({_AT.FLOAT: attribute.floats, _AT.INT: attribute.ints, _AT.STRING: attribute.strings}[kind]))
    if kind == _AT.INTS and len(set(attribute.ints)) == 1:
        return str(attribute.ints[0])
    return _list({_AT.FLOATS: attribute.floats, _AT.INTS: attribute.ints, _AT.STRINGS: attribute.strings}[kind])
