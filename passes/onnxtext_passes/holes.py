"""Weights of which only the type is known: the operator `Parameter` of the domain `onnxtext`.

It has no inputs; its attributes `dtype` and `shape` say what it stands for, and in a function the shape may be one of
its attributes.  The operator is registered with onnx, so that the checker and shape inference see through it.

>>> node = make_hole("w", onnx.TensorProto.FLOAT, [2, 3])
>>> is_hole(node), onnx.defs.has("Parameter", "onnxtext")
(True, True)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import onnx
from onnx import defs, helper

DOMAIN = "onnxtext"
VERSION = 1
OPERATOR = "Parameter"


def make_hole(name: str, dtype: int, shape: Sequence[int]) -> onnx.NodeProto:
    """Return the node for a weight of an element type and shape, in the form that prints in place."""
    node = onnx.NodeProto.FromString(_hole(dtype, tuple(shape)))
    node.output.append(name)
    return node


@lru_cache(maxsize=1024)
def _hole(dtype: int, shape: tuple[int, ...]) -> bytes:
    """Return the bytes of a hole without a result; a network has few kinds of them."""
    node = onnx.NodeProto(op_type=OPERATOR, domain=DOMAIN)
    node.attribute.append(helper.make_attribute("dtype", dtype))
    node.attribute.append(onnx.AttributeProto(name="shape", type=onnx.AttributeProto.INTS, ints=shape))
    return node.SerializeToString()


def is_hole(node: onnx.NodeProto) -> bool:
    """Tell whether a node stands for a weight of which only the type is known."""
    return node.op_type == OPERATOR and node.domain == DOMAIN and len(node.output) == 1 and not node.input


def import_domain(holder: onnx.ModelProto | onnx.FunctionProto) -> None:
    """Let a model or function import the domain, where it does not yet."""
    if all(opset.domain != DOMAIN for opset in holder.opset_import):
        holder.opset_import.add(domain=DOMAIN, version=VERSION)


def _infer(context: onnx.shape_inference.InferenceContext) -> None:
    dtype, shape = context.get_attribute("dtype"), context.get_attribute("shape")
    if dtype is None or shape is None or dtype.ref_attr_name or shape.ref_attr_name:
        return
    result = onnx.TypeProto()
    result.tensor_type.elem_type = dtype.i
    result.tensor_type.shape.SetInParent()
    for dim in shape.ints:
        result.tensor_type.shape.dim.add().dim_value = dim
    context.set_output_type(0, result)


def _register() -> None:
    if defs.has(OPERATOR, DOMAIN):
        return
    schema = defs.OpSchema(
        OPERATOR,
        DOMAIN,
        VERSION,
        doc="A weight of which only the type is known.",
        outputs=[defs.OpSchema.FormalParameter("weight", "T", "The weight.")],
        type_constraints=[("T", sorted(defs.get_schema("Identity", 14).type_constraints[0].allowed_type_strs), "")],
        attributes=[
            defs.OpSchema.Attribute("dtype", defs.OpSchema.AttrType.INT, "The element type.", required=True),
            defs.OpSchema.Attribute("shape", defs.OpSchema.AttrType.INTS, "The dimensions.", required=True),
        ],
    )
    schema.set_type_and_shape_inference_function(_infer)
    defs.register_schema(schema)


_register()
